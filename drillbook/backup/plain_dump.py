"""Parse a plain SQL dump: its statements with their lines, and the rows of COPY.

This is the only parser of dumps: everything that reads their tables, restores or rewrites them uses
it. It knows SQL's quoting and nothing of psql: a backslash outside quotes and data is not SQL and
is refused, except in the two lines with which pg_dump of August 2025 and later (14.19, 17.6)
switches psql's own commands off. Memory is bounded by the longest statement, not by the dump.

`judge` allows what pg_dump writes for tables, their data and what depends on them. That list is the
first of two protections. The second is the role that runs the statements (stack/isolated.py), which
cannot do anything outside its own database.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Literal

from drillbook.core.errors import BadInput

TRAILER = b"-- PostgreSQL database dump complete"
_CHUNK = 1 << 18
# How many bytes of the dump's beginning and end are kept.
_ENDS = 4096
_RESTRICTION = re.compile(rb"\\(?:un)?restrict [A-Za-z0-9]+\s*$")
_CONNECT = re.compile(rb"\\connect (?:-reuse-previous=on )?\S+$")
CLUSTER = b"-- PostgreSQL database cluster dump"
LONGEST = 32 << 20
# Marks that change the meaning of the characters after them; an identifier may hold E and $.
_MARK = re.compile(
    rb"(?<![\w$\x80-\xff])[eE]'|'|\"|;|--|/\*"
    rb"|(?<![\w$\x80-\xff])\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$|\\"
)
_COPY = re.compile(r'COPY ((?:"[^"]*"|[\w$.])+) ?(?:\(([^()]*)\) ?)?FROM STDIN$', re.IGNORECASE)
_ESCAPING = re.compile(rb"\\.|'", re.DOTALL)
_NESTING = re.compile(rb"/\*|\*/")
_SHOWN = {b'"': b'"', b"'": b"''", b"e'": b"''"}
_WORDS = (
    "ABORT|ALTER|ANALYZE|BEGIN|CHECKPOINT|CLOSE|CLUSTER|COMMENT|COMMIT|CREATE|DEALLOCATE|DECLARE|"
    "DELETE|DISCARD|DROP|END|FETCH|IMPORT|INSERT|LISTEN|LOCK|MERGE|MOVE|NOTIFY|PREPARE|REASSIGN|"
    "REINDEX|RELEASE|RESET|ROLLBACK|SAVEPOINT|SECURITY|SET|SHOW|START|TABLE|TRUNCATE|UNLISTEN|"
    "UPDATE|VACUUM|VALUES"
)
_BEGINS = re.compile(
    rf"\s*(?:{_WORDS}|CALL|COPY|DO|EXECUTE|EXPLAIN|GRANT|LOAD|REFRESH|REVOKE|SELECT|WITH)\b",
    re.IGNORECASE,
)


class Unreadable(BadInput):
    """A part of the dump that no restore can run, with its line."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")
        self.line = line
        self.what = what


class Hostile(Unreadable):
    """A line that no restore may run."""


class Beyond(Hostile):
    """A line that makes a database, as pg_dump --create and pg_dumpall write it."""


class Message(Unreadable):
    """A line that is not SQL, as a message that the caller of pg_dump put into the dump."""

    def __init__(self, line: int) -> None:
        what = "is not SQL, as a message that 2>&1 puts there, or the prompt of a terminal"
        super().__init__(line, what)


class Cut(Unreadable):
    """The dump ends too early."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement: the line it begins on, its text, and its text without quoted parts.

    In `bare` each string is '', each dollar-quoted body $$, comments are removed and white space is
    one blank; identifiers in double quotes stay. `table` is the table of a COPY whose rows follow,
    and `columns` its columns.
    """

    line: int
    text: bytes
    bare: str
    table: str | None = None
    columns: tuple[str, ...] = ()


