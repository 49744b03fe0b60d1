"""Read a backup of any form table by table, in bounded memory."""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO

from drillbook.backup.archive import ArchiveSql, Form, open_sql
from drillbook.backup.plain_dump import (
    CLUSTER,
    OF_SERVER,
    Beyond,
    Hostile,
    Message,
    Script,
    Statement,
    Unreadable,
    judge,
    part_for_others,
    plain,
)
from drillbook.backup.stream import Source
from drillbook.core.errors import BadInput
from drillbook.infisical.schema import TABLES

# The values of one row as written; None for NULL and for a column that an older release lacks.
Values = list[bytes | None]

# Twice the largest secret that the product accepts, as hexadecimal digits.
LONGEST_ROW = 16 << 20
_SPOOL = 16 << 20
_BUFFER = 1 << 18
_CHUNK = 1 << 18
_ESCAPE = re.compile(rb"\\(.)")
_CONTROLS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_OCTAL = re.compile(rb"\\([0-7]{3}|\\)")
_SERVER = re.compile(rb"^-- Dumped from database version ([^\r\n]+)", re.MULTILINE)
_DUMPED_BY = re.compile(rb"^-- Dumped by pg_dump version ([^\r\n]+)", re.MULTILINE)
_STARTED = re.compile(rb"^-- Started on (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", re.MULTILINE)
_TRAILER = re.compile(rb"^-- PostgreSQL database (?:cluster )?dump complete", re.MULTILINE)
_HEADING = b"-- PostgreSQL database "
_TABLE = re.compile(r'CREATE (?:UNLOGGED )?TABLE ((?:"[^"]*"|[\w$.])+) \(', re.IGNORECASE)
_PARENT = re.compile(r"\) PARTITION BY ", re.IGNORECASE)
_REFERRED = re.compile(r'((?:"[^"]*"|[\w$.])+) ?\(')
# Many leave out the long log on purpose (--exclude-table-data); it never has a secret.
_LEFT_OUT = re.compile(r"audit_logs")


def bare_name(table: str) -> str:
    """A table's name without its schema."""
    return table.rpartition(".")[2]


class Damaged(Exception):
    """The rows end too early, or one is broken; the rows before were returned."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block of rows: its table, its columns, and how to read it from its first byte.

    start and end are the offsets of its rows in the file they are read from.
    """

    table: str
    columns: tuple[str, ...]
    chunks: Callable[[], Iterator[bytes]]
    start: int = 0
    end: int = 0

    def rows(self, wanted: Sequence[str]) -> Iterator[Values]:
        """The wanted columns of each row, in that order; Damaged if a row is broken."""
        places = [self.columns.index(name) if name in self.columns else -1 for name in wanted]
        for line in lines(self.chunks(), self.table):
            values = line.split(b"\t")
            if len(values) != len(self.columns):
                raise Damaged(
                    f"has a row of {self.table} with {len(values)} values where its heading "
                    f"names {len(self.columns)}"
                )
            yield [values[at] if at >= 0 and values[at] != b"\\N" else None for at in places]


def lines(chunks: Iterable[bytes], table: str) -> Iterator[bytes]:
    """Each line up to the one that ends the block; Damaged if that is missing."""
    pieces: list[bytes] = []
    size = 0
    for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        if b"\n" in chunk:
            *whole, rest = b"".join(pieces).split(b"\n")
            for line in whole:
                if line.startswith(b"\\."):
                    return
                yield line.rstrip(b"\r")
            pieces, size = [rest], len(rest)
        if size > LONGEST_ROW:
            raise Damaged(
                f"has a row of {table} that is longer than {LONGEST_ROW >> 20} MiB, as no secret "
                "is; it was not read on"
            )
    if not b"".join(pieces).startswith(b"\\."):
        raise Damaged(f"ends inside the rows of {table}")


def text(value: bytes | None) -> str | None:
    """A COPY value as text, with its escapes decoded."""
    if value is None:
        return None
    if b"\\" in value:
        value = _ESCAPE.sub(_unescape, value)
    return value.decode(errors="replace")


def _unescape(escape: re.Match[bytes]) -> bytes:
    return _CONTROLS.get(escape[1], escape[1])


def blob(value: bytes | None) -> bytes | None:
    """A bytea value as bytes, decoded from hexadecimal digits or (old settings) octal escapes."""
    if value is None:
        return None
    if value.startswith(b"\\\\x"):
        try:
            return bytes.fromhex(value[3:].decode("ascii"))
        except ValueError:
            return b""
    return _OCTAL.sub(_octal, _ESCAPE.sub(_unescape, value))


def _octal(code: re.Match[bytes]) -> bytes:
    return code[1] if code[1] == b"\\" else bytes([int(code[1], 8) & 255])


