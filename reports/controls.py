"""The catalogue of controls, and the clauses of frameworks that they produce evidence for.

A mapping to a clause is a proposal, with our reason. `python -m reports.controls` writes
docs/mappings.md.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from drillbook.core.application import ROOT
from reports.errors import ReportError, near
from reports.verdict import Nature, Severity

FOLDER = ROOT / "suites"
CONTROLS = FOLDER / "controls.toml"
MAPPINGS = FOLDER / "mappings.toml"
PAGE = ROOT / "docs" / "mappings.md"
_HEAD = """# Mappings to frameworks

For auditors. Each row is a **proposal** for you to confirm: the controls produce evidence that is
relevant to the clause, and none of them meets it alone. Open is what they do not test. NIST SP
800-53, SOC 2, ISO/IEC 27001 and PCI DSS stand with each control in the [catalogue](catalogue.md).
Made by `python -m reports.controls` from `suites/mappings.toml`; a test keeps it current.
"""


_LONGEST_SENTENCE = 30


def _short_sentence(text: str) -> str:
    """The text, if it is one sentence of at most 30 words; else ValueError."""
    if len(text.split()) > _LONGEST_SENTENCE:
        raise ValueError(f"is longer than {_LONGEST_SENTENCE} words")
    if not text.endswith(".") or re.search(r"[.!?]\s", re.sub(r"`[^`]*`", "", text)):
        raise ValueError("is not one sentence with a full stop")
    return text


ShortSentence = Annotated[str, AfterValidator(_short_sentence)]


class PreparedCorrection(BaseModel, frozen=True, extra="forbid"):
    """A correction in the catalogue, short enough to be read at night; fields as in the record."""

    sentence: ShortSentence
    commands: Annotated[str, AfterValidator(str.strip)] | None = None
    because: Annotated[ShortSentence, Field(pattern="^Because ")] | None = None
    section: str | None = None


class Entry(BaseModel, frozen=True, extra="forbid"):
    """A control in suites/controls.toml."""

    id: str = Field(pattern=r"^[A-Z]{3}-\d+(\.[A-Z0-9_]+)?$")
    title: str = Field(min_length=1)
    claim: str = Field(min_length=1)
    runbook: tuple[str, ...] = ()
    nature: Nature
    severity: Severity
    chapter: str = Field(min_length=1)
    frameworks: dict[str, tuple[str, ...]] = {}
    corrections: dict[str, PreparedCorrection] = {}
    # The rule that keeps a deployment from being exposed: only a conditional control has one.
    avoid: str | None = None
    # The claim of a run in which only one suite judged the control, and tried only a part of it.
    parts: dict[Literal["live", "drill", "document"], str] = {}

    @model_validator(mode="after")
    def _cites_the_sections_of_its_corrections(self) -> Self:
        for word, said in self.corrections.items():
            if said.section and said.section not in self.runbook:
                raise ValueError(f"{word} stands in a section that `runbook` does not name")
        return self

    def claim_of(self, specs: Iterable[str]) -> str:
        """What specs of these ids claim together."""
        suites = {suite for spec in specs for suite in spec.split("/")[1:2]}
        return next((part for suite, part in self.parts.items() if suites == {suite}), self.claim)


class Catalogue(BaseModel, frozen=True, extra="forbid"):
    """The whole suites/controls.toml: all controls, and the vocabulary of observations."""

    observations: dict[str, str] = {}
    control: tuple[Entry, ...]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if twice := sorted({known for known in self.ids if self.ids.count(known) > 1}):
            raise ValueError(f"defined twice: {', '.join(twice)}")
        return self

    def __getitem__(self, control: str) -> Entry:
        for entry in self.control:
            if entry.id == control:
                return entry
        raise ReportError(f"no control {control} in the catalogue; {near(control, self.ids)}")

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all controls, in the order of the file."""
        return tuple(entry.id for entry in self.control)

    def select(self, patterns: Iterable[str]) -> frozenset[str]:
        """The ids that the patterns name (KEY-*, DBP-1); each must name at least one."""
        chosen: set[str] = set()
        for pattern in patterns:
            matches = {known for known in self.ids if fnmatchcase(known, pattern.upper())}
            if not matches:
                raise ReportError(
                    f"--controls {pattern} matches no control; {near(pattern, self.ids)} "
                    "`drillbook catalogue` lists them"
                )
            chosen |= matches
        return frozenset(chosen)

    def sentence(self, word: str, controls: Iterable[str]) -> str:
        """The sentence of an observation; ReportError if these controls may not use it."""
        corrections = {word for known in controls for word in self[known].corrections}
        if word in self.observations:
            return self.observations[word]
        if word in corrections:
            return word.replace("_", " ").replace("-", " ")
        raise ReportError(
            f"observe({word!r}): not in [observations] nor in the corrections of "
            f"{', '.join(controls)}; {near(word, corrections | set(self.observations))}"
        )


