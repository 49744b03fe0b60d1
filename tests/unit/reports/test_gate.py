"""Verdicts have one order, the worst wins, and only gating controls decide the exit code."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.verdict import (
    FAILED,
    PASSED,
    UNDECIDED,
    UNUSABLE,
    Verdict,
    exit_code,
    gates,
    overall,
    worst,
)

ORDER = ["not_applicable", "satisfied", "not_run", "contradicted", "inconclusive", "violated"]
verdicts = st.lists(st.sampled_from(Verdict))


def test_order_is_the_documented_one():
    assert [verdict.value for verdict in sorted(Verdict)] == ORDER
    assert all(a < b and b >= a for a, b in itertools.combinations(sorted(Verdict), 2))
    assert not any(verdict < verdict for verdict in Verdict)
    assert Verdict.NOT_RUN.words == "not run"


def test_exit_codes_are_the_documented_ones():
    assert (PASSED, FAILED, UNDECIDED, UNUSABLE) == (0, 1, 2, 3)


def test_of_nothing_nothing_is_known():
    assert worst([]) is Verdict.NOT_RUN
    assert exit_code(overall([])) == 2


@given(verdicts.filter(bool))
def test_worst_is_one_of_them_and_bounds_all(given_verdicts):
    assert worst(given_verdicts) in given_verdicts
    assert all(verdict <= worst(given_verdicts) for verdict in given_verdicts)


@given(verdicts.filter(bool))
def test_a_run_passes_only_if_everything_held(given_verdicts):
    held = set(given_verdicts) <= {Verdict.SATISFIED, Verdict.NOT_APPLICABLE}
    assert (exit_code(overall(given_verdicts)) == 0) == held


@given(verdicts)
def test_a_failure_is_never_hidden_by_what_could_not_be_told(given_verdicts):
    assert exit_code(overall([*given_verdicts, Verdict.VIOLATED])) == 1
    assert exit_code(overall([*given_verdicts, Verdict.CONTRADICTED])) == 1


@pytest.mark.parametrize("verdict", [Verdict.INCONCLUSIVE, Verdict.NOT_RUN])
def test_what_could_not_be_told_is_not_a_pass(verdict):
    assert exit_code(overall([Verdict.SATISFIED, verdict])) == 2


def test_only_a_claim_can_be_contradicted():
    assert Verdict.VIOLATED.of("claim") is Verdict.CONTRADICTED
    assert all(verdict.of("safety") is verdict for verdict in Verdict)
    others = set(Verdict) - {Verdict.VIOLATED}
    assert all(verdict.of("claim") is verdict for verdict in others)


@pytest.mark.parametrize(
    ("nature", "severity", "ordinary", "strict"),
    [
        ("safety", "critical", True, True),
        ("safety", "major", True, True),
        ("safety", "minor", False, False),
        ("safety", "info", False, False),
        ("claim", "critical", False, True),
        ("claim", "info", False, True),
    ],
)
def test_what_gates(nature, severity, ordinary, strict):
    assert gates(nature, severity) is ordinary
    assert gates(nature, severity, strict=True) is strict
