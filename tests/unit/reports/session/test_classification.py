"""What was raised, and where, decides what a spec has found; nothing is excused by accident."""

from types import SimpleNamespace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from drillbook.core.errors import StackTrouble
from drillbook.infisical.http import Broken, Unreachable
from fixtures.deployment import judged_answers
from reports.session.judging import judge, stated_verdict
from reports.verdict import Verdict

SPEC = "suites/keys/test_spec.py"


class Unsupported(Exception):
    """As a driver says that it lacks something."""

    verdict = "not_run"


class OfADriver(Unsupported):
    """A kind of it."""


class Stated(Exception):
    """Brings a verdict along."""

    def __init__(self, verdict, *said):
        super().__init__(*said)
        self.verdict = verdict


class Flaky(ExceptionGroup):
    """As Hypothesis calls an example that failed once and then did not."""


@pytest.fixture
def place(tmp_path):
    """Code run as if it stood in a repository, and the spec that is judged."""

    def run(source, file=SPEC, line=7, **names):
        exec(compile("\n" * (line - 1) + source, str(tmp_path / file), "exec"), names)
        return names

    def raised(source, **how):
        with pytest.raises(BaseException) as caught:  # noqa: PT011
            run(source, pytest=pytest, **how)
        return caught.value

    def item(file=SPEC):
        config = SimpleNamespace(rootpath=tmp_path)
        return SimpleNamespace(path=tmp_path / file, nodeid=f"{file}::test_one", config=config)

    return SimpleNamespace(run=run, raised=raised, item=item)


def verdict(place, raised, file=SPEC):
    return judge(place.item(file), "call", raised)[0]


def test_spec_that_went_well_is_satisfied_and_what_is_around_it_says_nothing(place):
    assert judge(place.item(), "call", None) == (Verdict.SATISFIED, None)
    assert judge(place.item(), "setup", None) == (None, None)
    assert judge(place.item(), "teardown", None) == (None, None)


def test_assertion_of_a_spec_is_a_finding_with_its_line(place):
    told = judge(place.item(), "call", place.raised("assert 0, 'nothing is served'"))
    said = f"AssertionError: nothing is served\n(at {SPEC}:7)"
    assert told == (Verdict.VIOLATED, said)


def test_assertion_that_was_spelled_out_is_told_without_the_name_of_its_kind(place):
    told = judge(place.item(), "call", place.raised("raise AssertionError('assert 1 == 2')"))
    assert told == (Verdict.VIOLATED, f"assert 1 == 2\n(at {SPEC}:7)")


@pytest.mark.parametrize(("when", "phase"), [("setup", "set-up"), ("teardown", "tear-down")])
def test_assertion_around_a_spec_is_no_finding(place, when, phase):
    told = judge(place.item(), when, place.raised("assert 0, 'seen'"))
    said = f"{phase} failed: AssertionError: seen\n(at {SPEC}:7)"
    assert told == (Verdict.INCONCLUSIVE, said)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("suites/helpers.py", Verdict.VIOLATED),
        ("suites/keys/deep/er.py", Verdict.VIOLATED),
        ("drillbook/stack/base.py", Verdict.INCONCLUSIVE),
        ("suites2/helpers.py", Verdict.INCONCLUSIVE),
    ],
)
def test_assertion_counts_where_it_stands_and_is_told_where_the_spec_met_it(place, file, expected):
    helper = place.run("def trips():\n    assert 0, 'inside'", file=file, line=40)["trips"]
    told = judge(place.item(), "call", place.raised("trips()", trips=helper))
    assert told == (expected, f"AssertionError: inside\n(at {SPEC}:7)")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Broken('GET /api/v4/secrets', 500, 'went wrong')", Verdict.VIOLATED),
        ("KeyError('secrets')", Verdict.VIOLATED),
        ("Unreachable('GET /api/v4/secrets: refused')", Verdict.INCONCLUSIVE),
    ],
)
def test_a_wrong_answer_of_a_running_instance_is_a_finding_wherever_it_is_read(
    place, answer, expected
):
    source = f"with judged_answers():\n    raise {answer}"
    raised = place.raised(
        source,
        file="fixtures/reader.py",
        judged_answers=judged_answers,
        Broken=Broken,
        Unreachable=Unreachable,
    )
    assert verdict(place, raised) is expected
    assert judge(place.item(), "setup", raised)[0] is Verdict.INCONCLUSIVE


def test_spec_outside_any_folder_speaks_for_itself_alone(place):
    raised = place.raised("assert 0", file="test_alone.py")
    assert verdict(place, raised, "test_alone.py") is Verdict.VIOLATED
    raised = place.raised("assert 0", file="helpers.py")
    assert verdict(place, raised, "test_alone.py") is Verdict.INCONCLUSIVE


