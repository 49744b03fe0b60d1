"""A disturbed run leaves nothing behind, harms no one, and never passes wrongly.

`make chaos` does so at more moments.
"""

import pytest

from reports.verdict import Verdict
from tests.support import aftermath, disturbances, sample_run
from tests.support.chaos import tried

pytestmark = pytest.mark.slow

SEED = 11
KINDS = ("run", "interrupt", "database", "worker", "disk")


@pytest.mark.timeout(1800)
def test_a_run_that_something_happens_to_leaves_nothing_and_says_nothing_untrue():
    specs = ("keys/test_wrong_key.py", "health/test_status.py")
    found = list(tried(len(KINDS), SEED, KINDS, tell=lambda _: None, specs=specs))
    here = [kind for kind in KINDS if not disturbances.absent(kind)]
    assert {one.moment.kind for one in found} == set(here)
    assert [f"{one.moment}: {words}" for one in found for words in one.wrong] == []
    assert sum(one.struck for one in found) > len(found) / 2


def test_the_seed_decides_what_happens_when():
    assert disturbances.moments(30, 7) == disturbances.moments(30, 7) != disturbances.moments(30, 8)
    assert {one.kind for one in disturbances.moments(8, 1)} == set(disturbances.KINDS)
    assert all(0 <= one.at < 1 for one in disturbances.moments(30, 7))


def satisfied(control="KEY-4"):
    """A record, a satisfied control of it with this id, and the other controls."""
    run = sample_run.run()
    first = next(one for one in run.controls if one.verdict is Verdict.SATISFIED)
    others = tuple(one for one in run.controls if one is not first)
    return run, first.model_copy(update={"id": control}), others


def test_a_bug_that_was_passed_over_is_an_untruth():
    run, control, others = satisfied()
    run = run.model_copy(update={"controls": (control, *others)})
    assert "OverwritesRootKey" in "".join(aftermath.untruths(run, 1, "OverwritesRootKey"))
    assert "it passed with" in "".join(aftermath.untruths(None, 0, "OverwritesRootKey"))
    assert "left no evidence" in "".join(aftermath.untruths(None, 0, None))
    assert list(aftermath.untruths(None, -9, "OverwritesRootKey")) == []


def test_a_spec_that_did_not_end_satisfies_nothing():
    run, control, others = satisfied()
    broken = control.specs[0].model_copy(update={"verdict": Verdict.NOT_RUN})
    control = control.model_copy(update={"specs": (broken, *control.specs[1:])})
    run = run.model_copy(update={"controls": (control, *others)})
    assert "a spec of it did not end" in "".join(aftermath.untruths(run, 1, None))


def test_what_nobody_else_sees_is_no_truth():
    run, control, others = satisfied()
    changed = control.model_copy(update={"verdict": Verdict.CONTRADICTED})
    healthy = run.model_copy(update={"controls": (changed, *others)})
    run = run.model_copy(update={"controls": (control, *others)})
    assert "is not where nothing happens" in "".join(aftermath.untruths(run, 1, None, healthy))
    assert "is not where nothing" not in "".join(aftermath.untruths(run, 1, None, run))
    told = "".join(aftermath.untruths(run, 1, "OverwritesRootKey", healthy))
    assert "is not where nothing happens" not in told


def test_a_torn_record_is_told(tmp_path):
    (tmp_path / "latest").mkdir()
    assert aftermath.evidence(tmp_path) is None
    (tmp_path / "latest" / "evidence.json").write_text('{"schema": ')
    with pytest.raises(ValueError, match="Expecting value"):
        aftermath.evidence(tmp_path)


def test_harm_to_a_bystander_is_told(tmp_path):
    others = aftermath.Bystanders(tmp_path)
    try:
        assert others.harmed() == []
        (tmp_path / "mine" / "x").unlink()
        assert others.harmed() == [str(tmp_path / "mine" / "x")]
    finally:
        others.close()
