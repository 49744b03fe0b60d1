"""What is due when follows from the history alone; what is overdue fails."""

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from drillbook.core.cadence import QUARTERLY, overdue_acts
from reports.config.declarations import Schedule
from reports.history.runs import Facts, Past
from reports.history.status import ACTS, describe_quarter, standings
from reports.render.terminal import WIDTH
from reports.verdict import Verdict
from tests.support import sample_run
from tests.support.bundles import key, sealed
from tests.support.commands import call
from tests.unit.reports.history.test_cadence import left, left_days_ago

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = NOW.date()
EVERY = frozenset(act.controls[0] for act in ACTS)


def past(days, satisfied=EVERY, grade="deployment", intact=True, **facts):
    verdicts = {**dict.fromkeys(satisfied, "satisfied"), **facts.pop("verdicts", {})}
    said = Facts.model_validate({"verdicts": verdicts, **facts})
    when = NOW - timedelta(days=days)
    return Past(f"run-{days}", when, grade, said, intact=intact)


def stand(runs, **schedule):
    return standings(runs, Schedule(**schedule), TODAY)


def overdue(runs, **schedule):
    return [one.act.id for one in stand(runs, **schedule) if one.overdue]


def test_the_acts_are_those_of_sec_6_and_the_drill():
    known = {act.name: act.controls for act in ACTS if act.id != "drill"}
    assert known == QUARTERLY


@pytest.mark.parametrize(("days", "late"), [(0, False), (90, False), (91, True)])
def test_ninety_days_are_the_default(days, late):
    assert bool(overdue([past(days)])) is late


@pytest.mark.parametrize(
    ("said", "days", "late"),
    [
        ("weekly", 7, False),
        ("weekly", 8, True),
        ("monthly", 31, False),
        ("monthly", 32, True),
        ("yearly", 300, False),
    ],
)
def test_a_declared_cadence_counts_instead(said, days, late):
    assert bool(overdue([past(days)], cadence=said)) is late


@pytest.mark.parametrize(
    ("runs", "declared"),
    [
        ([past(1)], {}),
        ([past(90)], {"cadence": "quarterly"}),
        ([past(91)], {"cadence": "quarterly"}),
        ([past(92)], {"cadence": "quarterly"}),
        ([past(1)], {"cadence": "monthly"}),
        ([past(200)], {}),
        ([past(1)], {"cadence": "half-yearly"}),
        ([past(1), past(200, {"MIG-1"})], {"cadence": "yearly"}),
        ([past(1, {"DRL-2"})], {"cadence": "yearly", "next_due": TODAY}),
        ([past(200)], {"next_due": TODAY}),
        ([past(90.1)], {}),
    ],
)
def test_what_sec_6_calls_late_is_overdue_or_named(runs, declared):
    """A declared cadence or day never silently contradicts the runbook's quarter."""
    found = stand(runs, **declared)
    said = describe_quarter(found, Schedule(**declared), NOW)
    late = set(overdue_acts(runs, NOW)) - {one.act.name for one in found if one.overdue}
    assert {one for one in QUARTERLY if one in said} == late
    longer = declared.get("cadence") in ("half-yearly", "yearly")
    assert ("late after 90 days" in said) is bool(longer or late)


def test_a_longer_cadence_than_the_quarter_is_said(runs, capsys, tmp_path):
    left_days_ago(runs, "a", 100, **dict.fromkeys(EVERY, "satisfied"))
    (tmp_path / "drillbook.toml").write_text("[schedule]\ncadence = 'yearly'\n")
    code, told = ran(runs, capsys)
    said = " ".join(told.out.split())
    assert (code, "SEC-6 judges by the runbook's quarter" in said) == (0, True)
    assert "Late or never done by that: recovery with the old keys, rotation" in said
    answer = json.loads(ran(runs, capsys, "--output=json")[1].out)
    assert "move to a new instance" in answer["quarter"]


def test_a_declared_day_counts_until_it_was_kept():
    assert overdue([past(200)], next_due=TODAY) == []
    assert len(overdue([past(200)], next_due=TODAY - timedelta(days=1))) == len(ACTS)
    [first, *_] = stand([past(1)], next_due=TODAY - timedelta(days=30))
    assert first.due == TODAY + timedelta(days=89)


