"""Runs side by side: each control's verdict on each subject, without a common verdict.

A run examines one subject, and its verdict is about that subject: that one image holds says nothing
about another. The matrix is written as a page, as JSON, and for a terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field

from drillbook.core.display import printable
from reports.errors import BadEvidence
from reports.evidence import json_file
from reports.evidence.context import EvidenceModel
from reports.evidence.model import Control, Grade, Run, Tool, Turned
from reports.history.runs import load_history, load_record, past_of
from reports.render.html import render_template
from reports.render.terminal import STYLES, Line, wrap
from reports.verdict import Nature, Severity, Verdict, is_judged

_NARROW = 14
SCHEMA = Path(__file__).parents[1] / "schema" / "matrix-1.schema.json"


class Column(EvidenceModel):
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


class Cell(EvidenceModel):
    """The verdict of one run on a control; empty for a control that it does not have."""

    verdict: Verdict | None
    waived: bool = False
    observed: str | None = None
    correction: str | None = None


class Row(EvidenceModel):
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
        """Whether it was judged on two or more subjects, so that it can differ."""
        return sum(is_judged(cell.verdict) for cell in self.cells) > 1

    @property
    def partly(self) -> bool:
        """Whether some subjects were judged and others were not."""
        return len({is_judged(cell.verdict) for cell in self.cells}) > 1


class Matrix(EvidenceModel):
    """Runs side by side. The whole has no verdict, on purpose."""

    schema_: Literal["drillbook/matrix/1"] = Field(default="drillbook/matrix/1", alias="schema")
    id: str
    command: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def compared(self) -> int:
        """How many controls were judged on two or more subjects."""
        return sum(row.compared for row in self.rows)

    @property
    def partly(self) -> list[Row]:
        """The controls that were judged on some subjects and not on others."""
        return [row for row in self.rows if row.partly]

    @property
    def different(self) -> list[Row]:
        """The controls with different verdicts."""
        return [row for row in self.rows if row.differs]


def matrix(
    runs: Sequence[Run],
    *,
    id: str = "",
    command: str = "",
    digests: Mapping[str, str | None] | None = None,
) -> Matrix:
    """The matrix of these runs, in their order; `digests` are those of each run's evidence.json.

    The controls are in the order of the last run, followed by those that only other runs have.
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


def _row(seen: Sequence[Control | None]) -> Row:
    """A control as each run has it; its texts are those of the last run that has it."""
    last = next(one for one in reversed(seen) if one)
    cells = tuple(
        Cell.model_validate(one, from_attributes=True) if one else Cell(verdict=None)
        for one in seen
    )
    judged = {cell.verdict for cell in cells if is_judged(cell.verdict)}
    names = ("id", "title", "claim", "nature", "severity", "chapter", "runbook")
    words = {name: getattr(last, name) for name in names}
    return Row(**words, cells=cells, differs=len(judged) > 1)


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
    """What sets each run apart: its image, and where that is not enough, more facts of the run."""
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


def load_pair(option: Callable[[str], str | None]) -> tuple[Run | None, Run | None]:
    """The two records that were named, None for each that was not.

    BadEvidence for a bad file, for a run of another image, and for one with a planted bug.
    """
    if not (option("--verify-from") or option("--verify-to")):
        return None, None
    # A move to another database keeps the image of --from.
    older = option("--from")
    pair = (("--verify-from", older), ("--verify-to", option("--to") or older))
    first, second = (_named_run(name, option(name), image) for name, image in pair)
    return first, second


def _named_run(name: str, path: str | None, image: str | None) -> Run | None:
    if not path:
        return None
    try:
        run = load_record(Path(path).expanduser())
    except OSError as trouble:
        raise BadEvidence(f"{name} {path}: {trouble.strerror}; name a run's folder") from None
    facts, wanted = past_of(run).facts, (image or "").strip()
    need = f"give a run of `drillbook verify` on {wanted or 'the rehearsed image'}"
    if facts.mutant:
        raise BadEvidence(f"{name} {path}: its run has the planted bug {facts.mutant}; {need}")
    # A reference backend is no image, and its rehearsal is no evidence about a deployment.
    if facts.image != wanted and not wanted.startswith("reference:"):
        seen = facts.image or "no image"
        raise BadEvidence(printable(f"{name} {path}: its run examined {seen}; {need}"))
    return run


