"""How each act that recurs stands: when it was last carried out, and when it is due."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from reports.declared import Schedule
from reports.framing import following
from reports.history import Past
from reports.verdict import Verdict

QUARTER = timedelta(days=90)
_IDLE = (Verdict.NOT_RUN, Verdict.NOT_APPLICABLE)


class Act(NamedTuple):
    """Something that recurs: the controls of which any one, satisfied, shows that it was done."""

    id: str
    name: str
    controls: tuple[str, ...]
    command: str


# Those of SEC-6 (fixtures/cadence.py), and the drill itself.
ACTS = (
    Act("drill", "drill of a backup", ("DRL-2",), "make drill BACKUP=… ENV_FILE=… IMAGE=…"),
    Act(
        "key-recovery",
        "recovery with the old keys",
        ("KEY-5", "DRL-2"),
        "make verify CONTROLS=KEY-5 STACK=containers IMAGE=…",
    ),
    Act(
        "password-rotation",
        "rotation of the database password",
        ("DBP-7", "DBP-1"),
        "make verify CONTROLS='DBP-*' STACK=containers IMAGE=…",
    ),
    Act(
        "move",
        "move to a new instance",
        ("MIG-1",),
        "make verify CONTROLS=MIG-1 STACK=containers IMAGE=…",
    ),
)


class Standing(NamedTuple):
    """How an act stands. `failed` came after `last`, if anything did; `rehearsed` never counts.

    due is the day it is due next, or was; today where it was never done.
    """

    act: Act
    last: Past | None
    failed: Past | None
    rehearsed: Past | None
    due: date
    overdue: bool


def standings(runs: Sequence[Past], schedule: Schedule, today: date) -> list[Standing]:
    """All acts. Of deployments only, and of no run with a planted bug or with changed evidence."""
    honest = [
        one for one in runs if one.intact and not one.facts.mutant and one.finished.date() <= today
    ]
    return [_standing(act, honest, schedule, today) for act in ACTS]


def _standing(act: Act, runs: Sequence[Past], schedule: Schedule, today: date) -> Standing:
    real = [one for one in runs if one.grade == "deployment"]
    last, rehearsed = _last(_done(act, real)), _last(_done(act, set_apart(runs, real)))
    failed = _last(one for one in real if _tried(act, one) and (not last or one is not last))
    if failed and last and failed.finished < last.finished:
        failed = None
    due = _due(last, schedule, today)
    return Standing(act, last, failed, rehearsed, due, due < today or (not last and due <= today))


def recurs(run: Past) -> bool:
    """Whether a run tried anything that recurs."""
    return any(run.facts.verdicts.keys() & set(act.controls) for act in ACTS)


def set_apart(runs: Iterable[Past], others: Sequence[Past]) -> list[Past]:
    """The runs that are not among the others."""
    return [one for one in runs if one not in others]


def _done(act: Act, runs: Iterable[Past]) -> Iterator[Past]:
    return (one for one in runs if not one.satisfied.isdisjoint(act.controls))


def _tried(act: Act, run: Past) -> bool:
    """Whether a run did one of its controls, and none came out satisfied."""
    seen = [run.facts.verdicts[one] for one in act.controls if one in run.facts.verdicts]
    return run.satisfied.isdisjoint(act.controls) and any(one not in _IDLE for one in seen)


def _last(runs: Iterable[Past]) -> Past | None:
    return max(runs, key=lambda one: one.finished, default=None)


def _due(last: Past | None, schedule: Schedule, today: date) -> date:
    """The declared day while it lies ahead of the last time; else the cadence, or 90 days."""
    done = last.finished.date() if last else None
    if schedule.next_due and (done is None or done < schedule.next_due):
        return schedule.next_due
    if done is None:
        return today
    return following(done, schedule.cadence) if schedule.cadence else done + QUARTER
