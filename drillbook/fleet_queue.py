"""A queue of drills and its workers, with procrastinate on a PostgreSQL. It holds only names.

The lock of a job is the name of an instance, its queue is the label of the workers that drill it. A
job is never retried: a failed drill is a finding, and an interrupted one proves nothing. Whether a
drill passed is in its signed bundle, not in the queue.

The PostgreSQL may be a local one: its first user starts it, and its last user stops it. Its data
stays in a folder of the run directory. It listens only on a socket, in a folder that only its user
can enter. A killed process leaves it running for the next one.

A worker takes a name from the queue and drills that instance as its own fleet.toml says. A drill is
a separate process that ends with its worker. So when the job of a killed worker is marked as
aborted, its drill has ended, and the next drill of that instance can begin.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import hashlib
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, NoReturn

import psycopg
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException, JobAborted
from procrastinate.jobs import Status
from procrastinate.schema import SchemaManager

from drillbook.core.display import printable
from drillbook.core.errors import BadInput, NoHost
from drillbook.core.files import load_text, refuse_open
from drillbook.core.run_directory import cache_folder, unprivileged_user
from drillbook.stack.embedded.servers import postgres_bin

TASK = "drill"
LOCAL = "local"
# How often a worker sends its heartbeat, and after how long without one it counts as dead.
BEAT_S, SILENT_S = 10.0, 60.0
# An advisory lock, so that two processes do not both make the tables of an empty database.
_LOCK = 0x6472696C6C
_CONNECT_S = 10
_FOLDER = "queue"
_USER = "drillbook"
_PATIENCE_S = 120
_DIE_WITH_PARENT = 1
_LIBC = ctypes.CDLL(None)


@contextmanager
def database(queue: str, runs: Path) -> Iterator[str]:
    """The connection string of a queue: the one in its file, or that of the local database.

    BadInput if others can read the file, or if it holds no connection string.
    """
    if queue == LOCAL:
        with local_database(runs) as conninfo:
            yield conninfo
        return
    path = Path(queue).expanduser()
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
    yield conninfo


@asynccontextmanager
async def open_queue(conninfo: str) -> AsyncIterator[App]:
    """The queue in a database; its tables are made if they are missing. NoHost if that fails."""
    # Errors are reported here; those of a connection may quote the connection string.
    for name in ("procrastinate", "psycopg", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        await _make_tables(conninfo)
        app = App(connector=PsycopgConnector(conninfo=conninfo))
        await app.open_async()
    except (psycopg.Error, ConnectorException) as trouble:
        raise NoHost(f"the queue's database {_what(trouble)}; check --queue") from None
    try:
        yield app
    except ConnectorException:
        raise NoHost("the queue's database has gone; start this again when it answers") from None
    finally:
        await app.close_async()


def _what(trouble: Exception) -> str:
    if isinstance(trouble, psycopg.OperationalError) and not trouble.sqlstate:
        return "does not answer, or refuses the login"
    return f"refuses to work ({getattr(trouble, 'sqlstate', None) or type(trouble).__name__})"


async def _make_tables(conninfo: str) -> None:
    connecting = psycopg.AsyncConnection.connect(
        conninfo, autocommit=True, connect_timeout=_CONNECT_S
    )
    async with await connecting as connection:
        await connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        found = await connection.execute("SELECT to_regclass('procrastinate_jobs')")
        if await found.fetchone() == (None,):
            await connection.execute(SchemaManager.get_schema())


def enqueue(conninfo: str, labels: Mapping[str, str]) -> tuple[list[str], list[str], list[str]]:
    """Add a drill of each instance, by its name and label, and abort the jobs of dead workers.

    Returns the names that were added, that were in the queue already, and that were aborted.
    """
    return asyncio.run(_enqueue(conninfo, labels))


async def _enqueue(
    conninfo: str, labels: Mapping[str, str]
) -> tuple[list[str], list[str], list[str]]:
    added, waiting = [], []
    async with open_queue(conninfo) as app:
        interrupted = await abort_lost_jobs(app, None, SILENT_S)
        for name, label in labels.items():
            job = app.configure_task(TASK, queue=label, lock=name, queueing_lock=name)
            try:
                await job.defer_async()
            except AlreadyEnqueued:
                waiting.append(name)
            else:
                added.append(name)
    return added, waiting, interrupted


async def abort_lost_jobs(app: App, queue: str | None, silent_s: float) -> list[str]:
    """Abort the jobs of workers without a heartbeat for so long; the names of their instances.

    An aborted drill has not passed, and is not retried. queue: only the jobs of this label.
    """
    names = []
    for job in await app.job_manager.get_stalled_jobs(
        queue=queue, task_name=TASK, seconds_since_heartbeat=silent_s
    ):
        # Another worker may have aborted it a moment ago.
        with suppress(ConnectorException):
            await app.job_manager.finish_job(job, Status.ABORTED, delete_job=False)
            names.append(str(job.lock))
    return names


async def watch(app: App, context: JobContext, beat_s: float, patience_s: float) -> str:
    """Wait until a running job no longer belongs to this worker; returns the reason.

    That is when another worker aborted it, or when the database has not answered for so long that
    others will abort it.
    """
    loop = asyncio.get_running_loop()
    answered = loop.time()
    while True:
        await asyncio.sleep(beat_s)
        try:
            async with asyncio.timeout(beat_s):
                status = await app.job_manager.get_job_status_async(context.job.id or 0)
        except (ConnectorException, TimeoutError):
            if loop.time() - answered > patience_s:
                return "the queue has not answered"
            continue
        answered = loop.time()
        if status is not Status.DOING:
            return "another worker marked it as interrupted"


@contextmanager
def local_database(runs: Path) -> Iterator[str]:
    """The connection string of the local database of a run directory, which runs for the block.

    NoHost if it cannot be made or started.
    """
    folder = runs.resolve() / _FOLDER
    with ExitStack() as files:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # "gate" is locked to start or stop the server; "users" is shared while it is used.
            gate, users = (
                files.enter_context((folder / name).open("w")) for name in ("gate", "users")
            )
            server = _Server(folder)
            with _locked(gate):
                server.start()
                fcntl.flock(users, fcntl.LOCK_SH)
        except OSError as trouble:
            raise NoHost(
                f"the queue's database cannot be in {folder}: {trouble.strerror}; give --run-dir"
            ) from None
        try:
            yield f"host={server.socket} user={_USER} dbname=postgres"
        finally:
            with _locked(gate), suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                server.stop()


@contextmanager
def _locked(file: IO[str]) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    yield
    fcntl.flock(file, fcntl.LOCK_UN)


class _Server:
    def __init__(self, folder: Path) -> None:
        # A socket's path has at most 107 bytes, and a run directory may be deep.
        name = hashlib.sha256(bytes(folder)).hexdigest()[:8]
        self.socket = cache_folder() / f"queue-{name}"
        self._data = folder / "pg_data"

    def start(self) -> None:
        """Start the server if it does not run; its data is made if there is none."""
        user = unprivileged_user()
        if user and (closed := [one for one in self._data.parents if not one.stat().st_mode & 1]):
            raise NoHost(
                f"root's database runs as {user}, who cannot enter {closed[-1]}; give a --run-dir "
                "that every user can enter"
            )
        for path in (self.socket, self._data):
            path.mkdir(mode=0o700, exist_ok=True)
            if user:
                shutil.chown(path, user)
        if not (self._data / "PG_VERSION").exists():
            self._call("initdb", f"--username={_USER}", "--auth=trust", "--encoding=UTF8", "-N")
        if self._call("pg_ctl", "status", may_fail=True):
            where = f"-c listen_addresses= -c unix_socket_directories={self.socket}"
            log = self.socket / "log"
            self._call("pg_ctl", "start", "--wait", f"--log={log}", f"--options={where}")

    def stop(self) -> None:
        self._call("pg_ctl", "stop", "--mode=fast")

    def _call(self, program: str, *options: str, may_fail: bool = False) -> int:
        argv = [str(postgres_bin() / program), *options, f"--pgdata={self._data}"]
        try:
            # The server that it starts keeps its standard output open, so that must not be a pipe.
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={"LC_ALL": "C", "TZ": "UTC"},
                cwd="/",
                user=unprivileged_user(),
                check=False,
                timeout=_PATIENCE_S,
            )
        except subprocess.TimeoutExpired:
            said = f"{program} of the queue's database has not ended in {_PATIENCE_S} s"
            raise NoHost(said) from None
        if done.returncode and not may_fail:
            words = " ".join(done.stderr.decode(errors="replace").split())[-300:]
            raise NoHost(
                f"{program} of the queue's database ended with {done.returncode}: {words}; "
                f"see {self._data}, or give another --run-dir"
            )
        return done.returncode


class NotPassed(Exception):
    """A drill did not end with exit code 0."""


@dataclass
class Worker:
    """A worker that drills the instances of one label, with the command of each by its name."""

    label: str
    commands: Mapping[str, Sequence[str]]
    beat_s: float = BEAT_S
    silent_s: float = SILENT_S
    failures: int = 0

    def work(self, conninfo: str, *, until_empty: bool = False) -> int:
        """Work until a signal, or until the queue is empty; 1 if a drill did not pass, else 0.

        A drill that runs at SIGTERM or SIGINT is finished first.
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
        """Abort the jobs of dead workers for as long as this worker runs."""
        while True:
            with suppress(ConnectorException):
                for name in await abort_lost_jobs(app, self.label, self.silent_s):
                    _say(f"{name}: interrupted, its worker is gone; nothing is proven by it")
            await asyncio.sleep(self.beat_s)

    async def _drill(self, context: JobContext) -> None:
        """Run the drill of a job; NotPassed unless it ends with exit code 0."""
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
            # The options of the worker are not those of its drills.
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
            _say(f"{instance}: passed, exit code 0; see its report for controls that do not gate")
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
    """Called in the process of a drill: the kernel is to kill it when its worker dies."""
    if sys.platform == "linux":
        _LIBC.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != worker:
        os._exit(1)


async def _stop(process: asyncio.subprocess.Process, patience_s: float) -> None:
    """End a drill that still runs, with time for it to end its stack."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
            try:
                await asyncio.wait_for(process.wait(), patience_s)
            except TimeoutError:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