@pytest.mark.parametrize(
    ("cadence", "early", "late"),
    [
        *((None, 4, False), (None, 45, False), (None, 46, True), ("quarterly", 4, False)),
        *(("quarterly", 90, True), ("weekly", 3, False), ("weekly", 7, True)),
    ],
)
def test_a_declared_day_is_also_kept_a_little_early(cadence, early, late):
    """Not by the drill of the period before."""
    due = TODAY - timedelta(days=1)
    assert bool(overdue([past(1 + early)], next_due=due, cadence=cadence)) is late


def test_a_waiver_of_the_last_proof_is_named():
    assert [*stand([past(1)])[0].remarks()] == []
    waived = stand([past(1, waived=("KEY-1", "DRL-4"))])
    assert [*waived[0].remarks()] == ["proven with a waiver of KEY-1, DRL-4"]


def test_runs_of_several_systems_are_not_taken_for_one_without_a_word(runs, capsys, tmp_path):
    fresh(runs)
    for name in ("ada", "bob"):
        left(runs, name, 1, "deployment", **{"KEY-5": "satisfied"})
        record = json.loads((runs / name / "evidence.json").read_text())
        record["organisation"] = {"system_id": name}
        (runs / name / "evidence.json").write_text(json.dumps(record))
    said = " ".join(ran(runs, capsys)[1].out.split())
    assert "of 2 systems together (ada, bob): declare the system_id of one" in said
    (tmp_path / "drillbook.toml").write_text("[organisation]\nsystem_id = 'ada'\n")
    assert "systems together" not in ran(runs, capsys)[1].out


def test_each_act_is_missed_by_itself():
    for act in ACTS:
        others = EVERY - set(act.controls)
        [missed] = [one for one in stand([past(1, others)]) if one.act is act]
        assert (missed.overdue, missed.last) == (not others & set(act.controls), None)


@pytest.mark.parametrize(
    "run",
    [past(1, grade="rehearsal"), past(1, mutant="LosesRows"), past(1, intact=False), past(-2)],
    ids=["rehearsal", "mutant", "changed since", "of the future"],
)
def test_what_proves_nothing_of_the_deployment_does_not_count(run):
    found = stand([run])
    assert all(one.overdue and one.last is None for one in found)
    assert bool(found[0].rehearsed) is (run.grade == "rehearsal")


def test_a_failure_after_the_last_success_is_told():
    bad = past(1, frozenset(), verdicts={"DRL-2": Verdict.VIOLATED})
    [drill, *_] = stand([past(2), bad])
    assert (drill.last.id, drill.failed.id, drill.overdue) == ("run-2", "run-1", False)
    [drill, *_] = stand([bad, past(0)])
    assert drill.failed is None


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "runs"
    made.mkdir()
    return made


def ran(runs, capsys, *options):
    code = call("status", [f"--run-dir={runs}", *options])
    return code, capsys.readouterr()


def fresh(runs):
    verdicts = dict.fromkeys(EVERY, "satisfied")
    ago = (NOW - datetime.now(UTC)).days
    left(runs, "a", ago + 1, "deployment", **verdicts)


def test_nothing_overdue_ends_with_0(runs, capsys):
    fresh(runs)
    code, told = ran(runs, capsys)
    assert (code, "Nothing is overdue, if this history is true." in told.out) == (0, True)
    assert "not proven: no signature was checked" in told.out


@pytest.mark.parametrize(("system", "code"), [("vault", 0), ("other", 1)])
def test_a_run_of_another_system_does_not_count(runs, tmp_path, capsys, system, code):
    (tmp_path / "drillbook.toml").write_text(f'[organisation]\nsystem = "{system}"\n')
    fresh(runs)
    file = runs / "a" / "evidence.json"
    record = json.loads(file.read_text()) | {"organisation": {"system": "vault"}}
    file.write_text(json.dumps(record))
    found, told = ran(runs, capsys)
    assert (found, "OVERDUE: 4 of 4" in told.out) == (code, bool(code))


