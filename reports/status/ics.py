"""The days that are due as a calendar any program imports (RFC 5545): one event for each act."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from reports.status.standing import Standing

_OCTETS = 75
_AHEAD = "-P7D"
_ESCAPED = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n", "\r": ""})


def calendar(found: Sequence[Standing], system: str, now: datetime) -> bytes:
    """The calendar; importing a newer one moves the events of the older, as their ids stay."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Drillbook//status//EN"]
    lines += ["CALSCALE:GREGORIAN", "METHOD:PUBLISH"]
    for one in found:
        lines += _event(one, system, now)
    lines.append("END:VCALENDAR")
    return "".join(f"{folded}\r\n" for line in lines for folded in _folded(line)).encode()


def _event(one: Standing, system: str, now: datetime) -> Iterator[str]:
    # What is overdue is due today: a reminder in the past reminds nobody.
    day = now.date() if one.overdue else one.due
    late = "Overdue: " if one.overdue else ""
    whose = hashlib.sha256(system.encode()).hexdigest()[:12]
    yield "BEGIN:VEVENT"
    yield f"UID:{one.act.id}-{whose}@drillbook.invalid"
    yield f"DTSTAMP:{now:%Y%m%dT%H%M%SZ}"
    yield f"SEQUENCE:{int(now.timestamp()) >> 4}"
    yield f"DTSTART;VALUE=DATE:{day:%Y%m%d}"
    yield f"DTEND;VALUE=DATE:{day + timedelta(days=1):%Y%m%d}"
    yield f"SUMMARY:{_text(f'{late}{one.act.name}{f" ({system})" if system else ""}')}"
    yield f"DESCRIPTION:{_text('\n'.join(_said(one)))}"
    yield "TRANSP:TRANSPARENT"
    yield from ("BEGIN:VALARM", "ACTION:DISPLAY", f"DESCRIPTION:{_text(one.act.name)}")
    yield from (f"TRIGGER:{_AHEAD}", "END:VALARM", "END:VEVENT")


def _said(one: Standing) -> Iterable[str]:
    yield f"Last: {one.last.finished:%Y-%m-%d} (run {one.last.id})" if one.last else "Never done."
    yield one.act.command


def _text(words: str) -> str:
    """A text as RFC 5545 (3.3.11) escapes it, without what no calendar takes."""
    return "".join(c for c in words.translate(_ESCAPED) if c.isprintable())


def _folded(line: str) -> Iterator[str]:
    """A line of at most 75 octets, and what is left on lines that begin with a blank (3.1)."""
    part, size = "", 0
    for character in line:
        taken = len(character.encode())
        if size + taken > _OCTETS:
            yield part
            part, size = " ", 1
        part, size = part + character, size + taken
    yield part
