"""Quarterly tasks were carried out within the last 90 days, as earlier runs show."""

from datetime import UTC, datetime

import pytest

from drillbook.core.cadence import overdue_acts, runs_that_count

pytestmark = pytest.mark.control("SEC-6")


def test_quarterly_tasks_were_carried_out(history, grade, record, observe, step):
    now = datetime.now(UTC)
    with step("read the evidence of earlier runs"):
        genuine = [one for one in history.runs if one.is_genuine]
        unreadable, left_out = ", ".join(history.unreadable), len(history.runs) - len(genuine)
        record.note(
            f"{len(genuine)} earlier runs, unreadable: {unreadable or 'none'}, changed since or "
            f"with a planted bug: {left_out}; no signature of these runs was checked"
        )
        if history.troubles:
            record.note("; ".join(history.troubles[:5]))
        runs = runs_that_count(genuine, grade, now)

    with step("password rotation, key recovery test and move: none is overdue"):
        late = overdue_acts(runs, now)
        observe(what_was_seen(late.values()))
        assert late == {}, "; ".join(f"{act}: {words}" for act, words in late.items())


def what_was_seen(standings):
    if not standings:
        return "cadence_kept"
    never = any(words.startswith("never") for words in standings)
    return "cadence_never_kept" if never else "cadence_overdue"