class Reader:
    """Collects the lines of one statement, and tracks open quotes and comments across lines."""

    def __init__(self) -> None:
        self.line = 0
        self.lines: list[bytes] = []
        self._size = 0
        self._bare: list[bytes] = []
        self._open = b""
        self._depth = 0

    def statement(self) -> Statement:
        """The statement that was read, after `take` returned True."""
        bare = " ".join(b"".join(self._bare).decode(errors="replace").split())
        text = b"".join(self.lines)
        if not (into := _COPY.match(bare)):
            return Statement(self.line, text, bare)
        columns = tuple(name.strip(' "') for name in into[2].split(",")) if into[2] else ()
        return Statement(self.line, text, bare, plain(into[1]), columns)

    def take(self, line: bytes, number: int) -> bool:
        """Add a line; return whether the statement ends on it. Hostile if not pg_dump's."""
        self.line = self.line or number
        self.lines.append(line)
        self._size += len(line)
        if self._size > LONGEST:
            raise Hostile(self.line, "begins a statement longer than any pg_dump writes")
        at = 0
        while at < len(line):
            if self._open or self._depth:
                at = self._close(line, at)
                continue
            match = _MARK.search(line, at)
            self._bare.append(line[at : match.start() if match else len(line)])
            if not match:
                return False
            mark, at = match[0], match.end()
            if mark == b";":
                if (rest := line[at:].strip()) and not rest.startswith(b"--"):
                    more = "holds more than one statement, which pg_dump never writes"
                    raise Hostile(number, more)
                return True
            if mark == b"--":
                self._bare.append(b" ")
                return False
            self._begin(mark, number)
        return False

    def _begin(self, mark: bytes, number: int) -> None:
        if mark == b"\\":
            raise Hostile(number, "holds a command for psql, which is not part of a backup")
        if mark == b"/*":
            self._depth = 1
            self._bare.append(b" ")
            return
        self._open = b"e'" if mark == b"E'" else mark
        self._bare.append(_SHOWN.get(self._open, b" $$ "))

    def _close(self, line: bytes, at: int) -> int:
        """Skip a quoted part; return the position of the next unquoted character."""
        if self._depth:
            match = _NESTING.search(line, at)
            self._depth += (1 if match[0] == b"/*" else -1) if match else 0
            return match.end() if match else len(line)
        if self._open == b"e'":
            end = next((m for m in _ESCAPING.finditer(line, at) if m[0] == b"'"), None)
            stop, after = (end.start(), end.end()) if end else (-1, -1)
        else:
            stop = line.find(self._open, at)
            after = stop + len(self._open)
        if self._open == b'"':
            self._bare.append(line[at:after] if stop >= 0 else line[at:])
        if stop < 0:
            return len(line)
        self._open = b""
        return after


def is_message(line: bytes) -> bool:
    """Whether a line between statements begins as no SQL does, and psql would run nothing of it."""
    # Compose quotes in its messages, and psql has no command of that name.
    bare = line.replace(b'\\"', b"")
    return not _BEGINS.match(line.decode(errors="replace")) and not {*bare} & {*b"\\;"}


def plain(name: str) -> str:
    """A table's name without quotes, and without its schema if that is public."""
    return name.replace('"', "").removeprefix("public.")


