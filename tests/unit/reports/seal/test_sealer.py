"""What a seal leaves in a run's folder, what it reports, and with which key and clock."""

import errno
from pathlib import Path

import pytest

from reports.errors import Distrusted
from reports.evidence.model import Seal
from reports.seal import timestamp, verify_bundle
from reports.seal.sealer import (
    BY_FILE,
    Sealed,
    Sealer,
    contents,
    describe_seal,
    previous,
    refuse_changes,
)
from reports.seal.verify_bundle import MANIFEST, SIGNATURE, sha256, unpack
from reports.session.evidence_run import sealer_for
from tests.support import sample_run
from tests.support.bundles import key, latest, sealed
from tests.support.commands import seal, verify


@pytest.fixture
def folder(tmp_path):
    return sealed(tmp_path / "runs")


@pytest.fixture
def signer(tmp_path):
    return key(tmp_path)


def again(folder, signer=None, clock=None, clean=lambda _: True):
    return Sealer(signer, clock).seal(folder, sample_run.run(), clean)


def test_all_files_go_into_a_bundle_except_what_accompanies_it_and_what_leads_elsewhere(tmp_path):
    for name in ("a.json", "logs/b.log", "logs/.hidden", "c.new", "old-bundle.zip"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    kept = contents(tmp_path)
    assert {name: path.read_text() for name, path in kept.items()} == {name: name for name in kept}
    for name in ("bundle.zip", "bundle.zip.tsr", "bundle.zip.approved.json", "logs/.b.log.new"):
        (tmp_path / name).write_text("aside")
    (tmp_path / "link").symlink_to("a.json")
    assert kept.keys() == {"a.json", "logs/b.log", "logs/.hidden", "c.new", "old-bundle.zip"}
    assert contents(tmp_path) == kept


def test_seal_says_what_it_made(folder, signer):
    made, _ = signer
    bundle = folder / "bundle.zip"
    assert again(folder) == (bundle, None, None, None, None)
    assert not (folder / SIGNATURE).exists()
    assert again(folder, made) == (bundle, made.id, None, None, None)
    assert (
        unpack(bundle).keys()
        == contents(folder).keys()
        >= {MANIFEST, SIGNATURE, "logs/backend.log"}
    )
    assert again(folder).key_id is None
    assert not (folder / SIGNATURE).exists(), "it is of whoever sealed last"


def test_record_names_the_key_and_the_sealed_run_before(tmp_path, signer):
    made, _ = signer
    assert Sealer().facts(tmp_path) == Seal(key_id=None, previous=None)
    first = sealed(tmp_path, name="first")
    assert previous(tmp_path) is None
    latest(tmp_path, first)
    facts = Sealer(made).facts(tmp_path)
    assert facts.key_id == made.id
    assert facts.previous.run == sample_run.run().run.id
    assert facts.previous.manifest_sha256 == sha256((first / MANIFEST).read_bytes())


@pytest.mark.parametrize("broken", [b"", b"no zip", None])
def test_bundle_before_that_cannot_be_read_is_none(tmp_path, broken):
    first = sealed(tmp_path)
    latest(tmp_path, first)
    bundle = first / "bundle.zip"
    bundle.write_bytes(bundle.read_bytes()[:-9] if broken is None else broken)
    assert previous(tmp_path) is None


@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE, "bundle.zip"])
def test_secret_in_what_is_written_leaves_what_was_there(folder, signer, name):
    made, _ = signer
    before = (folder / "bundle.zip").read_bytes()
    told = again(folder, made, clean=lambda path: path.name != f".{name}.new")
    assert told.trouble == f"a secret would stand in {name}, perhaps as the name of a file"
    assert (told.bundle, told.key_id) == (None, made.id)
    assert (folder / "bundle.zip").read_bytes() == before
    assert list(folder.glob(".*.new")) == []


def test_a_seal_that_failed_leaves_the_signature(folder, signer):
    made, _ = signer
    assert not again(folder, made).trouble
    signature = (folder / SIGNATURE).read_bytes()
    assert again(folder, made, clean=full).trouble
    assert (folder / SIGNATURE).read_bytes() == signature


def full(_path):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_full_disk_is_reported_and_costs_no_evidence(folder):
    before = (folder / "bundle.zip").read_bytes()
    assert again(folder, clean=full).trouble == f"cannot write {folder}: No space left on device"
    assert (folder / "bundle.zip").read_bytes() == before
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).mkdir()
    assert again(folder).trouble.startswith(f"cannot write {folder / '.MANIFEST.json.new'}: ")


def test_stamp_goes_with_the_bundle_it_is_of(folder, signer):
    query, answer = folder / "bundle.zip.tsq", folder / "bundle.zip.tsr"
    for path in (query, answer):
        path.write_bytes(b"x")
    again(folder)
    assert query.exists(), "the same bundle was made again"
    assert answer.exists()
    again(folder, signer[0])
    assert not query.exists()
    assert not answer.exists()


