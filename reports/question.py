"""What a reader is shown of a run that asked one question: the controls that it asked for.

The record holds all of them; the others would fill pages with what nobody wanted to know.
"""

from __future__ import annotations

from reports.model import Control, Run
from reports.plan import OUTSIDE


def inside(run: Run) -> list[Control]:
    """The controls that the run was asked for, in their order; all where no question was named."""
    return [control for control in run.controls if control.note != OUTSIDE]


def executed(run: Run) -> str:
    """How many of the controls that it was asked for were executed."""
    outside = len(run.controls) - len(inside(run))
    return f"{run.counts.executed} of {run.counts.planned - outside}"


def exclusions(run: Run) -> list[dict[str, str | None]]:
    """What was not examined; controls that were left out for one reason are one row."""
    found: dict[tuple[str | None, str], list[str]] = {}
    for one in run.scope.exclusions:
        found.setdefault((one.reason, one.source), []).append(one.what)
    return [
        {"what": _counted(what, reason), "reason": reason, "source": source}
        for (reason, source), what in found.items()
    ]


def _counted(what: list[str], reason: str | None) -> str:
    return f"{len(what)} controls" if reason == OUTSIDE else ", ".join(what)
