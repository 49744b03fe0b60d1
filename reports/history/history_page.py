"""history.html: verdicts, recovery times, corrections over time, in one self-contained file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Any, NamedTuple

from reports.history.diff import Change, before, changes, corrections, overdue, stale
from reports.history.runs import History, Past
from reports.render import phrases
from reports.render.html import environment
from reports.verdict.verdicts import Verdict

_ROOM = 1000.0


class Dot(NamedTuple):
    """A measured time on a picture of 1000 by 100; what it stands for, and whether it was met."""

    x: float
    y: float
    words: str
    met: bool


class Curve(NamedTuple):
    """One objective over time: dots, a line through them, the highest value, targets."""

    name: str
    dots: list[Dot]
    highest: float
    target: float | None


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
        curves=[curve for curve in map(_curve, ("rto", "rpo"), (history.runs,) * 2) if curve.dots],
        corrections=corrections(history.runs),
        stale=stale(history.runs, today),
        overdue=overdue(history.runs, today),
    )
    return page


def _row(runs: Sequence[Past], run: Past) -> Row:
    earlier = before(runs, run)
    return Row(run, earlier, changes(earlier, run) if earlier else [])


def _curve(name: str, runs: Sequence[Past]) -> Curve:
    """Times of deployments where there are any: rehearsals say nothing about how long it takes."""
    seen = [(run, *_measured(run, name)) for run in runs if _measured(run, name)[0] is not None]
    real = [one for one in seen if one[0].grade == "deployment"] or seen
    highest = max((max(taken or 0, target or 0) for _, taken, target in real), default=0.0) or 1.0
    first = real[0][0].finished if real else None
    span = (real[-1][0].finished - first).total_seconds() if first else 0.0
    dots = []
    for run, taken, target in real:
        at = (run.finished - first).total_seconds() / span if first and span else 0.5
        met = target is None or (taken or 0) <= target
        words = f"{run.finished:%Y-%m-%d}: {phrases.duration(taken or 0)}, run {run.id}"
        dots.append(
            Dot(round(at * _ROOM, 1), round(100 * (1 - (taken or 0) / highest), 1), words, met)
        )
    return Curve(name.upper(), dots, highest, real[-1][2] if real else None)


def _measured(run: Past, name: str) -> tuple[float | None, float | None]:
    seen = run.facts.objectives
    return getattr(seen, f"{name}_s"), getattr(seen, f"{name}_target_s")


@cache
def _template() -> Any:
    made = environment()
    made.filters["duration"] = phrases.duration
    return made.get_template("history.html.j2")
