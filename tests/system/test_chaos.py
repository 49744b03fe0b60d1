"""A run that is killed or interrupted leaves nothing, harms no one, and says nothing untrue."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from drillbook.core import run_directory
from drillbook.core.application import ROOT
from reports.evidence.json_file import check
from reports.evidence.model import Run
from reports.verdict import Verdict

pytestmark = pytest.mark.slow

SPECS = ("suites/keys/test_wrong_key.py", "suites/health/test_status.py")
# Planted bugs, each with the control that must not be satisfied with it.
BUGS = {"OverwritesRootKey": "KEY-4", "ServesBeforeCheck": "KEY-3", "HealthAsHtml": "HLT-1"}
PATIENCE_S = 240
WORKER = b"exec(eval(sys.stdin.readline()))"
SWEEP = "from drillbook.core import run_directory; run_directory.sweep()"
DONE = (Verdict.SATISFIED, Verdict.NOT_APPLICABLE)


@dataclass(frozen=True)
class Moment:
    """What is killed (or, for `interrupt`, sent Ctrl-C), when, and the planted bug or None.

    at is a share of how long an undisturbed run takes.
    """

    target: str
    at: float
    bug: str | None


def draw_moments(seed):
    draw = Random(seed)
    targets = ("run", "interrupt", "database", "worker")
    return [Moment(name, draw.uniform(0.1, 0.9), draw.choice([None, *BUGS])) for name in targets]


class Bystanders:
    """Files, a link and a process of others with names like Drillbook's, and a living run."""

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
        names = {f"{run_directory.RUN_VARIABLE}NER": "0123456789"}
        self._sleeper = subprocess.Popen(["sleep", "3600"], env=names)

    def harmed(self):
        """The bystanders that have changed or are gone."""
        harmed = [str(path) for path in self._files if not path.exists() or not path.read_text()]
        harmed += [] if self._link.is_symlink() else ["a link"]
        harmed += [] if self.run.is_dir() else ["the folder of a living run"]
        return harmed + ([] if self._sleeper.poll() is None else ["a process"])

    def close(self):
        self._sleeper.kill()
        self._sleeper.wait()
        self._lock.close()


def start_run(place, temporary, moment):
    command = [sys.executable, "-m", "pytest", *SPECS, "--evidence", "--stack=embedded"]
    command += ["--one-question", "--seed=11", "-p", "no:cacheprovider", f"--run-dir={place}"]
    command += [f"--workers={2 if moment.target == 'worker' else 1}"]
    command += [f"--mutant={moment.bug}"] if moment.bug else []
    environment = {**os.environ, "TMPDIR": str(temporary), "NO_COLOR": "1"}
    with (place / "output").open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def descendants(pid):
    """The ids of all processes below a process."""
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                yield child
                yield from descendants(child)


