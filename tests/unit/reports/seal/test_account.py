"""What the end of a run says of its seal, and which key and which clock a run is sealed with."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from reports.seal.sealer import BY_FILE, Sealed, describe_seal, make_sealer
from reports.session.evidence_run import sealer_for
from tests.support.bundles import key

ID = "0123456789abcdef0123"
WHOLE = Sealed(Path("b.zip"), ID)


def said(sealed):
    return [line.text for line in describe_seal(sealed)]


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A signing key in a file and in the environment."""
    signer, _ = key(tmp_path)
    monkeypatch.setenv("CI_KEY", (tmp_path / "drill.key").read_text())
    return signer, str(tmp_path / "drill.key")


def test_bundle_is_told_by_sixteen_digits_of_who_signed_it():
    (line,) = describe_seal(WHOLE)
    assert line == ("Bundle sealed: signed by key 0123456789abcdef", ())


def test_unsigned_bundle_is_told_so_in_a_colour():
    (line,) = describe_seal(Sealed(Path("b.zip")))
    assert line == ("Bundle sealed: unsigned", ("yellow",))


def test_time_of_a_stamp_is_told_to_the_second():
    stamped = WHOLE._replace(stamped=datetime(2026, 11, 24, 7, 5, 9, tzinfo=UTC))
    assert said(stamped)[1:] == ["Time-stamp: 24 November 2026, 07:05:09 UTC"]


def test_stamp_by_hand_is_told_with_what_to_carry_where():
    lines = said(WHOLE._replace(request=Path("x/b.zip.tsq")))
    by_hand = " ".join(" ".join(lines[1:]).split())
    assert by_hand.startswith("Time-stamp: to be fetched by hand. Carry b.zip.tsq to the")
    assert by_hand.endswith("drillbook evidence timestamp ... --tsr ...")


def test_what_went_wrong_is_told_once_and_loudly():
    lines = list(describe_seal(WHOLE._replace(request=Path("b.zip.tsq"), trouble="no clock")))
    assert lines[1].text == (
        "Sealed only in part: no clock. The folder holds all evidence; `drillbook"
    )
    assert [line.style for line in lines[1:]] == [("red", "bold")] * 2
    (first, *_) = said(Sealed(trouble="no room"))
    assert first.startswith("Not sealed: no room. ")


@pytest.mark.parametrize("clock", ["http://clock/tsr", "https://clock", BY_FILE, "", None])
def test_clock_is_an_address_or_is_asked_by_hand_or_there_is_none(made, clock):
    signer, path = made
    assert make_sealer(None, None, clock) == (None, clock or None)
    signed = make_sealer(path, None, clock)
    assert (signed.key.id, signed.authority) == (signer.id, clock or None)


@pytest.mark.parametrize("nothing", [None, ""])
def test_key_is_of_a_file_or_of_the_environment(made, nothing):
    signer, path = made
    assert make_sealer(path, nothing, None).key.id == signer.id
    assert make_sealer(nothing, "CI_KEY", None).key.id == signer.id
    assert make_sealer(nothing, nothing, None).key is None


class Config(dict):
    """The options of a run."""

    getoption = dict.get


class Noting(dict):
    """What the recorder is told never to write."""

    secret = dict.__setitem__


def test_run_learns_what_of_its_key_must_appear_nowhere(made):
    signer, path = made
    noted = Noting()
    given = sealer_for(Config({"--signing-key": path, "--tsa": BY_FILE}), noted)
    assert (given.key.id, given.authority) == (signer.id, BY_FILE)
    assert noted == signer.secrets
    assert len(noted) == 2
    assert sealer_for(Config(), Noting()) == (None, None)
