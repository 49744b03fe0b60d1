"""The catalogue of controls: claims, safety properties, and the vocabulary of observations."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from drillbook.core.application import ROOT
from reports.errors import BadCatalogue, UnknownControl, UnknownWord, near
from reports.verdict.verdicts import Nature, Severity

FOLDER = ROOT / "suites"
CONTROLS = FOLDER / "controls.toml"


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
