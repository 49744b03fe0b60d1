"""Checks that a disturbed run leaves true evidence, and no processes or folders."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress

from drillbook.core import run_directory
from drillbook.core.application import ROOT
from reports.evidence.json_file import check
from reports.evidence.model import Run
from reports.verdict import Verdict
from tests.support.disturbances import BUGS

_DONE = (Verdict.SATISFIED, Verdict.NOT_APPLICABLE)


def evidence(runs):
    """The record of the latest run of a folder, or None; ValueError if it is incomplete."""
    written = runs / "latest" / "evidence.json"
    if not written.exists():
        return None
    told = json.loads(written.read_text(encoding="utf-8"))
    check(told)
    return Run.model_validate(told)


def untruths(run, code, mutant, undisturbed=None):
    """The false statements of a record, or of an exit code (None: killed).

    undisturbed is the record of an undisturbed run on a healthy stack; it is not compared with a
    run that has a planted bug, which may make a claim true.
    """
    if code == 0 and run is None:
        yield "it passed and left no evidence"
    if code == 0 and mutant:
        yield f"it passed with {mutant} in the stack"
    if run is None:
        return
    if mutant and _verdict(run, BUGS[mutant]) is Verdict.SATISFIED:
        yield f"{BUGS[mutant]} is satisfied with {mutant} in the stack"
    for control in run.controls:
        if control.verdict is Verdict.SATISFIED and not all(map(_seen_through, control.specs)):
            yield f"{control.id} is satisfied, and a spec of it did not end"
    for control in _satisfied(run) - _satisfied(undisturbed) if undisturbed and not mutant else ():
        yield f"{control} is satisfied, and is not where nothing happens"
    if code == 0 and unfinished(run):
        yield "it passed, and not everything was run"
    # A full disk may prevent the seal and not the verdict; only the exit code then shows that.
    if code == 0 and run.exit_code:
        yield f"its exit code is 0, and the record says {run.exit_code}"


def _satisfied(run):
    return {one.id for one in run.controls if one.verdict is Verdict.SATISFIED}


def _verdict(run, control):
    return next(one.verdict for one in run.controls if one.id == control)


def _seen_through(spec):
    return spec.verdict in _DONE and all(step.verdict in _DONE for step in spec.steps)


def unfinished(run):
    """The requested controls that were not completely run."""
    asked = run.run.asked or [one.id for one in run.controls]
    unknown = (Verdict.NOT_RUN, Verdict.INCONCLUSIVE)
    return [one.id for one in run.controls if one.id in asked and one.verdict in unknown]


def unmarked(run):
    """Whether a record lacks requested controls and still counts as a pass."""
    return bool(unfinished(run)) and run.exit_code == 0


def broken_bundle(runs):
    """Why the bundle of the latest run is not intact; None if it is, or if there is none."""
    if not (runs / "latest" / "bundle.zip").exists():
        return None
    command = [
        sys.executable,
        "-m",
        "drillbook.cli",
        "evidence",
        "verify",
        str(runs / "latest"),
        "--unsigned",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"its bundle: {done.stdout[-300:]}"


def swept(code, environment):
    """Run this code, which sweeps, in a process with this environment and its TMPDIR."""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)


def left(ids, *folders):
    """The processes and folders of these runs that are still there after a minute."""
    deadline = time.monotonic() + 60
    while found := [*_processes(ids), *_folders(ids, folders)]:
        if time.monotonic() > deadline:
            return found
        time.sleep(0.05)
    return []


def _processes(ids):
    return [f"process {pid} of {one}" for one in ids for pid in run_directory.processes_of(one)]


def _folders(ids, folders):
    here = [path for folder in folders for path in folder.iterdir()]
    return [str(path) for path in here if any(one in path.name for one in ids)]


class Bystanders:
    """Files and a process of others with names like Drillbook's, and the folder of a living run."""

    def __init__(self, folder):
        uid = os.getuid()
        self.run, self._lock = run_directory._lock_new(folder, run_directory.new_run_id())
        self._files = [folder / f"drillbook-{uid}-note", folder / f"drillbook_{uid}_abc" / "data"]
        self._files += [folder / f"drillbook-{uid + 1}-0123456789" / "lock", folder / "mine" / "x"]
        for path in self._files:
            path.parent.mkdir(exist_ok=True)
            path.write_text("not yours")
        self._link = folder / f"drillbook-{uid}-linked"
        self._link.symlink_to(folder / "mine")
        names = {
            f"{run_directory.RUN_VARIABLE}NER": "0123456789",
            "OTHER": f"{run_directory.RUN_VARIABLE}=x",
        }
        self._sleeper = subprocess.Popen(["sleep", "3600"], env=names)

    def harmed(self):
        """The bystanders that have changed or are gone."""
        found = [str(one) for one in self._files if not one.exists() or one.read_text()[:1] != "n"]
        found += [] if self._link.is_symlink() else ["a link"]
        found += [] if self.run.is_dir() else ["the folder of a living run"]
        return found + ([] if self._sleeper.poll() is None else ["a process"])

    def close(self):
        """End the process, release the run's lock, and remove the link."""
        self._sleeper.kill()
        self._sleeper.wait()
        self._lock.close()
        with suppress(OSError):
            self._link.unlink()
