"""Sealed folders of a sample run, for tests that break them."""

import importlib.util

from drillbook.core.application import ROOT
from reports.errors import Distrusted
from reports.seal.manifest import MANIFEST, SIGNATURE, measure
from reports.seal.sealer import Sealer, contents
from reports.seal.signature import SigningKey, generate
from reports.seal.verification import Examination, Trust, check_consistency
from reports.seal.zip_file import Archive, pack
from reports.session.bundle import WRITERS, render
from tests.support import sample_run

_SPEC = importlib.util.spec_from_file_location("verify_bundle", ROOT / "docs" / "verify_bundle.py")
script = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(script)


def key(folder, name="drill.key"):
    """A signing key, and the path of its public half."""
    generate(folder / name)
    return SigningKey((folder / name).read_bytes(), name), folder / f"{name}.pub"


def sealed(runs, signer=None, name=None, pdf=False, **changes):
    """The folder of the sample run with a log, sealed by the signer or by no one."""
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
    """What a run does last: the next one follows this one."""
    link = runs / "latest"
    link.unlink(missing_ok=True)
    link.symlink_to(folder.name)


def examined(bundle, **trust):
    """What is said of a bundle, by the name of the check."""
    examination = Examination(bundle, Trust(**trust))
    examination.examine()
    return {check.name: check for check in examination.checks}


def check_record(run):
    """Whether a record is at one with itself, by Drillbook and by the auditors' script."""
    try:
        script.check_own_rules(run.model_dump(mode="json", by_alias=True))
        trouble = None
    except script.Bad as bad:
        trouble = bad
    try:
        sentence = check_consistency(run)
    except Distrusted:
        assert trouble, "the script finds nothing"
        raise
    assert not trouble
    return sentence


def repacked(folder, target, **changed):
    """The zip of a folder with some files other than they were; None removes one."""
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
    """Someone without the key changes a file and makes the manifest fit."""
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
    """The folder of the run that ended last, also of one that judged nothing."""
    return max(runs.glob("*Z-*/evidence.json"), key=lambda one: one.stat().st_mtime_ns).parent
