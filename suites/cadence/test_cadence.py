"""Quarterly tasks were carried out within the last 90 days, as earlier runs show."""

from datetime import UTC, datetime

import pytest

from drillbook.runbook import procedures

pytestmark = pytest.mark.control("SEC-6")


def test_quarterly_tasks_were_carried_out(history, grade, record, observe, step):
    now = datetime.now(UTC)
    with step("read the evidence of earlier runs"):
        record.note(f"{len(history.runs)} earlier runs, unreadable: {history.unreadable or 'none'}")
        runs = procedures.counting(history.runs, grade, now)

    with step("password rotation, key recovery test and move: none is overdue"):
        late = procedures.late(runs, now)
        observe(what_was_seen(late.values()))
        assert late == {}, "; ".join(f"{act}: {words}" for act, words in late.items())


def what_was_seen(standings):
    if not standings:
        return "cadence_kept"
    never = any(words.startswith("never") for words in standings)
    return "cadence_never_kept" if never else "cadence_overdue"
