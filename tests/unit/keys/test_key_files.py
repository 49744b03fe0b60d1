"""Keys are found in the files operators have, under each of their names, and never shown."""

import base64

import pytest

from drillbook.core.errors import BadInput
from drillbook.infisical.crypto import fingerprint, material
from drillbook.keys.key_files import load, load_all, permission_warnings

KEY = "0f1e2d3c4b5a69788796a5b4c3d2e1f9"


@pytest.fixture
def file(tmp_path):
    def written(text, name="x.env"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return written


@pytest.mark.parametrize(
    ("text", "variable"),
    [
        (f"ENCRYPTION_KEY={KEY}\n", "ENCRYPTION_KEY"),
        (f"ROOT_ENCRYPTION_KEY={KEY}\n", "ROOT_ENCRYPTION_KEY"),
        (f"SERVICE_PASSWORD_ENCRYPTIONKEY={KEY}\n", "SERVICE_PASSWORD_ENCRYPTIONKEY"),
        (f"ENCRYPTION_KEY=${{MINE}}\nMINE={KEY}\n", "ENCRYPTION_KEY"),
        (f"ENCRYPTION_KEY=${{MINE:?no key}}\nMINE={KEY}\n", "ENCRYPTION_KEY"),
        (f"ENCRYPTION_KEY=$MINE\nMINE={KEY}\n", "ENCRYPTION_KEY"),
        (f"ENCRYPTION_KEY=$A\nA=${{B}}\nB={KEY}\n", "ENCRYPTION_KEY"),
        (f"ENCRYPTION_KEY=\nROOT_ENCRYPTION_KEY={KEY}\n", "ROOT_ENCRYPTION_KEY"),
    ],
)
def test_key_is_found_under_each_of_its_names(file, text, variable):
    found = load(file(text))
    assert (found.variable, found.key, found.unfit) == (variable, KEY, "")
    assert found.label == fingerprint(KEY.encode())
    assert KEY not in repr(found)


@pytest.mark.parametrize("written", ["${ELSEWHERE}", "$ELSEWHERE", "${X:-y}", "${ENCRYPTION_KEY}"])
def test_reference_to_what_the_file_does_not_set_is_no_key(file, written):
    with pytest.raises(BadInput, match="ENCRYPTION_KEY refers to a variable that the file does"):
        load(file(f"ENCRYPTION_KEY={written}\n"))
    key = "$" + KEY[1:]
    assert load(file(f"ENCRYPTION_KEY={key}\n")).key == key


def test_key_of_another_length_fits_nothing_and_has_a_label_all_the_same(file):
    found = load(file("ENCRYPTION_KEY=short\n"))
    assert found.unfit == "it has 5 bytes where the product takes exactly 32"
    assert found.label == fingerprint(b"short")
    assert found.label != fingerprint(b"")


@pytest.mark.parametrize("written", ["\u201c{}\u201d", "\u200b{}", "{};", "{}\rA=b"])
def test_key_with_more_around_it_is_told_so(file, written):
    found = load(file(f"ENCRYPTION_KEY={written.format('0123456789abcdef' * 2)}\n"))
    assert found.unfit.endswith("32 among them may be the key: remove the others, such as a quote")


def test_file_without_a_key_is_refused_with_the_names_it_may_have(file):
    with pytest.raises(BadInput) as refused:
        load(file("A=b\n"))
    said = str(refused.value)
    assert said.endswith("sets no ENCRYPTION_KEY and no ROOT_ENCRYPTION_KEY; check --env-file")


@pytest.mark.parametrize(
    ("row", "hint"),
    [
        (f"encryption_key={KEY}", "it sets encryption_key"),
        (f"ENCRYPTON_KEY={KEY}", "it sets ENCRYPTON_KEY"),
        (f"SERVICE_HEX_32_ENCRYPTIONKEY={KEY}", "it sets SERVICE_HEX_32_ENCRYPTIONKEY"),
        ("ENCRYPTION_KEY=", "it sets ENCRYPTION_KEY to nothing"),
    ],
)
def test_a_misspelt_or_empty_variable_is_named(file, row, hint):
    with pytest.raises(BadInput, match=f"sets no ENCRYPTION_KEY and .* \\({hint}\\); check"):
        load(file(f"A=b\n{row}\n"))


def test_a_pattern_names_several_files_and_a_name_may_have_a_quote(file, tmp_path):
    first, second = file(f"ENCRYPTION_KEY={KEY}\n", "a.env"), file("ENCRYPTION_KEY=x\n", "b.env")
    found, _ = load_all([f"{tmp_path}/?.env", str(first), str(second)])
    assert [one.key for one in found] == [KEY, "x"]
    [quoted], _ = load_all([str(file(f"ENCRYPTION_KEY={KEY}\n", "the 'old' one.env"))])
    assert quoted.key == KEY
    with pytest.raises(BadInput, match="grace's"):
        load_all([f"{tmp_path}/grace's.env"])
    with pytest.raises(BadInput, match="no key to try"):
        load_all([])


def test_file_that_cannot_be_read_does_not_end_the_comparison(file, tmp_path):
    right, none = file(f"ENCRYPTION_KEY={KEY}\n", "a.env"), file("A=b\n", "c.env")
    found, unread = load_all([f"{tmp_path}/nope.env", str(right), str(none)])
    assert [one.path for one in found] == [str(right)]
    assert [one.rpartition("; check")[0] for one in unread] == [
        f"environment file {tmp_path}/nope.env does not exist",
        f"environment file {none} sets no ENCRYPTION_KEY and no ROOT_ENCRYPTION_KEY",
    ]
    with pytest.raises(BadInput, match=r"nope\.env does not exist; .*c\.env sets no"):
        load_all([f"{tmp_path}/nope.env", str(none)])


@pytest.mark.parametrize(
    ("written", "key", "deployed_as"),
    [
        (f"{KEY}\n", KEY, "ENCRYPTION_KEY"),
        (f"# from the safe\n\n  {KEY}  \r\n", KEY, "ENCRYPTION_KEY"),
        (f"\ufeff{KEY}", KEY, "ENCRYPTION_KEY"),
        (KEY * 2, KEY * 2, "ENCRYPTION_KEY"),
        (f"{base64.b64encode(KEY.encode()).decode()}\n", None, "ROOT_ENCRYPTION_KEY"),
    ],
)
def test_file_with_the_key_alone_is_understood(file, written, key, deployed_as):
    found = load(file(written))
    assert (found.key, found.deployed_as) == (key or written.strip(), deployed_as)


@pytest.mark.parametrize(
    "written", ["nonsense\n", f"{KEY} {KEY}\n", "ROOT_ENCRYPTION_KEY=\n", f"{KEY}\n{KEY}\n"]
)
def test_what_is_neither_a_key_nor_an_environment_file_is_refused(file, written):
    with pytest.raises(BadInput):
        load(file(written))


BASE64 = base64.b64encode(KEY.encode()).decode()


@pytest.mark.parametrize(
    ("text", "accepted_as"),
    [
        (f"ENCRYPTION_KEY={BASE64}\n", "ROOT_ENCRYPTION_KEY"),
        (f"SERVICE_PASSWORD_ENCRYPTIONKEY={BASE64}\n", "ROOT_ENCRYPTION_KEY"),
        (f"ROOT_ENCRYPTION_KEY={KEY}\n", "ENCRYPTION_KEY"),
        (f"ENCRYPTION_KEY={BASE64}\nFIPS_ENABLED=true\n", "ENCRYPTION_KEY"),
        (f"ROOT_ENCRYPTION_KEY={BASE64}\n", "ROOT_ENCRYPTION_KEY"),
        (f"SERVICE_PASSWORD_ENCRYPTIONKEY={KEY}\n", "ENCRYPTION_KEY"),
    ],
)
def test_the_product_takes_a_key_by_the_name_of_its_form(file, text, accepted_as):
    assert load(file(text)).accepted_as == accepted_as


def test_second_key_of_a_file_is_for_the_first_generation_alone(file):
    both = file(f"ENCRYPTION_KEY={KEY[::-1]}\nROOT_ENCRYPTION_KEY={BASE64}\n")
    [key], [untried] = load_all([str(both)])
    assert (key.key, key.also, BASE64 in untried) == (KEY[::-1], BASE64, False)
    assert untried.startswith(f"{both}: ROOT_ENCRYPTION_KEY for the root key, which the product")


def test_a_key_that_a_later_line_replaces_is_named(file):
    other = KEY[::-1]
    keys, untried = load_all([str(file(f"ENCRYPTION_KEY={KEY}\nA=b\nENCRYPTION_KEY={other}\n"))])
    assert [one.key for one in keys] == [other]
    assert "ENCRYPTION_KEY of line 1, since another value in line 3 replaces it" in untried[0]
    assert load_all([str(file(f"ENCRYPTION_KEY={KEY}\nENCRYPTION_KEY={KEY}\n"))])[1] == []


def test_an_assignment_as_long_as_a_key_is_no_bare_key(file):
    assert load(file("ENCRYPTION_KEY=abcdefghijklmnopq\n")).key == "abcdefghijklmnopq"


def test_file_that_others_can_read_is_warned_of(file):
    open_to_all, private = file(f"ENCRYPTION_KEY={KEY}\n", "a.env"), file(KEY, "b.env")
    open_to_all.chmod(0o644)
    private.chmod(0o600)
    [warning] = permission_warnings(map(str, [open_to_all, private, private.with_name("none")]))
    assert f"chmod 600 {open_to_all}" in warning
    assert KEY not in warning


@pytest.mark.parametrize("raw", [bytes(range(224, 256)), b"\xff" * 32])
@pytest.mark.parametrize("spell", range(4))
def test_base64_is_read_as_the_product_reads_it(file, spell, raw):
    whole = base64.b64encode(raw).decode()
    web = base64.urlsafe_b64encode(raw).decode()
    key = [whole, whole.rstrip("="), web, web.rstrip("=")][spell]
    assert material(key) == raw
    assert load(file(f"ROOT_ENCRYPTION_KEY={key}\n")).accepted_as == "ROOT_ENCRYPTION_KEY"
    assert load(file(f"{key}\n")).variable == "ROOT_ENCRYPTION_KEY"
