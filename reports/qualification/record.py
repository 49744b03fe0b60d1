"""The record of a qualification: "drillbook/qualification/1", changed only by adding."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field, ValidationError

from drillbook.core.application import ROOT
from reports.errors import Unqualifiable
from reports.evidence.context import EvidenceModel
from reports.evidence.model import Host
from reports.verdict import Verdict

State = Literal["killed", "wrong reason", "survived", "stumbled", "not run", "equivalent"]
Kind = Literal["meant", "by-catch", "unmoved", "stumbled", "not run"]
FateState = Literal["killed", "survived", "stumbled", "equivalent"]
KEPT = ROOT / "reports" / "qualification.json"
LATEST = ROOT / "reports" / "runs" / "qualification" / "qualification.json"


class Seen(EvidenceModel):
    """A control's verdict and observation, which tell a healthy stack from a bad one."""

    verdict: Verdict
    observed: str | None = None


class Cell(EvidenceModel):
    """A bug and a control: what the control said, and how that counts."""

    control: str
    verdict: Verdict
    observed: str | None
    kind: Kind


class Row(EvidenceModel):
    """A bug: which control was to catch it and how, what happened, and each control that ran."""

    mutant: str
    meant: str
    where: str
    driver: str
    sentence: str
    turns: str | None
    says: str | None
    state: State
    told: str
    duration_s: float
    cells: tuple[Cell, ...] = ()

    @property
    def escaped(self) -> bool:
        """Whether the bug ran, counts, and was not caught by the control meant for it."""
        return self.state not in ("killed", "equivalent", "not run")


class Change(EvidenceModel):
    """A change of code: the operator, and which of its places in a function it was."""

    file: str
    definition: str
    operator: str
    number: int

    @property
    def name(self) -> str:
        """The name of the change in reviews; it quotes no code."""
        return f"{self.definition} {self.operator.removeprefix('core/')} {self.number}"

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


class Fate(Change):
    """What became of a generated bug: which control saw it and how, or why it does not count."""

    state: FateState
    control: str | None = None
    told: str = ""
    duration_s: float = 0.0


class Generated(EvidenceModel):
    """The bugs that an engine drew by a seed, and how many of them were seen."""

    engine: str
    seed: int
    asked: int
    killed: int
    survived: int
    stumbled: int
    equivalent: int
    bugs: tuple[Fate, ...] = ()

    @property
    def counted(self) -> int:
        """How many bugs are not reviewed as equivalent."""
        return self.killed + self.survived + self.stumbled

    @property
    def rate(self) -> float:
        """The share of the bugs that count which a control accused."""
        return self.killed / self.counted if self.counted else 0.0

    @property
    def alive(self) -> list[Fate]:
        """The bugs that no control accused."""
        return [one for one in self.bugs if one.state in ("survived", "stumbled")]


class Checked(EvidenceModel):
    """A control, and how many of the bugs meant for it were caught by it."""

    id: str
    title: str
    chapter: str
    nature: str
    severity: str
    mutants: int
    caught: int
    took_s: float | None = Field(default=None, description="on a healthy stack, the longest")


class Alarm(EvidenceModel):
    """A verdict of a healthy run that differs from that of a healthy stack."""

    run: str
    control: str
    expected: Seen
    found: Seen


class Applies(EvidenceModel):
    """The run whose bundle the record lies in, and whether its code is the one qualified."""

    commit: str | None
    code: str
    same_code: bool


class Qualification(EvidenceModel):
    """What was planted, what was caught, and how often a healthy stack was accused."""

    schema_: Literal["drillbook/qualification/1"] = Field(
        default="drillbook/qualification/1", alias="schema"
    )
    commit: str | None
    dirty: bool | None
    code: str = Field(description="SHA-256 over the code that decides a verdict")
    parts: dict[str, str] = Field(default={}, description="SHA-256 of each part of that code")
    started: AwareDatetime
    duration_s: float
    workers: int
    stack: str
    image: str | None = None
    selection: tuple[str, ...] = Field(default=(), description="which bugs; empty means all")
    host: Host
    mutants: int
    killed: int = Field(description="turned any control, for any reason")
    killed_by_meant: int = Field(description="turned the control meant for it, for its reason")
    equivalent: int
    not_run: int
    healthy_runs: int
    healthy_verdicts: int
    false_alarms: int = Field(description="verdicts of healthy runs that should have been others")
    runs_with_false_alarm: int
    false_alarm_bound: float = Field(description="of a healthy run, 95 %, Clopper and Pearson")
    flake_rate: float = Field(description="healthy verdicts that differ from their control's usual")
    applies: Applies | None = None
    alarms: tuple[Alarm, ...] = ()
    controls: tuple[Checked, ...] = ()
    matrix: tuple[Row, ...] = ()
    generated: Generated | None = Field(default=None, description="--generated; None: not asked")

    @property
    def planted(self) -> int:
        """The bugs that count: run, and not equivalent to a healthy stack."""
        return self.mutants - self.equivalent - self.not_run

    @property
    def kill_rate(self) -> float:
        """The share of the bugs that count and were caught by their control, for its reason."""
        return self.killed_by_meant / self.planted if self.planted else 0.0

    @property
    def escaped(self) -> list[Row]:
        """The bugs that the control meant for them did not catch."""
        return [one for one in self.matrix if one.escaped]

    @property
    def passed(self) -> bool:
        """Whether each bug that counts was caught by its control, and no healthy stack accused."""
        return not self.escaped and not self.not_run and not self.false_alarms and self.planted > 0


def counts(rows: tuple[Row, ...]) -> dict[str, int]:
    """The counts of a matrix by the names they have in the record."""
    states = Counter(one.state for one in rows)
    turned = ("meant", "by-catch")
    return {
        "mutants": len(rows),
        "killed": sum(any(cell.kind in turned for cell in one.cells) for one in rows),
        "killed_by_meant": states["killed"],
        "equivalent": states["equivalent"],
        "not_run": states["not run"],
    }


def text(record: Qualification) -> str:
    """The record as JSON, with a line for each bug so that a diff is readable."""
    fields = record.model_dump(mode="json")
    rows = fields.pop("matrix")
    head = json.dumps(fields, indent=1, ensure_ascii=False).removesuffix("\n}")
    lines = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in rows)
    return f'{head},\n "matrix": [\n{lines}\n ]\n}}\n'


def load(path: Path = KEPT) -> Qualification | None:
    """The last qualification that was kept; None if there is none."""
    if not path.exists():
        return None
    try:
        return Qualification.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as trouble:
        raise Unqualifiable(f"{path}: no record of a qualification ({trouble})") from None
