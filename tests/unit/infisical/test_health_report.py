"""A health report that departs from its form is a finding, whatever is in it."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from drillbook.core.errors import StackTrouble
from drillbook.infisical import health_report
from drillbook.infisical.http import Answer

GOOD = {
    "date": "2026-11-26T12:00:00.000Z",
    "message": "Ok",
    "emailConfigured": False,
    "inviteOnlySignup": True,
    "redisConfigured": True,
    "secretScanningConfigured": False,
}


def answer(text):
    return Answer(200, "application/json", text, {})


def test_the_documented_report_departs_in_nothing():
    assert health_report.departures(GOOD) == []
    now = datetime.now(UTC).isoformat()
    assert abs(health_report.age_s({**GOOD, "date": now})) < 60


@pytest.mark.parametrize("date", ["2026-02-30T12:00:00Z", "0000-01-01T00:00:00Z"])
def test_an_impossible_date_is_a_departure(date):
    assert health_report.departures({**GOOD, "date": date}) == [f"its date {date!r} does not exist"]
    assert health_report.age_s({**GOOD, "date": date}) == float("inf")


@pytest.mark.parametrize("text", ["<html>", "", "[]", "null", '{"date": 7}'])
def test_what_is_no_report_departs(text):
    assert health_report.departures(health_report.report(answer(text)))
    assert health_report.flag(answer(text), "emailConfigured") is None


def test_a_date_is_judged_only_by_a_clock_that_agrees_with_the_server():
    now = datetime.now(UTC)
    dated = {"date": format_datetime(now, usegmt=True)}
    unzoned = {"date": format_datetime(now).replace("+0000", "-0000")}
    for headers in (dated, unzoned, {}, {"date": "yesterday"}):
        health_report.prove_clock(Answer(200, "application/json", "{}", headers), now, now)
    # A slow machine takes its time for the answer.
    slow = Answer(200, "application/json", "{}", dated)
    ago, later = (now + timedelta(seconds=seconds) for seconds in (-60, 60))
    health_report.prove_clock(slow, ago, later)
    for sent, came in ((ago, ago), (later, later), (later, now)):
        with pytest.raises(StackTrouble, match=r"differ by (59|6[01]) s"):
            health_report.prove_clock(slow, sent, came)
