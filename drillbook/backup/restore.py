"""Restore a backup into an empty database, statement by statement, unprivileged, within limits.

Queries of the restored copy are limited in time, too, and never filtered by its row policies. A
policy, view or trigger from a backup may run forever, and may catch the cancellation, too. So the
server gets a limit, the query is cancelled after it, and a connection that still does not answer is
closed by this process.
"""

from __future__ import annotations

import io
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psycopg
from psycopg.pq import ConnStatus, ExecStatus

from drillbook.backup.archive import open_sql
from drillbook.backup.plain_dump import Script, Statement, Unreadable, judge
from drillbook.core.errors import BadInput, NotReady, StackTrouble

_NAMED = {
    "42501": "permission denied: it needs powers that no backup needs",
    "53400": "more temporary files than temp_file_limit allows",
    "57014": "it was cancelled",
    "P0001": "code of the backup raised an error",
}
_LONGEST_NAME = 63
# Messages in which server and backup may quote values; LOG, FATAL and PANIC are the server's own.
_QUOTING = re.compile(
    r"\b(ERROR|WARNING|NOTICE|INFO|DEBUG\d?|DETAIL|HINT|CONTEXT|QUERY|STATEMENT|LOCATION): "
)
# In the backend's log: words of PostgreSQL's messages, and fields of its errors, next to a value.
# A sentence may name such a field: then a word follows, or the end of the line or of its text.
_VALUE = re.compile(
    r"invalid input (?:syntax|value) for|malformed [a-z ]+ literal|value \\?\"|out of range: "
    r"|Key \(|Failing row contains"
    r"|\b(?i:detail|bindings)\b(?![.,;!?)]*(?: \w|\s*$|\\*[\"']\s*[}\]]))"
)
LEFT_OUT = "(left out: it may quote a row)"


def explain(trouble: psycopg.Error) -> str:
    """An error in words that do not quote a row."""
    if not trouble.sqlstate:
        return "the connection was lost or refused"
    diag = trouble.diag
    subjects = {
        "table": diag.table_name,
        "column": diag.column_name,
        "constraint": diag.constraint_name,
    }
    where = ", ".join(f"{what} {name[:_LONGEST_NAME]}" for what, name in subjects.items() if name)
    return f"{_name(trouble.sqlstate)} ({trouble.sqlstate})" + (f", {where}" if where else "")


def _name(code: str) -> str:
    if code in _NAMED:
        return _NAMED[code]
    try:
        name = psycopg.errors.lookup(code).__name__
    except KeyError:
        return "an error"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def clean_log(text: str) -> str:
    """A PostgreSQL log without messages that may quote a row; times and severities stay."""
    kept: list[str] = []
    quoting = False
    for line in text.splitlines(keepends=True):
        if line.startswith("\t"):
            # The line continues the previous message.
            if not quoting:
                kept.append(line)
            continue
        match = _QUOTING.search(line)
        quoting = bool(match)
        kept.append(f"{line[: match.end()]} {LEFT_OUT}\n" if match else line)
    return "".join(kept)


def clean_backend_log(text: str) -> str:
    """A backend's log whose lines end where PostgreSQL's words in it may quote a row."""
    return "".join(
        f"{line[: match.end()]} {LEFT_OUT}\n" if (match := _VALUE.search(line)) else line
        for line in text.splitlines(keepends=True)
    )


# A statement without progress is ended after this time, plus a second for each MiB of backup.
LEAST_S = 120.0
_S_PER_MIB = 1.0
_QUERY_GRACE_S = 3.0
HOW = "--statement-limit allows more"


def allowed_s(size: int, limit_s: float | None = None) -> float:
    """The seconds that one statement on a backup of this size may take, or the operator's limit."""
    return limit_s if limit_s is not None else LEAST_S + _S_PER_MIB * (size >> 20)


