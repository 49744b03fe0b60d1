"""Earlier runs are read from their evidence; seals tell what was changed."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest

from reports.evidence.model import BackupFile, Holdings
from reports.history.overview import describe
from reports.history.overview import render as render_page
from reports.history.runs import (
    Facts,
    History,
    Past,
    last_good_drill,
    load_history,
    past_of,
)
from reports.session.bundle import render
from reports.verdict import Verdict
from tests.support import sample_run
from tests.support.bundles import latest, sealed


def ended(runs, name, days=0, **changes):
    """The sample run under another name, as it lies in its folder."""
    made = sample_run.run(**changes)
    finished = made.run.finished + timedelta(days=days)
    facts = made.run.model_copy(update={"id": name, "finished": finished})
    made = made.model_copy(update={"run": facts})
    (runs / name).mkdir(parents=True)
    (runs / name / "evidence.json").write_bytes(render("evidence.json", made))


@pytest.fixture
def chain(tmp_path):
    """Two sealed runs, of which the second follows the first; neither has a key."""
    for name in ("one", "two"):
        of = sample_run.run().run.model_copy(update={"id": name})
        latest(tmp_path, sealed(tmp_path, name=name, run=of))
    assert load_history(tmp_path).troubles == ()
    return tmp_path


def test_a_run_that_ended_early_is_not_shown_as_satisfied():
    stopped = sample_run.run().run.model_copy(update={"stopped": "no disk"})
    made = past_of(sample_run.run(run=stopped, verdict=Verdict.NOT_RUN, exit_code=3)).facts
    passed = Facts(verdict=Verdict.SATISFIED, exit_code=3, ended_early=True)
    for facts in (made, passed):
        assert (facts.words, facts.shown) == ("ended early", Verdict.NOT_RUN)
    failed = Facts(verdict=Verdict.VIOLATED, exit_code=3, ended_early=True)
    assert (failed.words, failed.shown) == ("violated", Verdict.VIOLATED)
    past = Past("run-1", datetime(2026, 11, 24, tzinfo=UTC), "deployment", passed)
    page = render_page(History((past,), ()), "runs", datetime(2026, 11, 24, tzinfo=UTC).date())
    assert '<span class="pill not_run">ended early</span>' in page
    lines = [*describe(History((past,), ()), datetime(2026, 11, 24, tzinfo=UTC).date())]
    assert [one.style for one in lines if "ended early" in one.text] == [("yellow",)]


def test_evidence_that_was_changed_after_it_was_sealed_is_told_and_read_as_it_is(chain):
    path = chain / "two" / "evidence.json"
    path.write_text(path.read_text().replace(': "violated"', ': "satisfied"'))
    found = load_history(chain)
    said = "run two: its evidence.json and its MANIFEST.json differ: one was changed since"
    assert found.troubles == (said,)
    assert [one.intact for one in found.runs if one.id == "two"] == [False]
    assert all("KEY-3" in one.satisfied for one in found.runs if one.id == "two")


def test_a_run_that_was_sealed_anew_is_no_longer_the_one_that_the_next_follows(chain):
    shutil.rmtree(chain / "one")
    of = sample_run.run().run.model_copy(update={"id": "one", "reason": "another"})
    sealed(chain, name="one", run=of)
    said = "run one: its MANIFEST.json is not the one that run two follows"
    assert load_history(chain).troubles == (said,)
    (chain / "one" / "MANIFEST.json").unlink()
    assert load_history(chain).troubles == (said,)
    shutil.rmtree(chain / "one")
    assert load_history(chain).troubles == ()


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{" * 9000])
def test_a_broken_manifest_is_told(chain, content):
    (chain / "two" / "MANIFEST.json").write_bytes(content)
    assert [one.partition(":")[0] for one in load_history(chain).troubles] == ["run two"]


def drilled(day, instance="one", opened=True, lost="satisfied", **changes):
    """A drill of a day, of which the backup's counts are recorded."""
    holds = Holdings(rows={"secrets_v2": day}, projects={}, bytes=1)
    backup = BackupFile(name="b.sql", sha256="ab", bytes=1, instance=instance, holds=holds)
    verdicts = {"DRL-1": "satisfied" if opened else "violated", "DRL-5": lost}
    facts = Facts(verdicts=verdicts, mutant=changes.pop("mutant", None))
    at = datetime(2026, 10, day, tzinfo=UTC)
    return Past(f"{day}", at, "deployment", facts, **({"backup": backup} | changes))


def test_a_drill_is_compared_with_the_last_good_one():
    others = [
        drilled(3, instance="two"),
        drilled(4, opened=False),
        drilled(5, lost="violated"),
        drilled(6, intact=False),
        drilled(7, mutant="DrillsAnEmptiedBackup"),
        drilled(8, backup=None),
    ]
    past = History((drilled(1, lost="not_applicable"), drilled(2), *others), ())
    assert last_good_drill(past, "one").id == "2"
    assert last_good_drill(past, "two").id == "3"
    assert last_good_drill(past, "three") is None
    assert last_good_drill(History((), ()), None) is None
