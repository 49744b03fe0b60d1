"""What happens in a spec becomes the verdict of its control, and the gate becomes the exit code."""

import json
from itertools import starmap

import pytest

from tests.support.bundles import newest
from tests.support.own_suite import PLUGIN, control_table, make_suite

pytestmark = pytest.mark.slow

CATALOGUE = (
    ("KEY-1", "safety", "critical"),
    ("KEY-2", "claim", "major"),
    ("KEY-3", "safety", "minor"),
)
HELPERS = """
class Unsupported(Exception): verdict = "not_run"
class NotHere(Exception): verdict = "not_applicable"
def trips(): assert 1 == 2, "inside the harness"
def unsupported(): raise Unsupported("this driver has no engine")
def not_here(): raise NotHere("no such route")
"""
HEAD = """
import pytest, helpers
from hypothesis import Phase, given, settings, strategies as st

@settings(phases=tuple(Phase))
@given(st.integers())
def two_bugs(number):
    if number > 100:
        raise ValueError("one bug")
    assert number < 10
"""
FIXTURES = """
@pytest.fixture
def broken_before(): assert False, "in set-up"
@pytest.fixture
def broken_after():
    yield
    assert False, "in tear-down"
"""


@pytest.fixture
def drill(pytester):
    """Run specs under a small catalogue; gives the exit code and the evidence by control."""
    make_suite(pytester.path, *starmap(control_table, CATALOGUE))
    pytester.path.joinpath("helpers.py").write_text(HELPERS)
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\npythonpath = ["."]\n')

    def run(*specs, arguments=()):
        path = pytester.path / "suites" / "test_specs.py"
        path.write_text(HEAD + FIXTURES + "\n".join(specs))
        plugins = (*PLUGIN, "-p", "no:randomly", "-p", "no:anyio")
        asked = ("--evidence", "--only-evidence", *arguments, "suites")
        result = pytester.runpytest_inprocess(*plugins, *asked)
        return result, evidence(pytester)

    return run


def evidence(pytester):
    path = newest(pytester.path / "reports" / "runs") / "evidence.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    return record | {control["id"]: control for control in record["controls"]}


def spec(*controls, body="assert True", asks="", name=None):
    name = name or f"test_{'_'.join(controls).replace('-', '_').lower()}"
    marks = ", ".join(repr(control) for control in controls)
    return f"@pytest.mark.control({marks})\ndef {name}({asks}):\n    {body}\n"


ALL = [spec("KEY-1"), spec("KEY-2"), spec("KEY-3")]
BODIES = {
    "assert 1 == 2": "violated",
    "with pytest.raises(ValueError): pass": "violated",
    "with pytest.raises(ValueError, match='a'): raise ValueError('b')": "violated",
    "pytest.fail('seen')": "violated",
    "given(st.integers())(lambda n: helpers.trips())()": "inconclusive",
    "two_bugs()": "violated",
    "raise ExceptionGroup('several', [ValueError('a'), ValueError('b')])": "inconclusive",
    "raise ValueError('no idea')": "inconclusive",
    "helpers.trips()": "inconclusive",
    "__import__('time').sleep(3)": "inconclusive",
    "pytest.xfail('excuse')": "inconclusive",
    "pytest.skip('no engine')": "not_run",
    "helpers.unsupported()": "not_run",
    "helpers.not_here()": "not_applicable",
    "assert True": "satisfied",
}


@pytest.mark.parametrize(("body", "verdict"), BODIES.items(), ids=range(len(BODIES)))
def test_body_of_a_spec_decides(drill, body, verdict):
    arguments = ["--timeout=1"] if "sleep" in body else []
    _, seen = drill(spec("KEY-1", body=body), spec("KEY-2", body=body), arguments=arguments)
    assert seen["KEY-1"]["verdict"] == verdict
    assert seen["KEY-2"]["verdict"] == ("contradicted" if verdict == "violated" else verdict)


@pytest.mark.parametrize("fixture", ["broken_before", "broken_after"])
def test_assertion_around_a_spec_says_nothing_about_its_control(drill, fixture):
    _, seen = drill(spec("KEY-1", asks=fixture))
    assert seen["KEY-1"]["verdict"] == "inconclusive"
    assert "AssertionError: in " in seen["KEY-1"]["specs"][0]["message"]


def test_violation_outlives_a_failed_tear_down(drill):
    _, seen = drill(spec("KEY-1", asks="broken_after", body="assert not 'seen'"))
    assert seen["KEY-1"]["verdict"] == "violated"


def test_excuse_by_mark_hides_nothing(drill):
    _, seen = drill("@pytest.mark.xfail\n" + spec("KEY-1", body="assert 0"))
    assert seen["KEY-1"]["verdict"] == "violated"


@pytest.mark.parametrize(
    ("second", "verdict"),
    [("assert True", "satisfied"), ("pytest.skip('x')", "not_run"), ("1/0", "inconclusive")],
)
def test_control_takes_the_worst_of_its_specs(drill, second, verdict):
    _, seen = drill(spec("KEY-1"), spec("KEY-1", name="test_b", body=second))
    assert seen["KEY-1"]["verdict"] == verdict


