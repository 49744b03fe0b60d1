"""`drillbook env diff`: what each change of a setting does, and that no value is shown."""

import base64

import pytest

from drillbook.core.dotenv import EnvFile
from drillbook.infisical.crypto import label
from drillbook.infisical.settings import compare_settings, print_changes
from tests.support.commands import call

BASE = {
    "ENCRYPTION_KEY": "a" * 32,
    "AUTH_SECRET": "first-secret",
    "DB_CONNECTION_URI": "postgres://infisical:geheim@db:5432/infisical",
    "REDIS_URL": "redis://redis:6379",
    "SITE_URL": "https://one.example.com",
    "SMTP_PASSWORD": "mail-geheim",
}


def compare(old, new):
    return compare_settings(*(EnvFile("x.env", variables, {}) for variables in (old, new)))


def change(name, value):
    [found] = compare(BASE, {**BASE, name: value})
    return found


@pytest.mark.parametrize(
    ("name", "value", "dangerous", "words"),
    [
        ("ENCRYPTION_KEY", "b" * 32, True, "does not start on its database"),
        ("ENCRYPTION_KEY", "", True, "without it the backend does not start"),
        ("AUTH_SECRET", "other", False, "every earlier token is refused"),
        ("AUTH_SECRET", "", True, "without it"),
        ("REDIS_URL", "redis://other:6379", True, "no session is lost, but waiting jobs are"),
        ("SITE_URL", "https://two.example.com", False, "links in mails"),
        # By the sources of 2024 and July 2026.
        ("SITE_URL", "https://two.example.com", False, "a log-in by SSO returns to it"),
        ("MAX_MACHINE_IDENTITY_TOKEN_AGE", "30d", True, "how long a new token of a machine lives"),
        ("INVITE_ONLY", "true", False, "does not read it"),
        ("TELEMETRY_ENABLED", "yes", True, "exit code 255"),
        ("TELEMETRY_ENABLED", "false", False, "calls home"),
        ("TELEMETRY_ENABLED", "", True, "leave the line out"),
        ("SITE_URL", " ", True, "leave the line out"),
        # These two count next to DB_CONNECTION_URI.
        ("DB_ROOT_CERT", "bmV3", True, "the authority of the database's certificate"),
        ("DB_READ_REPLICAS", "[]", True, "where the backend reads"),
        ("DB_HOST", "other", True, "counts only if DB_CONNECTION_URI is not set"),
        # No one can change the user of a volume.
        ("SERVICE_USER_POSTGRES", "other", True, "keep the user that the volume was made with"),
        ("MY_OWN", "x", False, "Drillbook does not know"),
    ],
)
def test_what_a_change_does(name, value, dangerous, words):
    found = change(name, value)
    assert (found.dangerous, words in found.meaning) == (dangerous, True)


@pytest.mark.parametrize(("name", "needed"), [("HSM_LIB_PATH", True), ("SMTP_HOST", False)])
def test_a_licence_is_needed_at_the_start_where_an_hsm_holds_the_root_key(name, needed):
    # By the source of July 2026 (isHsmActiveAndEnabled, verifyFipsLicense).
    rest = {**BASE, name: "/usr/lib/hsm.so"}
    [found] = compare({**rest, "LICENSE_KEY": "one"}, rest)
    assert (found.kind, found.dangerous) == ("removed", needed)
    [found] = compare(rest, {**rest, "LICENSE_KEY": "one"})
    assert not found.dangerous


def test_parts_of_an_address_are_named():
    assert change("DB_CONNECTION_URI", "postgres://infisical:new@db2/infisical").detail == (
        "password, host, port"
    )
    keys = f"label {label('a' * 32)} → label {label('b' * 32)}"
    assert change("ENCRYPTION_KEY", "b" * 32).detail == keys


def test_root_key_has_the_label_that_the_product_gives_it():
    packed = base64.b64encode(b"a" * 32).decode()
    assert change("ROOT_ENCRYPTION_KEY", packed).detail == f"label {label('a' * 32)}"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SERVICE_PASSWORD_ENCRYPTIONKEY", "ENCRYPTION_KEY"),
        ("JWT_AUTH_SECRET", "AUTH_SECRET"),
        ("POSTGRES_PASSWORD", "SERVICE_PASSWORD_POSTGRES"),
    ],
)
def test_the_same_value_under_another_name_is_harmless(old, new):
    for names in ((old, new), (new, old)):
        for found in compare({names[0]: "a" * 32}, {names[1]: "a" * 32}):
            assert "under another name" in found.meaning
            assert not found.dangerous
        changes = compare({names[0]: "a" * 32}, {names[1]: "b" * 32})
        assert not [one for one in changes if "under another name" in one.meaning]


