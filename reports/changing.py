"""A rehearsed change in plain words: whether to deploy, what breaks, what is now otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from reports.change import Change
from reports.model import Control, Run
from reports.prose import duration, reasons
from reports.verdict import Verdict

_DECIDING = ("UPG-1", "UPG-2", "UPG-3")
_OUTAGE = "UPG-4"
_BAD = (Verdict.VIOLATED, Verdict.CONTRADICTED)
EXPERIMENTAL = (
    "Experimental: the product knows no way to put a backup under another ENCRYPTION_KEY. Where "
    "the instance rotates its key in stages by itself, use that instead."
)
_EXPERIMENT = "KEY-14"
Row = tuple[str, str | None]


def sentence(run: Run) -> str:
    """Safe to deploy, or what breaks; empty where no change was rehearsed."""
    change = run.change
    if change is None:
        return ""
    deciding = [control for control in run.controls if control.id in _DECIDING]
    name = change.newer or "the new image"
    if broken := [control for control in deciding if control.verdict in _BAD]:
        what = "; ".join(f"{control.id}, {_broken(control)}" for control in broken)
        return f"Do not deploy {name} on this data. What breaks: {what}."
    if all(control.verdict is Verdict.SATISFIED for control in deciding):
        return (
            f"Safe to deploy {name} on this data: every secret survives, a bad start heals, and "
            f"the backup brings {change.older or 'the old image'} back. {_outage(run, change)}"
        )
    open_ones = ", ".join(c.id for c in deciding if c.verdict is not Verdict.SATISFIED)
    return f"Whether {name} is safe to deploy is not decided: {open_ones} could not be judged."


def _broken(control: Control) -> str:
    steps = [
        step.title
        for spec in control.specs
        if spec.verdict in _BAD
        for step in spec.steps
        if step.verdict in _BAD
    ]
    return f'seen at "{steps[0]}"' if steps else (reasons(control) or [control.title])[0]


def _outage(run: Run, change: Change) -> str:
    if change.outage_s is None:
        return "How long nobody can read a secret was not measured."
    said = f"For {duration(change.outage_s)} nobody can read a secret"
    if change.outage_target_s is None:
        return f"{said}."
    late = any(control.id == _OUTAGE and control.verdict in _BAD for control in run.controls)
    allowed = duration(change.outage_target_s)
    return f"{said}, and {allowed} were allowed." if late else f"{said}, of {allowed} allowed."


def rows(run: Run) -> list[Row]:
    """Everything that was seen of the change, for a table of names and values."""
    return list(_rows(run.change)) if run.change else []


def _rows(change: Change) -> Iterator[Row]:
    yield "From", change.older
    yield "To", change.newer
    yield "Nobody could read for", None if change.outage_s is None else duration(change.outage_s)
    yield "Allowed", None if change.outage_target_s is None else duration(change.outage_target_s)
    yield "Migrations", f"{change.migrations} in {duration(change.migrations_s)}"
    for slow in change.slowest:
        yield f"Migration {slow.name}", duration(slow.seconds)
    yield "Killed amid its migrations", change.killed
    yield "Without its migrations", change.unmigrated
    yield "The old one on the new schema", change.downgraded
    for difference in change.differences:
        yield "Otherwise than before", difference
    for advice in change.advice:
        yield f"To be known: {advice.name}", advice.sentence
    yield "Runs of all controls compared", " and ".join(change.compared) or None
    for one in change.turned:
        yield f"{one.id} changes its verdict", f"{_word(one.older)} becomes {_word(one.newer)}"


def _word(verdict: str | None) -> str:
    return Verdict(verdict).words if verdict else "unknown there"


def experimental(run: Run) -> str | None:
    """What every page says of a run about a procedure that the product does not know."""
    return EXPERIMENTAL if _EXPERIMENT in run.run.asked else None