def test_clock_that_does_not_stamp_leaves_the_request_and_the_bundle(folder, monkeypatch):
    monkeypatch.setattr(timestamp, "ask", lambda clock, _query: clock.encode())
    told = again(folder, clock="http://clock")
    assert told.request == folder / "bundle.zip.tsq"
    assert told.trouble.startswith(f"the answer is not a time-stamp; or carry {told.request} to ")
    assert told.trouble.endswith(f"timestamp {folder}/bundle.zip --tsr {folder}/bundle.zip.tsr")
    assert told.request.is_file()
    assert not (folder / "bundle.zip.tsr").exists()
    assert verify([str(folder), "--unsigned"]) == 0


def test_folder_that_is_as_it_was_sealed_is_unchanged(folder, signer):
    refuse_changes(folder)
    again(folder, signer[0])
    refuse_changes(folder)
    (folder / MANIFEST).unlink()
    (folder / "evidence.json").write_text("{}")
    refuse_changes(folder)


@pytest.mark.parametrize("name", ["logs/backend.log", "logs/more.log"])
def test_folder_with_another_file_is_changed(folder, name):
    (folder / name).write_text("all is well")
    with pytest.raises(Distrusted, match="changed since it was sealed; it is not sealed again"):
        refuse_changes(folder)


def test_a_file_of_the_folder_that_is_not_the_bundles_is_seen(folder, capsys):
    page = folder / "report.html"
    assert "report.html" in contents(folder)
    assert verify([folder, "--unsigned"]) == 0
    assert verify_bundle.main([str(folder), "--unsigned"]) == 0
    page.write_text(page.read_text() + "<!-- all is well -->")
    capsys.readouterr()
    assert verify([folder, "--unsigned"]) == 1
    assert verify_bundle.main([str(folder), "--unsigned"]) == 1
    printed = capsys.readouterr().out
    assert printed.count("report.html next to the bundle is not the one in it") == 2
    answer = "TAMPERED next to it: the bundle itself is consistent; use the files in it."
    assert printed.count(answer) == 2
    assert "get the bundle again" not in printed
    # The bundle itself is what it was.
    assert verify([folder / "bundle.zip", "--unsigned"]) == 0


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


def test_stamp_by_hand_is_printed_with_what_to_carry_where():
    lines = said(WHOLE._replace(request=Path("x/b.zip.tsq")))
    by_hand = " ".join(" ".join(lines[1:]).split())
    assert by_hand.startswith("Time-stamp: to be fetched by hand: carry x/b.zip.tsq to an")
    assert by_hand.endswith("drillbook evidence timestamp x/b.zip --tsr x/b.zip.tsr")


def test_failure_is_printed_once_in_bold_red():
    lines = list(describe_seal(WHOLE._replace(request=Path("b.zip.tsq"), trouble="no clock")))
    text = " ".join(" ".join(line.text for line in lines[1:]).split())
    assert text == (
        "Sealed only in part: no clock. The folder holds all evidence; "
        "`drillbook evidence seal FOLDER --signing-key KEY` tries again."
    )
    assert {line.style for line in lines[1:]} == {("red", "bold")}
    unsigned = " ".join(said(Sealed(trouble="no room")))
    assert unsigned.startswith("Not sealed: no room. ")
    assert "--signing-key" not in unsigned


def test_a_run_whose_record_names_a_key_is_not_sealed_without_one(signer, tmp_path, capsys):
    """Its verification would miss the signature."""
    folder = sealed(tmp_path / "signed", signer[0])
    for name in (MANIFEST, SIGNATURE, "bundle.zip"):
        (folder / name).unlink()
    assert seal(["seal", str(folder)]) == 3
    refused = " ".join(capsys.readouterr().err.split())
    assert f"says that key {signer[0].id[:16]} signs it; give --signing-key" in refused
    assert not (folder / "bundle.zip").exists()
    assert seal(["seal", str(folder), f"--signing-key={tmp_path / 'drill.key'}"]) == 0
    assert verify([folder, f"--pubkey={signer[1]}"]) == 0


def test_the_key_itself_is_not_sealed(folder, signer, tmp_path, capsys):
    """A copy in the folder of the run would go to everyone who gets the bundle."""
    for name in (MANIFEST, "bundle.zip"):
        (folder / name).unlink()
    copy, words = folder / "logs/drill.key", ["seal", folder, "--signing-key"]
    copy.write_bytes((tmp_path / "drill.key").read_bytes())
    copy.chmod(0o600)
    assert seal([*map(str, words), str(copy)]) == 3
    assert f"{copy} holds the signing key" in " ".join(capsys.readouterr().err.split())
    assert not (folder / "bundle.zip").exists()
    copy.unlink()
    assert seal([*map(str, words), str(tmp_path / "drill.key")]) == 0


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
