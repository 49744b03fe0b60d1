"""Our own queries of a restored copy: limited in time, and untouched by the backup's policies.

A policy, view or trigger that came with a backup may run for ever, and may catch the cancellation
too. So the server gets a limit, the query is cancelled after it, and a connection that still does
not answer is closed from our side.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg

from drillbook.core.errors import StackTrouble

_NAMED = {
    "42501": "permission denied: it needs powers that no backup needs",
    "53400": "more temporary files than temp_file_limit allows",
    "57014": "it was cancelled",
    "P0001": "code of the backup raised an error",
}
_LONGEST_NAME = 63
# What server and backup may quote values in; LOG, FATAL and PANIC are the server's own words.
_QUOTING = re.compile(
    r"\b(ERROR|WARNING|NOTICE|INFO|DEBUG\d?|DETAIL|HINT|CONTEXT|QUERY|STATEMENT|LOCATION): "
)
LEFT_OUT = "(left out: it may quote a row)"


def explain(trouble: psycopg.Error) -> str:
    """An error in words that quote nothing of a row."""
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
    """A log of PostgreSQL without what may quote a row; times and severities stay."""
    kept: list[str] = []
    quoting = False
    for line in text.splitlines(keepends=True):
        if line.startswith("\t"):
            # It continues the message of the line before.
            if not quoting:
                kept.append(line)
            continue
        match = _QUOTING.search(line)
        quoting = bool(match)
        kept.append(f"{line[: match.end()]} {LEFT_OUT}\n" if match else line)
    return "".join(kept)


# A statement that does no work is ended after this time, and a second more for each MiB of backup.
LEAST_S = 120.0
_S_PER_MIB = 1.0
_GRACE_S = 3.0
HOW = "--statement-limit allows more"


def allowed_s(size: int, limit_s: float | None = None) -> float:
    """Seconds one statement on a backup of this size may take, unless the operator sets a limit."""
    return limit_s if limit_s is not None else LEAST_S + _S_PER_MIB * (size >> 20)


@contextmanager
def inquiry(
    connect: Callable[[], psycopg.Connection], within_s: float = LEAST_S
) -> Iterator[psycopg.Connection]:
    """A connection for queries that together take no longer; StackTrouble without any value."""
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
            raise StackTrouble(f"the copy did not answer within {within_s:.0f} s ({HOW})") from None
        raise StackTrouble(f"the copy does not answer: {explain(trouble)}") from None


def has_table(connection: psycopg.Connection, table: str) -> bool:
    """Whether the copy has a table of this name."""
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (f"public.{table}",)).fetchone()
    return bool(row and row[0])


def _end(connection: psycopg.Connection, over: threading.Event) -> None:
    over.set()
    with suppress(psycopg.Error):
        connection.cancel_safe(timeout=_GRACE_S)
    # The thread that waits for the answer goes on, whatever the server still does.
    with suppress(OSError, psycopg.Error), socket.socket(fileno=connection.fileno()) as wire:
        try:
            wire.shutdown(socket.SHUT_RDWR)
        finally:
            wire.detach()
