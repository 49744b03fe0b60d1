"""A bundle is genuine, or it is not: any change to any part is caught, anyone who makes it."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.seal import signature
from reports.seal.manifest import SIGNATURE
from reports.seal.sealer import Sealer, contents
from reports.seal.zip_file import pack
from tests.support import sample_run
from tests.support.bundles import examined, key, latest, repacked, resealed, sealed
from tests.support.commands import verify as main

DRILL = settings(max_examples=150, deadline=None)


def said(capsys):
    return " ".join(capsys.readouterr().out.split())


def test_signed_bundle_is_genuine(folder, signer, capsys):
    assert main([str(folder / "bundle.zip"), "--pubkey", str(signer[1])]) == 0
    told = said(capsys)
    assert "GENUINE." in told
    assert "FAILED. " in told, "a genuine record of a failed run must not look like good news"


def test_signature_nobody_vouches_for_is_not_enough(folder, place, capsys):
    assert main([str(folder / "bundle.zip")]) == 1
    assert "no one vouches: give --pubkey" in said(capsys)
    _, foreign = key(place, "foreign")
    assert main([str(folder / "bundle.zip"), "--pubkey", str(foreign)]) == 1
    told = said(capsys)
    assert "UNTRUSTED." in told
    assert "as recorded" not in told


def test_one_of_several_keys_is_enough(folder, place, signer):
    _, foreign = key(place, "former")
    keys = ["--pubkey", str(foreign), "--pubkey", str(signer[1])]
    assert main([str(folder), *keys]) == 0


def test_unsigned_bundle_fails_unless_that_is_allowed(tmp_path, signer, capsys):
    bundle = str(sealed(tmp_path) / "bundle.zip")
    assert main([bundle]) == 1
    assert "UNSIGNED. It fits together" in said(capsys)
    assert main([bundle, "--unsigned"]) == 0
    told = said(capsys)
    assert "INTACT, and no more" in told
    assert "GENUINE" not in told
    assert main([bundle, "--pubkey", str(signer[1])]) == 1


def test_signature_cannot_be_stripped_unnoticed(folder, tmp_path):
    bundle = repacked(folder, tmp_path / "b.zip", **{SIGNATURE: None})
    found = examined(bundle, unsigned=True)
    assert found["record"].state == "bad"
    assert "the signature is gone" in found["record"].sentence


@DRILL
@given(data=st.data())
def test_any_changed_byte_is_caught(folder, signer, tmp_path_factory, data):
    whole = (folder / "bundle.zip").read_bytes()
    changed = bytearray(whole)
    changed[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("changed") / "bundle.zip"
    path.write_bytes(changed)
    assert main([str(path), "--pubkey", str(signer[1])]) != 0
    assert main([str(path), "--unsigned"]) != 0


@pytest.mark.parametrize("trusting", [True, False])
def test_every_file_that_is_changed_removed_added_or_renamed_is_caught(
    folder, signer, tmp_path, trusting
):
    trust = ["--pubkey", str(signer[1])] if trusting else ["--unsigned"]
    for name, path in contents(folder).items():
        whole = path.read_bytes()
        for change in ({name: whole + b" "}, {name: None}, {name: None, f"{name}.bak": whole}):
            assert main([str(repacked(folder, tmp_path / "b.zip", **change)), *trust]) != 0, change
    assert main([str(repacked(folder, tmp_path / "b.zip", **{"logs/x.log": b""})), *trust]) == 1


def test_unsigned_bundle_is_held_together_by_its_manifest(tmp_path):
    folder = sealed(tmp_path)
    for name, path in contents(folder).items():
        whole = path.read_bytes()
        for change in ({name: whole + b" "}, {name: b" " + whole}, {name: None}):
            bundle = repacked(folder, tmp_path / "b.zip", **change)
            assert main([str(bundle), "--unsigned"]) != 0, change


def test_changed_file_with_a_fitting_manifest_is_caught_by_the_signature(folder, signer, tmp_path):
    bundle = resealed(folder, tmp_path / "b.zip", **{"logs/backend.log": b"all is well"})
    found = examined(bundle, keys=signature.load_trusted_keys(signer[1]))
    assert found["files"].state == "ok"
    assert "about other files" in found["signature"].sentence
    assert "about other files" in examined(bundle, unsigned=True)["signature"].sentence


def test_chain_leads_to_the_bundle_before(tmp_path, signer):
    first = sealed(tmp_path, signer[0], name=sample_run.run().run.id)
    latest(tmp_path, first)
    second = sealed(tmp_path, signer[0], name="second")
    found = examined(second / "bundle.zip", keys=signature.load_trusted_keys(signer[1]))
    assert found["chain"].state == "ok"
    away = second.rename(tmp_path / "x")
    (away / "bundle.zip").rename(tmp_path / "alone.zip")
    assert examined(tmp_path / "alone.zip", unsigned=True)["chain"].state == "open"
    (first / "logs" / "backend.log").write_text("another run")
    assert Sealer().seal(first, sample_run.run(), lambda _: True).trouble is None
    given = examined(tmp_path / "alone.zip", unsigned=True, previous=first / "bundle.zip")
    assert "is another bundle" in given["chain"].sentence
    assert given["chain"].state == "bad"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "does not exist"),
        (b"", "empty"),
        (b"not a zip" * 9, "no zip file"),
    ],
)
def test_what_is_no_bundle_is_one_sentence_and_exit_code_3(tmp_path, capsys, data, why):
    path = tmp_path / "b.zip"
    if data is not None:
        path.write_bytes(data)
    assert main([str(path), "--unsigned"]) == 3
    told = capsys.readouterr().err
    assert ("UNUSABLE." in told) == (data is not None)
    assert why in told


def test_zip_of_something_else_is_no_bundle(tmp_path, capsys):
    (tmp_path / "x").write_text("x")
    target = io.BytesIO()
    pack({"holiday.jpg": tmp_path / "x"}, target)
    (tmp_path / "b.zip").write_bytes(target.getvalue())
    assert main([str(tmp_path / "b.zip"), "--unsigned"]) == 3
    assert "not a bundle of a run" in capsys.readouterr().err


def test_folder_of_a_run_stands_for_its_bundle(folder, signer):
    assert main([str(folder), "--pubkey", str(signer[1])]) == 0


def test_folders_bad_keys_and_nothing_are_told(folder, tmp_path, capsys):
    assert main([str(tmp_path)]) == 3
    assert "bundle.zip: No such file" in capsys.readouterr().err
    assert main([""]) == 3
    assert "BUNDLE: an empty value" in capsys.readouterr().err
    assert main([str(folder / "bundle.zip"), "--pubkey", str(tmp_path / "none")]) == 3
    assert "none does not exist" in capsys.readouterr().err


def test_words_of_a_stranger_cannot_steer_the_terminal(tmp_path, capsys):
    run = sample_run.run()
    facts = run.run.model_copy(update={"stopped": "\x1b]0;owned\x07 \u202eevil"})
    folder = sealed(tmp_path, run=facts, exit_code=3)
    assert main([str(folder / "bundle.zip"), "--unsigned"]) == 0
    told = capsys.readouterr().out
    assert "owned" in told
    assert {"\x1b", "\x07", "\u202e"}.isdisjoint(told)


def test_checks_are_asked_in_the_order_of_belief(tmp_path, signer):
    folder = sealed(tmp_path, signer[0], pdf=True)
    found = examined(folder / "bundle.zip", keys=signature.load_trusted_keys(signer[1]))
    assert " ".join(found) == "form files signature record report.pdf chain time-stamp sign-off"
    assert found["report.pdf"].state == "ok"
