"""The account of a run on paper: each step with its moment, the commands, and where time went."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from reports.model import Control, Run, Spec, Step
from reports.prose import cut, duration, spoken
from reports.timeline import Lane
from reports.verdict import Verdict

_HARNESS = ("set up", "between the steps", "tear down")
_MOST_STEPS = 1500
_NUMBERED = re.compile(r"\d+")


def is_long(run: Run) -> bool:
    """Whether the account leaves out steps, to stay readable."""
    steps = (len(spec.steps) for control in run.controls for spec in control.specs)
    return sum(steps) > _MOST_STEPS


def account(run: Run) -> Iterator[dict[str, Any]]:
    """Each step with its moment and time.

    Of a very long run only what did not hold, until that is too long as well.
    """
    room = _MOST_STEPS if is_long(run) else None
    for control in run.controls:
        specs = [_spec(run, spec) for spec in control.specs if spec.steps]
        held = control.verdict in (Verdict.SATISFIED, Verdict.NOT_APPLICABLE)
        if not specs or (room is not None and (held or room <= 0)):
            continue
        yield _head(control) | {"specs": specs}
        if room is not None:
            room -= sum(len(spec["steps"]) for spec in specs)


def _spec(run: Run, spec: Spec) -> dict[str, Any]:
    steps = [step for step in spec.steps if not _unremarkable(step)]
    return {
        "name": spoken(spec.id),
        "verdict": spec.verdict.value,
        "taken": duration(spec.duration_s),
        "steps": [
            [
                _offset((step.started - run.run.started).total_seconds()),
                step.title,
                duration(step.duration_s),
                step.verdict.value,
            ]
            for step in steps
        ],
    }


def _unremarkable(step: Step) -> bool:
    return step.title in _HARNESS and step.verdict is Verdict.SATISFIED


def _offset(seconds: float) -> str:
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02}"


def commands(run: Run) -> list[dict[str, Any]]:
    """What was run inside services, each line once; lines that differ only in numbers are one."""
    found: dict[tuple[str | None, str], dict[str, Any]] = {}
    for step in (s for c in run.controls for spec in c.specs for s in spec.steps):
        for command in step.commands:
            line = first_line(command.line or command.act)
            key = (command.service, _NUMBERED.sub("0", line))
            row = found.setdefault(key, {"service": command.service, "line": cut(line), "count": 0})
            row["count"] += command.count
    return sorted(found.values(), key=lambda one: (one["service"] or "", one["line"]))


def first_line(text: str) -> str:
    """A script that was handed over whole is known by its first line."""
    first, *rest = text.strip().splitlines() or [""]
    return f"{first} ..." if rest else first


def drawn(lane: Lane) -> dict[str, Any]:
    """Bars that touch are drawn as one: there may be thousands, and paper cannot tell."""
    spans: list[list[float]] = []
    for bar in sorted(lane.bars):
        end = min(bar.x + bar.width, 1000.0)
        if spans and bar.x <= spans[-1][1] + 1:
            spans[-1][1] = max(spans[-1][1], end)
        else:
            spans.append([bar.x, end])
    total, times = duration(lane.total), len(lane.bars)
    said = f"{lane.kind.capitalize()} happened {times} times and took {total} in all."
    return {"kind": lane.kind, "bars": spans, "total": total, "times": f"{times}×", "said": said}


def _head(control: Control) -> dict[str, Any]:
    return {"id": control.id, "title": control.title, "verdict": control.verdict.value}
