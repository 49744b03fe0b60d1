"""Sealed folders of a sample run, for tests that break them."""

from reports import sample
from reports.seal.folder import Sealer
from reports.seal.signature import SigningKey, generate
from reports.writers import WRITERS, render


def key(folder, name="drill.key"):
    """A signing key, and the path of its public half."""
    generate(folder / name)
    return SigningKey((folder / name).read_bytes(), name), folder / f"{name}.pub"


def sealed(runs, signer=None, name=None, pdf=False, **changes):
    """The folder of the sample run with a log, sealed by the signer or by nobody."""
    run = sample.run(**changes)
    folder = runs / (name or run.run.id)
    (folder / "logs").mkdir(parents=True)
    run = run.model_copy(update={"seal": Sealer(signer).facts(runs)})
    for file in WRITERS.keys() - (set() if pdf else {"report.pdf"}):
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
