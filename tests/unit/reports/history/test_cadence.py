"""What earlier runs left behind is read whatever lies next to it, and tells what is overdue."""

import json
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from drillbook.core.cadence import QUARTERLY, overdue_acts, runs_that_count
from drillbook.core.errors import Unsupported
from reports.history.runs import Facts, History, Past, load_history
from suites.cadence import test_cadence

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
EVERY = frozenset(controls[0] for controls in QUARTERLY.values())


def left(folder, name, days, grade="rehearsal", **verdicts):
    made = folder / name
    made.mkdir()
    finished = (NOW - timedelta(days=days)).isoformat()
    record = {
        "schema": "drillbook/evidence/1",
        "run": {"id": name, "finished": finished, "of later versions": 1},
        "subject": {"grade": grade},
        "controls": [{"id": one, "verdict": verdict} for one, verdict in verdicts.items()],
    }
    (made / "evidence.json").write_text(json.dumps(record))


def left_days_ago(folder, name, days, grade="deployment", **verdicts):
    """The same, so many days before today."""
    today = datetime.now(UTC).date()
    left(folder, name, days + (NOW.date() - today).days, grade, **verdicts)


def past(days, satisfied=EVERY, grade="deployment"):
    facts = Facts(verdicts=dict.fromkeys(satisfied, "satisfied"))
    return Past("run", NOW - timedelta(days=days), grade, facts)


def test_only_satisfied_controls_are_remembered_and_latest_counts_once(tmp_path):
    left(tmp_path, "b", 1, **{"DBP-7": "satisfied", "KEY-5": "violated"})
    left(tmp_path, "a", 3, "deployment", **{"MIG-1": "satisfied"})
    (tmp_path / "latest").symlink_to("b")
    found = load_history(tmp_path)
    assert [(one.id, one.grade, one.satisfied) for one in found.runs] == [
        ("a", "deployment", {"MIG-1"}),
        ("b", "rehearsal", {"DBP-7"}),
    ]
    assert found.unreadable == ()


@pytest.mark.parametrize(
    "content", [b"", b"\xff\x00", b"[]", b"{}", b'{"run": {"id": 1}}', b"{" * 9]
)
def test_evidence_that_cannot_be_read_is_named_and_passed_over(tmp_path, content):
    left(tmp_path, "good", 1)
    left(tmp_path, "broken", 1)
    (tmp_path / "broken" / "evidence.json").write_bytes(content)
    (tmp_path / "empty").mkdir()
    found = load_history(tmp_path)
    assert ([one.id for one in found.runs], found.unreadable) == (["good"], ("broken",))


def test_a_folder_that_is_not_there_holds_no_history(tmp_path):
    assert load_history(tmp_path / "absent").runs == ()


@pytest.mark.parametrize(("days", "overdue"), [(0, False), (90, False), (91, True), (400, True)])
def test_ninety_days_are_the_limit(days, overdue):
    assert bool(overdue_acts([past(days)], NOW)) is overdue


def test_each_act_is_missed_by_itself():
    for act, controls in QUARTERLY.items():
        assert overdue_acts([past(1, EVERY - {*controls}), past(2, ())], NOW) == {
            act: "never, in the runs since 2026-11-22 (there are 2)"
        }


def test_the_newest_success_counts():
    assert overdue_acts([past(200), past(1), past(100)], NOW) == {}


def test_a_rehearsal_is_no_evidence_about_a_deployment():
    rehearsals = [past(1, grade="rehearsal")]
    assert runs_that_count(rehearsals, "rehearsal", NOW) == rehearsals
    with pytest.raises(Unsupported, match="from the next run on"):
        runs_that_count(rehearsals, "deployment", NOW)


def test_a_run_of_the_future_counts_for_nothing():
    with pytest.raises(Unsupported):
        runs_that_count([past(-1)], "deployment", NOW)


def test_changed_evidence_counts_for_nothing():
    facts = Facts(verdicts=dict.fromkeys(EVERY, "satisfied"))
    good = Past("run", datetime.now(UTC) - timedelta(days=1), "deployment", facts)
    changed = replace(good, intact=False)
    notes, seen = [], []
    record = SimpleNamespace(note=notes.append)

    def judged(*runs):
        history = History(runs, (), ("run x: changed",))
        test_cadence.test_quarterly_tasks_were_carried_out(
            history, "deployment", record, seen.append, lambda _: nullcontext()
        )

    judged(good, changed)
    assert seen == ["cadence_kept"]
    assert notes[0].startswith("1 earlier runs, unreadable: none, changed since or with a planted")
    assert notes[0].endswith("bug: 1; no signature of these runs was checked")
    assert notes[1] == "run x: changed"
    with pytest.raises(Unsupported, match="left evidence that counts"):
        judged(changed)
