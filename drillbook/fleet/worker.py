"""A worker: takes a name from the queue, and drills that instance as its own fleet.toml says.

A drill is a process of its own, which ends with its worker: so when the job of a killed worker is
marked, its drill is over, and the next of that instance can begin.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from procrastinate import App, JobContext
from procrastinate.exceptions import ConnectorException, JobAborted

from drillbook.core.display import printable
from drillbook.fleet.queue import BEAT_S, SILENT_S, TASK, abort_lost_jobs, open_queue, watch

_DIE_WITH_PARENT = 1
_LIBC = ctypes.CDLL(None)


class NotPassed(Exception):
    """A drill ended with another exit code than 0."""


@dataclass
class Worker:
    """What a worker drills: the command of each instance by its name."""

    label: str
    commands: Mapping[str, Sequence[str]]
    beat_s: float = BEAT_S
    silent_s: float = SILENT_S
    failures: int = 0

    def work(self, conninfo: str, *, until_empty: bool = False) -> int:
        """Work until a signal, or until the queue is empty; 1 if a drill did not pass, else 0.

        A drill under way at SIGTERM or SIGINT is finished.
        """
        asyncio.run(self._work(conninfo, until_empty=until_empty))
        return 1 if self.failures else 0

    async def _work(self, conninfo: str, *, until_empty: bool) -> None:
        async with open_queue(conninfo) as app:
            app.task(name=TASK, pass_context=True)(self._drill)
            marker = asyncio.create_task(self._mark(app))
            try:
                await app.run_worker_async(
                    queues=[self.label],
                    wait=not until_empty,
                    fetch_job_polling_interval=self.beat_s / 10,
                    update_heartbeat_interval=self.beat_s,
                    stalled_worker_timeout=self.silent_s,
                )
            finally:
                marker.cancel()

    async def _mark(self, app: App) -> None:
        """Mark the jobs of dead workers for as long as this one lives."""
        while True:
            with suppress(ConnectorException):
                for name in await abort_lost_jobs(app, self.label, self.silent_s):
                    _say(f"{name}: interrupted, its worker is gone; nothing is proven by it")
            await asyncio.sleep(self.beat_s)

    async def _drill(self, context: JobContext) -> None:
        """Carry out a job; NotPassed unless its drill ends with exit code 0."""
        instance = context.job.lock or ""
        command = self.commands.get(instance)
        if command is None:
            self._fail(f"{instance}: not drilled, this worker's fleet.toml has no such instance")
        _say(f"{instance}: drill begins")
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sys.stderr,
            start_new_session=True,
            preexec_fn=partial(_die_with_worker, os.getpid()),
            # The worker's own options are not its drills'.
            env={key: os.environ[key] for key in os.environ if not key.startswith("DRILLBOOK_")},
        )
        ended = asyncio.create_task(process.wait())
        lost = asyncio.create_task(watch(context.app, context, self.beat_s, self.silent_s / 4))
        try:
            await asyncio.wait((ended, lost), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                self.failures += 1
                _say(f"{instance}: interrupted, {lost.result()}")
                raise JobAborted
            if code := ended.result():
                self._fail(f"{instance}: not passed, exit code {code}")
            _say(f"{instance}: passed")
        finally:
            lost.cancel()
            await _stop(process, self.silent_s / 3)

    def _fail(self, sentence: str) -> NoReturn:
        self.failures += 1
        _say(sentence)
        raise NotPassed(sentence)


def _say(line: str) -> None:
    sys.stdout.write(f"{printable(line)}\n")
    sys.stdout.flush()


def _die_with_worker(worker: int) -> None:
    """In the drill's process, before it begins: the kernel kills it when its worker dies."""
    if sys.platform == "linux":
        _LIBC.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != worker:
        os._exit(1)


async def _stop(process: asyncio.subprocess.Process, patience_s: float) -> None:
    """End a drill that is still under way, with time to end its stack."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
            try:
                await asyncio.wait_for(process.wait(), patience_s)
            except TimeoutError:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
