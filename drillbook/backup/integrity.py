"""Whether a backup is whole: the one judgement, from its file alone, for every form.

It finds a file that is empty, cut anywhere, of another database, or with rows that do not fit their
table. It does not find a changed digit inside a value. That takes a checksum written next to the
backup on the day it was made: `write_checksum` writes one, and `examine` compares it.
"""

from __future__ import annotations

import re
import time
from collections import deque
from pathlib import Path

from drillbook.backup.facts import Backup, facts
from drillbook.backup.plain_dump import TRAILER
from drillbook.backup.tables import open_dump
from drillbook.core import files
from drillbook.core.bugs import seam
from drillbook.core.errors import BadInput, Unsupported
from drillbook.infisical.schema import ALWAYS_FILLED, BOTS, OF_ROOT_KEYS, TABLES

# The checksum in the forms that sha256sum, shasum --tag and Windows write.
_SHA256 = re.compile(r"\b[0-9a-fA-F]{64}\b")
_TAIL = 4096
_YOUNG_S = 60.0
_LOOK_AGAIN_S = 0.5


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
def examine(backup: Path, *, by_name: bool = True) -> str | None:
    """What is wrong with a backup of Infisical in use, as the end of a sentence; None for nothing.

    by_name: a packed plain backup, or an archive, whose name does not say so is wrong, since psql
    would read it as it is. Unsupported where its rows are written as statements.
    """
    try:
        with open_dump(backup) as dump:
            # Reading a dump looks at the rows of all other tables.
            for table in dump.tables & set(TABLES):
                deque(dump.rows(table, ()), maxlen=0)
            about, statements = facts(dump, backup), dump.inserted and not dump.damage
    except BadInput as refusal:
        return str(refusal)
    if by_name and backup.suffix != ".gz" and about.packed:
        return f"compressed by {about.packed}, whatever its name says; unpack it first"
    if statements:
        raise Unsupported(
            "its rows are statements (pg_dump --inserts), which are not read here; dump without "
            "that option"
        )
    trouble = next(iter(about.troubles), None) or _other_database(about)
    return trouble or compare_checksum(backup)


def _other_database(about: Backup) -> str | None:
    """What shows that it is not of Infisical in use: a table without a row that always has one."""
    filled = {table for table, count in about.rows.items() if count}
    rootless = BOTS.table in filled and not about.rows.keys() & OF_ROOT_KEYS
    required = ALWAYS_FILLED[1:] if rootless else ALWAYS_FILLED
    absent = [name for name in required if name not in filled]
    words = "is not a backup of Infisical in use: it holds no row of"
    return f"{words} {' and '.join(absent)}" if absent else None


def compare_checksum(backup: Path) -> str | None:
    """What shows that a backup differs from the checksum next to it; None where it fits."""
    checksum = checksum_file(backup)
    if backup.is_dir() or not checksum.exists():
        return None
    try:
        stated = find_checksums(files.load_text(checksum, "checksum file"))
    except BadInput as trouble:
        return str(trouble)
    if files.file_digest(backup) in stated:
        return None
    return "differs from the checksum written next to it when it was made"


def find_checksums(text: str) -> list[str]:
    """The SHA-256 checksums in a text, in small letters."""
    return [checksum.lower() for checksum in _SHA256.findall(text)]


def reason_incomplete(file: Path) -> str:
    """Why a file cannot be a finished backup; empty when it looks like one.

    The end of a plain file is enough. A packed one is unpacked and an archive read, since nothing
    else shows that it was cut. Whether the rows are whole is for the proof.
    """
    if file.is_dir():
        return why_cut(file)
    facts_of_file = file.stat()
    if not facts_of_file.st_size:
        return "empty"
    if time.time() - facts_of_file.st_mtime < _YOUNG_S:
        time.sleep(_LOOK_AGAIN_S)
        again = file.stat()
        if (again.st_size, again.st_mtime_ns) != (facts_of_file.st_size, facts_of_file.st_mtime_ns):
            return "still being written"
    if file.name.endswith(".sql"):
        with file.open("rb") as plain:
            plain.seek(max(0, facts_of_file.st_size - _TAIL))
            if TRAILER in plain.read():
                return ""
    return why_cut(file)


def why_cut(backup: Path) -> str:
    """Why a backup, read from beginning to end, is not a whole one; empty for a whole one."""
    try:
        with open_dump(backup, ()) as dump:
            return f"cut short or damaged: it {dump.damage}" if dump.damage else ""
    except BadInput as refusal:
        sentence = str(refusal).removeprefix("backup ").removeprefix(f"{backup} ")
        return sentence.partition("; ")[0]