class Script:
    """Reads a dump once: iterate over the statements; after a COPY, read its data with `rows`.

    A tolerant reader skips what it cannot read and keeps the first such error in `harm`. From there
    on it finds only COPY, each behind an empty line, a comment or the end of other rows; `open` is
    the table whose rows have no end. It skips lines between statements that are not SQL, and keeps
    the first in `message`. It reads on where pg_dump --create and pg_dumpall connect to
    another database; `connects` is the first such line, or 0. Any other reader raises the error.
    """

    def __init__(self, stream: IO[bytes], *, tolerant: bool = False) -> None:
        self.line = 0
        self.bytes = 0
        self.head = self.tail = b""
        self.complete = False
        self.harm: Unreadable | None = None
        self.message: Message | None = None
        self.connects = 0
        self.open = ""
        self._stream = stream
        self._tolerant = tolerant
        self._buffer, self._at = b"", 0
        self._table: str | None = None

    @property
    def offset(self) -> int:
        """The offset in the dump that is read next: after a COPY, that of its first row."""
        return self.bytes - len(self._buffer) + self._at

    def __iter__(self) -> Iterator[Statement]:
        while (statement := self._next()) is not None:
            self._table = statement.table
            yield statement
            for _ in self.rows():
                pass

    def _next(self) -> Statement | None:
        if self.harm:
            return self._copy()
        reader = Reader()
        try:
            return self._statement(reader)
        except Unreadable as trouble:
            if not self._tolerant:
                raise
            self.harm = trouble
        self.line = reader.line - 1 if reader.lines else self.line
        self._buffer, self._at = b"".join(reader.lines) + self._buffer[self._at :], 0
        return self._copy()

    def _copy(self) -> Statement | None:
        """The next COPY that does not follow a row; None at the end."""
        before = b"\n"
        while line := self._line():
            if line.startswith(b"COPY ") and _is_between_blocks(before):
                reader = Reader()
                with suppress(Hostile):
                    if reader.take(line, self.line) and (copy := reader.statement()).table:
                        return copy
            before = line
        return None

    def rows(self) -> Iterator[bytes]:
        """The data of the COPY just yielded, in pieces; nothing after another statement.

        Cut if the dump ends before the data does.
        """
        fresh = True
        while self._table is not None:
            while len(self._buffer) - self._at < 4 and self._more():
                pass
            if self._at == len(self._buffer):
                return self._cut(self._table)
            end = self._end(fresh)
            stop = len(self._buffer) - 3 if end is None else end
            piece = self._buffer[self._at : stop]
            self.line += piece.count(b"\n")
            self._at += len(piece)
            if end is not None:
                self._table = None
                self._line()
            fresh = False
            if piece:
                yield piece
            elif end is None and not self._more():
                # Fewer than four bytes are left, and they are not the end marker.
                piece, self._at = self._buffer[self._at :], len(self._buffer)
                yield piece
                return self._cut(self._table or "")
        return None

    def _cut(self, table: str) -> None:
        trouble = Cut(self.line, f"the data of {table} has no end")
        if not self._tolerant:
            raise trouble
        self.harm, self.open, self._table = self.harm or trouble, table, None

    def _end(self, fresh: bool) -> int | None:
        """Where the line `\\.` begins in the buffer, if it is there."""
        if fresh and self._buffer.startswith(b"\\.", self._at):
            return self._at
        place = self._buffer.find(b"\n\\.", self._at)
        return None if place < 0 else place + 1

    def _more(self) -> bool:
        chunk = self._stream.read(_CHUNK) or b""
        self.bytes += len(chunk)
        if len(self.head) < _ENDS:
            self.head = (self.head + chunk)[:_ENDS]
        self.tail = chunk[-_ENDS:] if len(chunk) >= _ENDS else (self.tail + chunk)[-_ENDS:]
        self._buffer, self._at = self._buffer[self._at :] + chunk, 0
        return bool(chunk)

    def _line(self) -> bytes:
        """The next line with its line end; empty at the end of the dump."""
        while (end := self._buffer.find(b"\n", self._at)) < 0:
            size = len(self._buffer) - self._at
            if size > LONGEST and not self.harm:
                raise Hostile(self.line + 1, "is longer than any line pg_dump writes")
            if (size > _CHUNK and self.harm) or not self._more():
                end = len(self._buffer) - 1
                break
        line = self._buffer[self._at : end + 1]
        self._at = end + 1
        self.line += bool(line)
        return line

    def _statement(self, reader: Reader) -> Statement | None:
        """The next statement; None at the end. It skips what pg_dump writes between statements."""
        while line := self._line():
            if not reader.lines and self._is_between(line):
                continue
            if not reader.lines and self._tolerant and is_message(line):
                self.message = self.message or Message(self.line)
                continue
            if self.complete and not (self._tolerant and CLUSTER in self.head):
                reader.lines, reader.line = [line], self.line
                behind = "stands behind pg_dump's last words, as a second dump does that >> appends"
                raise Hostile(self.line, behind)
            if reader.take(line, self.line):
                return reader.statement()
        if reader.lines:
            raise Cut(self.line, f"ends inside the statement of line {reader.line}")
        return None

    def _is_between(self, line: bytes) -> bool:
        # As psql does, skip the mark of UTF-8 with which programs of Windows begin a file.
        bare = line.removeprefix(codecs.BOM_UTF8 if self.line == 1 else b"").strip()
        self.complete = self.complete or bare == TRAILER
        if self._tolerant and _CONNECT.match(bare):
            self.connects = self.connects or self.line
            return True
        return not bare or bare.startswith(b"--") or bool(_RESTRICTION.match(bare))