def newest_whole_run(folder: Path, image: str) -> Run | None:
    """The newest record of a whole `drillbook verify` on an image, without a planted bug."""
    for past in reversed(load_history(folder).runs):
        is_whole = past.facts.image == image and past.facts.question == "verify"
        if past.kept and past.is_genuine and is_whole and not past.facts.is_partial:
            with suppress(BadEvidence, OSError):
                return load_record(folder / past.id)
    return None


def _judged_by_both(older: Run, newer: Run) -> list[Row]:
    """The statements of the runbook that both runs judged."""
    return [row for row in matrix([older, newer]).rows if row.runbook and row.compared]


def verdict_changes(older: Run, newer: Run) -> Iterator[Turned]:
    """The statements of the runbook that the two runs judged differently."""
    for row in _judged_by_both(older, newer):
        if row.differs:
            before, after = (cell.verdict.value if cell.verdict else None for cell in row.cells)
            yield Turned(id=row.id, title=row.title, older=before, newer=after)


def compared_facts(
    named: tuple[Run | None, Run | None], changed: dict[str, object], folder: Path
) -> dict[str, object]:
    """For the record of a change of release: the compared runs and the verdicts that differ.

    A run that was not named is looked for by its image. Empty if one of the two is missing.
    """
    images = (str(changed.get("older", "")), str(changed.get("newer", "")))
    older, newer = (
        run or newest_whole_run(folder, image) for run, image in zip(named, images, strict=True)
    )
    if older is None or newer is None:
        return {}
    return {
        "compared": (older.run.id, newer.run.id),
        "both_judged": len(_judged_by_both(older, newer)),
        "turned": [one.model_dump() for one in verdict_changes(older, newer)],
    }


def _word(cell: Cell) -> str:
    if cell.verdict is None:
        return "not there"
    return cell.verdict.words + (" (waived)" if cell.waived else "")


def describe(made: Matrix) -> Iterator[Line]:
    """Each subject's own verdict and a table of the differences, for a terminal."""
    for number, one in enumerate(made.columns, 1):
        text = f"{number}  {one.label}, {one.grade}: {one.verdict.words} (run {one.run})"
        yield from wrap(text, then="   ", style=STYLES[one.verdict])
    yield Line("")
    different = made.different
    if not different:
        yield Line(f"None of the {made.compared} controls that were judged more than once differs.")
    else:
        yield Line(f"Different: {len(different)} of {made.compared} compared", ("bold",))
        yield Line(f"  {'':<12}" + "".join(f"{n + 1:<{_NARROW}}" for n in range(len(made.columns))))
    for row in different:
        words = "".join(f"{_word(cell)[: _NARROW - 1]:<{_NARROW}}" for cell in row.cells)
        yield from wrap(
            f"{row.id:<12}{words}"[:200],
            "  ",
            "    ",
            style=STYLES[max(cell.verdict for cell in row.cells if cell.verdict)],
        )
    if partly := [row.id for row in made.partly]:
        more = ", ..." if len(partly) > 6 else ""
        text = f"Judged on some of them only: {len(partly)} ({', '.join(partly[:6])}{more})"
        yield from wrap(text, then="  ")


def files(made: Matrix) -> dict[str, bytes]:
    """The files of the matrix by name; equal matrices give equal bytes."""
    record = json_file.text(made.model_dump(mode="json"))
    return {"matrix.json": record.encode(), "matrix.html": render_page(made).encode()}


def render_page(made: Matrix) -> str:
    """The matrix as a page."""
    chapters: dict[str, list[Row]] = {}
    for row in made.rows:
        chapters.setdefault(row.chapter, []).append(row)
    return render_template("matrix.html.j2", matrix=made, chapters=chapters)


if __name__ == "__main__":
    SCHEMA.write_text(json_file.text(json_file.schema(Matrix, "matrix")), encoding="utf-8")