def test_exception_that_no_line_of_the_spec_met_is_told_by_the_name_of_the_spec(place):
    told = judge(place.item(), "call", place.raised("1/0", file="fixtures/x.py"))
    assert told[1] == f"ZeroDivisionError: division by zero\n(at {SPEC}::test_one)"


@pytest.mark.parametrize(
    "source",
    ["pytest.fail('seen')", "with pytest.raises(ValueError): pass", "one()"],
)
def test_assertion_through_the_tools_of_tests_is_the_specs(place, source):
    def number(value):
        place.run("assert value < 10", value=value)

    once = settings(phases=(Phase.generate,), database=None)
    drawn = once(given(st.integers(20, 30))(number))
    assert verdict(place, place.raised(source, one=drawn)) is Verdict.VIOLATED


@pytest.mark.parametrize("source", ["pytest.xfail('excuse')", "1/0", "raise KeyboardInterrupt"])
def test_excuses_and_accidents_are_no_finding(place, source):
    assert verdict(place, place.raised(source)) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (Unsupported("no engine"), Verdict.NOT_RUN),
        (OfADriver("no engine"), Verdict.NOT_RUN),
        (Stated("not_run", "no engine"), Verdict.NOT_RUN),
        (Stated("not_applicable", "no engine"), Verdict.NOT_APPLICABLE),
        (pytest.skip.Exception("no engine"), Verdict.NOT_RUN),
    ],
)
@pytest.mark.parametrize("when", ["setup", "call", "teardown"])
def test_exception_that_brings_a_verdict_is_believed_in_every_phase(place, said, expected, when):
    assert stated_verdict(said) is expected
    assert judge(place.item(), when, said) == (expected, "no engine")


def test_exception_that_says_nothing_is_told_by_its_kind(place):
    assert judge(place.item(), "call", OfADriver()) == (Verdict.NOT_RUN, "OfADriver")


@pytest.mark.parametrize("claimed", ["satisfied", "violated", "", None])
def test_exception_cannot_state_what_only_a_judge_finds(place, claimed):
    raised = place.raised("raise one", one=Stated(claimed, "x"))
    assert stated_verdict(raised) is None
    assert verdict(place, raised) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("group", "others", "expected"),
    [
        (ExceptionGroup, [ValueError()], Verdict.VIOLATED),
        (BaseExceptionGroup, [KeyboardInterrupt()], Verdict.VIOLATED),
        (Flaky, [], Verdict.INCONCLUSIVE),
    ],
)
def test_group_is_its_worst_and_a_flaky_one_is_not_believed(place, group, others, expected):
    found = place.raised("assert 0")

    def judged(kind, *exceptions):
        return verdict(place, place.raised("raise one", one=kind("several", exceptions)))

    assert judged(group, *others, found) is expected
    inner = ExceptionGroup("inner", [found])
    assert judged(ExceptionGroup, ValueError(), inner) is Verdict.VIOLATED
    assert judged(ExceptionGroup, ValueError()) is Verdict.INCONCLUSIVE


def test_what_was_added_to_an_exception_is_told_once(place):
    raised = place.raised("raise ValueError('first')")
    raised.add_note("second")
    raised.add_note("third")
    said = f"ValueError: first\nsecond\nthird\n(at {SPEC}:7)"
    assert judge(place.item(), "call", raised)[1] == said


def test_options_of_a_tool_are_not_told(place):
    raised = place.raised("raise AssertionError('one\\n  Use -v to get more diff\\ntwo')")
    assert judge(place.item(), "call", raised)[1] == f"AssertionError: one\ntwo\n(at {SPEC}:7)"


def test_message_of_our_own_errors_is_their_sentence(place):
    raised = place.raised("raise one", one=StackTrouble("the backend did not start"))
    told = judge(place.item(), "call", raised)
    assert told == (Verdict.INCONCLUSIVE, f"the backend did not start\n(at {SPEC}:7)")


@pytest.mark.parametrize(("length", "told"), [(2000, "x" * 1988), (2001, "x" * 1988 + " ...")])
def test_message_is_told_up_to_two_thousand_letters(place, length, told):
    raised = place.raised(f"raise ValueError('{'x' * (length - len('ValueError: '))}')")
    assert judge(place.item(), "call", raised)[1] == f"ValueError: {told}\n(at {SPEC}:7)"


def test_a_secret_at_the_cut_of_a_long_message_is_redacted_whole(place):
    secret = "correct-horse-battery"
    raised = place.raised(f"raise ValueError('x' * {2000 - 22} + {secret!r} + 'y' * 99)")
    _, message = judge(place.item(), "call", raised, lambda text: text.replace(secret, "[secret]"))
    assert "correct" not in message
    assert "[secre" in message
