"""A queue of drills and its workers: procrastinate on a PostgreSQL; only names travel through it.

The lock of a job is the name of an instance, its queue the label of the workers that drill it. It
is never tried again: a drill that fails is a finding, and one that was interrupted proves nothing.
Whether a drill passed, its signed bundle says and not this queue.

The PostgreSQL may be this machine's own: its first user starts it, its last one stops it. Its data
is in a folder of the run directory, and stays. It listens on a socket alone, in a folder that only
its user enters; a killed process leaves it running for the next one.

A worker takes a name from the queue, and drills that instance as its own fleet.toml says. A drill
is a process of its own, which ends with its worker: so when the job of a killed worker is marked,
its drill is over, and the next of that instance can begin.
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
# How often a worker gives a sign of life, and after how long a silence it counts as dead.
BEAT_S, SILENT_S = 10.0, 60.0
# Two that find an empty database do not both make its tables.
_LOCK = 0x6472696C6C
_CONNECT_S = 10
_FOLDER = "queue"
_USER = "drillbook"
_PATIENCE_S = 120
_DIE_WITH_PARENT = 1
_LIBC = ctypes.CDLL(None)


@contextmanager
def database(queue: str, runs: Path) -> Iterator[str]:
    """The connection string of a queue: what its file holds, or of this machine's own database.

    BadInput where the file may be read by others or holds no connection string.
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
        # Without its words, which quote the string.
        raise BadInput(
            f"{path} holds no connection string; write one such as "
            "postgresql://drillbook@queue.example.com/drillbook"
        ) from None
    yield conninfo


@asynccontextmanager
async def open_queue(conninfo: str) -> AsyncIterator[App]:
    """The queue in a database, whose tables are made if there are none; NoHost where it fails."""
    # What goes wrong is said by us; a connection's error may quote the connection string.
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
    """Add a drill of each instance, by its name and label, and mark what dead workers left.

    The names that were added, those that wait in the queue already, and those that were marked.
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
    """End the jobs of workers that have been silent for so long; the names of their instances.

    They count as interrupted: not passed, and not taken up again. queue: only those of this label.
    """
    names = []
    for job in await app.job_manager.get_stalled_jobs(
        queue=queue, task_name=TASK, seconds_since_heartbeat=silent_s
    ):
        # Another worker may have marked it a moment ago.
        with suppress(ConnectorException):
            await app.job_manager.finish_job(job, Status.ABORTED, delete_job=False)
            names.append(str(job.lock))
    return names


async def watch(app: App, context: JobContext, beat_s: float, patience_s: float) -> str:
    """Return, with the reason, once a job under way is no longer ours.

    That is so when it was marked, or aborted; and when the database has not answered for so long
    that others will mark it.
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
    """The connection string of the database of a run directory, which runs for the block.

    NoHost, in a sentence, where it cannot be made or started.
    """
    folder = runs.resolve() / _FOLDER
    with ExitStack() as files:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # The gate is for the one who starts or stops it; users have theirs for their time.
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
        """Start it where it does not run; data is made where there is none."""
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
            # What it starts keeps its standard output, so nothing may wait for that to end.
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
