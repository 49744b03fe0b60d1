"""The health report has its documented form, and its flags are correct."""

from datetime import UTC, datetime

import pytest

from drillbook.infisical import health_report
from fixtures.faults.temporary_faults import outage
from fixtures.probes import observations


@pytest.mark.control("HLT-1")
@pytest.mark.golden("shared")
def test_report_has_its_documented_form(deployment, step):
    with step("ask for the health report"):
        sent = datetime.now(UTC)
        answer = deployment.public.status()
        came = datetime.now(UTC)
        assert answer.status == 200
        assert answer.content_type.startswith("application/json")
        health_report.prove_clock(answer, sent, came)

    with step("it has the documented fields with the documented types"):
        report = health_report.report(answer)
        assert health_report.departures(report) == []

    with step("its date is current, and its message is Ok"):
        assert health_report.age_s(report, sent) < 5
        assert health_report.age_s(report, came) > -5
        assert report["message"] == "Ok"

    with step("requests for it write nothing to the database"):
        written = observations.count_writes_of_health(deployment, calls=20)
        # Background work of the instance may write as well.
        assert written < 10

    with step("asked again its date is later"):
        again = deployment.public.status()
        # The clock may have been put back since.
        health_report.prove_clock(again, came, datetime.now(UTC))
        later = health_report.report(again)
        assert health_report.age_s(later) < health_report.age_s(report) + 1
        assert later["date"] > report["date"]


@pytest.mark.control("HLT-1")
@pytest.mark.timeout(900)
def test_good_report_keeps_its_form_in_an_outage(deployment, step):
    departs = []
    for service in ("db", "redis"):
        with step(f"stop {service}, and ask for the health report until it turns bad, or longer"):
            with outage(deployment.stack, service):
                departs += observations.find_departing_reports(deployment)
            assert observations.reads_again(deployment)

    with step("reports came, and each with status 200 had its documented form"):
        assert departs == []


@pytest.mark.control("HLT-2")
@pytest.mark.golden("stopped")
def test_mail_and_cache_flags_follow_the_configuration(deployment, procedures, observe, step):
    with step("without a mail server the report says so; the cache is configured"):
        # Other settings of mails do not configure a mail server.
        others = {"SMTP_PORT": "9", "SMTP_FROM_ADDRESS": "a@example.com"}
        assert deployment.change(SMTP_HOST=None, **others).serves
        without = procedures.health(deployment.public.status)

    with step("with a mail server in the settings the report says so"):
        assert deployment.change(SMTP_HOST="127.0.0.1", **others).serves
        configured = procedures.health(deployment.public.status)

    with step("each flag followed"):
        flags = tuple(health_report.flag(one, "emailConfigured") for one in (without, configured))
        if flags != (False, True):
            observe("flags_constant")
        assert flags == (False, True)
        assert health_report.flag(configured, "redisConfigured") is True
        assert health_report.flag(configured, "secretScanningConfigured") is False
        observe("flags_true")


@pytest.mark.control("HLT-2")
def test_sign_up_flag_follows_the_setting(deployment, procedures, observe, step):
    with step("close sign-up, then open it, and read the flag each time"):
        deployment.owner.allow_sign_up(False)
        ask = deployment.public.status
        closed = health_report.flag(procedures.health(ask), "inviteOnlySignup")
        deployment.owner.allow_sign_up(True)
        opened = health_report.flag(procedures.health(ask), "inviteOnlySignup")

    with step("by invitation only is true exactly while sign-up is closed"):
        inverted = (closed, opened) == (False, True)
        observe("signup_flag_inverted" if inverted else "flags_true")
        assert (closed, opened) == (True, False)
