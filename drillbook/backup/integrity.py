"""Whether a backup is reliable, judged from the file alone, without any server.

It finds a file that is empty, compressed, cut anywhere, of another database, or with rows that do
not fit their table. It does not find a changed digit inside a value. That takes a checksum written
next to the backup on the day it was made: `write_checksum` writes one, and `examine` compares it.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from drillbook.backup.plain_dump import BEGINNING, TRAILER, Script, encoding
from drillbook.backup.stream import Source
from drillbook.backup.tables import Damaged, bare_name, lines
from drillbook.core import files
from drillbook.core.bugs import seam
from drillbook.core.errors import BadInput, Unsupported
from drillbook.infisical.schema import ALWAYS_FILLED, BOTS, OF_ROOT_KEYS

_BUFFER = 1 << 20
# A value of bytes in hexadecimal digits begins with this.
_BYTES = b"\t\\\\x"
_DIGITS = b"0123456789abcdef"
# The checksum in the forms that sha256sum, shasum --tag and Windows write.
_SHA256 = re.compile(r"\b[0-9a-fA-F]{64}\b")
_MAGIC = {
    b"\x1f\x8b": "compressed by gzip, whatever its name says; unpack it first",
    b"PGDMP": "pg_dump's custom format, which psql cannot read; use pg_restore",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a backup, and in which line of it (0: as a whole)."""

    line: int
    what: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}" if self.line else self.what


def checksum_file(backup: Path) -> Path:
    """The path of a backup's checksum."""
    return backup.with_name(f"{backup.name}.sha256")


def write_checksum(backup: Path) -> Path:
    """Write the checksum next to a backup, in the form `sha256sum -c` reads."""
    checksum = checksum_file(backup)
    checksum.touch(mode=0o600)
    checksum.write_text(f"{files.file_digest(backup)}  {backup.name}\n")
    return checksum


@seam("examine_backup")
def examine(backup: Path, *, by_name: bool = True) -> Problem | None:
    """The first problem of a plain backup of Infisical (.sql, .sql.gz); None without one.

    by_name: a packed backup whose name does not say so is a problem, since psql would read it as it
    is. Unsupported where its rows are written as statements.
    """
    with backup.open("rb") as file:
        head = file.read(5)
    packed = next((what for magic, what in _MAGIC.items() if head.startswith(magic)), "")
    if by_name and packed and backup.suffix != ".gz":
        return Problem(1, packed)
    return _read(backup) or compare_checksum(backup)


def compare_checksum(backup: Path) -> Problem | None:
    """The problem that a backup differs from the checksum next to it; None where it fits."""
    checksum = checksum_file(backup)
    if backup.is_dir() or not checksum.exists():
        return None
    try:
        stated = find_checksums(files.load_text(checksum, "checksum file"))
    except BadInput as trouble:
        return Problem(0, str(trouble))
    if files.file_digest(backup) in stated:
        return None
    return Problem(0, "differs from the checksum written next to it when it was made")


def find_checksums(text: str) -> list[str]:
    """The SHA-256 checksums in a text, in small letters."""
    return [one.lower() for one in _SHA256.findall(text)]


def _read(backup: Path) -> Problem | None:
    with Source(backup) as source, io.BufferedReader(source, _BUFFER) as stream:
        script, rows = Script(stream, tolerant=True), Counter[str]()
        try:
            problem = _find_broken(script, rows) or _find_missing(script, rows)
        except BadInput as trouble:
            problem = Problem(0, str(trouble))
        except Damaged as trouble:
            problem = Problem(script.line, str(trouble))
        if source.broken:
            return Problem(1, f"cannot be unpacked: it {source.broken}")
        if problem and script.bytes and BEGINNING not in script.head:
            return Problem(min(script.line, 10), "does not begin as a plain pg_dump does")
        return problem


def _find_broken(script: Script, rows: Counter[str]) -> Problem | None:
    """The first broken statement or row; it also counts the rows of each table."""
    declared = ""
    for statement in script:
        if script.harm:
            break
        declared = encoding(statement) or declared
        if what := _not_text(statement.text, declared):
            return Problem(statement.line, what)
        if statement.bare.startswith("INSERT INTO "):
            raise Unsupported(
                f"line {statement.line}: its rows are statements (pg_dump --inserts), which are "
                "not read here; dump without that option"
            )
        if statement.table is None:
            continue
        rows[statement.table] += 0
        number, columns = script.line, len(statement.columns)
        for row in lines(chain(script.rows(), [b"\\.\n"]), statement.table):
            number += 1
            rows[statement.table] += 1
            if what := _wrong(row, statement.table, columns, declared):
                return Problem(number, what)
        if script.open:
            return Problem(script.line, f"ends inside the data of {script.open}")
    if script.connects and not script.harm:
        return Problem(script.connects, "connects to another database")
    harm = script.harm or script.message
    return Problem(harm.line, harm.what) if harm else None


def _wrong(row: bytes, table: str, columns: int, declared: str) -> str:
    if (values := row.count(b"\t") + 1) != columns:
        return f"a row of {table} has {values} values, not {columns}"
    if _BYTES[1:] in row and _has_broken_bytes(row):
        return f"a value in {table} is not a whole sequence of bytes"
    return _not_text(row, declared)


def _find_missing(script: Script, rows: Counter[str]) -> Problem | None:
    if not script.bytes:
        return Problem(0, "the file is empty")
    if not script.complete:
        return Problem(script.line, "ends without pg_dump's last words, so something is missing")
    # The trailer, the dashes that close it, and in newer dumps the end of \restrict.
    last = script.tail.rpartition(TRAILER)[2]
    restricted = b"\n\\restrict " in script.head and b"\n\\unrestrict " not in last
    if restricted or len(last.split()) < 1 or not last.endswith(b"\n"):
        return Problem(script.line, "the last line is missing")
    tables = {bare_name(name) for name in rows}
    filled = {bare_name(name) for name, count in rows.items() if count}
    rootless = BOTS.table in filled and not tables & OF_ROOT_KEYS
    required = ALWAYS_FILLED[1:] if rootless else ALWAYS_FILLED
    if absent := [name for name in required if name not in filled]:
        what = f"is not a backup of Infisical in use: it holds no row of {' and '.join(absent)}"
        return Problem(script.line, what)
    return None


def _has_broken_bytes(text: bytes) -> bool:
    """Whether a value of a row begins as bytes in hexadecimal digits and goes on otherwise."""
    for rest in (b"\t" + text).split(_BYTES)[1:]:
        digits = rest.partition(b"\t")[0]
        # Other characters stay when the digits are removed; a pattern would look at each digit.
        if len(digits) % 2 or digits.translate(None, _DIGITS):
            return True
    return False


def _not_text(text: bytes, declared: str) -> str:
    if b"\0" in text:
        return "holds a zero byte"
    if text.isascii() or declared:
        return ""
    try:
        text.decode()
    except UnicodeDecodeError:
        return "holds a byte that is not text"
    return ""
