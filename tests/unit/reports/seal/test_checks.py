"""What is said of a bundle: whom it names, and how strange statements and neighbours are told."""

import pytest

from reports.seal import signature
from reports.seal.manifest import SIGNATURE
from reports.seal.verification import Trust
from tests.support.bundles import examined, repacked, sealed
from tests.support.commands import verify as main


@pytest.fixture(scope="module")
def trusted(signer):
    return signature.load_trusted_keys(signer[1])


def test_who_says_nothing_trusts_nothing():
    assert not Trust().unsigned


def test_a_key_is_named_by_sixteen_digits(folder, trusted, tmp_path):
    (whole,) = trusted
    named = f"key {whole[:16]}"
    bundle = folder / "bundle.zip"
    found = examined(bundle, keys=trusted)["signature"].sentence
    assert found == f"Ed25519, by the trusted {named}, over every file"
    found = examined(bundle, unsigned=True)["signature"].sentence
    assert found == f"by {named}, not checked: no --pubkey was given"
    stripped = repacked(folder, tmp_path / "b.zip", **{SIGNATURE: None})
    found = examined(stripped, unsigned=True)["record"].sentence
    assert found == f"it says {named} signs it: the signature is gone"


@pytest.mark.parametrize(
    "payload",
    [b"no json", b"[]", b"{}", b'{"subject": 5}', b'{"subject": [{}]}', b"[" * 100_000],
)
def test_a_signed_statement_about_no_files_is_told(folder, signer, trusted, tmp_path, payload):
    envelope = signer[0].sign(payload)
    bundle = repacked(folder, tmp_path / "b.zip", **{SIGNATURE: envelope})
    found = examined(bundle, keys=trusted)["signature"]
    assert found.state == "bad"
    assert found.sentence == "what was signed is not a statement about files"


def test_of_several_strange_or_missing_files_the_first_is_named(folder, tmp_path):
    more = {"logs/b.log": b"", "logs/a.log": b""}
    found = examined(repacked(folder, tmp_path / "b.zip", **more), unsigned=True)["files"]
    assert found.sentence.startswith("logs/a.log was added")
    fewer = {"logs/backend.log": None, "junit.xml": None}
    found = examined(repacked(folder, tmp_path / "b.zip", **fewer), unsigned=True)["files"]
    assert found.sentence.startswith("junit.xml was removed")


def test_a_bundle_before_that_is_not_there_is_told(place, signer, folder, tmp_path):
    (place / "latest").symlink_to(folder.name)
    second = sealed(place, signer[0], name="second")
    absent = tmp_path / "absent.zip"
    found = examined(second / "bundle.zip", unsigned=True, previous=absent)["chain"]
    assert found.state == "bad"
    assert found.sentence == f"{absent}: No such file or directory; --previous takes a bundle"


def test_a_key_that_cannot_be_read_is_not_the_bundles_fault(folder, tmp_path, capsys):
    broken = tmp_path / "broken.pub"
    broken.write_text("no key")
    assert main([str(folder / "bundle.zip"), "--pubkey", str(broken)]) == 3
    told = capsys.readouterr().err
    assert str(broken) in told
    assert "bundle.zip" not in told
