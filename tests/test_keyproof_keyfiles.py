"""Keys are found in the files operators have, under each of their names, and never shown."""

import pytest

from fixtures.errors import BadInput
from fixtures.infisical.keys import fingerprint
from fixtures.keyproof.keyfiles import read, read_all

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
        (f"ENCRYPTION_KEY=$MINE\nMINE={KEY}\n", "ENCRYPTION_KEY"),
        (f"ENCRYPTION_KEY=\nROOT_ENCRYPTION_KEY={KEY}\n", "ROOT_ENCRYPTION_KEY"),
    ],
)
def test_key_is_found_under_each_of_its_names(file, text, variable):
    found = read(file(text))
    assert (found.variable, found.key, found.unfit) == (variable, KEY, "")
    assert found.label == fingerprint(KEY.encode())
    assert KEY not in repr(found)


def test_reference_to_what_the_file_does_not_set_is_taken_as_it_is(file):
    assert read(file("ENCRYPTION_KEY=${ELSEWHERE}\n")).key == "${ELSEWHERE}"


def test_key_of_another_length_fits_nothing_and_has_a_label_all_the_same(file):
    found = read(file("ENCRYPTION_KEY=short\n"))
    assert found.unfit == "it has 5 bytes where the product takes exactly 32"
    assert found.label == fingerprint(b"short")
    assert found.label != fingerprint(b"")


def test_file_without_a_key_is_refused_with_the_names_it_may_have(file):
    with pytest.raises(BadInput) as refused:
        read(file("A=b\n"))
    said = str(refused.value)
    assert said.endswith("sets no ENCRYPTION_KEY and no ROOT_ENCRYPTION_KEY; check ENV_FILE=")


def test_one_argument_may_name_several_files_or_one_with_a_quote(file, tmp_path):
    first, second = file(f"ENCRYPTION_KEY={KEY}\n", "a.env"), file("ENCRYPTION_KEY=x\n", "b.env")
    assert [one.key for one in read_all([f"{first} {second}", str(first)])] == [KEY, "x"]
    assert read_all([str(file(f"ENCRYPTION_KEY={KEY}\n", "the 'old' one.env"))])[0].key == KEY
    with pytest.raises(BadInput, match="grace's"):
        read_all([f"{tmp_path}/grace's.env"])
    with pytest.raises(BadInput, match="no key to try"):
        read_all([" "])
