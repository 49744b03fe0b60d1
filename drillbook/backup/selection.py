"""Which of several backups in one place is taken: the newest, or the one that was asked for."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from secrets import randbelow
from typing import Any

from drillbook.core.durations import seconds
from drillbook.core.errors import BadInput

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """One of several backups in one place.

    at is the time that it states, changed that of its file; item is what its place finds it by.
    """

    at: datetime
    changed: datetime
    name: str
    item: Any = field(compare=False)

    def __str__(self) -> str:
        return f"{self.name}, of {self.at:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which one is wanted, in the words of --select; seed decides what is left to chance."""

    word: str = "newest"
    seed: int = 0


NEWEST = Selection()


def parse_selection(word: str, seed: str | None) -> Selection:
    """A selection, with a seed of its own where none is given."""
    return Selection(word, int(seed) if seed else randbelow(2**32))


@dataclass(frozen=True, slots=True)
class Picked:
    """The backup that is taken, from which population, and the newer ones passed over, with why."""

    member: Member
    said: str
    skipped: tuple[str, ...] = ()


def pick(
    place: str,
    members: Sequence[Member],
    selection: Selection,
    reason_incomplete: Callable[[Member], str],
) -> Picked:
    """Choose one of these, of which there is one at least; BadInput where none fits.

    The newest is the newest that looks complete. What is asked for otherwise is taken as it is:
    that it is cut is then what there is to find.
    """
    members = sorted(members, reverse=True)
    held = f"; {len(members)} lie there, the oldest of {members[-1].at:%Y-%m-%d}"
    if selection.word != "newest":
        among = _among(place, members, selection.word)
        member = random.Random(selection.seed).choice(among)  # noqa: S311 - a sample, no secret
        drawn = f" among {len(among)} with seed {selection.seed}" if len(among) > 1 else ""
        return Picked(member, f"{selection.word}{drawn} of {place} is {member}{held}")
    skipped: list[str] = []
    for member in members:
        if not (why := reason_incomplete(member)):
            said = f"the newest of {place} is {member}{held}{skip_notice(skipped)}"
            return Picked(member, said, tuple(skipped))
        skipped.append(f"{member.name} ({why})")
    reasons = "; ".join(skipped[:_MOST_NAMED])
    raise BadInput(f"{place} holds no backup that is complete: {reasons}")


def _among(place: str, members: list[Member], select: str) -> Sequence[Member]:
    """Those of which one is drawn."""
    how, _, what = select.partition(":")
    among = members[-1:]
    if how == "random":
        since = datetime.now(UTC) - timedelta(seconds=seconds(what, "--select random:"))
        among = [member for member in members if member.at >= since]
    elif how == "at":
        among = [member for member in members if member.at < _end(what)][:1]
    if not among:
        extent = f"{members[-1].at:%Y-%m-%d %H:%M} to {members[0].at:%Y-%m-%d %H:%M}"
        raise BadInput(
            f"--select {select}: {place} has none of that time; its backups are of {extent}"
        )
    return among


def _end(text: str) -> datetime:
    """A moment, or the end of a day, in UTC."""
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise BadInput(f"--select at:{text}: there is no such day") from None
    return moment if "T" in text else moment + timedelta(days=1)


def skip_notice(skipped: Sequence[str]) -> str:
    """A warning about newer backups that were not taken: someone may rely on them."""
    if not skipped:
        return ""
    more = f" and {len(skipped) - _MOST_NAMED} more" if len(skipped) > _MOST_NAMED else ""
    return f"; NEWER BUT NOT TAKEN: {', '.join(skipped[:_MOST_NAMED])}{more}"
