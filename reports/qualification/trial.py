"""Runs of the suite for their verdicts: on a healthy stack, or with one planted bug.

Which bugs there are, fixtures/mutants lists.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory

from drillbook.core.application import ROOT
from reports.controls import Catalogue, specs
from reports.errors import Unqualifiable, near
from reports.evidence import json_file
from reports.evidence.context import EvidenceModel
from reports.evidence.model import Run
from reports.verdict import Verdict

# --mutants none: generated bugs alone.
NONE = "none"
# Where containers merely come along, so many healthy ones tell what they say.
_ALONG = 2
# A healthy embedded run without another next to it takes as many processes.
_ALONE = 2
# Planted in procedures, a bug shows on any stack that is driven by them.
_ANYWHERE = ("procedure", "network")
REFERENCE = "drillbook/reference:latest"
_LIMIT_S = 900
# Starts of the real product take minutes on a busy machine.
_PRODUCT_LIMIT_S = 7200
# A terminated run takes down its stack; after this it is killed, and the next start sweeps.
_TERMINATE_S = 60
# Specs of one control that explore alike: the first that finds the bug ends the trial.
_EXPLORED = ("LIF-1",)
# Said by fixtures/session/stacks.py.
_UNREACHED = " was never reached at "
_OPTIONS = {
    "embedded": ["--stack=embedded"],
    "containers": ["--stack=containers"],
    "files": ["--preflight"],
    "remote": ["--stack=remote", "--url=rehearsal", "--one-question"],
}
_FOLDERS = {"remote": ["suites/live"], "files": ["suites/posture", "suites/deployment"]}


class PlantedBug(EvidenceModel):
    """A planted bug: the control meant to catch it, where it is planted, and why it must die."""

    name: str
    control: str
    where: str
    driver: str
    sentence: str
    turns: str | None = None
    says: str | None = None
    equivalent: str | None = None


class KnownBugs(EvidenceModel):
    """Every planted bug, and how many stacks of a driver this machine carries side by side."""

    workers: dict[str, int]
    absent: dict[str, str]
    mutants: tuple[PlantedBug, ...]


def list_bugs(image: str | None) -> KnownBugs:
    """Ask fixtures/mutants, which this package must not import."""
    command = [sys.executable, "-m", "fixtures.mutants", *([image] if image else [])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise Unqualifiable(f"the planted bugs cannot be listed: {last[0]}")
    return KnownBugs.model_validate(json.loads(done.stdout))


def choose(found: Iterable[PlantedBug], patterns: Iterable[str]) -> list[PlantedBug]:
    """The bugs whose names, controls or places fit one of the patterns; each must fit some."""
    every = list(found)
    wanted = [one for one in patterns if one]
    if not wanted:
        return every
    for pattern in wanted:
        if not any(_fits(one, pattern) for one in every):
            names = [one.name for one in every]
            raise Unqualifiable(f"--mutants {pattern} fits none; {near(pattern, names)}")
    return [one for one in every if any(_fits(one, pattern) for pattern in wanted)]


def _fits(one: PlantedBug, pattern: str) -> bool:
    return any(fnmatchcase(text, pattern) for text in (one.name, one.control, one.where))


@dataclass(frozen=True, slots=True)
class Trial:
    """What is run: a driver, the bug or none, the controls (none named: all), a number as seed.

    to_first: the first spec that fails ends it; workers: so many processes share its specs.
    """

    driver: str
    mutant: str | None = None
    controls: tuple[str, ...] = ()
    number: int = 0
    image: str | None = None
    to_first: bool = False
    workers: int = 1

    @property
    def name(self) -> str:
        """Its name in the list."""
        return self.mutant or f"healthy {self.driver} run {self.number}"


def healthy_trials(
    bugs: Sequence[PlantedBug], stack: str, runs: int, image: str | None, some: bool = False
) -> list[Trial]:
    """So many runs of every driver that a bug is planted on; the number is the seed.

    Where containers merely come along, or only some bugs are planted in them, a healthy one is
    asked only what these bugs are about.
    """
    drivers = {driver_for(one, stack) for one in bugs}
    here = [one for one in bugs if driver_for(one, stack) == "containers"]
    few = tuple(dict.fromkeys(one.control for one in here))
    asked = {"containers": few if some or stack == "auto" else ()}
    # One alone would keep the others waiting: its specs are shared.
    workers = {"embedded": _ALONE} if runs == 1 else {}
    return [
        Trial(
            driver,
            None,
            asked.get(driver, ()),
            number,
            image if driver == "containers" else None,
            workers=workers.get(driver, 1),
        )
        for driver in ("embedded", "containers", "remote")
        if driver in drivers
        for number in range(
            1, (min(runs, _ALONG) if (stack, driver) == ("auto", "containers") else runs) + 1
        )
    ]


def bug_trials(
    bugs: Iterable[PlantedBug],
    took: Mapping[str, float],
    stack: str,
    image: str | None,
) -> list[Trial]:
    """One for each bug that is not equivalent and can be planted here, the longest first.

    took: seconds of each control on a healthy stack.
    """
    found = []
    for one in bugs:
        driver = driver_for(one, stack)
        if driver and not one.equivalent:
            with_image = image if driver == "containers" else None
            # Files and a rehearsed address are looked at in a moment: all of it is asked.
            whole = driver in ("files", "remote")
            controls = () if whole else (one.control,)
            found.append(Trial(driver, one.name, controls, image=with_image))

    def expected_s(one: Trial) -> float:
        return sum(took.get(name, 1.0) for name in one.controls)

    return sorted(found, key=expected_s, reverse=True)


def driver_for(one: PlantedBug, stack: str) -> str | None:
    """The driver a bug is planted on in a qualification of this stack; None: on none."""
    if stack == "containers":
        anywhere = one.where in _ANYWHERE and one.driver != "remote"
        return "containers" if one.driver == "containers" or anywhere else None
    if one.where == "file":
        return "files"
    return None if (stack, one.driver) == ("embedded", "containers") else one.driver


def durations(runs: Iterable[Run]) -> dict[str, float]:
    """Seconds each control took on a healthy stack, where a spec of it ran."""
    return {
        control.id: control.duration_s
        for run in runs
        for control in run.controls
        if control.verdict not in (Verdict.NOT_RUN, Verdict.NOT_APPLICABLE)
    }


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a trial; without evidence, why there is none, as where its time was up."""

    trial: Trial
    run: Run | None
    trouble: str
    duration_s: float
    timed_out: bool = False