@contextmanager
def inquiry(
    connect: Callable[[], psycopg.Connection], within_s: float = LEAST_S, how: str = ""
) -> Iterator[psycopg.Connection]:
    """A connection for queries that together take at most within_s seconds, else NotReady.

    how says what allows more time. StackTrouble for any other failure.
    """
    over = threading.Event()
    try:
        with connect() as connection:
            connection.execute(f"SET statement_timeout = {int(within_s * 1000)}".encode())
            connection.execute("SET row_security = off")
            connection.commit()
            timer = threading.Timer(within_s, _end, (connection, over))
            timer.daemon = True
            timer.start()
            try:
                yield connection
            finally:
                timer.cancel()
    except psycopg.Error as trouble:
        if over.is_set() or trouble.sqlstate == "57014":
            more = f" ({how})" if how else ""
            raise NotReady(f"the copy did not answer within {within_s:.0f} s{more}") from None
        raise StackTrouble(f"the copy does not answer: {explain(trouble)}") from None


def has_table(connection: psycopg.Connection, table: str) -> bool:
    """Whether the copy has a table of this name."""
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (f"public.{table}",)).fetchone()
    return bool(row and row[0])


def _end(connection: psycopg.Connection, over: threading.Event) -> None:
    over.set()
    with suppress(psycopg.Error):
        connection.cancel_safe(timeout=_QUERY_GRACE_S)
    # Shut the socket down, so that the waiting thread continues even if the server does not stop.
    with suppress(OSError, psycopg.Error), socket.socket(fileno=connection.fileno()) as wire:
        try:
            wire.shutdown(socket.SHUT_RDWR)
        finally:
            wire.detach()


def restore_file(
    backup: Path, connect: Connect, kill: Callable[[], None], limits: Limits | None = None
) -> int:
    """Restore a backup of any form, and return its bytes of SQL.

    Raises what `restore` raises, and BadInput for other files.
    """
    with open_sql(backup) as sql, io.BufferedReader(sql, _BUFFER) as stream:
        size = restore(stream, connect, kill, limits)
        if sql.broken:
            raise BadInput(f"backup {backup} {sql.broken}")
    return size


def restore(
    stream: IO[bytes], connect: Connect, kill: Callable[[], None], limits: Limits | None = None
) -> int:
    """Restore a dump as the role that connects, which must be unprivileged; return its bytes.

    Raises Hostile or Refused with the line, Cut if the dump ends too early, StackTrouble if the
    machine fails, and Overrun if the restore exceeds its limits: it is cancelled, and if that does
    not help, `kill` ends the database server.
    """
    script = Script(stream)
    with connect() as connection:
        connection.autocommit = True
        # If the machine crashes, the restore is done again anyway.
        connection.execute("SET synchronous_commit = off")
        with Watch(connection, connect, kill, limits or Limits()) as watch:
            for statement in script:
                watch.check(statement.line, script.bytes)
                if judge(statement) == "leave out":
                    continue
                if statement.table is None:
                    _run(statement, connection)
                    watch.note_answer()
                else:
                    _copy(statement, script, connection, watch)
    return script.bytes


def _copy(
    statement: Statement, script: Script, connection: psycopg.Connection, watch: Watch
) -> None:
    try:
        with connection.cursor().copy(statement.text) as copy:
            for piece in script.rows():
                watch.check(script.line, script.bytes)
                copy.write(piece)
    except psycopg.Error as trouble:
        raise refusal(statement, connection, explain(trouble), trouble.sqlstate) from None


_BUFFER = 1 << 20
_FAILED = (ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE)


class Refused(Unreadable):
    """The server refused a statement of the backup."""


def _run(statement: Statement, connection: psycopg.Connection) -> None:
    """Run a statement; Refused if the server refuses it."""
    why, code, wire = "", None, connection.pgconn
    try:
        # With parameters, even none, the server refuses several commands in one text.
        wire.send_query_params(statement.text, None)
        while wire.flush():
            select.select([wire.socket], [wire.socket], [])
            wire.consume_input()
        while True:
            # The library's own waiting would block every other thread.
            while wire.is_busy():
                select.select([wire.socket], [], [])
                wire.consume_input()
            if (result := wire.get_result()) is None:
                break
            if result.status in _FAILED and not why:
                error = psycopg.errors.error_from_result(result)
                why, code = explain(error), error.sqlstate
    except psycopg.Error as trouble:
        why, code = explain(trouble), trouble.sqlstate
    if why:
        raise refusal(statement, connection, why + _advice(statement), code)


# What pg_dump writes only with an option, and what an empty database does not take.
_OPTIONS = (
    (r"CREATE SCHEMA PUBLIC$", "dump without --schema"),
    (r"(?:DROP|ALTER TABLE .* DROP) ", "dump without --clean, or with --if-exists, too"),
)


