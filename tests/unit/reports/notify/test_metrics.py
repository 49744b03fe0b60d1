"""The metrics say how things stand; rules and dashboard ask for nothing that is not among them."""

import json
import os
import re
import time
from datetime import timedelta

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run
from drillbook.core.application import ROOT
from reports.config.declarations import Schedule
from reports.history.status import ACTS, standings
from reports.notify.metrics import OF_ACT, OF_RUN, write_metrics
from tests.unit.reports.history.test_cadence import left_days_ago
from tests.unit.reports.history.test_status import NOW, past

PAGES = ROOT / "docs" / "monitoring"
ALERTS = yaml.safe_load((PAGES / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
DASHBOARD = json.loads((PAGES / "dashboard.json").read_text("utf-8"))
LABELS = ("system", "command", "act", "grade", "verdict")
METRICS = {"written_timestamp_seconds", *OF_RUN, *OF_ACT}
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
    write_metrics(target, "SYS", runs, standings(runs, Schedule(), NOW.date()), NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["drillbook.prom"]
    return read(target)


def test_a_run_is_there_by_instance_and_command(tmp_path):
    facts = {"question": "drill", "system": "A", "exit_code": 0}
    times = {"rto_s": 60, "rto_target_s": 90}
    good = past(9, ("DRL-2", "DRL-3"), **facts, objectives=times)
    bad = past(1, (), **{**facts, "exit_code": 1}, verdicts={"DRL-2": "violated"})
    found = written(tmp_path, good, bad)
    whose = ("A", "drill", "deployment")
    assert found["last_proof_timestamp_seconds", *whose] == (NOW - timedelta(days=9)).timestamp()
    assert found["gate_exit_code", *whose] == 1
    assert (found["rto_seconds", *whose], found["rto_target_seconds", *whose]) == (60, 90)
    assert ("rpo_seconds", *whose) not in found


@pytest.mark.parametrize(("days", "overdue"), [(90, False), (100, True), (1, False)])
def test_what_recurs_is_due_by_the_end_of_a_day(tmp_path, days, overdue):
    found = written(tmp_path, past(days))
    due = found["act_due_timestamp_seconds", "SYS", "drill"]
    assert (due < NOW.timestamp()) is overdue


def test_what_proves_nothing_counts_nothing(tmp_path):
    found = written(tmp_path, past(1, mutant="LosesRows"), past(2, intact=False))
    assert found["act_last_proof_timestamp_seconds", "SYS", "move"] == 0
    assert not [key for key in found if key[0] == "gate_exit_code"]


def test_a_run_of_a_day_in_the_future_hides_no_other(tmp_path):
    facts = {"question": "drill", "system": "A"}
    found = written(tmp_path, past(1, **facts, exit_code=1), past(-9, **facts, exit_code=0))
    whose = ("A", "drill", "deployment")
    assert found["gate_exit_code", *whose] == 1


def test_a_name_cannot_break_the_file(tmp_path):
    oddly_named = past(1, system='a"b\\c\nd', exit_code=0)
    target = tmp_path / "x.prom"
    write_metrics(target, "", [oddly_named], [], NOW)
    assert {key[1] for key in read(target) if key[0] == "gate_exit_code"} == {
        oddly_named.facts.system
    }


def test_the_collector_can_read_the_file(tmp_path):
    before = os.umask(0o077)
    try:
        written(tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / "drillbook.prom").stat().st_mode & 0o777 == 0o644


def test_every_expression_is_promql_over_metrics_that_exist():
    known = {f"drillbook_{name}" for name in METRICS}
    for expression in ASKED:
        promql_parser.parse(expression.replace("$system", ".*"))
        names = set(re.findall(r"drillbook_\w+", expression))
        assert names
        assert names <= known, expression
    asked = {name for one in ASKED for name in re.findall(r"drillbook_(\w+)", one)}
    assert asked == METRICS


def test_each_metric_is_described():
    page = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
    assert set(re.findall(r"`drillbook_(\w+)[`{]", page)) == METRICS


def test_the_dashboard_is_one_that_grafana_imports():
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    assert {one["name"] for one in DASHBOARD["templating"]["list"]} == {"datasource", "system"}


@pytest.mark.parametrize("days", [100, None, 10])
def test_status_writes_them_also_where_nothing_ran(tmp_path, monkeypatch, capsys, days):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "drillbook.toml").write_text('[organisation]\nsystem = "vault"\n')
    (runs := tmp_path / "drillbook-runs").mkdir()
    if days:
        done = {control: "satisfied" for act in ACTS for control in act.controls}
        left_days_ago(runs, "run", days, **done)
        file = runs / "run" / "evidence.json"
        file.write_text(
            json.dumps(json.loads(file.read_text()) | {"organisation": {"system": "vault"}})
        )
    late = days != 10
    assert run(COMMANDS, ["status", "--metrics", "x.prom", "--output", "json"]) == int(late)
    assert json.loads(capsys.readouterr().out)["stale"] == late
    found = read(tmp_path / "x.prom")
    assert (found["act_due_timestamp_seconds", "vault", "drill"] < time.time() + 86400) == late
    assert (found["act_last_proof_timestamp_seconds", "vault", "drill"] == 0) == (days is None)


@pytest.mark.parametrize("name", [".", "absent/x.prom", "notes.txt", "x.prom.txt"])
def test_a_file_that_no_collector_reads_is_refused(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    assert run(COMMANDS, ["status", "--metrics", name]) == 3
    assert capsys.readouterr().err.startswith("drillbook status: --metrics: ")
