"""Runs of the suite for their verdicts, on a healthy stack or with a planted bug; and their result.

fixtures/mutants lists the bugs. A bug is caught by the control meant for it, for its reason, or it
is not.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory

from drillbook.core.application import ROOT
from reports.controls import Catalogue, specs
from reports.errors import Unqualifiable, near
from reports.evidence import json_file
from reports.evidence.context import EvidenceModel
from reports.evidence.model import Control, Run
from reports.qualification.record import Row, Seen, State
from reports.render.phrases import failing_step
from reports.verdict import IDLE, Verdict

# --mutants none: generated bugs alone.
NONE = "none"
# Healthy runs on containers, if those run only the few bugs that need them.
_FEW_HEALTHY = 2
# A bug in procedures or in the network shows on any stack.
_ANYWHERE = ("procedure", "network")
REFERENCE = "drillbook/reference:latest"
_LIMIT_S = 900
# Starts of the real product take minutes on a busy machine.
_PRODUCT_LIMIT_S = 7200
# A terminated run takes down its stack; after this it is killed, and the next start sweeps.
_TERMINATE_S = 60
# It explores sequences of steps and takes longest; the first spec that finds a bug ends its trial.
EXPLORING = "LIF-1"
# A message of fixtures/session/stacks.py.
_UNREACHED = " was never reached at "
_OPTIONS = {
    "embedded": ["--stack=embedded"],
    "containers": ["--stack=containers"],
    "files": ["--stack=embedded"],
    "remote": ["--stack=remote", "--url=rehearsal", "--one-question"],
}
_PREDICTED = ROOT / "tests" / "predicted.toml"
_TABLES = {"embedded": "reference", "files": "reference", "remote": "rehearsal"}
_LONGEST = 400
_FOLDERS = {"remote": ["suites/live"], "files": ["suites/posture", "suites/deployment"]}


class PlantedBug(EvidenceModel):
    """A planted bug: the control meant to catch it, where it is planted, and why it must die."""

    name: str
    control: str
    where: str
    driver: str
    sentence: str
    turns: str
    says: str


class KnownBugs(EvidenceModel):
    """Every planted bug, how many stacks of a driver fit on this machine, and what it lacks."""

    workers: dict[str, int]
    absent: dict[str, str]
    mutants: tuple[PlantedBug, ...]


def list_bugs(image: str | None) -> KnownBugs:
    """The bugs by `python -m fixtures.mutants`, which this package must not import."""
    command = [sys.executable, "-m", "fixtures.mutants", *([image] if image else [])]
    return KnownBugs.model_validate_json(output(command, "the planted bugs cannot be listed"))


def output(command: Sequence[str], failure: str) -> str:
    """What a program prints; Unqualifiable with this sentence and its last words if it fails."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise Unqualifiable(f"{failure}: {last[0]}")
    return done.stdout


def choose(bugs: Sequence[PlantedBug], patterns: Sequence[str]) -> list[PlantedBug]:
    """The bugs whose name, control or place fits a pattern; all without patterns.

    Unqualifiable if a pattern fits no bug.
    """
    for pattern in patterns:
        if not any(_fits(bug, pattern) for bug in bugs):
            names = [bug.name for bug in bugs]
            raise Unqualifiable(f"--mutants {pattern} fits none; {near(pattern, names)}")
    return [bug for bug in bugs if not patterns or any(_fits(bug, one) for one in patterns)]


def _fits(one: PlantedBug, pattern: str) -> bool:
    return any(fnmatchcase(text, pattern) for text in (one.name, one.control, one.where))


@dataclass(frozen=True, slots=True)
class Trial:
    """A run: its driver, bug or none, controls (empty: all), and a number, which is its seed.

    to_first: the first spec that fails ends it; says: words of the failure that may end it;
    workers: how many processes share its specs.
    """

    driver: str
    mutant: str | None = None
    controls: tuple[str, ...] = ()
    number: int = 0
    image: str | None = None
    to_first: bool = False
    says: str = ""
    workers: int = 1

    @property
    def name(self) -> str:
        """The name of the trial in the list."""
        return self.mutant or f"healthy {self.driver} run {self.number}"


