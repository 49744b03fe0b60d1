"""Where the time of a run went: spans as bars on lanes, ready to be drawn."""

from __future__ import annotations

from typing import NamedTuple, get_args

from reports.model import Run, Span, SpanKind


class Bar(NamedTuple):
    """A span on a line of 1000 units; one that took no time still shows."""

    x: float
    width: float
    name: str
    duration: float


class Lane(NamedTuple):
    """All spans of a kind."""

    kind: str
    bars: list[Bar]
    total: float


def lanes(run: Run) -> list[Lane]:
    """A lane for each kind of span that occurred, in the order of a deployment's life."""
    found = []
    for kind in get_args(SpanKind):
        spans = [span for span in run.timeline if span.kind == kind]
        bars = [_bar(span, run) for span in spans]
        found.append(Lane(kind, bars, sum(span.duration_s for span in spans)))
    return [lane for lane in found if lane.bars]


def _bar(span: Span, run: Run) -> Bar:
    scale = 1000 / max(run.run.duration_s, 0.001)
    x = (span.started - run.run.started).total_seconds() * scale
    width = max(span.duration_s * scale, 1.5)
    return Bar(round(min(x, 998.5), 1), round(width, 1), span.name, span.duration_s)
