"""A custodian proves to hold a key without showing it, and a false answer is found."""

from datetime import UTC, date, datetime

import pytest

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run as command_line
from drillbook.infisical.crypto import label
from reports.config import declarations
from reports.controls import Catalogue
from reports.errors import BadDeclaration
from reports.evidence.findings import match_keys
from reports.evidence.model import Key, Subject
from reports.render.context_sections import key_register
from reports.seal import custody, signature
from tests.support import sample_run
from tests.support.bundles import check_record

KEY, OTHER = "0123456789abcdef" * 2, "f" * 32
REGISTER = f"""
[[keys]]
label = "{label(KEY)}"
purpose = "ENCRYPTION_KEY of production"
custodians = ["Ada", "Grace"]
stored_in = ["safe", "envelope"]
escrow_last_opened = 2026-11-24
challenge = "2026-Q4"
"""
SEEN = (Key(name="ENCRYPTION_KEY", label=label(KEY), bytes=32),)
NAMES = 'acknowledgements = ["Ada.json", "Grace.json"]\ncustodian_keys = ["Ada.pub", "Grace.pub"]\n'


class Clock(datetime):
    """Custodians answer in the morning of this day."""

    day = date(2026, 11, 24)

    @classmethod
    def now(cls, zone=None):
        return datetime(cls.day.year, cls.day.month, cls.day.day, 9, tzinfo=zone)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with register, key, and a signing key for each custodian."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("drillbook.cli.commands.datetime", Clock)
    for name, key in (("own.env", KEY), ("other.env", OTHER)):
        (tmp_path / name).write_text(f"ENCRYPTION_KEY={key}\n")
    for name in ("Ada", "Grace"):
        signature.generate(tmp_path / name)
    (tmp_path / "drillbook.toml").write_text(REGISTER + NAMES)
    return tmp_path


def prove(name, *, signer=None, file="own.env", challenge="2026-Q4"):
    given = [f"--env-file={file}", f"--challenge={challenge}", f"--name={name}"]
    given += [f"--signing-key={signer or name}", f"--out={name}.json"]
    return command_line(COMMANDS, ["key", "prove", *given])


def registered(place, secret=KEY):
    """The register as a run with this key records it."""
    catalogue = Catalogue.model_validate({"control": []})
    said = custody.load(declarations.load(place, None, None, catalogue))
    known = [("BACKUP_ENCRYPTION_KEY", secret)] if secret else []
    keys = custody.register(said, SEEN, known)
    return match_keys(keys, SEEN, date(2026, 11, 24))


def test_two_custodians_who_hold_the_key_leave_no_finding(place, capsys):
    assert (prove("Ada"), prove("Grace")) == (0, 0)
    said = capsys.readouterr()
    assert f"Ada holds the key {label(KEY)}" in said.out
    assert "own.env holds a key, and others can read it" in said.err
    assert all(KEY not in (place / f"{name}.json").read_text() for name in ("Ada", "Grace"))
    (key,) = registered(place)
    assert [(one.name, one.held) for one in key.acknowledged] == [("Ada", True), ("Grace", True)]
    assert key.findings == ()
    run = sample_run.run(key_register=(key,))
    ((_, text),) = key_register(run)
    declared, _, measured = text.partition("Measured: ")
    assert "answered by Ada on" in declared
    assert "Ada: holds it; Grace: holds it" in measured


def test_an_answer_of_another_key_is_found_by_the_run_that_has_it(place):
    prove("Ada")
    prove("Grace")
    (key,) = registered(place, secret=OTHER)
    assert "Ada does not hold it: the answer was not made with this key" in key.findings
    assert "no dual control: fewer than two custodians have proved to hold it" in key.findings
    (key,) = registered(place, secret=None)
    assert key.findings == (
        "the answer of Ada was not judged",
        "the answer of Grace was not judged",
    )


def test_who_is_no_custodian_any_more_makes_no_dual_control(place):
    """Grace left the register after she had answered."""
    prove("Ada")
    prove("Grace")
    text = (place / "drillbook.toml").read_text()
    (place / "drillbook.toml").write_text(
        text.replace('["Ada", "Grace"]\nstored', '["Ada"]\nstored')
    )
    (key,) = registered(place)
    assert key.findings == (
        "Grace answered, and is not one of its custodians",
        "no dual control: fewer than two custodians have proved to hold it",
    )
    assert check_record(sample_run.run(key_register=(key,), subject=Subject(keys=SEEN)))


def test_one_person_under_two_names_is_not_dual_control(place):
    prove("Ada")
    prove("Grace", signer="Ada")
    (key,) = registered(place)
    assert key.findings == ("no dual control: fewer than two custodians have proved to hold it",)


def test_one_person_with_two_signing_keys_is_no_dual_control(place):
    text = (place / "drillbook.toml").read_text().replace('["Ada", "Grace"]', '["Ada"]')
    (place / "drillbook.toml").write_text(text)
    prove("Ada")
    (place / "Ada.json").rename(place / "Grace.json")
    prove("Ada", signer="Grace")
    (key,) = registered(place)
    assert key.findings == ("no dual control: fewer than two custodians have proved to hold it",)


def test_the_day_of_an_answer_is_one_of_utc(place):
    prove("Ada")
    prove("Grace")
    (key,) = registered(place)
    late = datetime.fromisoformat("2026-11-24T23:30:00-05:00")
    assert late.astimezone(UTC).day == 25
    answers = tuple(type(one)(**dict(one) | {"signed": late}) for one in key.acknowledged)
    (key,) = match_keys(
        [key.model_copy(update={"acknowledged": answers})], SEEN, date(2026, 11, 24)
    )
    assert key.findings[0] == "the answer of Ada is of 2026-11-25, after the run"


def test_an_old_challenge_is_not_an_answer(place):
    prove("Ada")
    prove("Grace", challenge="2026-Q3")
    (key,) = registered(place)
    assert "Grace has not answered the challenge 2026-Q4" in key.findings
    ((_, text),) = key_register(sample_run.run(key_register=(key,)))
    assert "Ada: holds it" in text
    assert "Grace: holds it" not in text


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("Ada", {"file": "other.env"}, f"no key with the label {label(OTHER)}"),
        ("Eve", {"signer": "Ada"}, "the custodians of this key are Ada, Grace"),
    ],
)
def test_only_a_custodian_with_the_registered_key_proves(place, capsys, name, given, said):
    assert prove(name, **given) == 3
    assert said in capsys.readouterr().err
    assert not (place / f"{name}.json").exists()


def test_an_answer_is_never_overwritten(place, capsys):
    prove("Ada")
    assert prove("Ada") == 3
    assert "never overwritten" in capsys.readouterr().err


def test_a_register_refuses_answers_that_no_custodian_signed(place):
    prove("Ada")
    signature.generate(place / "Eve")
    prove("Grace", signer="Eve")
    with pytest.raises(BadDeclaration, match="signed by key"):
        registered(place)
    (place / "Grace.json").unlink()
    with pytest.raises(BadDeclaration, match="No such file"):
        registered(place)


def test_an_answer_about_another_key_is_refused(place):
    prove("Ada")
    prove("Grace")
    text = (place / "drillbook.toml").read_text()
    (place / "drillbook.toml").write_text(text.replace(label(KEY), label(OTHER)))
    with pytest.raises(BadDeclaration, match="is about another key"):
        registered(place)