def load(path: Path = CONTROLS) -> Catalogue:
    """Read the catalogue; ReportError says in one sentence what is wrong with which entry."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as trouble:
        reason = getattr(trouble, "strerror", None) or str(trouble)
        raise ReportError(f"{path}: {reason}; correct it") from None
    try:
        return Catalogue.model_validate(tables)
    except ValidationError as trouble:
        first, *others = trouble.errors()
    place = list(first["loc"])
    if place[:1] == ["control"] and len(place) > 1:
        # The id of an entry says more than its position in the list.
        place[1] = tables["control"][place[1]].get("id", place[1])
    where = f"{'.'.join(map(str, place))}: " if place else ""
    more = f" (and {len(others)} more)" if others else ""
    raise ReportError(f"{path}: {where}{first['msg']}{more}; correct this entry")


def patterns(option: str) -> tuple[str, ...]:
    """The patterns of --controls, which commas separate."""
    return tuple(pattern.strip() for pattern in option.split(",") if pattern.strip())


def specs(entry: Entry) -> list[str]:
    """The spec files with a control's id, sorted."""
    wanted = re.compile(rf'"{re.escape(entry.id)}"')
    found = (path for path in FOLDER.rglob("test_*.py") if wanted.search(path.read_text("utf-8")))
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


class Clause(BaseModel, frozen=True, extra="forbid"):
    """A clause in our words: what it asks, what the controls show of it, what they leave open."""

    id: str = Field(min_length=1)
    asks: str = Field(min_length=1)
    controls: tuple[str, ...] = Field(min_length=1)
    reason: str = Field(min_length=1)
    open: str


class Framework(BaseModel, frozen=True, extra="forbid"):
    """A framework, and where its text was read for the mapping."""

    name: str = Field(min_length=1)
    read: str = Field(min_length=1)
    clause: tuple[Clause, ...] = Field(min_length=1)


class Mappings(BaseModel, frozen=True, extra="forbid"):
    """The whole suites/mappings.toml."""

    framework: tuple[Framework, ...]


@cache
def load_mappings() -> tuple[Framework, ...]:
    """The frameworks with their clauses."""
    return Mappings.model_validate(tomllib.loads(MAPPINGS.read_text(encoding="utf-8"))).framework


def mappings_page(frameworks: tuple[Framework, ...]) -> str:
    """The text of docs/mappings.md."""
    return "\n".join([_HEAD, *(line for one in frameworks for line in _section(one))])


def _section(one: Framework) -> Iterator[str]:
    yield from (f"## {one.name}", "", f"Source: {one.read}.", "")
    yield "| clause | asks | controls | what they show | open |"
    yield "| --- | --- | --- | --- | --- |"
    for clause in one.clause:
        cells = (clause.id, clause.asks, ", ".join(clause.controls), clause.reason, clause.open)
        yield f"| {' | '.join(cells)} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(mappings_page(load_mappings()), encoding="utf-8")