class Trials:
    """Runs trials, some at a time, each in a pytest process of its own that removes its stack."""

    def __init__(self, catalogue: Catalogue, folder: Path) -> None:
        self._catalogue = catalogue
        self._folder = folder
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(
        self, trials: Iterable[Trial], workers: int, report: Callable[[Outcome], None]
    ) -> list[Outcome]:
        """Run all of them, at most `workers` at once; `report` is called as each one ends."""
        ended = []
        with ThreadPoolExecutor(workers) as pool:
            try:
                for future in as_completed([pool.submit(self._run, one) for one in trials]):
                    ended.append(future.result())
                    report(ended[-1])
            except BaseException:
                self._stop()
                raise
        return ended

    def _stop(self) -> None:
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()

    def _run(self, trial: Trial) -> Outcome:
        started = time.monotonic()
        with TemporaryDirectory(dir=self._folder) as folder:
            output = Path(folder) / "output"
            code = self._pytest([*self._options(trial), f"--run-dir={folder}"], output, trial)
            written = Path(folder) / "latest" / json_file.RECORD
            run = json_file.load(written) if written.exists() else None
            trouble = f"no evidence (exit code {code}): {_last_lines(output)}"
            never = unreached_reason(output.read_text(errors="replace")) if output.exists() else ""
        lasted = round(time.monotonic() - started, 3)
        if code is None:
            trouble = f"it was not done after {limit_s(trial):.0f} s"
            return Outcome(trial, None, trouble, lasted, timed_out=True)
        if run and (run.run.stopped or run.run.interrupted):
            return Outcome(trial, None, f"ended early: {run.run.stopped or 'interrupted'}", lasted)
        if never:
            return Outcome(trial, None, never, lasted)
        return Outcome(trial, run, "" if run else trouble, lasted)

    def _pytest(self, options: list[str], output: Path, trial: Trial) -> int | None:
        """The exit code of a run; None where it took too long and was ended."""
        with output.open("wb") as sink:
            with self._lock:
                if self._stopped:
                    return 1
                # A session of its own: Ctrl-C reaches it once, through `_stop`.
                process = subprocess.Popen(
                    [sys.executable, "-m", "pytest", *options],
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=sink,
                    start_new_session=True,
                )
                self._running.add(process)
            try:
                return process.wait(limit_s(trial))
            except subprocess.TimeoutExpired:
                process.terminate()
                _wait_or_kill(process)
                return None
            finally:
                with self._lock:
                    self._running.discard(process)

    def _options(self, trial: Trial) -> list[str]:
        command = [*self._files(trial), "--evidence", "--only-evidence", "-q"]
        command += ["-p", "no:cacheprovider", "--reason=qualification", *_OPTIONS[trial.driver]]
        command += [f"--seed={trial.number}"]
        command += [f"--controls={','.join(trial.controls)}"] if trial.controls else []
        command += [f"--mutant={trial.mutant}"] if trial.mutant else []
        # What others do to a stack must not hide a bug from the control that is meant for it.
        command += [f"--first={trial.controls[0]}"] if trial.mutant and trial.controls else []
        explored = bool(trial.mutant) and trial.controls == _EXPLORED
        command += ["--exitfirst"] if trial.to_first or explored else []
        # That a plan breaks the claim is enough; it is carried out once more, and not shortened.
        command += ["--shorten-s=0"] if trial.mutant and _EXPLORED[0] in trial.controls else []
        command += [f"--workers={trial.workers}"] if trial.workers > 1 else []
        return command + ([f"--image={trial.image}"] if trial.image else [])

    def _files(self, trial: Trial) -> list[str]:
        """The spec files of the named controls: collecting all of them takes longer."""
        if trial.driver in _FOLDERS:
            return _FOLDERS[trial.driver]
        named = [specs(self._catalogue[one]) for one in trial.controls]
        return sorted({path for paths in named for path in paths}) or ["suites"]


def limit_s(trial: Trial) -> float:
    """Seconds after which a trial is ended, so that one that hangs does not hold up the others."""
    return _PRODUCT_LIMIT_S if trial.image not in (None, REFERENCE) else _LIMIT_S


def unreached_reason(printed: str) -> str:
    """What a run said of a bug that nothing has called; empty where it said nothing of the kind.

    Such a bug has not survived: it was never there.
    """
    return next((line for line in printed.splitlines() if _UNREACHED in line), "")


def _wait_or_kill(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_TERMINATE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_lines(output: Path) -> str:
    words = output.read_text(errors="replace") if output.exists() else ""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return " ".join(lines[-2:])[:300] or "it printed nothing"
