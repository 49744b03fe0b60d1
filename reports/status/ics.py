"""The days that are due as a calendar any program imports (RFC 5545): one event for each act."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from reports.status.standing import Standing

_ESCAPED = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})
_HEAD = "VERSION:2.0\nPRODID:-//Drillbook//status//EN\nCALSCALE:GREGORIAN\nMETHOD:PUBLISH\n"
# At most 75 octets with the blank before what is continued (3.1), and no character in pieces.
_PART = re.compile(rb".{1,74}(?![\x80-\xbf])")


def calendar(found: Sequence[Standing], system: str, now: datetime) -> bytes:
    """The calendar; importing a newer one moves the events of the older, as their ids stay."""
    events = "".join(_event(one, system, now) for one in found)
    lines = f"BEGIN:VCALENDAR\n{_HEAD}{events}END:VCALENDAR".encode().split(b"\n")
    return b"".join(b"\r\n ".join(_PART.findall(line)) + b"\r\n" for line in lines)


def _event(one: Standing, system: str, now: datetime) -> str:
    # What is overdue is due today: a reminder in the past reminds nobody.
    day, late = (now.date(), "Overdue: ") if one.overdue else (one.due, "")
    whose = f" ({system})" if system else ""
    last = f"Last: {one.last.finished:%Y-%m-%d} (run {one.last.id})" if one.last else "Never done."
    return f"""\
BEGIN:VEVENT
UID:{one.act.id}-{hashlib.sha256(system.encode()).hexdigest()[:12]}@drillbook.invalid
DTSTAMP:{now:%Y%m%dT%H%M%SZ}
SEQUENCE:{int(now.timestamp()) >> 4}
DTSTART;VALUE=DATE:{day:%Y%m%d}
DTEND;VALUE=DATE:{day + timedelta(days=1):%Y%m%d}
SUMMARY:{_text(f"{late}{one.act.name}{whose}")}
DESCRIPTION:{_text(f"{last}\n{one.act.command}")}
TRANSP:TRANSPARENT
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:{_text(one.act.name)}
TRIGGER:-P7D
END:VALARM
END:VEVENT
"""


def _text(words: str) -> str:
    """A text as RFC 5545 (3.3.11) escapes it, without what no calendar takes."""
    return "".join(c for c in words.translate(_ESCAPED) if c.isprintable())
