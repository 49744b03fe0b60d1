"""Which clause of a framework which controls produce evidence for: proposals, with our reason.

`python -m reports.controls.mappings` writes docs/mappings.md anew.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from drillbook.core.application import ROOT

FILE = ROOT / "suites" / "mappings.toml"
PAGE = ROOT / "docs" / "mappings.md"
_HEAD = """# Mappings to frameworks

Made by `python -m reports.controls.mappings` from `suites/mappings.toml`; a test keeps it current.

Each row is a **proposal** for your own auditor to confirm: the controls produce evidence that is
relevant to the clause, and none of them meets it alone. Open is what they do not test. NIST SP
800-53, SOC 2, ISO/IEC 27001 and PCI DSS stand with each control in the [catalogue](catalogue.md).
"""


class Clause(BaseModel):
    """What a clause asks, in our words; what the controls show of it, and what they leave open."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    asks: str = Field(min_length=1)
    controls: tuple[str, ...] = Field(min_length=1)
    reason: str = Field(min_length=1)
    open: str


class Framework(BaseModel):
    """A framework, and which text of it was read for its mapping."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    read: str = Field(min_length=1)
    clause: tuple[Clause, ...] = Field(min_length=1)


class Mappings(BaseModel):
    """All of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    framework: tuple[Framework, ...]


@cache
def load(path: Path = FILE) -> tuple[Framework, ...]:
    """The frameworks of the file."""
    return Mappings.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).framework


def markdown(frameworks: tuple[Framework, ...]) -> str:
    """The page of docs/."""
    return "\n".join([_HEAD, *(line for one in frameworks for line in _section(one))])


def _section(one: Framework) -> Iterator[str]:
    yield from (f"## {one.name}", "", f"Text: {one.read}.", "")
    yield "| clause | asks | controls | what they show | open |"
    yield "| --- | --- | --- | --- | --- |"
    for clause in one.clause:
        cells = (clause.id, clause.asks, ", ".join(clause.controls), clause.reason, clause.open)
        yield f"| {' | '.join(cells)} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(markdown(load()), encoding="utf-8")
