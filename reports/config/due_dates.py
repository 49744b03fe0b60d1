"""When a recurring act, such as a quarterly drill, is due again."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

from drillbook.core.cadence import QUARTER
from reports.evidence.context import Cadence, Schedule

_MONTHS: dict[Cadence, int] = {"monthly": 1, "quarterly": 3, "half-yearly": 6, "yearly": 12}
_ANY_DAY = date(2001, 1, 1)


def next_due_day(day: date, cadence: Cadence | None, times: int = 1) -> date:
    """The day after a week, a month, ..., or so many; the last of a month that has no such day.

    90 days later where no cadence is declared.
    """
    if cadence is None:
        return day + times * QUARTER
    if cadence == "weekly":
        return day + timedelta(weeks=times)
    return months_later(day, times * _MONTHS[cadence])


def due_again(done: date, schedule: Schedule) -> date:
    """When something that was done that day is due again.

    The declared day, until it is kept; else by the cadence, or after 90 days. It is also kept by
    what was done a little early: in the half of a period before it.
    """
    early = period(schedule.cadence) / 2
    if schedule.next_due and schedule.next_due - done > early:
        return schedule.next_due
    return next_due_day(done, schedule.cadence)


def period(cadence: Cadence | None) -> timedelta:
    """The length of the first period of a year."""
    return next_due_day(_ANY_DAY, cadence) - _ANY_DAY


def cadence_in_words(cadence: Cadence | None) -> str:
    """How often it is due: the declared cadence, else "every 90 days"."""
    return cadence or f"every {QUARTER.days} days"


def months_later(day: date, months: int) -> date:
    """That day of the month, some months later; the last day of a month that is shorter."""
    year, month = divmod(day.month - 1 + months, 12)
    last = calendar.monthrange(day.year + year, month + 1)[1]
    return date(day.year + year, month + 1, min(day.day, last))
