"""Runs of one seed are compared control by control, by verdict and by what was observed."""

from reports.qualification.repeat import differing
from reports.verdict.verdicts import Verdict
from tests.support import sample_run

RUN = sample_run.run()
FIRST = RUN.controls[0]


def changed(**changes):
    controls = (FIRST.model_copy(update=changes), *RUN.controls[1:])
    return RUN.model_copy(update={"controls": controls})


def test_equal_runs_differ_in_nothing():
    assert differing([RUN, RUN, changed(duration_s=99.0)]) == {}


def test_one_other_verdict_or_observation_is_told():
    other = Verdict.INCONCLUSIVE
    for stray in (changed(verdict=other), changed(observed="something else")):
        found = differing([RUN, stray, RUN])
        assert list(found) == [FIRST.id]
        assert sorted(found[FIRST.id].values()) == [1, 2]
