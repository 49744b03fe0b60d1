"""Runs of the suite on a healthy stack or with a bug, each in a process of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from drillbook.core.application import ROOT
from reports import controls as catalogues
from reports.errors import Unqualifiable
from reports.evidence import json_file
from reports.evidence.model import Run
from reports.verdict import Verdict

REFERENCE = "drillbook/reference:latest"
_PREDICTED = ROOT / "tests" / "predicted.toml"
# A terminated run takes down its stack; after this it is killed, and the next start sweeps.
_TERMINATE_S = 60
# A message of fixtures/session/stacks.py.
_UNREACHED = " was never reached at "
_EVIDENCE = ["--evidence", "--only-evidence", "-q", "-p", "no:cacheprovider"]
_REMOTE = ["suites/live", "--stack=remote", "--url=rehearsal", "--one-question"]

# A control's verdict and observation, which tell a healthy stack from a bad one.
Seen = tuple[Verdict, str | None]


@dataclass(frozen=True, slots=True)
class Trial:
    """A run: its driver, its bug or none, and its controls (empty: all).

    image: for containers; to_first: the first spec that fails ends it; workers: how many processes
    share its specs.
    """

    driver: str
    mutant: str | None = None
    controls: tuple[str, ...] = ()
    seed: int = 1
    image: str | None = None
    to_first: bool = False
    workers: int = 1

    @property
    def name(self) -> str:
        """The bug, or which healthy run it is."""
        return self.mutant or f"healthy {self.driver} run {self.seed}"

    @property
    def limit_s(self) -> int:
        """Seconds after which it is ended; starts of the real product take minutes."""
        ours = self.driver != "containers" or self.image in (None, REFERENCE)
        return 900 if ours else 7200

    @property
    def command(self) -> list[str]:
        """Its pytest; of spec files it has those of its controls, as all take long to collect."""
        command = [sys.executable, "-m", "pytest", *_EVIDENCE, "--reason=qualification"]
        command += [f"--seed={self.seed}", f"--workers={self.workers}"]
        if self.driver == "remote":
            command += _REMOTE
        else:
            catalogue = catalogues.load()
            named = [catalogues.specs(catalogue[control]) for control in self.controls]
            command += sorted({path for paths in named for path in paths}) or ["suites"]
            command.append(f"--stack={self.driver}")
        if self.image and self.driver == "containers":
            command.append(f"--image={self.image}")
        if self.controls:
            command.append(f"--controls={','.join(self.controls)}")
        if self.mutant:
            command.append(f"--mutant={self.mutant}")
            # Changes by other specs must not hide a bug from the control meant for it.
            command += [f"--first={control}" for control in self.controls[:1]]
        return [*command, "--exitfirst"] if self.to_first else command


@dataclass(frozen=True, slots=True)
class Outcome:
    """The evidence of a trial, or why there is none to be trusted."""

    trial: Trial
    run: Run | None
    trouble: str
    duration_s: float
    timed_out: bool = False

    @property
    def results(self) -> dict[str, Seen]:
        """Verdict and observation of each control; {} without evidence."""
        controls = self.run.controls if self.run else ()
        return {control.id: (control.verdict, control.observed) for control in controls}


async def run_trial(trial: Trial) -> Outcome:
    """Run one; if it takes too long or is cancelled, it still takes down its stack."""
    started, timed_out = time.monotonic(), False
    with TemporaryDirectory(prefix="drillbook-qualify-") as folder:
        output, written = Path(folder, "output"), Path(folder, "latest", json_file.RECORD)
        with output.open("wb") as sink:
            process = await asyncio.create_subprocess_exec(
                *trial.command,
                f"--run-dir={folder}",
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                # Ctrl-C reaches it once, through `_end`.
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(trial.limit_s):
                await process.wait()
        except TimeoutError:
            timed_out = True
        finally:
            await _end(process)
        run = json_file.load(written) if written.exists() else None
        printed = output.read_text(errors="replace")
    trouble = unreached_reason(printed)
    if timed_out:
        trouble = f"it did not end within {trial.limit_s} s"
    elif run and (run.run.stopped or run.run.interrupted):
        trouble = f"ended early: {run.run.stopped or 'interrupted'}"
    elif not (run or trouble):
        words = " ".join(printed.split("\n")[-3:]).strip()[:300]
        trouble = f"no evidence (exit code {process.returncode}): {words or 'it printed nothing'}"
    lasted = round(time.monotonic() - started, 3)
    return Outcome(trial, None if trouble else run, trouble, lasted, timed_out)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(_TERMINATE_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def side_by_side[T, R](
    items: Iterable[T], attempt: Callable[[T], Coroutine[Any, Any, R]], workers: int
) -> list[R]:
    """The result of each attempt, at most `workers` at once; an exception ends those that run.

    Those that run are waited for, also after Ctrl-C: they take down their stacks.
    """

    async def attempt_each() -> list[R]:
        free = asyncio.Semaphore(workers)

        async def when_free(item: T) -> R:
            async with free:
                return await attempt(item)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(when_free(item)) for item in items]
        return [task.result() for task in tasks]

    try:
        return asyncio.run(attempt_each())
    except ExceptionGroup as troubles:
        raise troubles.exceptions[0] from None


def unreached_reason(printed: str) -> str:
    """The line in which a run says that nothing called the bug; empty if there is none.

    Such a bug has not survived: it was never in the way of anything.
    """
    return next((line for line in printed.splitlines() if _UNREACHED in line), "")


def predicted_results(table: str) -> dict[str, Seen]:
    """The results of a healthy stack that measurements predict, by a table of predicted.toml."""
    predicted, catalogue = tomllib.loads(_PREDICTED.read_text("utf-8")), catalogues.load()
    results = {}
    for control, (verdict, *words) in predicted[table].items():
        observed = "; ".join(catalogue.sentence(word, [control]) for word in words) or None
        results[control] = (Verdict(verdict), observed)
    return results


def output(command: Sequence[str], failure: str) -> str:
    """What a program prints; Unqualifiable with this sentence and its last words if it fails."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise Unqualifiable(f"{failure}: {last[0]}")
    return done.stdout