def command_line(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def find_target(moment, run):
    """The processes that the moment may hit; empty before they run."""
    if moment.target in ("run", "interrupt"):
        return [run]
    mark = WORKER if moment.target == "worker" else b"postgres"
    return [pid for pid in descendants(run) if mark in command_line(pid)]


def disturb(process, moment, takes_s):
    """Strike at the moment, and wait for the end.

    Returns whether it struck, and the exit code; None if it hung.
    """
    began, struck = time.monotonic(), False
    while process.poll() is None and time.monotonic() - began < PATIENCE_S:
        if not struck and time.monotonic() - began >= moment.at * takes_s:
            number = signal.SIGINT if moment.target == "interrupt" else signal.SIGKILL
            with suppress(ProcessLookupError):
                for pid in find_target(moment, process.pid)[:1]:
                    os.kill(pid, number)
                    struck = True
        time.sleep(0.02)
    code = process.poll()
    if code is None:
        process.kill()
    process.wait()
    return struck, code


def read_record(runs):
    """The record of the only run of a folder, or None; ValueError if it is not whole."""
    record = runs / "latest" / "evidence.json"
    if not record.exists():
        return None
    written = json.loads(record.read_text(encoding="utf-8"))
    check(written)
    return Run.model_validate(written)


def untruths(run, code, bug, undisturbed=None):
    """False statements of a record (None: none was written) or of an exit code, in words."""
    if code == 0 and (run is None or bug or run.exit_code or unfinished(run)):
        yield "it passed"
    for control in run.controls if run else ():
        if control.verdict is not Verdict.SATISFIED:
            continue
        if bug and control.id == BUGS[bug]:
            yield f"{control.id} is satisfied with {bug} in the stack"
        if not all(map(ended, control.specs)):
            yield f"{control.id} is satisfied, and a spec of it did not end"
        if undisturbed and not bug and control.id not in satisfied(undisturbed):
            yield f"{control.id} is satisfied, and is not where nothing happens"


def satisfied(run):
    return {control.id for control in run.controls if control.verdict is Verdict.SATISFIED}


def ended(spec):
    return spec.verdict in DONE and all(step.verdict in DONE for step in spec.steps)


def unfinished(run):
    """Whether a control that the run asks about was not judged."""
    asked = run.run.asked or [control.id for control in run.controls]
    unknown = (Verdict.NOT_RUN, Verdict.INCONCLUSIVE)
    return any(control.id in asked and control.verdict in unknown for control in run.controls)


def is_intact(runs):
    """Whether the run's bundle, if it wrote one, verifies."""
    if not (runs / "latest" / "bundle.zip").exists():
        return True
    words = ["evidence", "verify", str(runs / "latest"), "--unsigned"]
    command = [sys.executable, "-m", "drillbook.cli", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0


def leftovers(temporary, known):
    """What a sweep leaves of the runs that used a folder: folders, and processes by their id."""
    environment = {**os.environ, "TMPDIR": str(temporary)}
    deadline = time.monotonic() + 60
    while True:
        subprocess.run([sys.executable, "-c", SWEEP], cwd=ROOT, env=environment, check=True)
        folders = {path.name for path in temporary.iterdir()} - known
        # The cache is for the next run, and pytest keeps the folders of its last three.
        kept = ("drillbook-cache", "pytest-of")
        folders = {name for name in folders if not name.startswith(kept)}
        processes = [pid for pid in processes_in(temporary) if b"sleep" not in command_line(pid)]
        if not (folders or processes) or time.monotonic() > deadline:
            return [*folders, *processes]
        time.sleep(0.2)


def processes_in(folder):
    """The ids of the processes whose command line or environment names a folder."""
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if bytes(folder) in (path / "cmdline").read_bytes() + (path / "environ").read_bytes():
                yield int(path.name)


@pytest.mark.timeout(1800)
def test_a_disturbed_run_leaves_nothing_and_says_nothing_untrue():
    # A path of pytest is too long for sockets, and closed to the user of the database.
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        temporary = Path(name) / "tmp"
        for folder in (Path(name), temporary):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o711)
        runs, began = Path(name) / "undisturbed", time.monotonic()
        runs.mkdir()
        assert start_run(runs, temporary, Moment("nothing", 1, None)).wait(PATIENCE_S) == 0
        undisturbed, takes_s = read_record(runs), time.monotonic() - began
        with closing(Bystanders(temporary)) as bystanders:
            known, hits = {path.name for path in temporary.iterdir()}, 0
            for moment in draw_moments(11):
                runs = Path(name) / moment.target
                runs.mkdir()
                struck, code = disturb(start_run(runs, temporary, moment), moment, takes_s)
                hits += struck
                assert code is not None, f"{moment}: it hung"
                assert leftovers(temporary, known) == [], moment
                assert bystanders.harmed() == [], moment
                assert list(untruths(read_record(runs), code, moment.bug, undisturbed)) == [], (
                    moment
                )
                assert is_intact(runs), moment
        assert hits >= 3
