"""Each format is valid by its schema, keeps all six verdicts, and follows from the run alone."""

import json
import uuid

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drillbook.core.application import ROOT
from reports.evidence.context import Organisation, Schedule, Waiver
from reports.evidence.json_file import compact_text
from reports.evidence.model import Subject, gate
from reports.export import oscal
from reports.export.ctrf import render as ctrf
from reports.seal.statement import statement
from reports.seal.verify_bundle import results
from reports.session.bundle import WRITERS, render
from reports.verdict import Verdict
from tests.support import sample_run

SCHEMAS = ROOT / "tests" / "schemas"
RUN = sample_run.run()
VERDICTS = {control.id: control.verdict.value for control in RUN.controls}


def schema(name):
    return json.loads((SCHEMAS / name).read_text())


# The official schema has ECMA patterns (\p{L}) that Python's jsonschema cannot compile.
OSCAL = jsonschema_rs.validator_for(schema("oscal-assessment-results-1.2.3.json"))
CTRF = jsonschema.Draft7Validator(
    schema("ctrf-0.0.json"), format_checker=jsonschema.FormatChecker()
)


def result(run):
    return results(run.model_dump(mode="json"))["result"]


def read(make, run=RUN):
    return json.loads(compact_text(make(run)))


def read_oscal(run=RUN):
    return json.loads(oscal.render(run))


def judged(*controls, **changes):
    """The run with these controls, and the verdict and counts that follow from them."""
    verdict, code = gate(list(controls), RUN.run, RUN.redaction)
    tally = {one.value: sum(c.verdict is one for c in controls) for one in Verdict}
    tally |= {"planned": len(controls), "waived": sum(c.waived for c in controls)}
    counts = RUN.counts.model_copy(update=tally)
    update = {"controls": controls, "verdict": verdict, "exit_code": code, "counts": counts}
    return RUN.model_copy(update=update | changes)


def only(verdict, **changes):
    return judged(*(c for c in RUN.controls if c.verdict is verdict), **changes)


def changed(**changes):
    """The run with these changes of its first control, the violated one."""
    return judged(RUN.controls[0].model_copy(update=changes), *RUN.controls[1:])


@pytest.mark.parametrize("name", WRITERS)
def test_same_run_gives_same_bytes(name):
    assert render(name, sample_run.run()) == render(name, sample_run.run())


def odd_text():
    return st.one_of(st.text(max_size=30), st.sampled_from(["", " ", "\n", "\x00", "a\n\nb", "ü "]))


@settings(max_examples=60, deadline=None)
@given(odd_text(), odd_text(), odd_text())
def test_odd_words_do_not_break_a_format(title, name, message):
    control = RUN.controls[0].model_copy(update={"title": title, "observed": name, "note": message})
    facts = RUN.run.model_copy(update={"operator": name, "reason": message, "stopped": title})
    run = RUN.model_copy(update={"controls": (control,), "run": facts})
    assert OSCAL.is_valid(read_oscal(run))
    CTRF.validate(read(ctrf, run))


@pytest.mark.parametrize("verdict", list(Verdict))
def test_each_verdict_alone_is_valid_oscal(verdict):
    OSCAL.validate(read_oscal(only(verdict)))


def test_schema_refuses_incomplete_oscal():
    broken = read_oscal()
    del broken["assessment-results"]["results"][0]["observations"][0]["collected"]
    assert not OSCAL.is_valid(broken)


def result_of(run=RUN):
    return read_oscal(run)["assessment-results"]["results"][0]


def prop(item, name):
    return [one["value"] for one in item["props"] if one["name"] == name]


def test_oscal_observes_all_and_finds_only_what_was_judged():
    found = result_of()
    seen = {one["title"].split()[0]: prop(one, "verdict")[0] for one in found["observations"]}
    assert seen == VERDICTS
    states = {one["target"]["target-id"]: one["target"]["status"] for one in found["findings"]}
    assert states == {
        "key-3_obj": {"state": "not-satisfied", "reason": "fail"},
        "key-5_obj": {"state": "satisfied", "reason": "pass"},
        "dbp-1_obj": {"state": "not-satisfied", "reason": "fail"},
    }
    assert [one["title"].split()[0] for one in found["risks"]] == ["KEY-3", "DBP-1"]


