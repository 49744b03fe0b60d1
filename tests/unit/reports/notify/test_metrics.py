"""The metrics say how things stand; rules and dashboard ask for nothing that is not among them."""

import json
import os
import re
from datetime import UTC, datetime, timedelta

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from drillbook.core.application import ROOT
from reports.config.declarations import Schedule, Words
from reports.errors import BadDeclaration
from reports.evidence.context import Organisation
from reports.history import status
from reports.history.status import standings
from reports.notify.notice import GAUGES, Announcement, check_target, write_metrics
from tests.support.commands import given
from tests.unit.reports.history.test_status import NOW, past

PAGES = ROOT / "docs" / "monitoring"
ALERTS = yaml.safe_load((PAGES / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
DASHBOARD = json.loads((PAGES / "dashboard.json").read_text("utf-8"))
LABELS = ("system", "command", "act", "grade", "verdict")
ASKED = [rule["expr"] for rule in ALERTS]
ASKED += [one["expr"] for panel in DASHBOARD["panels"] for one in panel["targets"]]


def read(path):
    """The values of a file by name and labels."""
    families = text_string_to_metric_families(path.read_text())
    return {
        (
            sample.name.removeprefix("drillbook_"),
            *(sample.labels[label] for label in LABELS if label in sample.labels),
        ): sample.value
        for family in families
        for sample in family.samples
    }


def written(tmp_path, *runs):
    target = tmp_path / "drillbook.prom"
    write_metrics(target, runs, standings(runs, Schedule(), NOW.date()), "SYS", NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["drillbook.prom"]
    return read(target)


def test_a_run_is_there_by_instance_and_command(tmp_path):
    facts = {"question": "drill", "system": "A", "exit_code": 0}
    times = {"rto_s": 60, "rto_target_s": 90, "verification_s": 15}
    good = past(9, ("DRL-2", "DRL-3"), **facts, objectives=times)
    bad = past(1, (), **{**facts, "exit_code": 1}, verdicts={"DRL-2": "violated"})
    found = written(tmp_path, good, bad)
    whose = ("A", "drill", "deployment")
    assert found["last_run_timestamp_seconds", *whose] == (NOW - timedelta(days=1)).timestamp()
    assert found["last_proof_timestamp_seconds", *whose] == (NOW - timedelta(days=9)).timestamp()
    assert found["gate_exit_code", *whose] == 1
    assert found["controls", *whose, "violated"] == 1
    assert found["controls", *whose, "satisfied"] == 0
    assert (found["rto_seconds", *whose], found["rto_target_seconds", *whose]) == (60, 90)
    assert found["verification_seconds", *whose] == 15
    assert ("rpo_seconds", *whose) not in found


def test_a_run_that_judged_nothing_is_no_proof(tmp_path):
    facts = {"question": "drill", "system": "A", "exit_code": 0}
    found = written(tmp_path, past(9, **facts), past(1, (), **facts, verdict="not_applicable"))
    whose = ("A", "drill", "deployment")
    assert found["last_run_timestamp_seconds", *whose] == (NOW - timedelta(days=1)).timestamp()
    assert found["last_proof_timestamp_seconds", *whose] == (NOW - timedelta(days=9)).timestamp()


@pytest.mark.parametrize(("days", "stale", "until"), [(90, 0, 0), (100, 1, -10), (1, 0, 89)])
def test_what_recurs_is_due_by_the_end_of_a_day(tmp_path, days, stale, until):
    found = written(tmp_path, past(days))
    due = found["act_due_timestamp_seconds", "SYS", "drill"]
    assert (due > NOW.timestamp()) is not bool(stale)
    assert found["act_stale", "SYS", "drill"] == stale
    assert found["act_days_until_due", "SYS", "drill"] == until


def test_what_proves_nothing_counts_nothing(tmp_path):
    found = written(tmp_path, past(1, mutant="LosesRows"), past(2, intact=False))
    assert found["act_last_proof_timestamp_seconds", "SYS", "move"] == 0
    assert found["act_stale", "SYS", "move"] == 1
    assert not [key for key in found if key[0] == "gate_exit_code"]


def test_a_run_of_a_day_in_the_future_hides_no_other(tmp_path):
    facts = {"question": "drill", "system": "A"}
    found = written(tmp_path, past(1, **facts, exit_code=1), past(-9, **facts, exit_code=0))
    whose = ("A", "drill", "deployment")
    assert found["last_run_timestamp_seconds", *whose] == (NOW - timedelta(days=1)).timestamp()
    assert found["gate_exit_code", *whose] == 1


def test_a_name_cannot_break_the_file(tmp_path):
    run = past(1, system='a"b\\c\nd')
    target = tmp_path / "x.prom"
    write_metrics(target, [run], [], "", NOW)
    assert {key[1] for key in read(target) if key[0] == "last_run_timestamp_seconds"} == {
        run.facts.system
    }


def test_the_collector_can_read_the_file(tmp_path):
    before = os.umask(0o077)
    try:
        written(tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / "drillbook.prom").stat().st_mode & 0o777 == 0o644


def test_every_expression_is_promql_over_metrics_that_exist():
    known = {f"drillbook_{name}" for name in GAUGES}
    for expression in ASKED:
        promql_parser.parse(expression.replace("$system", ".*"))
        names = set(re.findall(r"drillbook_\w+", expression))
        assert names
        assert names <= known, expression
    asked = {name for one in ASKED for name in re.findall(r"drillbook_(\w+)", one)}
    unasked = {"last_run_timestamp_seconds", "act_days_until_due", "verification_seconds"}
    assert asked == GAUGES.keys() - unasked


def test_each_metric_is_described():
    page = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
    assert set(re.findall(r"`drillbook_(\w+)[`{]", page)) == GAUGES.keys()


def test_the_dashboard_is_one_that_grafana_imports():
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    assert {one["name"] for one in DASHBOARD["templating"]["list"]} == {"datasource", "system"}


def test_a_place_that_takes_no_file_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "absent" / "x.prom"):
        with pytest.raises(BadDeclaration, match="name a file in a folder that exists"):
            check_target(path)


@pytest.mark.parametrize("name", ["notes.txt", "x.prom.txt"])
def test_a_file_that_no_collector_reads_is_not_replaced(tmp_path, name):
    with pytest.raises(BadDeclaration, match=r"reads only names that end in \.prom; give one"):
        check_target(tmp_path / name)
    check_target(tmp_path / "x.prom")


def test_a_full_disk_is_a_warning(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = Words(organisation=Organisation(system="Infisical"))
    (tmp_path / "gone").mkdir()
    with Announcement("status", words, tmp_path, metrics=tmp_path / "gone" / "x.prom") as one:
        (tmp_path / "gone").rmdir()
        assert one.end(status.main(given("status", "--run-dir=."), one.keep_standings)) == 1
    assert "x.prom cannot be written: No such file" in capsys.readouterr().err


def test_status_writes_them_also_where_nothing_ran(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    target = tmp_path / "x.prom"
    with Announcement("status", Words(), tmp_path / "runs", metrics=target) as one:
        assert one.end(status.main(given("status", "--run-dir=runs"), one.keep_standings)) == 1
    found = read(tmp_path / "x.prom")
    assert found["act_stale", "", "drill"] == 1
    assert found["act_last_proof_timestamp_seconds", "", "drill"] == 0
    assert found["written_timestamp_seconds",] <= datetime.now(UTC).timestamp()
