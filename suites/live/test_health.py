"""A running instance reports its health in the documented form, and its flags are correct."""

import pytest

from drillbook.infisical import health_report
from drillbook.live.instance import SIGN_UP, untrue_flags


@pytest.mark.control("HLT-1")
def test_running_instance_reports_in_the_documented_form(instance, step):
    with step("request the health report over the public address"):
        answer = instance.public.status()
        assert answer.status == 200
        assert answer.content_type.startswith("application/json")

    with step("it has the documented fields with the documented types"):
        report = health_report.report(answer)
        assert health_report.departures(report) == []

    with step("its date is current, and its message is Ok"):
        health_report.prove_clock(answer)
        assert abs(health_report.age_s(report)) < 5
        assert report["message"] == "Ok"


@pytest.mark.control("HLT-2")
def test_flags_agree_with_what_else_can_be_seen(instance, observe, step):
    with step("read the flags, the public configuration, and the variables if the engine is given"):
        report = health_report.report(instance.public.status()) or {}
        known = instance.expected_flags()

    with step("each flag agrees with the setting it is named after"):
        untrue = untrue_flags(report, known)
        observe(WORDS.get(tuple(untrue), "flag_untrue"))
        assert untrue == []


WORDS = {(): "flags_agree", (SIGN_UP,): "signup_flag_inverted"}
