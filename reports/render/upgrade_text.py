"""A rehearsed change in plain words: whether to deploy, what breaks, what is different."""

from __future__ import annotations

from collections.abc import Iterator

from reports.evidence.model import Change, Control, Run
from reports.render.phrases import ASSERTED, duration, expectation, reasons
from reports.verdict import Verdict

_DECIDING = ("UPG-1", "UPG-2", "UPG-3")
_OUTAGE = "UPG-4"
# How a difference begins where the new image removed the older of two secrets with one name.
_REMOVED = "the release removed "
_BACK = (
    "Changing the tag back is not tried here. Take a backup just before the change; to go back, "
    "stop the backend, dump what is there into a new file, never over that backup (only that has "
    "what was written since the change; go on only if the dump ends with exit code 0), restore "
    "that backup into an empty database with psql -v ON_ERROR_STOP=1, empty the cache (redis-cli "
    "FLUSHALL must print OK; it empties the whole server), and only if that psql ended with exit "
    "code 0, start the old image."
)


def sentence(run: Run) -> str:
    """Safe to deploy, or what breaks; empty if no change was rehearsed."""
    change = run.change
    if change is None:
        return ""
    ids = _DECIDING if change.outage_target_s is None else (*_DECIDING, _OUTAGE)
    deciding = [control for control in run.controls if control.id in ids]
    name, older = change.newer or "the new image", change.older or "the old image"
    bad = [control for control in deciding if control.verdict in ASSERTED]
    secrets = "every secret survives"
    if any(one.startswith(_REMOVED) for one in change.differences):
        secrets += f" but the older of those that have one name in a folder, which {name} removes"
    held = f"{secrets}, a bad start heals, and the backup brings {older} back"
    if broken := [control for control in bad if control.id != _OUTAGE]:
        what = "; ".join(f"{control.id}, {_failing_step(control)}" for control in broken)
        return f"Do not deploy {name} on this data. What breaks: {what}."
    open_ones = ", ".join(c.id for c in deciding if c.verdict not in (*ASSERTED, Verdict.SATISFIED))
    if bad:
        rest = f"{open_ones} could not be judged" if open_ones else held
        return (
            f"Do not deploy {name} within this target: the outage is too long. "
            f"{_outage(run, change)} Beyond that, {rest}."
        )
    if open_ones:
        return f"Whether {name} is safe to deploy is not decided: {open_ones} could not be judged."
    if run.exit_code:
        return (
            f"It is not shown that {name} is safe to deploy: {held}, yet the run did not pass. "
            f"{_outage(run, change)}"
        )
    return f"Safe to deploy {name} on this data: {held}. {_outage(run, change)}"


def _failing_step(control: Control) -> str:
    step = expectation(control)
    return f'seen at "{step}"' if step else reasons(control)[0]


def _outage(run: Run, change: Change) -> str:
    if change.outage_s is None:
        return "How long no one can read a secret was not measured."
    said = f"For {_outage_length(change)} no one can read a secret"
    if change.outage_target_s is None:
        return f"{said}."
    late = any(control.id == _OUTAGE and control.verdict in ASSERTED for control in run.controls)
    allowed = duration(change.outage_target_s)
    return f"{said}, and {allowed} were allowed." if late else f"{said}, of {allowed} allowed."


def _outage_length(change: Change) -> str | None:
    if change.outage_s is None:
        return None
    if not change.outage_seen:
        return f"at most {duration(change.outage_s)}"
    return ("" if change.outage_ended else "at least ") + duration(change.outage_s)


def rows(change: Change) -> Iterator[tuple[str, str | None]]:
    """What was seen of the change, as rows of name and value."""
    yield "From", change.older
    yield "To", change.newer
    yield "No one could read for", _outage_length(change)
    yield "Allowed", None if change.outage_target_s is None else duration(change.outage_target_s)
    yield "Migrations", f"{change.migrations} in {duration(change.migrations_s)}"
    for slow in change.slowest:
        yield f"Migration {slow.name}", duration(slow.seconds)
    yield "Killed during its migrations", change.killed
    yield "Going back", _BACK
    for difference in change.differences:
        yield "Different from before", difference
    for advice in change.advice:
        yield f"Note: {advice.name}", advice.sentence
    yield "Runs compared", " and ".join(change.compared) or None
    yield "Verdicts compared", describe_no_change(change) or None
    for one in change.turned:
        yield f"{one.id} changes its verdict", f"{_word(one.older)} becomes {_word(one.newer)}"


def describe_no_change(change: Change) -> str:
    """That no verdict changes, if two runs were compared and none does; else empty."""
    if change.turned or not change.compared:
        return ""
    if change.both_judged == 0:
        return "No statement of the runbook was judged by both runs."
    many = "" if change.both_judged is None else f"{change.both_judged} "
    return f"None of the {many}statements that both runs judged changes its verdict."


def _word(verdict: str | None) -> str:
    return Verdict(verdict).words if verdict else "unknown there"