@pytest.mark.parametrize(
    "name",
    [
        *("ENCRYPTION_KEY", "SERVICE_PASSWORD_ENCRYPTIONKEY", "AUTH_SECRET"),
        *("SERVICE_REALBASE64_64_AUTHSECRET", "SERVICE_REALBASE64_AUTHSECRET"),
    ],
)
def test_a_key_is_needed_at_the_start_under_any_of_its_names(name):
    [found] = compare({name: "x"}, {})
    assert (found.dangerous, found.meaning) == (True, "without it the backend does not start")


def test_another_key_next_to_the_old_one_stays_dangerous():
    key, other = ("ENCRYPTION_KEY", "a" * 32), ("SERVICE_PASSWORD_ENCRYPTIONKEY", "b" * 32)
    [found] = compare(dict([key]), dict([key, other]))
    assert found.dangerous


def test_what_was_empty_before_is_no_change():
    assert compare({**BASE, "SITE_URL": ""}, {**BASE, "SITE_URL": " "}) == []


def test_blanks_are_no_change():
    assert compare(BASE, {**BASE, "SITE_URL": f"{BASE['SITE_URL']} ", "PORT": " "}) == []


def test_values_are_never_shown(tmp_path, capsys):
    old, new = tmp_path / "old.env", tmp_path / "new.env"
    old.write_text("".join(f"{name}={value}\n" for name, value in BASE.items()))
    new.write_text("".join(f"{name}={value}x1\n" for name, value in BASE.items()))
    for form in ("text", "json"):
        assert print_changes(str(old), str(new), form) == 1
        said = capsys.readouterr().out
        assert said.index("ENCRYPTION_KEY") < said.index("SMTP_PASSWORD")
        assert not [value for value in BASE.values() if value in said]
    assert print_changes(str(old), str(old), "text") == 0
    assert capsys.readouterr().out == "no setting differs\n"
    assert call("env diff", [old, tmp_path / "none.env"]) == 3


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        ("'pa$xy'", "pa$xy", True),
        ("'pa$xy'", '"pa$xy"', True),
        ("'pa${xy}'", "pa${xy}", True),
        ("'pa$1'", "pa$1", False),
        ("pa$xy", '"pa$xy"', False),
        ("'pa xy'", '"pa xy"', False),
    ],
)
def test_a_dollar_stays_only_in_single_quotes(old, new, differs, tmp_path, capsys):
    # compose makes pa of pa$xy: the backend's password is another one than before.
    for name, value in (("old.env", old), ("new.env", new)):
        (tmp_path / name).write_text(f"POSTGRES_PASSWORD={value}\n")
    code = print_changes(str(tmp_path / "old.env"), str(tmp_path / "new.env"), "text")
    said = capsys.readouterr().out
    assert (code, "compose replaces" in said) == (int(differs), differs)
    assert "xy" not in said


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [("'pa$xy'", "pa$$xy", 0), ("'pa$xy'", '"pa$$xy"', 0), ("'pa$$xy'", "pa$$xy", 1)],
)
def test_two_dollars_are_one_outside_of_single_quotes(old, new, differs, tmp_path):
    for name, value in (("old.env", old), ("new.env", new)):
        (tmp_path / name).write_text(f"POSTGRES_PASSWORD={value}\n")
    assert print_changes(str(tmp_path / "old.env"), str(tmp_path / "new.env"), "text") == differs


@pytest.mark.parametrize(
    ("written", "dangerous"),
    [("${MADE}", 0), ("$MADE", 0), ("${MADE:?no key}", 0), ("${OTHER}", 1), ("'${MADE}'", 1)],
)
def test_a_variable_of_the_file_that_is_referred_to_is_its_value(written, dangerous, tmp_path):
    # As Coolify writes them.
    old, new = tmp_path / "old.env", tmp_path / "new.env"
    old.write_text(f"ENCRYPTION_KEY={'a' * 32}\n")
    new.write_text(f"MADE={'a' * 32}\nOTHER={'b' * 32}\nENCRYPTION_KEY={written}\n")
    assert print_changes(str(old), str(new), "text") == dangerous


def test_an_address_that_cannot_be_parsed_is_called_that():
    found = change("DB_CONNECTION_URI", "postgres://infisical:gehe/im@db:5432/infisical")
    assert found.detail == "one of the two is not a valid address: a / in a password is written %2F"