def moment(value: bytes | None) -> datetime | None:
    """A timestamptz value as a time in UTC; None for anything else."""
    if not value:
        return None
    try:
        return datetime.fromisoformat(value.decode("ascii")).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@dataclass(slots=True)
class Dump:
    """An open backup. damage says what is missing or broken; it is empty if nothing is.

    harm is the first part that no restore may run, with its line. lost has the tables that are
    created without a block of rows, with the line: pg_dump writes a block for each table, even an
    empty one. unmade has the tables to which a foreign key refers and that are not created, with
    the line. rows_alone: it has rows, and creates no table for them. keyless: it creates tables,
    and no primary key of any. for_others has what a restore
    leaves out although an operator made it, with the first line of each. counts has each table's
    number of rows. inserts: it has no blocks of rows, because rows are written as statements, or
    not at all; inserted: some are. file is the file that blocks are read from: the backup itself,
    or a copy of the wanted tables. length is the size of all its SQL in bytes.
    """

    form: Form
    packed: str
    size: int
    blocks: list[Block]
    file: BinaryIO = field(default_factory=io.BytesIO)
    server: str | None = None
    dumped_by: str | None = None
    dumped_at: datetime | None = None
    damage: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    inserts: bool = False
    inserted: bool = False
    harm: Unreadable | None = None
    lost: dict[str, int] = field(default_factory=dict)
    unmade: dict[str, int] = field(default_factory=dict)
    rows_alone: bool = False
    keyless: bool = False
    for_others: dict[str, int] = field(default_factory=dict)
    length: int = 0
    tables: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.tables = {block.table for block in self.blocks}

    def rows(self, table: str, columns: Sequence[str], needed: int = 1) -> Iterator[Values]:
        """The rows of a table; blocks that lack one of the first `needed` columns are skipped.

        If a block ends too early or is broken, `damage` says so.
        """
        for block in self.blocks:
            if block.table != table or not set(columns[:needed]) <= set(block.columns):
                continue
            try:
                yield from block.rows(columns)
            except Damaged as how:
                self.damage = self.damage or str(how)

    def refuse_harm(self, shown: str) -> None:
        """Raise BadInput for a backup that would do more than make tables and fill them.

        A damaged backup is not refused only because it cannot be read as SQL.
        """
        if beyond := self.beyond():
            raise BadInput(f"backup {shown} {beyond}")
        if isinstance(self.harm, Hostile) and "cannot be unpacked" in self.damage:
            raise BadInput(
                f"backup {shown} {self.damage}: what came out of it is not what went in, and "
                f"{self.harm}. Fetch it again, or take another"
            )
        if isinstance(self.harm, Hostile):
            raise BadInput(
                f"backup {shown} is more than data, and may be made to do harm: {self.harm}. Do "
                "not restore it, find out who made it, and take one that pg_dump alone wrote"
            )
        if self.harm and not self.damage:
            raise BadInput(f"backup {shown} cannot be read as SQL: {self.harm}")

    def beyond(self) -> str:
        """What the backup makes besides the tables of one database, and what to do; else empty."""
        if not isinstance(self.harm, Beyond):
            return ""
        return (
            f"was made by pg_dump --create or pg_dumpall ({self.harm}): Drillbook restores one "
            "database alone, so dump it by pg_dump without --create"
        )

    def omissions(self) -> str:
        """What a restore leaves out although an operator made it, with its lines; else empty."""
        if not self.for_others:
            return ""
        made = ", ".join(f"{what} (line {line})" for what, line in self.for_others.items())
        return f"makes {made}: Drillbook does not restore that, and the product does not need it"

    def lacks(self) -> str:
        """Which tables are not made, or without their rows, with the line; else empty."""
        if not (absent := self.unmade or self.lost):
            return ""
        name, line = next(iter(absent.items()))
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        if self.unmade:
            return (
                f"lacks the table {name}{more}, to which line {line} refers, so that it cannot be "
                "restored: dump again, by pg_dump without --table and --exclude-table"
            )
        return (
            f"lacks rows: line {line} makes {name}{more}, of which none follow: they were lost, or "
            "left out by --exclude-table-data"
        )

    def missing(self) -> str:
        """What is missing or broken; empty if the backup is whole."""
        return self.damage or self.lacks()

    def orders(self) -> str:
        """Why no restore may run this backup, with the line; empty if it is whole and only data."""
        if beyond := self.beyond():
            return beyond
        if self.harm:
            what = (
                "is more than data" if isinstance(self.harm, Hostile) else "cannot be read as SQL"
            )
            return f"{what}: {self.harm}"
        return self.lacks()


