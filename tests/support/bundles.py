"""Makes sealed run folders of a sample run, for tests that break them."""

import importlib.util
from pathlib import Path
from tempfile import TemporaryDirectory

from drillbook.core.application import ROOT
from reports.evidence import json_file
from reports.seal import verification
from reports.seal.manifest import MANIFEST, SIGNATURE, measure
from reports.seal.sealer import Sealer, contents
from reports.seal.signature import SigningKey, generate, load_trusted_keys
from reports.seal.verification import Examination, Trust, check_consistency
from reports.seal.zip_file import Archive, pack
from reports.session.bundle import WRITERS, render
from tests.support import sample_run

_SPEC = importlib.util.spec_from_file_location("verify_bundle", ROOT / "docs" / "verify_bundle.py")
script = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(script)


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
    """The sentence about a consistent record; Distrusted if Drillbook and the script refuse it.

    Both examine a bundle of the record, sealed anew, as a zip and as a folder, with one key and
    with several.
    """
    with TemporaryDirectory() as name:
        place = Path(name)
        signer, public = key(place)
        _, foreign = key(place, "foreign.key")
        folder = place / "run"
        folder.mkdir()
        facts = {"seal": Sealer(signer).facts(place), "documents": ("evidence.json",)}
        run = run.model_copy(update=facts)
        (folder / "evidence.json").write_text(json_file.render(run), encoding="utf-8")
        assert Sealer(signer).seal(folder, run, lambda _: True).trouble is None
        said = {
            verdicts(folder / "bundle.zip", given, where)
            for given in ([public], [foreign, public])
            for where in (None, folder)
        }
    ((ours, auditors),) = said
    assert ours == auditors
    assert ours in ("GENUINE", "TAMPERED")
    if ours == "TAMPERED":
        check_consistency(run)
        raise AssertionError("the bundle is TAMPERED, and its record is not")
    return check_consistency(run)


def verdicts(bundle, public, folder=None):
    """The verdicts of Drillbook and of the auditors' script about a bundle, one word each."""
    examination = Examination(bundle, Trust(keys=load_trusted_keys(*public)), folder)
    examination.examine()
    said = verification._WORD.findall(verification._judge(examination)[0])[0]
    keys = script.load_keys([str(one) for one in public])
    return said, script.judge(bundle, keys, False, None, folder)[0].split()[0]


def repacked(folder, target, **changed):
    """The zip of a folder with some files changed; None removes a file."""
    files = contents(folder)
    for number, (name, data) in enumerate(changed.items()):
        files.pop(name, None)
        if data is not None:
            files[name] = target.with_name(f"{target.name}.{number}")
            files[name].write_bytes(data)
    with target.open("wb") as file:
        pack(files, file)
    return target


def resealed(folder, target, run=None, **changed):
    """The zip of a folder with changed files and a manifest that fits, but the old signature."""
    repacked(folder, target, **changed)
    with target.open("rb") as file:
        archive = Archive(file)
        files = {}
        for number, name in enumerate(archive.entries):
            files[name] = target.with_name(f"{target.name}-{number}")
            files[name].write_bytes(archive.read(name, 1 << 30))
    rest = {name: path for name, path in files.items() if name not in (MANIFEST, SIGNATURE)}
    files[MANIFEST].write_bytes(measure(run or sample_run.run().run.id, rest).render())
    with target.open("wb") as file:
        pack(files, file)
    return target


def newest(runs):
    """The folder of the run whose evidence was written last, even if it judged nothing."""
    return max(runs.glob("*Z-*/evidence.json"), key=lambda one: one.stat().st_mtime_ns).parent