def _advice(statement: Statement) -> str:
    """What to do about a statement that psql with ON_ERROR_STOP=1 does not take either."""
    words = statement.bare.upper()
    found = (todo for pattern, todo in _OPTIONS if re.match(pattern, words))
    return "".join(f"; psql stops there, too: {todo}" for todo in found)


# A full disk, too little memory, our limit of temporary files, or a failing disk: these say nothing
# about the backup.
_OF_THE_MACHINE = ("53", "58030")
# The server does not find the files of an extension, in PostgreSQL 14 and in later releases.
_NO_EXTENSION = ("58P01", "0A000")


def refusal(
    statement: Statement, connection: psycopg.Connection, why: str, code: str | None
) -> Exception:
    """The exception for a failed statement: Refused, or StackTrouble if the machine is the reason.

    code is the server's SQLSTATE, None without an answer.
    """
    if connection.pgconn.status != ConnStatus.OK:
        return StackTrouble(f"line {statement.line}: the database was lost: {why}")
    if code and code.startswith(_OF_THE_MACHINE):
        return StackTrouble(f"line {statement.line}: this machine cannot restore it: {why}")
    if code in _NO_EXTENSION and statement.bare.upper().startswith("CREATE EXTENSION "):
        what = "this PostgreSQL lacks the extension that the backup installs here"
        return StackTrouble(f"line {statement.line}: {what}: {why}")
    return Refused(statement.line, why)


Connect = Callable[[], psycopg.Connection]

_EVERY_S = 0.25
_GRACE_S = 3.0
_SIZE = "SELECT pg_database_size(current_database())"


class Overrun(BadInput):
    """The restore took more time or space than any backup of its size needs."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a restore: seconds, and bytes of the database beyond growth times the input.

    idle_s is how many seconds one statement may take, if the operator sets it; by default the time
    grows with each MiB of the dump that was read.
    """

    seconds: float = 4 * 3600
    idle_s: float | None = None
    bytes: int = 512 << 20
    growth: int = 8


class Watch:
    """Watches a restore while its block runs, on a connection of its own that the SQL cannot reach.

    It cancels a restore that exceeds its limits, and kills the server if that does not help.
    """

    def __init__(
        self,
        watched: psycopg.Connection,
        connect: Connect,
        kill: Callable[[], None],
        limits: Limits,
    ) -> None:
        self.fed = 0
        self.line = 0
        self._moved = time.monotonic()
        self._watched = watched
        self._connect = connect
        self._kill = kill
        self._limits = limits
        self._deadline = time.monotonic() + limits.seconds
        self._why = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def check(self, line: int, fed: int) -> None:
        """Note how far the restore is; Overrun if it has been stopped."""
        self.line, self.fed = line, fed
        self.note_answer()
        if self._why:
            raise Overrun(f"line {line}: the restore was stopped: {self._why}")

    def note_answer(self) -> None:
        """Note that the server has completed something, so the restore makes progress."""
        self._moved = time.monotonic()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        trouble: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        if trouble is not None and not isinstance(trouble, Overrun):
            self.check(self.line, self.fed)

    def _look(self) -> None:
        with suppress(psycopg.Error), self._connect() as own:
            own.autocommit = True
            while not self._over.wait(_EVERY_S) and not self._why:
                size = own.execute(_SIZE).fetchone()
                self._why = self._judge(size[0] if size else 0)
        if self._over.is_set():
            return
        self._why = self._why or "the database could no longer be watched"
        with suppress(psycopg.Error):
            self._watched.cancel_safe(timeout=_GRACE_S)
        if not self._over.wait(_GRACE_S):
            self._kill()

    def _judge(self, size: int) -> str:
        allowed = self._limits.bytes + self._limits.growth * self.fed
        if size > allowed:
            return f"the database grew beyond {allowed >> 20} MiB"
        if time.monotonic() > self._deadline:
            return f"it was not done after {self._limits.seconds:.0f} s"
        idle_s = allowed_s(self.fed, self._limits.idle_s)
        if time.monotonic() - self._moved > idle_s:
            return f"one statement was not done after {idle_s:.0f} s ({HOW})"
        return ""
