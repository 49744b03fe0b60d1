"""A recovery and the time of a run as bars on a line of 1000 units, ready to be drawn."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, get_args

from reports.evidence.model import Objectives, Run, SpanKind
from reports.render.phrases import duration, objective_result

_PHASES = {
    "fetch": "fetch the backup",
    "restore": "restore",
    "migrate": "migrate",
    "boot": "start",
    "read": "read a first secret",
    "proof": "verification: try the keys",
    "verified": "verification: compare everything",
}


class Phase(NamedTuple):
    """A phase on a line of 1000 units."""

    words: str
    x: float
    width: float
    seconds: float


class Measure(NamedTuple):
    """A time and its target on a line of 1000 units: the longer of the two fills it."""

    name: str
    seconds: float | None
    target: float | None
    width: float
    mark: float | None
    result: str


class Recovery(NamedTuple):
    """How long a recovery took, phase by phase, and how that compares with its targets."""

    sentence: str
    phases: list[Phase]
    measures: list[Measure]


def recovery(run: Run) -> Recovery | None:
    """The recovery of a run; None if nothing was restored."""
    seen = run.objectives
    if not seen.restored:
        return None
    pairs = (
        ("recovery time", seen.rto_s, seen.rto_target_s),
        ("age of the backup", seen.rpo_s, seen.rpo_target_s),
    )
    measures = [_measure(*one) for one in pairs if one[1:] != (None, None)]
    return Recovery(_recovery_sentence(seen), _phases(seen), measures)


def _recovery_sentence(seen: Objectives) -> str:
    """Both objectives in words; empty if nothing was restored."""
    if seen.rto_s is not None:
        said = f"Back in {duration(seen.rto_s)}{_limit(seen.rto_s, seen.rto_target_s)}"
        if seen.verification_s is not None:
            said += f"; verified in {duration(seen.verification_s)} more"
    elif seen.restore_s is not None:
        proof = f"The keys were proved in {duration(seen.proof_s)}, and e" if seen.proof_s else "E"
        said = (
            f"{proof}very row came back in {duration(seen.restore_s)}; how long a recovery takes "
            "is unknown, because it did not come to its end"
        )
    else:
        return ""
    if seen.rpo_s is not None:
        late = seen.rpo_target_s is not None and seen.rpo_s > seen.rpo_target_s
        said += f"; the backup was {'at least' if late else 'at most'} {duration(seen.rpo_s)} old"
        said += _limit(seen.rpo_s, seen.rpo_target_s)
    elif seen.rpo_target_s is not None:
        said += f"; it is not proven that the backup was at most {duration(seen.rpo_target_s)} old"
    if (age := seen.newest_row_s) is not None:
        when = (
            f"was {duration(age)} old" if age >= 0 else f"is dated {duration(-age)} after the start"
        )
        said += f"; its newest row {when}"
    return said + "."


def _limit(seconds: float, target: float | None) -> str:
    if target is None:
        return " (no target was set)"
    allowed = duration(target)
    return f", of {allowed} allowed" if seconds <= target else f", and {allowed} were allowed"


def _phases(seen: Objectives) -> list[Phase]:
    times = [(words, getattr(seen, f"{name}_s")) for name, words in _PHASES.items()]
    known = [(words, seconds) for words, seconds in times if seconds is not None]
    scale, at, found = 1000 / max(sum(s for _, s in known), 0.001), 0.0, []
    for words, seconds in known:
        found.append(Phase(words, round(at, 1), round(seconds * scale, 1), seconds))
        at += seconds * scale
    return found


def _measure(name: str, seconds: float | None, target: float | None) -> Measure:
    scale = 1000 / max(seconds or 0, target or 0, 0.001)
    mark = round(target * scale, 1) if target is not None else None
    width = round(max(seconds * scale, 3), 1) if seconds is not None else 0
    return Measure(name, seconds, target, width, mark, objective_result(seconds, target))


class Bar(NamedTuple):
    """A span or a spec on a line of 1000 units; one that took no time still shows."""

    x: float
    width: float
    name: str
    duration: float


class Lane(NamedTuple):
    """All spans of a kind, or all specs of a worker."""

    kind: str
    bars: list[Bar]
    total: float


def lanes(run: Run) -> list[Lane]:
    """A lane for each kind of span that occurred, in the order of a deployment's life."""
    found = []
    for kind in get_args(SpanKind):
        spans = [span for span in run.timeline if span.kind == kind]
        bars = [_bar(span.name, span.started, span.duration_s, run) for span in spans]
        found.append(Lane(kind, bars, sum(span.duration_s for span in spans)))
    return [lane for lane in found if lane.bars]


def worker_lanes(run: Run) -> list[Lane]:
    """A lane for each worker with its specs, each named by its controls."""
    controls: dict[str, list[str]] = {}
    specs = {spec.id: spec for one in run.controls for spec in one.specs if spec.steps}
    for control in run.controls:
        for spec in control.specs:
            controls.setdefault(spec.id, []).append(control.id)
    workers = {(span.name, span.started): span.worker for span in run.timeline}
    bars: dict[str, list[Bar]] = {}
    for spec in specs.values():
        known = (workers.get((step.title, step.started)) for step in spec.steps)
        name, first, last = ", ".join(controls[spec.id]), spec.steps[0], spec.steps[-1]
        seconds = (last.started - first.started).total_seconds() + last.duration_s
        bar = _bar(name, first.started, seconds, run)
        bars.setdefault(next(filter(None, known), "main"), []).append(bar)
    return [
        Lane(worker, sorted(bars[worker]), sum(bar.duration for bar in bars[worker]))
        for worker in sorted(bars)
    ]


def _bar(name: str, started: datetime, seconds: float, run: Run) -> Bar:
    scale = 1000 / max(run.run.duration_s, 0.001)
    x = (started - run.run.started).total_seconds() * scale
    width = max(seconds * scale, 1.5)
    return Bar(round(min(x, 998.5), 1), round(width, 1), name, seconds)
