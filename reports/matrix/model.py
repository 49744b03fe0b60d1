"""The matrix of several runs: each control's verdict on each subject, and no verdict over them all.

A run is of one subject, and so is its verdict: that one image holds says nothing about another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from pydantic import AwareDatetime, Field

from reports.model import Control, Grade, Run, Tool
from reports.part import Part
from reports.verdict import Nature, Severity, Verdict

IDLE = (Verdict.NOT_RUN, Verdict.NOT_APPLICABLE)


class Column(Part):
    """A subject: which run examined it, when, where, and with what result of its own."""

    run: str
    label: str = Field(description="what sets it apart from the others, as short as it can be")
    image: str | None
    digest: str | None
    version: str | None
    grade: Grade
    driver: str
    database: str | None
    host: str
    tool: Tool
    finished: AwareDatetime
    verdict: Verdict
    exit_code: int
    counts: dict[str, int] = Field(description="controls by verdict")
    evidence_sha256: str | None = None


class Cell(Part):
    """What one run saw of a control; of a control it does not have, nothing."""

    verdict: Verdict | None
    waived: bool = False
    observed: str | None = None
    correction: str | None = None


class Row(Part):
    """A control on every subject, in the order of the columns.

    `differs`: it was judged on two subjects at least, and not alike.
    """

    id: str
    title: str
    claim: str
    nature: Nature
    severity: Severity
    chapter: str
    runbook: tuple[str, ...] = ()
    cells: tuple[Cell, ...]
    differs: bool

    @property
    def compared(self) -> bool:
        """Whether it was judged on two subjects at least: else nothing can differ."""
        return sum(_judged(cell) for cell in self.cells) > 1

    @property
    def partly(self) -> bool:
        """Whether some subjects were judged and others were not."""
        return len({_judged(cell) for cell in self.cells}) > 1


class Matrix(Part):
    """Runs side by side. There is no verdict of the whole, on purpose."""

    schema_: Literal["drillbook/matrix/1"] = Field(default="drillbook/matrix/1", alias="schema")
    id: str
    command: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def compared(self) -> int:
        """How many controls were judged on two subjects at least."""
        return sum(row.compared for row in self.rows)

    @property
    def partly(self) -> list[Row]:
        """The controls that some subjects were judged by, and others were not."""
        return [row for row in self.rows if row.partly]

    @property
    def different(self) -> list[Row]:
        """The controls that do not come out alike."""
        return [row for row in self.rows if row.differs]


def matrix(
    runs: Sequence[Run],
    *,
    id: str = "",
    command: str = "",
    digests: Mapping[str, str | None] | None = None,
) -> Matrix:
    """The matrix of these runs, in their order; `digests` are of their evidence.json, by run.

    The order of the controls is that of the last run, followed by those only others have.
    """
    digests = digests or {}
    columns = tuple(
        _column(run, label, digests.get(run.run.id))
        for run, label in zip(runs, _labels(runs), strict=True)
    )
    names = dict.fromkeys(one.id for run in reversed(runs) for one in run.controls)
    known = [{one.id: one for one in run.controls} for run in runs]
    rows = tuple(_row([run.get(name) for run in known]) for name in names)
    return Matrix(id=id, command=command, columns=columns, rows=rows)


def shifts(before: Run, after: Run) -> list[Row]:
    """Statements of the runbook whose verdict is another after than before, both being judged."""
    return [row for row in matrix([before, after]).different if row.runbook]


def _row(alike: Sequence[Control | None]) -> Row:
    """The words are those of the last run that has the control."""
    said = next(one for one in reversed(alike) if one)
    cells = tuple(_cell(one) for one in alike)
    judged = {cell.verdict for cell in cells if _judged(cell)}
    names = ("id", "title", "claim", "nature", "severity", "chapter", "runbook")
    words = {name: getattr(said, name) for name in names}
    return Row(**words, cells=cells, differs=len(judged) > 1)


def _judged(cell: Cell) -> bool:
    return cell.verdict is not None and cell.verdict not in IDLE


def _cell(control: Control | None) -> Cell:
    if control is None:
        return Cell(verdict=None)
    return Cell(
        verdict=control.verdict,
        waived=control.waived,
        observed=control.observed,
        correction=control.correction,
    )


def _column(run: Run, label: str, digest: str | None) -> Column:
    backend = run.subject.backend
    counted = Counter(control.verdict.value for control in run.controls)
    return Column(
        run=run.run.id,
        label=label,
        image=backend.image or backend.command,
        digest=backend.digest,
        version=backend.version,
        grade=run.subject.grade,
        driver=run.subject.driver,
        database=run.subject.database.version,
        host=run.run.host.name,
        tool=run.run.tool,
        finished=run.run.finished,
        verdict=run.verdict,
        exit_code=run.exit_code,
        counts={verdict.value: counted[verdict.value] for verdict in Verdict},
        evidence_sha256=digest,
    )


def _labels(runs: Sequence[Run]) -> list[str]:
    """What sets each run apart: its image, else also machine, driver, number of the run."""
    parts = [_names(run) for run in runs]
    for much in range(1, len(parts[0]) + 1):
        labels = [", ".join(dict.fromkeys(filter(None, one[:much]))) for one in parts]
        if len(set(labels)) == len(labels):
            return labels
    return [run.run.id for run in runs]


def _names(run: Run) -> tuple[str, ...]:
    backend = run.subject.backend
    image = backend.image or backend.command or "no stack"
    digest = (backend.digest or "").removeprefix("sha256:")[:12]
    ways = (run.subject.driver, run.run.host.name, run.run.id)
    return (image.rpartition("/")[2], backend.version or "", digest, *ways)


def unique(runs: Iterable[Run]) -> str | None:
    """The id of a run that is there twice."""
    counted = Counter(run.run.id for run in runs)
    return next((run for run, times in counted.items() if times > 1), None)
