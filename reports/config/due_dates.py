"""When a recurring act, such as a quarterly drill, is due again."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

from drillbook.core.options import QUARTER
from reports.evidence.context import Cadence

_MONTHS: dict[Cadence, int] = {"monthly": 1, "quarterly": 3, "half-yearly": 6, "yearly": 12}


def next_due_day(day: date, cadence: Cadence | None, times: int = 1) -> date:
    """The day after a week, a month, ..., or so many; the last of a month that has no such day.

    90 days later where no cadence is declared.
    """
    if cadence is None:
        return day + times * QUARTER
    if cadence == "weekly":
        return day + timedelta(weeks=times)
    return months_later(day, times * _MONTHS[cadence])


def cadence_in_words(cadence: Cadence | None) -> str:
    """How often it is due: the declared cadence, else "every 90 days"."""
    return cadence or f"every {QUARTER.days} days"


def months_later(day: date, months: int) -> date:
    """That day of the month, some months later; the last day of a month that is shorter."""
    year, month = divmod(day.month - 1 + months, 12)
    last = calendar.monthrange(day.year + year, month + 1)[1]
    return date(day.year + year, month + 1, min(day.day, last))