def _is_between_blocks(line: bytes) -> bool:
    """Whether a line is between blocks: it is empty or a comment, and was read whole."""
    bare = line.strip(b"\r\n")
    return line.endswith(b"\n") and (not bare or (bare.startswith(b"--") and b"\t" not in bare))


Judgement = Literal["run", "leave out"]

_KINDS = (
    "TABLE|UNLOGGED TABLE|UNIQUE INDEX|INDEX|SEQUENCE|TYPE|DOMAIN|FUNCTION|PROCEDURE|AGGREGATE|"
    "TRIGGER|CONSTRAINT TRIGGER|VIEW|MATERIALIZED VIEW|SCHEMA|COLLATION|STATISTICS|RULE|POLICY|"
    "TEXT SEARCH CONFIGURATION|TEXT SEARCH DICTIONARY"
)
# Extensions that PostgreSQL calls trusted: nothing in them reaches outside the database.
_TRUSTED = {
    *("plpgsql", "pgcrypto", "citext", "uuid-ossp", "pg_trgm", "btree_gin", "btree_gist"),
    *("hstore", "ltree", "fuzzystrmatch", "unaccent", "tablefunc", "intarray", "cube", "seg"),
}
# Extensions that only watch a server and hold no rows. A restore leaves them out, because the role
# that restores may not install them; so it does publications, security labels and large objects,
# which serve other programs. The product needs none of these.
_WATCHING = {
    *("pg_stat_statements", "pg_stat_kcache", "pg_stat_monitor", "pg_wait_sampling"),
    *("pg_qualstats", "pg_buffercache", "pgstattuple", "pgaudit"),
}
_EXTENSION = re.compile(r'CREATE EXTENSION (?:IF NOT EXISTS )?("[^"]*"|\S+)', re.IGNORECASE)
_OF_OTHERS = (
    (re.compile("(?:CREATE|ALTER|DROP|COMMENT ON) PUBLICATION "), "publications"),
    (re.compile("SECURITY LABEL "), "security labels"),
    (
        re.compile(
            r"SELECT PG_CATALOG\.(?:LO_CREATE|LO_OPEN|LOWRITE|LO_CLOSE)\([^()]*\)$|"
            "(?:ALTER|COMMENT ON) LARGE OBJECT "
        ),
        "large objects",
    ),
)
_LANGUAGES = {"sql", "plpgsql"}
_RUN = re.compile(
    rf"CREATE (?:OR REPLACE )?(?:{_KINDS})\b|ALTER (?:{_KINDS})\b|DROP (?:{_KINDS})\b|COMMENT ON "
    r"|INSERT INTO |REFRESH MATERIALIZED VIEW |SELECT PG_CATALOG\.SETVAL\(''|"
    r"SELECT PG_CATALOG\.SET_CONFIG\('', '', FALSE\)$|SET (?:CLIENT_ENCODING|XMLOPTION|"
    r"STANDARD_CONFORMING_STRINGS|CHECK_FUNCTION_BODIES|CLIENT_MIN_MESSAGES|ROW_SECURITY|"
    r"DEFAULT_TABLE_ACCESS_METHOD|DEFAULT_WITH_OIDS) ?(?:=|TO)"
)
# The harness sets its own limits, and there is one role, which owns everything.
_LEFT_OUT = re.compile(
    r"SET (?:STATEMENT|LOCK|IDLE_IN_TRANSACTION_SESSION|TRANSACTION)_TIMEOUT ?=|"
    r"SET DEFAULT_(?:TABLESPACE|TOAST_COMPRESSION|TRANSACTION_READ_ONLY) ?=|"
    r"ALTER [^;]* OWNER TO |GRANT |REVOKE |"
    r"(?:RE)?SET (?:SESSION AUTHORIZATION|ROLE)\b|ALTER DEFAULT PRIVILEGES |"
    r"COMMENT ON (?:EXTENSION|SCHEMA|DATABASE) |DROP EXTENSION IF EXISTS |"
    # Around the large objects; a restore has one transaction of its own.
    r"(?:BEGIN|COMMIT)$|"
    r"SELECT \* FROM PG_CATALOG\.PG_RESTORE_(?:RELATION|ATTRIBUTE)_STATS\([^()]*\)$"
)
_ROLES, _TABLESPACE = "makes or changes a role", "makes or changes a tablespace"
# What pg_dumpall writes besides databases.
OF_SERVER = (_ROLES, _TABLESPACE)
_DATABASE = re.compile(r"(?:CREATE|ALTER|DROP) DATABASE\b")
_REASONS = (
    ("COPY .* (?:FROM|TO) PROGRAM", "has the server run a program"),
    ("COPY .* (?:FROM|TO) ''", "has the server read or write a file"),
    ("COPY ", "is a COPY that pg_dump does not write"),
    ("ALTER SYSTEM", "changes the server's own settings"),
    ("(?:CREATE|ALTER|DROP) (?:ROLE|USER|GROUP)", _ROLES),
    ("(?:CREATE|ALTER|DROP) TABLESPACE", _TABLESPACE),
    ("CREATE (?:SERVER|FOREIGN|SUBSCRIPTION|USER MAPPING)", "connects to another server"),
    ("CREATE EVENT TRIGGER", "would act on every later statement"),
    ("(?:CREATE (?:OR REPLACE )?(?:TRUSTED )?(?:PROCEDURAL )?LANGUAGE|LOAD)", "loads program code"),
    ("(?:DO|CALL|EXECUTE|SELECT|WITH|EXPLAIN)\\b", "runs code that is not part of a backup"),
)


