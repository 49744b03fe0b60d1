"""One run of the suite for its verdicts: on a healthy stack, or with one planted bug."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import pytest

from reports import evidence
from reports.catalogue import Catalogue
from reports.model import Run
from reports.outline import specs
from reports.qualification.specimens import REFERENCE, ROOT

_PATIENCE_S = 900
# Starts of a product that is not ours take minutes on a crowded machine.
_PRODUCT_PATIENCE_S = 7200
# Parts of one exploration: the first that finds the bug ends the trial.
_EXPLORED = ("LIF-1",)
_OPTIONS = {
    "embedded": ["--stack=embedded"],
    "containers": ["--stack=containers"],
    "files": ["--preflight"],
    "remote": ["--stack=remote", "--url=rehearsal", "--one-question"],
}
_FOLDERS = {"remote": ["suites/live"], "files": ["suites/posture", "suites/deployment"]}


@dataclass(frozen=True, slots=True)
class Trial:
    """What is run: a driver, the bug or none, the controls (none named: all), a number as seed.

    again tells apart what is otherwise the same.
    """

    driver: str
    mutant: str | None = None
    controls: tuple[str, ...] = ()
    number: int = 0
    image: str | None = None
    again: int = 0

    @property
    def name(self) -> str:
        """How it is called in the list."""
        number = self.again or self.number
        return self.mutant or f"healthy {self.driver} run {number}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a trial; without evidence, why there is none."""

    trial: Trial
    run: Run | None
    trouble: str
    duration_s: float


class Notes(Protocol):
    """Where outcomes are noted, and looked up by whoever goes on after an interruption."""

    def known(self, trials: Iterable[Trial]) -> dict[Trial, Outcome]:
        """The trials whose outcome is there."""

    def note(self, outcome: Outcome) -> None:
        """Write an outcome down."""


class Laboratory:
    """Runs trials side by side, each in a process of its own that cleans up after itself.

    The processes are forked from one that has loaded pytest and every spec, and has started
    nothing: so each begins at once, and none sees what another did.
    """

    def __init__(self, catalogue: Catalogue, folder: Path, notebook: Notes | None = None) -> None:
        self._catalogue = catalogue
        self._notebook = notebook
        self._folder = folder
        self._processes = get_context("forkserver")
        self._processes.set_forkserver_preload(["reports.qualification.warmed"])
        self._running: set[BaseProcess] = set()
        self._lock = threading.Lock()
        self._over = False

    def perform(
        self, trials: Iterable[Trial], workers: int, tell: Callable[[Outcome], None]
    ) -> list[Outcome]:
        """All of them, in the order they ended; `tell` is called after each.

        What the notebook knows of an interrupted qualification is not done again.
        """
        wanted = list(trials)
        known = self._notebook.known(wanted) if self._notebook else {}
        ended = list(known.values())
        for one in ended:
            tell(one)
        with ThreadPoolExecutor(workers) as pool, self._interruptible():
            waiting = [pool.submit(self._one, one) for one in wanted if one not in known]
            for future in as_completed(waiting):
                ended.append(future.result())
                if self._notebook:
                    self._notebook.note(ended[-1])
                tell(ended[-1])
        return ended

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """On Ctrl-C every run is told to end, takes down what it started, and is waited for."""
        try:
            yield
        except BaseException:
            with self._lock:
                self._over = True
                for one in self._running:
                    one.terminate()
            raise

    def _one(self, trial: Trial) -> Outcome:
        started = time.monotonic()
        with TemporaryDirectory(dir=self._folder) as folder:
            said = Path(folder) / "said"
            options = [*self._options(trial), f"--run-dir={folder}"]
            code = self._run(options, said, patience_s(trial))
            written = Path(folder) / "latest" / "evidence.json"
            run = evidence.load(written) if written.exists() else None
            trouble = f"no evidence (exit code {code}): {_last(said)}"
        lasted = round(time.monotonic() - started, 3)
        if run and (run.run.stopped or run.run.interrupted):
            return Outcome(trial, None, f"ended early: {run.run.stopped or 'interrupted'}", lasted)
        return Outcome(trial, run, "" if run else trouble, lasted)

    def _run(self, options: list[str], said: Path, patience: float) -> int | None:
        with self._lock:
            if self._over:
                return 1
            process = self._processes.Process(target=session, args=(options, str(said)))
            process.start()
            self._running.add(process)
        try:
            process.join(patience)
            if process.is_alive():
                process.terminate()
                process.join()
        finally:
            with self._lock:
                self._running.discard(process)
        return process.exitcode

    def _options(self, trial: Trial) -> list[str]:
        command = [*self._files(trial), "--evidence", "--only-evidence", "-q"]
        command += ["-p", "no:cacheprovider", "--reason=qualification", *_OPTIONS[trial.driver]]
        command += [f"--seed={trial.number}"]
        command += [f"--controls={','.join(trial.controls)}"] if trial.controls else []
        command += [f"--mutant={trial.mutant}"] if trial.mutant else []
        # What others do to a stack must not hide a bug from the control that is meant for it.
        command += [f"--first={trial.controls[0]}"] if trial.mutant and trial.controls else []
        command += ["--exitfirst"] if trial.mutant and trial.controls == _EXPLORED else []
        return command + ([f"--image={trial.image}"] if trial.image else [])

    def _files(self, trial: Trial) -> list[str]:
        """The spec files of the named controls: collecting all of them takes longer."""
        if trial.driver in _FOLDERS:
            return _FOLDERS[trial.driver]
        named = [specs(self._catalogue[one], ROOT / "suites") for one in trial.controls]
        return sorted({path for paths in named for path in paths}) or ["suites"]


def patience_s(trial: Trial) -> float:
    """Seconds after which a trial is ended: what hangs must not hold up all others."""
    return _PRODUCT_PATIENCE_S if trial.image not in (None, REFERENCE) else _PATIENCE_S


def session(options: list[str], said: str) -> None:
    """A session of pytest in a process of its own that begins with this; its words go to a file."""
    # Its own group: Ctrl-C at a terminal must reach it once, through the laboratory.
    os.setsid()
    sink = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for number in (1, 2):
        os.dup2(sink, number)
    os.chdir(ROOT)
    raise SystemExit(int(pytest.main(options)))


def _last(said: Path) -> str:
    words = said.read_text(errors="replace") if said.exists() else ""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return " ".join(lines[-2:])[:300] or "nothing was said"