@contextmanager
def open_dump(
    backup: Path, wanted: Container[str] = TABLES, *, whole: bool = False
) -> Iterator[Dump]:
    """Open a backup to read the wanted tables, or whole; BadInput if it is not a backup.

    It is parsed once from beginning to end, and nothing in it is executed.
    """
    with ExitStack() as files:
        sql = files.enter_context(open_sql(backup))
        again = sql.again.open("rb") if sql.again else None
        copy = sql.seekable_copy() if whole and not again and isinstance(sql, Source) else None
        file: Any = files.enter_context(again or copy or _spool())
        stream = copy or io.BufferedReader(sql, _BUFFER)
        reading = _Reading(stream, wanted, None if again or copy else file)
        reading.scan()
        reading.refuse_other_text(sql)
        yield reading.dump(sql, file)


class _Reading:
    """One pass over a dump: blocks in order, row counts, and what is between the blocks.

    With a spool, the rows of wanted tables are copied there, because the stream cannot be read
    twice.
    """

    def __init__(self, stream: IO[bytes], wanted: Container[str], spool: BinaryIO | None) -> None:
        self.script = Script(stream, tolerant=True)
        self._wanted = wanted
        self._spool = spool
        self._blocks: list[tuple[str, tuple[str, ...], int, int]] = []
        self._counts: dict[str, int] = {}
        self._harms: dict[int, Unreadable] = {}
        self._made: dict[str, int] = {}
        self._parents: set[str] = set()
        self._referred: dict[str, int] = {}
        self._keyed = self._inserted = False
        self._for_others: dict[str, int] = {}
        self._zero = 0
        self._misshapen = ""
        self._declares_utf8 = False
        self._not_utf8 = 0

    def scan(self) -> None:
        """Read the whole dump."""
        for statement in self.script:
            if b"\0" in statement.text:
                self._zero = self._zero or statement.line
            try:
                judge(statement)
            except Hostile as harm:
                self._note(harm)
            self._inserted |= statement.bare.startswith("INSERT INTO ")
            if what := part_for_others(statement):
                self._for_others.setdefault(what, statement.line)
            if statement.table is not None:
                self._take(statement, statement.table)
            elif table := _TABLE.match(statement.bare):
                if _PARENT.search(statement.bare):
                    self._parents.add(plain(table[1]))
                else:
                    self._made[plain(table[1])] = statement.line
            elif statement.text.startswith(b"SET client_encoding = "):
                self._declares_utf8 = b"'UTF8'" in statement.text
            elif statement.bare.startswith("ALTER TABLE "):
                self._keyed |= " PRIMARY KEY " in statement.bare
                other = _REFERRED.match(statement.bare.partition(" REFERENCES ")[2])
                if not other:
                    continue
                self._referred.setdefault(plain(other[1]), statement.line)

    def _take(self, statement: Statement, table: str) -> None:
        size, line, tabs = 0, self.script.line, 0
        copy = self._spool if bare_name(table) in self._wanted else None
        start = copy.tell() if copy else self.script.offset
        unfinished = b""
        for piece in self.script.rows():
            size += len(piece)
            tabs += piece.count(b"\t")
            if self._declares_utf8 and not (piece.isascii() and not unfinished):
                unfinished = self._check_utf8(unfinished + piece)
            if b"\0" in piece:
                self._zero = self._zero or self.script.line
            if copy:
                copy.write(piece)
        self._blocks.append((table, statement.columns, start, start + size))
        # The line that ends the rows is not a row.
        rows = self.script.line - line - (not self.script.open)
        self._counts[table] = self._counts.get(table, 0) + rows
        # The rows of wanted tables are looked at one by one when they are read.
        unread = bare_name(table) not in self._wanted
        if unread and statement.columns and tabs != rows * (len(statement.columns) - 1):
            self._misshapen = self._misshapen or bare_name(table)
        if copy and not self.script.open:
            copy.write(b"\\.\n")

    def _check_utf8(self, text: bytes) -> bytes:
        """Note a byte that is not UTF-8; the beginning of a character that the text ends with."""
        try:
            text.decode()
        except UnicodeDecodeError as trouble:
            if trouble.end == len(text) and "unexpected end" in trouble.reason:
                return text[trouble.start :]
            self._not_utf8 = self._not_utf8 or self.script.line
        return b""

    def _own_name(self) -> Callable[[str], str]:
        """How a table is called: without its schema, if the product has all its tables in one."""
        named = [table for table, *_ in self._blocks if bare_name(table) in self._wanted]
        schemas = {table.rpartition(".")[0] for table in named}
        if len(schemas) != 1 or schemas == {""}:
            return str
        return lambda table: table.removeprefix(f"{next(iter(schemas))}.")

    def _note(self, harm: Unreadable) -> None:
        """Keep the first harm of each kind, the worst: 2 is what --create and pg_dumpall write."""
        of_server = CLUSTER in self.script.head and harm.what in OF_SERVER
        makes = isinstance(harm, Beyond) or of_server
        self._harms.setdefault(1 if isinstance(harm, Message) else 2 * makes, harm)

    def _worst(self, damage: str) -> Unreadable | None:
        """The first part that is neither a message nor makes a database; else the first of them."""
        script = self.script
        if script.message:
            self._note(script.message)
        if script.harm:
            self._note(script.harm)
        if script.connects:
            self._note(Beyond(script.connects, "connects to another database"))
        harm = self._harms[min(self._harms)] if self._harms else None
        if isinstance(harm, Message) and not damage:
            return Unreadable(
                harm.line,
                f"{harm.what}; the dump itself ran to its end, since its last line is there: dump "
                "again with 2> FILE, or take such lines out of a copy",
            )
        if harm and CLUSTER in script.head:
            what = "pg_dumpall writes the server's roles and all its databases"
            made = type(harm) if 0 in self._harms else Beyond
            harm = made(harm.line, f"{harm.what}; {what}")
        return harm

    def dump(self, sql: Source | ArchiveSql, file: BinaryIO) -> Dump:
        """The scanned dump, whose blocks are read from file."""
        script, damage = self.script, self._damage(sql)
        own = self._own_name()
        return Dump(
            sql.form,
            sql.packed,
            sql.size,
            [
                Block(own(table), columns, partial(chunks, file, start), start, end)
                for table, columns, start, end in self._blocks
            ],
            file,
            _search(_SERVER, script.head),
            _search(_DUMPED_BY, script.head),
            _moment(_search(_STARTED, script.head)),
            damage=damage,
            counts={own(table): count for table, count in self._counts.items()},
            length=script.bytes,
            inserts=not self._blocks and not (damage and sql.form != "plain"),
            inserted=self._inserted,
            harm=self._worst(damage),
            for_others=self._for_others,
            rows_alone=bool(self._counts) and not self._made,
            keyless=bool(self._made) and not self._keyed,
            unmade={
                name: line
                for name, line in self._referred.items()
                if name not in self._made and name not in self._parents
            },
            lost={
                name: line
                for name, line in self._made.items()
                if self._counts
                and name not in self._counts
                and not _LEFT_OUT.match(bare_name(name))
            },
        )

    def _damage(self, sql: Source | ArchiveSql) -> str:
        if sql.broken or (sql.cut and sql.packed):
            return sql.cut or sql.broken
        if self.script.open:
            return f"ends inside the rows of {self.script.open.rpartition('.')[2]}"
        if not (end := _TRAILER.search(self.script.tail)):
            return "ends without pg_dump's last words, so something is missing"
        last = self.script.tail[end.end() :]
        restricted = b"\n\\restrict " in self.script.head and b"\n\\unrestrict " not in last
        if restricted or not last.split() or not last.endswith(b"\n"):
            return "lacks its last line"
        if sql.tables >= 0 and self._blocks and len(self._blocks) != sql.tables:
            # If a file of a folder was truncated, the next tables look like its rows.
            return "lacks the end of a table's rows"
        if self._zero:
            return f"holds a zero byte near line {self._zero}, as no dump does: it was damaged"
        if self._not_utf8:
            return f"holds text that is not UTF-8 near line {self._not_utf8}, at which psql stops"
        if self._misshapen:
            return f"has a row of {self._misshapen} that does not fit its heading"
        return sql.cut

    def refuse_other_text(self, sql: Source | ArchiveSql) -> None:
        """Raise BadInput for a text that pg_dump did not write."""
        if sql.form != "plain":
            return
        if sql.broken and not self._blocks:
            raise BadInput(f"backup {sql.name} {sql.broken}; make it again, or take another copy")
        if not self.script.bytes:
            raise BadInput(f"backup {sql.name} is empty; run it again and look at its exit status")
        if _HEADING not in self.script.head and not self._blocks:
            raise BadInput(f"{sql.name} is not a backup made by pg_dump; check the backup given")


def _spool() -> Any:
    """A temporary file without a name, in memory while it is small."""
    return tempfile.SpooledTemporaryFile(_SPOOL)


def _search(what: re.Pattern[bytes], head: bytes) -> str | None:
    match = what.search(head)
    return match[1].decode(errors="replace") if match else None


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def chunks(file: BinaryIO, start: int, end: int | None = None) -> Iterator[bytes]:
    """The content of a file between two offsets; others may move its position meanwhile."""
    while end is None or start < end:
        file.seek(start)
        if not (chunk := file.read(_CHUNK if end is None else min(_CHUNK, end - start))):
            return
        start += len(chunk)
        yield chunk