def healthy_trials(
    bugs: Sequence[PlantedBug], stack: str, runs: int, image: str | None, some: bool = False
) -> list[Trial]:
    """The healthy runs of each driver that a bug is planted on; the number is the seed.

    Without bugs they are those of the stack that was asked for, else of the embedded one.
    If only some bugs need containers, healthy ones run only the controls of those bugs.
    """
    drivers = {driver_for(bug, stack) for bug in bugs}
    if not bugs:
        drivers = {"containers" if stack == "containers" else "embedded"}
    found = []
    if "embedded" in drivers:
        # The bugs wait for a single healthy run, so two processes share it.
        workers = 2 if runs == 1 else 1
        found += [Trial("embedded", number=one, workers=workers) for one in range(1, runs + 1)]
    if "containers" in drivers:
        few = (bug.control for bug in bugs if driver_for(bug, stack) == "containers")
        controls = tuple(dict.fromkeys(few)) if some or stack == "auto" else ()
        last = min(runs, _FEW_HEALTHY) if stack == "auto" else runs
        found += [Trial("containers", None, controls, one, image) for one in range(1, last + 1)]
    if "remote" in drivers:
        found += [Trial("remote", number=one) for one in range(1, runs + 1)]
    return found


def bug_trials(
    bugs: Iterable[PlantedBug],
    took: Mapping[str, float],
    stack: str,
    image: str | None,
) -> list[Trial]:
    """A trial for each bug that can be planted here, the longest first.

    took: seconds of each control on a healthy stack.
    """
    found = []
    for bug in bugs:
        driver = driver_for(bug, stack)
        if driver:
            # Checks of files and of a rehearsed address are quick: all of them run.
            controls = () if driver in ("files", "remote") else (bug.control,)
            on_image = image if driver == "containers" else None
            says = bug.says if controls and bug.turns == "violated" else ""
            found.append(Trial(driver, bug.name, controls, image=on_image, says=says))

    def expected_s(one: Trial) -> float:
        return sum(took.get(name, 1.0) for name in one.controls)

    return sorted(found, key=expected_s, reverse=True)


def driver_for(one: PlantedBug, stack: str) -> str | None:
    """The driver a bug is planted on in a qualification of this stack; None if on none."""
    if stack == "containers":
        anywhere = one.where in _ANYWHERE and one.driver != "remote"
        return "containers" if one.driver == "containers" or anywhere else None
    if one.where == "file":
        return "files"
    return None if (stack, one.driver) == ("embedded", "containers") else one.driver


def durations(runs: Iterable[Run]) -> dict[str, float]:
    """Seconds that each control took on a healthy stack, if a spec of it ran."""
    return {
        control.id: control.duration_s
        for run in runs
        for control in run.controls
        if control.verdict not in IDLE
    }


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a trial; without evidence, why there is none."""

    trial: Trial
    run: Run | None
    trouble: str
    duration_s: float
    timed_out: bool = False


class Trials:
    """Runs trials, several at a time, each in a pytest process that removes its own stack."""

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
                for future in as_completed([pool.submit(self.attempt, one) for one in trials]):
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

    def attempt(self, trial: Trial) -> Outcome:
        """Run one: up to the failure that it waits for, and whole if another one came first."""
        if not trial.says:
            return self.execute(trial)
        first = self.execute(replace(trial, to_first=True))
        if first.run is None:
            return first
        found = [one for one in first.run.controls if one.id in trial.controls]
        if any(one.verdict is Verdict.SATISFIED or trial.says in _words(one) for one in found):
            return first
        again = self.execute(trial)
        return replace(again, duration_s=round(first.duration_s + again.duration_s, 3))

    def execute(self, trial: Trial) -> Outcome:
        """Run one in a process of its own, in the way that it says."""
        started = time.monotonic()
        with TemporaryDirectory(dir=self._folder) as folder:
            output = Path(folder) / "output"
            code = self._pytest([*self._options(trial), f"--run-dir={folder}"], output, trial)
            written = Path(folder) / "latest" / json_file.RECORD
            run = json_file.load(written) if written.exists() else None
            printed = output.read_text(errors="replace")
        lasted = round(time.monotonic() - started, 3)
        if code is None:
            trouble = f"it did not end within {limit_s(trial):.0f} s"
        elif run and (run.run.stopped or run.run.interrupted):
            trouble = f"ended early: {run.run.stopped or 'interrupted'}"
        else:
            trouble = unreached_reason(printed)
        if not (trouble or run):
            trouble = f"no evidence (exit code {code}): {_last_lines(printed)}"
        return Outcome(trial, None if trouble else run, trouble, lasted, timed_out=code is None)

    def _pytest(self, options: list[str], output: Path, trial: Trial) -> int | None:
        """The exit code of a run; None if it took too long and was ended."""
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
                try:
                    process.wait(_TERMINATE_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                return None
            finally:
                with self._lock:
                    self._running.discard(process)

    def _options(self, trial: Trial) -> list[str]:
        command = [*self._files(trial), "--evidence", "--only-evidence", "-q"]
        command += ["-p", "no:cacheprovider", "--reason=qualification", *_OPTIONS[trial.driver]]
        command += [f"--seed={trial.number}", f"--workers={trial.workers}"]
        if trial.image:
            command.append(f"--image={trial.image}")
        if trial.controls:
            command.append(f"--controls={','.join(trial.controls)}")
        if trial.mutant:
            command.append(f"--mutant={trial.mutant}")
            # Changes by other specs must not hide a bug from the control meant for it.
            command += [f"--first={one}" for one in trial.controls[:1]]
        if trial.to_first or (trial.mutant and trial.controls == (EXPLORING,)):
            command.append("--exitfirst")
        return command

    def _files(self, trial: Trial) -> list[str]:
        """The spec files of the trial's controls, as collecting all files takes longer."""
        if trial.driver in _FOLDERS:
            return _FOLDERS[trial.driver]
        named = [specs(self._catalogue[one]) for one in trial.controls]
        return sorted({path for paths in named for path in paths}) or ["suites"]