def judge(statement: Statement) -> Judgement:
    """Whether a statement is run or left out; Hostile names its line and what it would do."""
    words = statement.bare.upper()
    if statement.table is not None:
        return "run"
    if _LEFT_OUT.match(words) or part_for_others(statement):
        return "leave out"
    if words.startswith("CREATE EXTENSION "):
        if (name := _extension_name(statement)) not in _TRUSTED:
            what = f"installs the extension {name[:40]}, which is not trusted"
            raise Hostile(statement.line, what)
        return "leave out" if name == "plpgsql" else "run"
    if _DATABASE.match(words):
        raise Beyond(statement.line, "makes or changes a database")
    if not _RUN.match(words):
        raise Hostile(statement.line, _reason(words))
    if re.match("CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE|AGGREGATE) ", words):
        # Functions in other languages are not confined by the server.
        names = re.findall(r"\bLANGUAGE (\S+)", statement.bare, re.IGNORECASE)
        unknown = [name for name in names if name.strip('"').lower() not in _LANGUAGES]
        if unknown or not names:
            language = (unknown or ["no language"])[0][:40]
            what = f"makes a function in {language}, which is not kept in bounds"
            raise Hostile(statement.line, what)
    if words.startswith("SET STANDARD_CONFORMING_STRINGS") and not words.endswith("ON"):
        raise Hostile(statement.line, "changes what a quote means")
    return "run"


def part_for_others(statement: Statement) -> str:
    """What a statement makes that a restore leaves out although an operator made it; else empty."""
    words = statement.bare.upper()
    if (name := _extension_name(statement)) in _WATCHING:
        return f"the extension {name}"
    return next((what for pattern, what in _OF_OTHERS if pattern.match(words)), "")


def _extension_name(statement: Statement) -> str:
    """The name of the extension that a statement installs; empty for another statement."""
    match = _EXTENSION.match(statement.bare)
    return match[1].strip('"').lower() if match else ""


def _reason(words: str) -> str:
    for pattern, what in _REASONS:
        if re.match(pattern, words):
            return what
    # If the heading of a table was lost, its rows are read as SQL: print only SQL's own words.
    first = (words.split() or [""])[0]
    if re.fullmatch(_WORDS, first):
        return f"begins with {first}, as no statement of pg_dump's does"
    return "begins as no statement of pg_dump's does"
