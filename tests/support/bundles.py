"""Makes sealed run folders of a sample run, for tests that break them."""

from pathlib import Path
from tempfile import TemporaryDirectory

from reports.evidence import json_file
from reports.seal.sealer import Sealer, contents
from reports.seal.signature import SigningKey, generate, load_trusted_keys
from reports.seal.verification import check_consistency
from reports.seal.verify_bundle import (
    MANIFEST,
    Examination,
    Trust,
    measure,
    pack,
    render_manifest,
    unpack,
)
from reports.session.bundle import WRITERS, render
from tests.support import sample_run


def key(folder, name="drill.key"):
    """A new signing key, and the path of its public key."""
    generate(folder / name)
    return SigningKey((folder / name).read_bytes(), name), folder / f"{name}.pub"


def sealed(runs, signer=None, name=None, pdf=False, **changes):
    """The sealed folder of the sample run with a log; without a signer it is not signed."""
    run = sample_run.run(**changes)
    folder = runs / (name or run.run.id)
    (folder / "logs").mkdir(parents=True)
    written = [name for name in WRITERS if pdf or name != "report.pdf"]
    facts = {"seal": Sealer(signer).facts(runs), "documents": tuple(written)}
    run = run.model_copy(update=facts)
    for file in written:
        (folder / file).write_bytes(render(file, run))
    (folder / "logs" / "backend.log").write_text("started\nserves\n")
    made = Sealer(signer).seal(folder, run, lambda _: True)
    assert made.trouble is None
    return folder


def latest(runs, folder):
    """Let the link `latest` point to this run, as a run does at its end."""
    link = runs / "latest"
    link.unlink(missing_ok=True)
    link.symlink_to(folder.name)


def examined(bundle, **trust):
    """The checks of a bundle by their names."""
    examination = Examination(bundle, Trust(**trust))
    examination.examine()
    return {check.name: check for check in examination.checks}


def check_record(run):
    """The sentence about a consistent record; Distrusted if it is refused, also in a bundle."""
    with TemporaryDirectory() as name:
        place = Path(name)
        signer, public = key(place)
        folder = place / "run"
        folder.mkdir()
        facts = {"seal": Sealer(signer).facts(place), "documents": ("evidence.json",)}
        run = run.model_copy(update=facts)
        (folder / "evidence.json").write_text(json_file.render(run), encoding="utf-8")
        assert Sealer(signer).seal(folder, run, lambda _: True).trouble is None
        answer = verdict(folder / "bundle.zip", public, folder)
    assert answer in ("GENUINE", "TAMPERED")
    if answer == "TAMPERED":
        check_consistency(run)
        raise AssertionError("the bundle is TAMPERED, and its record is not")
    return check_consistency(run)


def verdict(bundle, public, folder=None):
    """The word of the answer about a bundle."""
    examination = Examination(bundle, Trust(keys=load_trusted_keys(public)), folder)
    examination.examine()
    return examination.conclude()[0].split()[0].strip(".,")


def repacked(folder, target, **changed):
    """The zip of a folder with some files changed; None removes a file."""
    files = {name: path.read_bytes() for name, path in contents(folder).items()} | changed
    target.write_bytes(pack({name: data for name, data in files.items() if data is not None}))
    return target


def resealed(folder, target, run=None, **changed):
    """The zip of a folder with changed files and a manifest that fits, but the old signature."""
    files = unpack(repacked(folder, target, **changed))
    files[MANIFEST] = render_manifest(run or sample_run.run().run.id, measure(files))
    target.write_bytes(pack(files))
    return target


def newest(runs):
    """The folder of the run whose evidence was written last, even if it judged nothing."""
    return max(runs.glob("*Z-*/evidence.json"), key=lambda path: path.stat().st_mtime_ns).parent
