"""The register of keys, matched by label with what a run saw; what is wrong with a key's life."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from drillbook.core.durations import QUARTER
from reports.evidence.context import RegisteredKey
from reports.evidence.model import Key

UNREGISTERED = "used, and not in the register"


def match_keys(
    declared: Iterable[RegisteredKey], seen: Sequence[Key], day: date
) -> tuple[RegisteredKey, ...]:
    """Each registered key with the names under which it was seen, and what is wrong on this day.

    A key that was used and is not in the register comes last. Without a register nothing is said.
    A register that was matched before may be matched again.
    """
    ours = (key for key in declared if key.findings != (UNREGISTERED,))
    register = [_matched(key, seen, day) for key in ours]
    if not register:
        return ()
    labels = {_short(key.label) for key in register}
    strange = {key.label: key for key in seen if _short(key.label) not in labels}
    unknown = (
        RegisteredKey(
            label=label, purpose="not stated", seen_as=_names(label, seen), findings=(UNREGISTERED,)
        )
        for label in strange
    )
    return (*register, *unknown)


def _matched(key: RegisteredKey, seen: Sequence[Key], day: date) -> RegisteredKey:
    names = _names(key.label, seen)
    found = tuple(_findings(key, day, used=bool(names)))
    return key.model_copy(update={"seen_as": names, "findings": found})


def _names(label: str, seen: Iterable[Key]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key.name for key in seen if _short(key.label) == _short(label)))


def _short(label: str) -> str:
    """Labels may be cut to sixteen digits."""
    return label[:16]


def _findings(key: RegisteredKey, day: date, *, used: bool) -> Iterator[str]:
    if key.retired and key.retired <= day:
        if used:
            yield f"used, although it was retired on {key.retired}"
        return
    if key.expires and key.expires < day:
        yield f"past its end, {key.expires}"
    if used and key.activated and key.activated > day:
        yield f"used before it was activated, {key.activated}"
    if len({*key.stored_in}) == 1:
        yield f"in one store only: {key.stored_in[0]}"
    if not key.stored_in:
        yield "no store is named"
    if key.escrow_last_opened is None:
        yield "never opened from escrow, as far as is declared"
    # An escrow that no one has opened for so long is a hope.
    elif day - key.escrow_last_opened > QUARTER:
        yield f"not opened from escrow for a quarter, last on {key.escrow_last_opened}"
    if key.challenge:
        yield from _of_custody(key, used=used)


def _of_custody(key: RegisteredKey, *, used: bool) -> Iterator[str]:
    """What is wrong with the answers to a challenge that was put to the key's custodians."""
    answered = [one for one in key.acknowledged if one.challenge == key.challenge]
    for name in key.custodians:
        if name not in {one.name for one in answered}:
            yield f"{name} has not answered the challenge {key.challenge}"
    for one in answered:
        if one.held is False:
            yield f"{one.name} does not hold it: the answer was not made with this key"
        elif used and one.held is None:
            yield f"the answer of {one.name} was not judged"
    # Two names under one signature are one person.
    if len({one.key_id for one in answered if one.held is not False}) < 2:
        yield "no dual control: fewer than two custodians have proved to hold it"