def test_spec_of_several_controls_is_judged_by_the_nature_of_each(drill):
    _, seen = drill(spec("KEY-1", "KEY-2", body="assert 0"))
    assert (seen["KEY-1"]["verdict"], seen["KEY-2"]["verdict"]) == ("violated", "contradicted")


@pytest.mark.parametrize(
    ("specs", "arguments", "code", "verdict"),
    [
        (ALL, [], 0, "satisfied"),
        ([*ALL, spec("KEY-2", name="test_b", body="assert 0")], [], 0, "satisfied"),
        ([*ALL, spec("KEY-3", name="test_b", body="assert 0")], [], 0, "satisfied"),
        ([*ALL, spec("KEY-1", name="test_b", body="assert 0")], [], 1, "violated"),
        ([*ALL, spec("KEY-1", name="test_b", body="1/0")], [], 2, "inconclusive"),
        (ALL[1:], [], 2, "not_run"),
        ([], [], 2, "not_run"),
        (ALL[:1], ["--strict-claims"], 2, "not_run"),
        (ALL, ["--strict-claims"], 0, "satisfied"),
        ([spec("KEY-1"), spec("KEY-2", body="assert 0")], ["--strict-claims"], 1, "contradicted"),
        (ALL, ["--controls=KEY-3"], 2, "not_run"),
        (ALL, ["--controls=key-1, KEY-[23]"], 0, "satisfied"),
        (ALL, ["-k", "key_2"], 2, "not_run"),
        (["import nowhere", *ALL], [], 2, "not_run"),
        (ALL[:1], ["--strict-claims", "--one-question"], 0, "satisfied"),
        (ALL, ["--one-question", "--controls=KEY-3"], 2, "not_run"),
        (ALL, ["--own-question", "--controls=KEY-1"], 0, "satisfied"),
        (ALL[1:], ["--own-question", "--controls=KEY-[13]"], 2, "not_run"),
        (ALL, ["--own-question", "--controls=KEY-3", "-k", "key_2"], 2, "not_run"),
        (["import nowhere", *ALL[1:]], ["--one-question"], 2, "not_run"),
    ],
)
def test_exit_code_follows_the_gate(drill, specs, arguments, code, verdict):
    result, seen = drill(*specs, arguments=arguments)
    assert (result.ret, seen["exit_code"], seen["verdict"]) == (code, code, verdict)


def test_what_was_not_asked_is_not_run_and_gates_nothing(drill):
    _, seen = drill(*ALL[:1], arguments=["--one-question"])
    assert seen["run"]["asked"] == ["KEY-1"]
    assert (seen["KEY-2"]["verdict"], seen["KEY-2"]["gating"]) == ("not_run", False)
    assert seen["KEY-2"]["note"] == "outside the question that this run asks"


def test_a_selection_that_is_the_question_leaves_the_rest_unasked(drill):
    _, seen = drill(*ALL, arguments=["--own-question", "--controls=KEY-3"])
    assert seen["run"]["asked"] == ["KEY-3"]
    assert seen["KEY-2"]["note"] == "outside the question that this run asks"
    assert (seen["KEY-1"]["verdict"], seen["KEY-1"]["gating"]) == ("not_run", False)


def test_what_was_left_out_is_counted_and_named(drill):
    _, seen = drill(*ALL, arguments=["--controls=KEY-1"])
    assert (seen["counts"]["planned"], seen["counts"]["executed"]) == (3, 1)
    assert seen["KEY-2"]["specs"][0]["message"] == "left out by a filter"
    assert seen["run"]["selection"] == ["KEY-1"]


def test_observation_of_a_false_claim_becomes_a_correction(drill):
    body = "observe('seen'); assert 0"
    _, seen = drill(spec("KEY-2", asks="observe", body=body))
    assert seen["KEY-2"]["observed"] == "seen"
    assert seen["KEY-2"]["correction"] == "KEY-2 should say this."


def test_unknown_observation_is_no_observation(drill):
    _, seen = drill(spec("KEY-2", asks="observe", body="observe('sen')"))
    assert seen["KEY-2"]["verdict"] == "inconclusive"
    assert "did you mean seen?" in seen["KEY-2"]["specs"][0]["message"]


def test_steps_are_evidence_without_a_run_they_do_nothing(drill, pytester):
    body = "\n    ".join(["with step('ask'):", "    record.note('answered')", "assert True"])
    _, seen = drill(spec("KEY-1", asks="step, record", body=body))
    step = seen["KEY-1"]["specs"][0]["steps"][0]
    assert (step["title"], step["notes"], step["verdict"]) == ("ask", ["answered"], "satisfied")
    plain = pytester.runpytest_inprocess("-p", "reports.session.plugin", "suites")
    plain.assert_outcomes(passed=1)
    assert len(list(pytester.path.glob("reports/runs/*Z-*"))) == 1