def test_with_keys_only_what_they_signed_counts(runs, tmp_path, capsys):
    mine, public = key(tmp_path)
    other, _ = key(tmp_path, "other.key")
    fresh(runs)
    shutil.move(runs / "a", runs / "unsigned")
    sealed(runs, other, **drilled("other"))
    code, told = ran(runs, capsys, f"--pubkey={public}")
    assert (code, "OVERDUE: 4 of 4" in told.out) == (1, True)
    sealed(runs, mine, **drilled("mine"))
    code, told = ran(runs, capsys, f"--pubkey={public}")
    assert (code, "Nothing is overdue." in told.out) == (0, True)


def test_with_keys_a_run_in_a_renamed_folder_is_named(runs, tmp_path, capsys):
    mine, public = key(tmp_path)
    sealed(runs, mine, **drilled("mine"))
    (runs / "mine").rename(runs / "kept")
    code, told = ran(runs, capsys, f"--pubkey={public}")
    said = " ".join(told.out.split())
    assert (code, "in a folder of another name, so not counted: mine" in said) == (1, True)


def test_rewritten_history_is_not_believed_under_a_key(runs, tmp_path, capsys):
    mine, public = key(tmp_path)
    sealed(runs, mine, **drilled("mine", grade="rehearsal"))
    record = runs / "mine" / "evidence.json"
    record.write_text(record.read_text().replace('"rehearsal"', '"deployment"'))
    code, told = ran(runs, capsys, f"--pubkey={public}")
    assert (code, "OVERDUE: 4 of 4" in told.out) == (1, True)
    code, told = ran(runs, capsys, f"--pubkey={tmp_path / 'absent'}")
    assert (code, told.out) == (3, "")


def drilled(name, grade="deployment"):
    """What a sealed run needs to have done all that recurs."""
    made = sample_run.run()
    like = made.controls[1].model_copy(update={"verdict": Verdict.SATISFIED, "gating": True})
    controls = tuple(like.model_copy(update={"id": one}) for one in sorted(EVERY))
    none = {verdict.value: 0 for verdict in Verdict}
    return {
        "name": name,
        "run": made.run.model_copy(update={"id": name, "finished": datetime.now(UTC)}),
        "subject": made.subject.model_copy(update={"grade": grade}),
        "controls": controls,
        "counts": made.counts.model_copy(
            update=none | {"satisfied": len(controls), "planned": len(controls)}
        ),
        "verdict": Verdict.SATISFIED,
        "exit_code": 0,
    }


def test_no_history_is_overdue_and_says_what_to_do(runs, capsys):
    code, told = ran(runs, capsys)
    assert code == 1
    assert "STALE: nothing was ever proved." in told.out
    assert "OVERDUE: 4 of 4" in told.out
    assert "drillbook drill BACKUP --env-file KEYS" in told.out
    assert max(map(len, told.out.splitlines())) <= WIDTH
    assert "\x1b" not in told.out


def test_the_age_of_the_newest_proof_is_said(runs, capsys):
    left_days_ago(runs, "a", 100, **{"DRL-2": "satisfied"})
    assert "STALE: the newest proof is 100 days old." in ran(runs, capsys)[1].out
    left_days_ago(runs, "b", 1, **{"DRL-2": "satisfied"})
    assert "STALE: the newest proof is 1 day old." in ran(runs, capsys)[1].out


def test_a_run_of_the_future_is_named(runs, capsys):
    """A drill on a machine whose clock was wrong is not dropped without a word."""
    left_days_ago(runs, "drill-ahead", -400, **{"DRL-2": "satisfied"})
    said = " ".join(ran(runs, capsys)[1].out.split())
    assert "of a day in the future, so not counted: drill-ahead" in said


def test_a_rehearsal_is_named_but_not_counted(runs, capsys):
    left(runs, "a", 0, "rehearsal", **dict.fromkeys(EVERY, "satisfied"))
    code, told = ran(runs, capsys)
    assert (code, told.out.count("not evidence about a deployment")) == (1, len(ACTS))


def test_overdue_is_red_on_a_terminal(runs, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1;31m" in ran(runs, capsys)[1].out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "31m" not in ran(runs, capsys)[1].out


def test_a_broken_declaration_is_one_sentence(runs, capsys, tmp_path):
    (tmp_path / "drillbook.toml").write_text('[schedule]\ncadence = "sometimes"\n')
    code, told = ran(runs, capsys)
    assert (code, told.out) == (3, "")
    assert "cadence" in told.err
