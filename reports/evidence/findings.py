"""Findings about what was declared: what an exercise lacks or contradicts, and its keys.

The register of keys is matched by label with the keys that a run saw. RULES is the version of these
rules, and of the signed result (reports/seal/verify_bundle.py): a change takes a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import pairwise

from drillbook.core.options import QUARTER
from reports.evidence.context import Action, DeclaredExercise, Exercise, RegisteredKey
from reports.evidence.model import Key, Run

RULES = 3
UNREGISTERED = "used, and not in the register"


def judge(run: Run) -> Run:
    """The run with the findings of its exercise; without a declared exercise there are none."""
    found = tuple(_findings(run)) if is_declared(run.exercise) else ()
    exercise = run.exercise.model_copy(update={"findings": found})
    return run.model_copy(update={"exercise": exercise, "rules": RULES})


def is_declared(said: Exercise) -> bool:
    """Whether anything of an exercise was declared."""
    return any(getattr(said, name) for name in DeclaredExercise.model_fields)


def _findings(run: Run) -> Iterator[str]:
    said = run.exercise
    yield from _runbook_findings(run)
    for before, after in pairwise(said.timeline):
        if after.at < before.at:
            yield f"{after.what} stands after {before.what}, and is earlier"
    moments = [(one.what, one.at) for one in said.timeline]
    moments += [(f"the report to {one.to}", one.at) for one in said.reported]
    for what, at in moments:
        if at > run.run.finished:
            yield f"{what} is later than the end of the run"
    if run.subject.backup:
        if said.authorisation is None:
            yield "a backup was restored, and no authorisation is declared"
        elif said.authorisation.at > run.run.started:
            yield "the restore was authorised after it had begun"
    critical = [one.name for one in said.functions if one.critical]
    if critical and not any(one.kind == "bia" for one in said.references):
        yield f"{', '.join(critical)}: critical, and no business impact analysis is referred to"
    for party in said.third_parties:
        if not party.involved:
            yield f"{party.name}: a third party, and not involved"
    yield from _production_findings(run)
    for action in run.deviations.actions:
        yield from _action_findings(action, run.run.finished.date())


def _runbook_findings(run: Run) -> Iterator[str]:
    book, people = run.exercise.runbook, {one.name for one in run.people}
    if book is None:
        yield "no runbook is named"
        return
    if not book.followed_by:
        yield "no one is named who worked from the runbook"
    for name in book.followed_by:
        if name not in people:
            yield f"{name} worked from the runbook, and is not among the people"


def _production_findings(run: Run) -> Iterator[str]:
    data, said = run.subject.data_set or run.scope.data_set, run.exercise.production
    if data is None or data.kind not in ("production", "production copy"):
        return
    missing = {
        "data": "production data were used, and no reason is declared",
        "keys": "production keys were used, and no reason is declared",
        "disposal": "production data were used, and no disposal is declared",
    }
    yield from (words for name, words in missing.items() if not getattr(said, name, None))


def _action_findings(action: Action, day: date) -> Iterator[str]:
    name = f"the action about {action.control}"
    if action.closed is None:
        if action.due and action.due < day:
            yield f"{name} was due on {action.due}, and is open"
    elif action.closed > day:
        yield f"{name} is closed on {action.closed}, after the run"
    elif action.retest_run in (None, action.retest_of):
        yield f"{name} is closed without a re-test"


def match_keys(
    declared: Iterable[RegisteredKey], seen: Sequence[Key], day: date
) -> tuple[RegisteredKey, ...]:
    """Each registered key with the names under which it was seen, and its findings on this day.

    A key that was used and is not in the register comes last. Without a register the result is
    empty. A register that was matched before may be matched again.
    """
    ours = (key for key in declared if key.findings != (UNREGISTERED,))
    register = [_match(key, seen, day) for key in ours]
    if not register:
        return ()
    labels = {_short(key.label) for key in register}
    strange = {key.label: key for key in seen if _short(key.label) not in labels}
    unknown = (
        RegisteredKey(
            label=label,
            purpose="not stated",
            seen_as=names_seen(label, seen),
            findings=(UNREGISTERED,),
        )
        for label in strange
    )
    return (*register, *unknown)


def _match(key: RegisteredKey, seen: Sequence[Key], day: date) -> RegisteredKey:
    names = names_seen(key.label, seen)
    found = tuple(_key_findings(key, day, used=bool(names)))
    return key.model_copy(update={"seen_as": names, "findings": found})


def names_seen(label: str, seen: Iterable[Key]) -> tuple[str, ...]:
    """The names under which a key was seen."""
    return tuple(dict.fromkeys(key.name for key in seen if _short(key.label) == _short(label)))


def _short(label: str) -> str:
    """The first sixteen digits, as labels may be cut to so many."""
    return label[:16]


def _key_findings(key: RegisteredKey, day: date, *, used: bool) -> Iterator[str]:
    if key.retired and key.retired <= day:
        if used:
            yield f"used, although it was retired on {key.retired}"
        return
    if key.expires and key.expires < day:
        yield f"past its end, {key.expires}"
    for what, when in (("created", key.created), ("activated", key.activated)):
        if used and when and when > day:
            yield f"used before it was {what}, {when}"
    if len({*key.stored_in}) == 1:
        yield f"in one store only: {key.stored_in[0]}"
    if not key.stored_in:
        yield "no store is named"
    if key.escrow_last_opened is None:
        yield "never opened from escrow, as far as is declared"
    # An escrow that was not opened for so long may no longer open.
    elif day - key.escrow_last_opened > QUARTER:
        yield f"not opened from escrow for a quarter, last on {key.escrow_last_opened}"
    elif key.escrow_last_opened > day:
        yield f"opened from escrow on {key.escrow_last_opened}, after the run"
    if key.challenge:
        yield from _custody_findings(key, day, used=used)


def _custody_findings(key: RegisteredKey, day: date, *, used: bool) -> Iterator[str]:
    """Findings about the answers of the key's custodians to its challenge."""
    answered = [one for one in key.acknowledged if one.challenge == key.challenge]
    for name in key.custodians:
        if name not in {one.name for one in answered}:
            yield f"{name} has not answered the challenge {key.challenge}"
    strangers = [one for one in answered if key.custodians and one.name not in key.custodians]
    for one in answered:
        if one in strangers:
            yield f"{one.name} answered, and is not one of its custodians"
        given = one.signed.date()
        if given > day:
            yield f"the answer of {one.name} is of {given}, after the run"
        # A challenge that stays the same lets an old answer pass for a new one.
        elif day - given > QUARTER:
            yield f"the answer of {one.name} is older than a quarter, of {given}"
        if one.held is False:
            yield f"{one.name} does not hold it: the answer was not made with this key"
        elif used and one.held is None:
            yield f"the answer of {one.name} was not judged"
    # Two names under one signature are one person, and so is one name under two.
    proved = [one for one in answered if one.held is not False and one not in strangers]
    if min(len({one.name for one in proved}), len({one.key_id for one in proved})) < 2:
        yield "no dual control: fewer than two custodians have proved to hold it"
