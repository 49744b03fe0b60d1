"""One run of the suite for its verdicts: on a healthy stack, or with one planted bug."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from reports import evidence
from reports.catalogue import Catalogue
from reports.model import Run
from reports.outline import specs
from reports.qualification.specimens import ROOT

_PATIENCE_S = 900
_OPTIONS = {
    "embedded": ["--stack=embedded"],
    "containers": ["--stack=containers"],
    "files": ["--preflight"],
    "remote": ["--stack=remote", "--url=rehearsal", "--one-question"],
}
_FOLDERS = {"remote": ["suites/live"], "files": ["suites/posture", "suites/deployment"]}


@dataclass(frozen=True, slots=True)
class Trial:
    """What is run: a driver, the bug or none, the controls (none named: all), a number as seed."""

    driver: str
    mutant: str | None = None
    controls: tuple[str, ...] = ()
    number: int = 0
    image: str | None = None

    @property
    def name(self) -> str:
        """How it is called in the list."""
        return self.mutant or f"healthy {self.driver} run {self.number}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a trial; without evidence, why there is none."""

    trial: Trial
    run: Run | None
    trouble: str
    duration_s: float


class Laboratory:
    """Runs trials side by side, each in a process of its own that cleans up after itself."""

    def __init__(self, catalogue: Catalogue, folder: Path) -> None:
        self._catalogue = catalogue
        self._folder = folder
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._over = False

    def perform(
        self, trials: Iterable[Trial], workers: int, tell: Callable[[Outcome], None]
    ) -> list[Outcome]:
        """All of them, in the order they ended; `tell` is called after each."""
        ended = []
        with ThreadPoolExecutor(workers) as pool, self._interruptible():
            for future in as_completed([pool.submit(self._one, one) for one in trials]):
                ended.append(future.result())
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
                    with suppress(ProcessLookupError):
                        one.send_signal(signal.SIGTERM)
            raise

    def _one(self, trial: Trial) -> Outcome:
        started = time.monotonic()
        with TemporaryDirectory(dir=self._folder) as folder:
            code, said = self._run([*self._command(trial), f"--run-dir={folder}"])
            written = Path(folder) / "latest" / "evidence.json"
            run = evidence.load(written) if written.exists() else None
        trouble = "" if run else f"no evidence (exit code {code}): {_last(said)}"
        return Outcome(trial, run, trouble, round(time.monotonic() - started, 3))

    def _run(self, command: list[str]) -> tuple[int, str]:
        with self._lock:
            if self._over:
                return 1, "not started"
            # Its own group: Ctrl-C at a terminal must reach it once, through us.
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._running.add(process)
        try:
            said, _ = process.communicate(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.terminate()
            said, _ = process.communicate()
        finally:
            with self._lock:
                self._running.discard(process)
        return process.returncode, said.decode(errors="replace")

    def _command(self, trial: Trial) -> list[str]:
        command = [sys.executable, "-m", "pytest", *self._files(trial), "--evidence", "-q"]
        command += ["-p", "no:cacheprovider", "--reason=qualification", *_OPTIONS[trial.driver]]
        command += [f"--seed={trial.number}"]
        command += [f"--controls={','.join(trial.controls)}"] if trial.controls else []
        command += [f"--mutant={trial.mutant}"] if trial.mutant else []
        return command + ([f"--image={trial.image}"] if trial.image else [])

    def _files(self, trial: Trial) -> list[str]:
        """The spec files of the named controls: collecting all of them takes longer."""
        if trial.driver in _FOLDERS:
            return _FOLDERS[trial.driver]
        named = [specs(self._catalogue[one], ROOT / "suites") for one in trial.controls]
        return sorted({path for paths in named for path in paths}) or ["suites"]


def _last(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return " ".join(lines[-2:])[:300] or "nothing was said"
