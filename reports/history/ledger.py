"""history.jsonl: one line a run, appended only, each line carrying the SHA-256 of the one before.

A line that was changed, added or taken out breaks the chain from there on, which is told and never
mended: what is written later follows what is there now, so the break stays where it is.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

from pydantic import AwareDatetime, Field, ValidationError

from drillbook.core.files import open_file
from reports.history.facts import Facts, Seen
from reports.lines import Line as Told
from reports.lines import wrapped
from reports.model import Grade, Run
from reports.part import Part

NAME = "history.jsonl"
_LONGEST = 4 << 20
_LARGEST = 256 << 20


class Line(Part):
    """A run that ended: what is remembered of it, and the digests by which its evidence is known.

    `previous` is the SHA-256 of the line before, without its line break; null in the first.
    """

    schema_: Literal["drillbook/history/1"] = Field(alias="schema")
    previous: str | None
    run: str
    finished: AwareDatetime
    grade: Grade
    evidence_sha256: str | None = None
    manifest_sha256: str | None = None
    facts: Facts = Facts()


class Ledger(NamedTuple):
    """Every line that can be read, in their order; what is wrong with the file, in a sentence."""

    lines: tuple[Line, ...]
    head: str | None
    trouble: str | None


def beside(runs: Path) -> Path:
    """Where the ledger of a folder of runs is: reports/runs has it at its side, others inside."""
    ordinary = runs.parts[-2:] == ("reports", "runs")
    return (runs.parent if ordinary else runs) / NAME


def load(path: Path) -> Ledger:
    """The ledger as it is; one that is not there is empty and whole."""
    try:
        with open_file(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            return _read(file, path)
    except FileNotFoundError:
        return Ledger((), None, None)
    except OSError as trouble:
        return Ledger((), None, f"{path}: {trouble.strerror}: nothing is known of earlier runs")


class Remembered(NamedTuple):
    """Whether a run has its line, and what is wrong with the ledger."""

    written: bool = True
    trouble: str | None = None

    def told(self) -> Iterator[Told]:
        """A sentence for the end of a run, where there is something to say."""
        if self.trouble:
            what = "History" if self.written else "Not in the history"
            yield from wrapped(f"{what}: {self.trouble}.", then="  ", style=("red", "bold"))


def remember(run: Run, folder: Path) -> Remembered:
    """Add the line of a run whose evidence is in the folder.

    Two runs that end at once wait for each other. What is broken before stays as it is.
    """
    path = beside(folder.parent)
    try:
        with path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            return Remembered(trouble=_append(file, path, _new(run, folder)))
    except OSError as trouble:
        return Remembered(written=False, trouble=f"{path}: {trouble.strerror}")


def _new(run: Run, folder: Path) -> Line:
    return Line(
        schema="drillbook/history/1",
        previous=None,
        run=run.run.id,
        finished=run.run.finished,
        grade=run.subject.grade,
        evidence_sha256=digest(folder / "evidence.json"),
        manifest_sha256=digest(folder / "MANIFEST.json"),
        facts=Seen.model_validate(run.model_dump(mode="json")).facts(),
    )


def _append(file: BinaryIO, path: Path, line: Line) -> str | None:
    file.seek(0)
    before = _read(file, path)
    linked = line.model_copy(update={"previous": before.head})
    text = json.dumps(linked.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False)
    cut = "\n" if _ends_open(file) else ""
    file.write(f"{cut}{text}\n".encode())
    file.flush()
    os.fsync(file.fileno())
    return before.trouble


def _ends_open(file: BinaryIO) -> bool:
    """Whether the last line has no end, as after a crash: ours must not become part of it."""
    if not file.seek(0, os.SEEK_END):
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def _read(file: BinaryIO, path: Path) -> Ledger:
    if os.fstat(file.fileno()).st_size > _LARGEST:
        return Ledger((), None, f"{path}: more than {_LARGEST >> 20} MiB, so it was not read")
    lines, head, troubles = [], None, []
    for number, data in enumerate(_lines(file), 1):
        line = _line(data)
        if line is None:
            troubles.append(f"line {number} cannot be read")
        elif line.previous != head:
            troubles.append(_break(number, head))
        if line:
            lines.append(line)
        head = hashlib.sha256(data).hexdigest()
    more = f" (and {len(troubles) - 1} more)" if len(troubles) > 1 else ""
    return Ledger(tuple(lines), head, f"{path}: {troubles[0]}{more}" if troubles else None)


def _break(number: int, head: str | None) -> str:
    if head is None:
        return "its first line names one before it: the beginning was cut off"
    return f"line {number} does not follow line {number - 1}: one was changed, added or taken out"


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while data := file.readline(_LONGEST):
        yield data.removesuffix(b"\n")


def _line(data: bytes) -> Line | None:
    try:
        return Line.model_validate_json(data)
    except (ValidationError, RecursionError):
        return None


def digest(path: Path) -> str | None:
    """SHA-256 of a file in hexadecimal; None where there is none."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
