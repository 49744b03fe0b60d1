"""A PostgreSQL of this machine's own for a queue: its first user starts it, its last one stops it.

Its data is in a folder of the run directory, and stays. It listens on a socket alone, in a folder
that only its user enters; a killed process leaves it running for the next one.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from drillbook.core.errors import NoHost
from drillbook.core.run_directory import cache_folder, unprivileged_user
from drillbook.stack.embedded.servers import postgres_bin

_FOLDER = "queue"
_USER = "drillbook"
_PATIENCE_S = 120


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
