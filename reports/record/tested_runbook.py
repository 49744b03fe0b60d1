"""docs/runbook.md, the runbook under test: its statements with their lines and controls."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from drillbook.core.application import ROOT
from reports.evidence.context import TestedRunbook
from reports.evidence.model import Statement

DOCUMENT = ROOT / "docs" / "runbook.md"
_STATEMENT = re.compile(r"- (?P<text>.+) \((?P<controls>[A-Z]{3}-[A-Z0-9., -]+)\)")


class Line(NamedTuple):
    """A statement: its section, its line, its words, what judges it, and the lines under it."""

    section: str
    number: int
    text: str
    controls: tuple[str, ...]
    body: tuple[str, ...]


class Book(NamedTuple):
    """The document: its name, its SHA-256 digest in hex, and its statements in their order."""

    file: str
    sha256: str
    lines: tuple[Line, ...]

    def statements(self, control: str) -> tuple[Statement, ...]:
        """The statements that a control judges."""
        return tuple(
            Statement(section=line.section, line=line.number, text=line.text)
            for line in self.lines
            if control in line.controls
        )

    def named(self) -> TestedRunbook:
        """The document as a record names it."""
        return TestedRunbook(file=self.file, sha256=self.sha256)


@cache
def load(path: Path = DOCUMENT) -> Book:
    """Read the runbook under test."""
    data = path.read_bytes()
    texts = data.decode().splitlines()
    heads = [number for number, text in enumerate(texts) if text.startswith("## ") or _match(text)]
    section, lines = "", []
    for number, end in zip(heads, [*heads[1:], len(texts)], strict=True):
        if said := _match(texts[number]):
            controls = tuple(said["controls"].split(", "))
            body = tuple("\n".join(texts[number + 1 : end]).strip().splitlines())
            lines.append(Line(section, number + 1, said["text"], controls, body))
        else:
            section = texts[number].lstrip("# ")
    digest = hashlib.sha256(data).hexdigest()
    return Book(path.relative_to(ROOT).as_posix(), digest, tuple(lines))


def _match(text: str) -> re.Match[str] | None:
    return _STATEMENT.fullmatch(text)