def limit_s(trial: Trial) -> float:
    """Seconds after which a trial is ended, so that a hanging one does not delay the others."""
    return _PRODUCT_LIMIT_S if trial.image not in (None, REFERENCE) else _LIMIT_S


def unreached_reason(printed: str) -> str:
    """The line in which a run says that nothing called the bug; empty if there is none.

    Such a bug has not survived: it was never in the way of anything.
    """
    return next((line for line in printed.splitlines() if _UNREACHED in line), "")


def _last_lines(printed: str) -> str:
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    return " ".join(lines[-2:])[:300] or "it printed nothing"


def results(run: Run) -> dict[str, Seen]:
    """Verdict and observation of every control of a run."""
    return {one.id: Seen(verdict=one.verdict, observed=one.observed) for one in run.controls}


def load_predictions(driver: str, catalogue: Catalogue) -> dict[str, Seen]:
    """The results of a healthy stack that measurements predict; {} for an unknown driver."""
    tables = tomllib.loads(_PREDICTED.read_text(encoding="utf-8"))
    predicted = tables.get(_TABLES.get(driver, driver), {})
    seen = {}
    for control, (verdict, *words) in predicted.items():
        observed = "; ".join(catalogue.sentence(word, [control]) for word in words) or None
        seen[control] = Seen(verdict=Verdict(verdict), observed=observed)
    return seen


def row(bug: PlantedBug, outcome: Outcome | None, healthy: Mapping[str, Seen]) -> Row:
    """The row of a bug: its trial compared with a healthy stack."""
    state, words = _state(bug, outcome, healthy)
    return Row(
        **bug.model_dump(exclude={"driver", "sentence"}),
        state=state,
        told=words,
        duration_s=outcome.duration_s if outcome else 0.0,
    )


def _state(
    bug: PlantedBug, outcome: Outcome | None, healthy: Mapping[str, Seen]
) -> tuple[State, str]:
    if outcome is None:
        return "not run", f"needs the driver {bug.driver}, which was not available"
    if outcome.run is None:
        return "stumbled", outcome.trouble
    control = next(one for one in outcome.run.controls if one.id == bug.control)
    now = Seen(verdict=control.verdict, observed=control.observed)
    if control.verdict in (Verdict.INCONCLUSIVE, Verdict.NOT_RUN):
        return "stumbled", f"{control.verdict.words}: {_words(control)[:_LONGEST]}"
    if now == healthy.get(bug.control):
        return "survived", f"{bug.control} said what it says of a healthy stack"
    return _reason(bug, control)


def _reason(bug: PlantedBug, control: Control) -> tuple[State, str]:
    words = _words(control)
    if control.verdict.value != bug.turns:
        return "wrong reason", f"{control.verdict.words}, not {bug.turns}: {words[:_LONGEST]}"
    if bug.says not in words:
        return "wrong reason", f"not a word of {bug.says!r} in: {words[:_LONGEST]}"
    return "killed", bug.says


def _words(control: Control) -> str:
    """Observations, failing steps, messages and notes of the control's worst specs."""
    words: list[str] = []
    for spec in control.specs:
        if spec.verdict is control.verdict:
            words += [*spec.observations, failing_step(spec) or "", spec.message or ""]
            words += [note for step in spec.steps for note in step.notes]
    return " | ".join(dict.fromkeys(filter(None, words)))
