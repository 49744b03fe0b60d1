"""The catalogue of controls, and the clauses of frameworks that they produce evidence for.

A mapping to a clause is a proposal, with our reason. `python -m reports.controls` writes
docs/mappings.md anew.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from drillbook.core.application import ROOT
from reports.errors import BadCatalogue, UnknownControl, UnknownWord, near
from reports.verdict import Nature, Severity

FOLDER = ROOT / "suites"
CONTROLS = FOLDER / "controls.toml"
MAPPINGS = ROOT / "suites" / "mappings.toml"
PAGE = ROOT / "docs" / "mappings.md"
_HEAD = """# Mappings to frameworks

Made by `python -m reports.controls` from `suites/mappings.toml`; a test keeps it current.

Each row is a **proposal** for your own auditor to confirm: the controls produce evidence that is
relevant to the clause, and none of them meets it alone. Open is what they do not test. NIST SP
800-53, SOC 2, ISO/IEC 27001 and PCI DSS stand with each control in the [catalogue](catalogue.md).
"""


class Entry(BaseModel):
    """One control as suites/controls.toml states it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[A-Z]{3}-\d+(\.[A-Z0-9_]+)?$")
    title: str = Field(min_length=1)
    claim: str = Field(min_length=1)
    runbook: tuple[str, ...] = ()
    nature: Nature
    severity: Severity
    chapter: str = Field(min_length=1)
    frameworks: dict[str, tuple[str, ...]] = {}
    corrections: dict[str, str] = {}


class Catalogue(BaseModel):
    """All controls, in the order of the file, and the vocabulary of observations."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    observations: dict[str, str] = {}
    control: tuple[Entry, ...]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        ids = [entry.id for entry in self.control]
        twice = sorted({known for known in ids if ids.count(known) > 1})
        if twice:
            raise ValueError(f"defined twice: {', '.join(twice)}")
        return self

    def __getitem__(self, control: str) -> Entry:
        for entry in self.control:
            if entry.id == control:
                return entry
        raise UnknownControl(f"no control {control} in the catalogue; {near(control, self.ids)}")

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids in the order of the file."""
        return tuple(entry.id for entry in self.control)

    def select(self, patterns: Iterable[str]) -> frozenset[str]:
        """The ids that the patterns name (KEY-*, DBP-1); each must name at least one."""
        chosen: set[str] = set()
        for pattern in patterns:
            matches = {known for known in self.ids if fnmatchcase(known, pattern.upper())}
            if not matches:
                raise UnknownControl(
                    f"--controls {pattern} matches no control; {near(pattern, self.ids)} "
                    "`drillbook catalogue` lists them"
                )
            chosen |= matches
        return frozenset(chosen)

    def sentence(self, word: str, controls: Iterable[str]) -> str:
        """The sentence of an observation; UnknownWord if these controls may not use it."""
        corrections = {word for known in controls for word in self[known].corrections}
        if word in self.observations:
            return self.observations[word]
        if word in corrections:
            return word.replace("_", " ").replace("-", " ")
        raise UnknownWord(
            f"observe({word!r}): not in [observations] nor in the corrections of "
            f"{', '.join(controls)}; {near(word, corrections | set(self.observations))}"
        )


def load(path: Path = CONTROLS) -> Catalogue:
    """Read the catalogue; BadCatalogue says in one sentence what is wrong with which entry."""
    try:
        return Catalogue.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as trouble:
        reason = getattr(trouble, "strerror", None) or str(trouble)
        raise BadCatalogue(f"{path}: {reason}; correct it or pass --catalogue") from None
    except ValidationError as trouble:
        raise BadCatalogue(f"{path}: {_first(trouble, path)}; correct this entry") from None


def _first(trouble: ValidationError, path: Path) -> str:
    error = trouble.errors()[0]
    inside = len(error["loc"]) > 1
    where = ".".join(_readable_path(path, error["loc"]) if inside else map(str, error["loc"]))
    more = f" (and {trouble.error_count() - 1} more)" if trouble.error_count() > 1 else ""
    return f"{where}: {error['msg']}{more}" if where else f"{error['msg']}{more}"


def _readable_path(path: Path, loc: tuple[int | str, ...]) -> list[str]:
    # The id of an entry says more than its position in a list.
    entries: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))["control"]
    ids = {number: str(entry.get("id", number)) for number, entry in enumerate(entries)}
    return [ids[part] if isinstance(part, int) else part for part in loc]


def patterns(option: str) -> tuple[str, ...]:
    """What --controls selects, by the commas between."""
    return tuple(pattern.strip() for pattern in option.split(",") if pattern.strip())


def specs(entry: Entry, folder: Path = FOLDER) -> list[str]:
    """The spec files that carry a control's id, sorted; empty when it has none."""
    wanted = re.compile(rf'"{re.escape(entry.id)}"')
    found = (path for path in folder.rglob("test_*.py") if wanted.search(path.read_text()))
    return sorted(path.relative_to(folder.parent).as_posix() for path in found)


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
def load_mappings(path: Path = MAPPINGS) -> tuple[Framework, ...]:
    """The frameworks of the file."""
    return Mappings.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).framework


def mappings_page(frameworks: tuple[Framework, ...]) -> str:
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
    PAGE.write_text(mappings_page(load_mappings()), encoding="utf-8")
