"""Sealing and stamping without a run: what it says, what it leaves, and what it refuses."""

import pytest

from reports.seal import signature, verify_bundle
from tests.support.bundles import key, sealed
from tests.support.commands import seal as main
from tests.support.commands import verify


@pytest.fixture
def folder(tmp_path):
    return sealed(tmp_path / "runs")


@pytest.fixture
def signing(tmp_path):
    """A key's option, its id and its public half."""
    signer, public = key(tmp_path)
    return f"--signing-key={tmp_path / 'drill.key'}", signer.id, str(public)


def asked(capsys, *arguments):
    """The exit code, and what is said where."""
    code = main([str(one) for one in arguments])
    printed = capsys.readouterr()
    said = " ".join(printed.err.split())
    assert not said or said.startswith(f"drillbook evidence {arguments[0]}: ")
    return code, printed.out, said.removeprefix(f"drillbook evidence {arguments[0]}: ")


def test_folder_is_signed_afterwards_and_its_bundle_named(folder, signing, capsys):
    option, name, public = signing
    code, out, _ = asked(capsys, "seal", folder, option)
    assert code == 0
    bundle = folder / "bundle.zip"
    assert out == f"Bundle sealed: signed by key {name[:16]}\nBundle: {bundle}\n"
    assert verify([str(bundle), "--pubkey", public]) == 0


@pytest.mark.parametrize("content", [None, "{", "[]", "{}"])
def test_folder_without_a_record_is_none_of_a_run(folder, capsys, content):
    record = folder / "evidence.json"
    record.unlink() if content is None else record.write_text(content)
    code, out, err = asked(capsys, "seal", folder)
    assert (code, out) == (3, "")
    assert err == f"{folder}: no folder of a run with its evidence.json"


def test_folder_that_was_never_sealed_is_sealed(folder, capsys):
    (folder / "MANIFEST.json").unlink()
    (folder / "bundle.zip").unlink()
    assert asked(capsys, "seal", folder)[0] == 0
    assert verify([str(folder), "--unsigned"]) == 0


def test_folder_that_cannot_be_sealed_says_why(folder, monkeypatch, capsys):
    monkeypatch.setattr(verify_bundle, "LARGEST", 100)
    code, out, err = asked(capsys, "seal", folder)
    assert (code, out) == (3, "")
    assert err.startswith("more than 0 MiB")


@pytest.mark.parametrize("by_hand", [[], ["--tsa=file"]])
def test_request_is_written_for_who_carries_it_by_hand(folder, capsys, by_hand):
    code, out, _ = asked(capsys, "timestamp", folder / "bundle.zip", *by_hand)
    query, stamp = folder / "bundle.zip.tsq", folder / "bundle.zip.tsr"
    assert code == 0
    assert (
        out == f"To stamp it by hand: carry {query} to an authority, bring its answer back as "
        f"{stamp}, then: drillbook evidence timestamp {folder / 'bundle.zip'} --tsr {stamp}\n"
    )
    assert query.stat().st_size > 32


def test_answer_that_is_not_a_stamp_leaves_none(folder, tmp_path, capsys):
    (tmp_path / "answer").write_bytes(b"<html>")
    bundle = folder / "bundle.zip"
    code, _, err = asked(capsys, "timestamp", bundle, f"--tsr={tmp_path / 'answer'}")
    assert (code, err) == (3, "the answer is not a time-stamp")
    code, _, err = asked(capsys, "timestamp", bundle, f"--tsr={tmp_path / 'none'}")
    assert (code, err) == (
        3,
        f"--tsr: {tmp_path / 'none'} does not exist",
    )
    code, _, err = asked(capsys, "timestamp", bundle, "--tsa=http://127.0.0.1:1/")
    assert code == 3
    assert err.startswith("no time-stamp from 127.0.0.1: ")
    code, _, err = asked(capsys, "timestamp", bundle, "--tsa=clock")
    assert (code, err.split(":")[0]) == (3, "--tsa")
    assert {path.name for path in folder.glob("bundle.*")} == {"bundle.zip"}


def test_new_key_is_printed_with_both_files_and_its_id(tmp_path, capsys):
    out = tmp_path / "a key"
    code, told, _ = asked(capsys, "sign-key", out)
    assert code == 0
    private, public, name = told.splitlines()
    assert private.startswith(f"Private key: {out} (keep it secret; ")
    assert private.endswith(f"drillbook verify --sign '{out}')")
    assert public.startswith(f"Public key:  {out}.pub ")
    assert name == f"Key id:      {signature.load(out).id}"


def test_folder_that_changed_since_is_not_sealed_again(folder, signing, capsys):
    (folder / "logs" / "backend.log").write_text("all is well")
    before = (folder / "bundle.zip").read_bytes()
    code, _, err = asked(capsys, "seal", folder, signing[0])
    assert code == 3
    assert err == f"{folder}: changed since it was sealed; it is not sealed again"
    assert (folder / "bundle.zip").read_bytes() == before
