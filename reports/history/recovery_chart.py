"""Recovery times and ages of backups over time, as points of charts on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import NamedTuple

from reports.history.runs import Past
from reports.render.phrases import duration, objective_result

_WIDTH = 1000.0
_TITLES = {"rto": "Recovery time (RTO)", "rpo": "Age of the backup (RPO)"}


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
    """One objective of one grade of runs over time."""

    title: str
    dots: list[Dot]
    scale: list[Line]
    target: Line | None
    dates: tuple[str, str]


def curves(runs: Sequence[Past]) -> list[Curve]:
    """Deployments and rehearsals apart: a rehearsal says nothing about how long it takes."""
    found = []
    for name, title in _TITLES.items():
        for grade, apart in (("deployment", ""), ("rehearsal", ", rehearsals")):
            of_grade = ((run, *_measurement(run, name)) for run in runs if run.grade == grade)
            seen = [(run, spent, wanted) for run, spent, wanted in of_grade if spent is not None]
            if seen:
                found.append(_curve(title + apart, seen))
    return found


def _measurement(run: Past, name: str) -> tuple[float | None, float | None]:
    seen = run.facts.objectives
    return getattr(seen, f"{name}_s"), getattr(seen, f"{name}_target_s")


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
        result = objective_result(spent, allowed)
        end = result if allowed is not None else "no target"
        words = f"{run.finished:%Y-%m-%d}: {duration(spent)}, {end}, run {run.id}"
        dots.append(Dot(round(at * _WIDTH, 1), height(spent), words, result))
    named = [max(times)] if max(times) < 2 * min(times) else [max(times), min(times)]
    return Curve(
        title,
        dots,
        [Line(height(seconds), duration(seconds)) for seconds in named],
        Line(height(target), f"target {duration(target)}") if target else None,
        (first.strftime(form), last.strftime(form)),
    )