def test_oscal_references_lead_to_something():
    text = oscal.render(RUN)
    record = read_oscal()["assessment-results"]
    defined = [key["uuid"] for key in walked(record) if "uuid" in key]
    assert len(defined) == len(set(defined))
    assert {uuid.UUID(one).version for one in defined} == {5}
    for key in ("observation-uuid", "risk-uuid", "subject-uuid", "actor-uuid"):
        pointed = {item[key] for item in walked(record) if key in item}
        assert pointed, key
        assert pointed <= set(defined)
    hrefs = {item["href"][1:] for item in walked(record) if item.get("href", "").startswith("#")}
    assert hrefs <= set(defined)
    assert text.count('"oscal-version": "1.1.2"') == 1


def walked(value):
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from walked(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walked(inner)


def test_oscal_objectives_stand_under_their_control_and_are_all_defined():
    record = read_oscal()["assessment-results"]
    local = record["local-definitions"]["objectives-and-methods"]
    assert {one["control-id"] for one in local} == {"sc-12"}
    defined = {one["parts"][0]["id"] for one in local}
    assert {one["target"]["target-id"] for one in record["results"][0]["findings"]} <= defined


def test_oscal_reviews_only_what_ran():
    nothing = result_of(only(Verdict.NOT_RUN))["reviewed-controls"]["control-selections"]
    assert nothing[0]["description"] == "Planned and not reviewed: nothing of these ran."
    selected = result_of()["reviewed-controls"]["control-selections"]
    assert selected == [{"include-controls": [{"control-id": "cp-10"}, {"control-id": "sc-12"}]}]


def test_what_was_declared_goes_into_oscal():
    waiver = Waiver(
        control="KEY-3", reason="known", owner="Ada", approved_by="Grace", expires="2027-01-01"
    )
    run = changed(waived=True, waiver=waiver).model_copy(
        update={
            "organisation": Organisation(name="ACME"),
            "schedule": Schedule(next_due="2027-02-24"),
        }
    )
    OSCAL.validate(read_oscal(run))
    found = result_of(run)
    assert [one["status"] for one in found["risks"]] == ["deviation-approved", "open"]
    assert found["observations"][0]["expires"].startswith("2027-02-24")
    assert "not-satisfied" in str(found["findings"][0]), "a waiver does not hide a verdict"


def test_ctrf_is_valid_and_keeps_all_verdicts():
    record = read(ctrf)
    CTRF.validate(record)
    tests = {test["testId"]: test for test in record["results"]["tests"]}
    assert {name: test["rawStatus"] for name, test in tests.items()} == VERDICTS
    assert [tests[name]["status"] for name in VERDICTS] == [
        "failed", "passed", "skipped", "other", "other", "skipped",
    ]  # fmt: skip
    summary = record["results"]["summary"]
    counted = sum(summary[n] for n in ("passed", "failed", "skipped", "pending", "other"))
    assert counted == summary["tests"] == len(VERDICTS)


def test_ctrf_fails_a_contradicted_claim_only_in_a_strict_run():
    strict = RUN.model_copy(update={"run": RUN.run.model_copy(update={"strict_claims": True})})
    assert read(ctrf, strict)["results"]["summary"]["failed"] == 2
    assert read(ctrf)["results"]["summary"]["failed"] == 1


def test_statement_says_passed_only_of_a_deployment_in_which_all_held():
    held = only(Verdict.SATISFIED)
    assert result(held) == "PASSED"
    assert result(held.model_copy(update={"subject": Subject(grade="rehearsal")})) == "WARNED"
    assert result(held.model_copy(update={"counts": RUN.counts})) == "WARNED"
    waived = held.counts.model_copy(update={"waived": 1})
    assert result(held.model_copy(update={"counts": waived})) == "WARNED"
    for code in (1, 2, 3):
        assert result(held.model_copy(update={"exit_code": code})) == "FAILED"


def test_statement_names_every_control_once():
    record = json.loads(statement(RUN, {"evidence.json": "ab" * 32}))
    predicate = record["predicate"]
    named = [predicate[kind] for kind in ("passedTests", "warnedTests", "failedTests")]
    assert named == [["KEY-5"], ["DBP-1", "DEP-2"], ["KEY-3", "DBP-2"]]
    assert [one["name"] for one in record["subject"]] == ["evidence.json"]
    assert all({"uri", "digest", "content"} & one.keys() for one in predicate["configuration"])
