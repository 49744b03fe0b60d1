"""A queue of drills and its workers, with procrastinate on a PostgreSQL. It holds only names.

The lock of a job is the name of an instance, its queue is the label of the workers that drill it. A
job is never retried: a failed drill is a finding, and an interrupted one proves nothing. Whether a
drill passed is in its signed bundle, not in the queue.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Status
from procrastinate.schema import SchemaManager

from drillbook.core.display import printable
from drillbook.core.errors import BadInput, NoHost
from drillbook.core.files import load_text, refuse_open

TASK = "drill"
# After how long without a heartbeat a worker counts as dead.
_SILENT_S = 60.0
# An advisory lock, so that two processes do not both make the tables of an empty database.
_LOCK = 0x6472696C6C


def connection_string(file: str) -> str:
    """The connection string in a file; BadInput if others can read the file, or if it has none."""
    path = Path(file).expanduser()
    conninfo = load_text(path, what := "file of --queue").strip()
    refuse_open(path, what)
    try:
        psycopg.conninfo.conninfo_to_dict(conninfo)
    except psycopg.Error:
        # The original message would quote the string.
        raise BadInput(
            f"{path} holds no connection string; write one such as "
            "postgresql://drillbook@queue.example.com/drillbook"
        ) from None
    return conninfo


@asynccontextmanager
async def _open(conninfo: str) -> AsyncIterator[App]:
    """The queue in a database; its tables are made if they are missing. NoHost if that fails."""
    # Errors are reported here; those of a connection may quote the connection string.
    for name in ("procrastinate", "psycopg", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    app = App(connector=PsycopgConnector(conninfo=conninfo))
    try:
        await _make_tables(conninfo)
        async with app.open_async():
            yield app
    except (psycopg.Error, ConnectorException) as trouble:
        state = getattr(trouble, "sqlstate", None)
        said = f"refuses to work ({state})" if state else "does not answer, or refuses the login"
        raise NoHost(f"the queue's database {said}; check --queue") from None


async def _make_tables(conninfo: str) -> None:
    connecting = psycopg.AsyncConnection.connect(conninfo, autocommit=True, connect_timeout=10)
    async with await connecting as connection:
        await connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        tables = await connection.execute("SELECT to_regclass('procrastinate_jobs')")
        if await tables.fetchone() == (None,):
            await connection.execute(SchemaManager.get_schema())


def enqueue(conninfo: str, labels: Mapping[str, str]) -> tuple[list[str], list[str], list[str]]:
    """Add a drill of each instance, by its name and label, and abort the jobs of dead workers.

    Returns the names that were added, that were in the queue already, and that were aborted.
    """
    return asyncio.run(_enqueue(conninfo, labels))


async def _enqueue(
    conninfo: str, labels: Mapping[str, str]
) -> tuple[list[str], list[str], list[str]]:
    added, waiting, aborted = [], [], []
    async with _open(conninfo) as app:
        jobs = app.job_manager
        for job in await jobs.get_stalled_jobs(task_name=TASK, seconds_since_heartbeat=_SILENT_S):
            # Another process may have aborted it a moment ago.
            with suppress(ConnectorException):
                await jobs.finish_job(job, Status.ABORTED, delete_job=False)
                aborted.append(str(job.lock))
        for name, label in labels.items():
            task = app.configure_task(TASK, queue=label, lock=name, queueing_lock=name)
            try:
                await task.defer_async()
            except AlreadyEnqueued:
                waiting.append(name)
            else:
                added.append(name)
    return added, waiting, aborted


class NotPassed(Exception):
    """A drill did not end with exit code 0."""


@dataclass
class Worker:
    """A worker that drills the instances of one label, with the command of each by its name."""

    label: str
    commands: Mapping[str, Sequence[str]]
    failures: int = 0

    def work(self, conninfo: str, *, until_empty: bool = False) -> int:
        """Work until a signal, or until the queue is empty; 1 if a drill did not pass, else 0.

        A drill that runs at SIGTERM or SIGINT is finished first.
        """
        asyncio.run(self._work(conninfo, until_empty=until_empty))
        return 1 if self.failures else 0

    async def _work(self, conninfo: str, *, until_empty: bool) -> None:
        async with _open(conninfo) as app:
            app.task(name=TASK, pass_context=True)(self._drill)
            await app.run_worker_async(queues=[self.label], wait=not until_empty)

    async def _drill(self, context: JobContext) -> None:
        """Run the drill of a job; NotPassed unless it ends with exit code 0."""
        instance = context.job.lock or ""
        command = self.commands.get(instance)
        sentence = f"{instance}: not drilled, this worker's fleet.toml has no such instance"
        if command is not None:
            _say(f"{instance}: drill begins")
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sys.stderr,
                start_new_session=True,
                # The options of the worker are not those of its drills.
                env={name: os.environ[name] for name in os.environ if name[:10] != "DRILLBOOK_"},
            )
            code = await process.wait()
            sentence = f"{instance}: not passed, exit code {code}"
            if not code:
                see = "see its report for controls that do not gate"
                _say(f"{instance}: passed, exit code 0; {see}")
                return
        self.failures += 1
        _say(sentence)
        raise NotPassed(sentence)


def _say(line: str) -> None:
    sys.stdout.write(f"{printable(line)}\n")
    sys.stdout.flush()
