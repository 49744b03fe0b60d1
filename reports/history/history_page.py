"""history.html: verdicts, recovery times, corrections over time, in one self-contained file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache
from math import log
from typing import Any, NamedTuple

from reports.history.diff import Change, before, changes, corrections, overdue, stale
from reports.history.runs import History, Past
from reports.render import phrases
from reports.render.html import environment
from reports.verdict.verdicts import IDLE, Verdict

_WIDTH = 1000.0
# As many runs as fit on a page, the newest of them.
_COLUMNS = 30
_SIGNS = {
    Verdict.SATISFIED: "✓",
    Verdict.CONTRADICTED: "C",
    Verdict.VIOLATED: "✗",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_RUN: "–",
    Verdict.NOT_APPLICABLE: "·",
}


class Dot(NamedTuple):
    """A measured time as a point of a 1000 by 100 chart, its label, and its result."""

    x: float
    y: float
    words: str
    result: str


class Line(NamedTuple):
    """A labelled height of the chart."""

    y: float
    words: str


class Curve(NamedTuple):
    """One objective of one grade of runs over time, on a logarithmic scale."""

    title: str
    dots: list[Dot]
    scale: list[Line]
    target: Line | None
    dates: tuple[str, str]


class Cell(NamedTuple):
    """What a run said of a control; `sign` says it without colour."""

    verdict: Verdict | None
    sign: str
    words: str


class Control(NamedTuple):
    """A control through all runs of the map, and whether they differ about it."""

    id: str
    cells: list[Cell]
    differs: bool


class Row(NamedTuple):
    """A run, the run before it that asked the same, and what changed since."""

    run: Past
    before: Past | None
    changes: list[Change]

    @property
    def counted(self) -> dict[Verdict, int]:
        """How many controls have which verdict."""
        seen = list(self.run.facts.verdicts.values())
        return {verdict: seen.count(verdict) for verdict in phrases.COLUMNS if verdict in seen}


def render(history: History, runs: str, today: date) -> str:
    """The page; `runs` is where the folders of runs are, as seen from it."""
    rows = [_row(history.runs, run) for run in reversed(history.runs)]
    page: str = _template().render(
        history=history,
        rows=rows,
        runs=runs,
        today=today,
        curves=_curves(history.runs),
        columns=history.runs[-_COLUMNS:],
        controls=_heat_map(history.runs[-_COLUMNS:]),
        signs=_SIGNS,
        corrections=corrections(history.runs),
        stale=stale(history.runs, today),
        overdue=overdue(history.runs, today),
    )
    return page


def _row(runs: Sequence[Past], run: Past) -> Row:
    earlier = before(runs, run)
    return Row(run, earlier, changes(earlier, run) if earlier else [])


def _heat_map(runs: Sequence[Past]) -> list[Control]:
    """A line for each control that any of the runs knew, in the order of the newest catalogue."""
    ids = list(dict.fromkeys(id for run in reversed(runs) for id in run.facts.verdicts))
    found = []
    for id in ids:
        seen = [run.facts.verdicts.get(id) for run in runs]
        cells = [_cell(id, run, verdict) for run, verdict in zip(runs, seen, strict=True)]
        judged = {verdict for verdict in seen if verdict not in (None, *IDLE)}
        found.append(Control(id, cells, len(judged) > 1))
    return found


def _cell(id: str, run: Past, verdict: Verdict | None) -> Cell:
    said = verdict.words if verdict else "not in its catalogue"
    sign = _SIGNS[verdict] if verdict else ""
    return Cell(verdict, sign, f"{id}, {run.finished:%Y-%m-%d %H:%M}: {said}")


_TITLES = {"rto": "Recovery time (RTO)", "rpo": "Age of the backup (RPO)"}


def _curves(runs: Sequence[Past]) -> list[Curve]:
    """Deployments and rehearsals apart: a rehearsal says nothing about how long it takes."""
    found = []
    for name, title in _TITLES.items():
        for grade, apart in (("deployment", ""), ("rehearsal", ", rehearsals")):
            of_grade = ((run, *_measurement(run, name)) for run in runs if run.grade == grade)
            seen = [(run, spent, wanted) for run, spent, wanted in of_grade if spent is not None]
            if seen:
                found.append(_curve(title + apart, seen))
    return found


def _curve(title: str, measured: Sequence[tuple[Past, float, float | None]]) -> Curve:
    """Each run with what it took and what was wanted."""
    target = measured[-1][2]
    times = [max(spent, 1.0) for _, spent, _ in measured]
    bounds = [*times, target or times[0]]
    low, high = min(bounds) / 2, max(bounds) * 2

    def height(seconds: float) -> float:
        return round(100 * (1 - log(max(seconds, 1.0) / low) / log(high / low)), 1)

    first, last = measured[0][0].finished, measured[-1][0].finished
    span = (last - first).total_seconds()
    form = "%Y-%m-%d" if first.date() != last.date() else "%Y-%m-%d %H:%M"
    dots = []
    for run, spent, allowed in measured:
        at = (run.finished - first).total_seconds() / span if span else 0.5
        result = phrases.objective_result(spent, allowed)
        end = result if allowed is not None else "no target"
        words = f"{run.finished:%Y-%m-%d}: {phrases.duration(spent)}, {end}, run {run.id}"
        dots.append(Dot(round(at * _WIDTH, 1), height(spent), words, result))
    named = [max(times)] if max(times) < 2 * min(times) else [max(times), min(times)]
    return Curve(
        title,
        dots,
        [Line(height(seconds), phrases.duration(seconds)) for seconds in named],
        Line(height(target), f"target {phrases.duration(target)}") if target else None,
        (first.strftime(form), last.strftime(form)),
    )


def _measurement(run: Past, name: str) -> tuple[float | None, float | None]:
    seen = run.facts.objectives
    return getattr(seen, f"{name}_s"), getattr(seen, f"{name}_target_s")


@cache
def _template() -> Any:
    made = environment()
    made.filters["duration"] = phrases.duration
    return made.get_template("history.html.j2")
