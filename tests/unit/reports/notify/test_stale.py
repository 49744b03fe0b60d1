"""A proof that is too old, or was never given, alarms in four ways: code, JSON, metric, message."""

import json

import pytest

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run
from reports.history import status
from tests.support.receiver import receiving
from tests.unit.reports.history.test_cadence import left_days_ago
from tests.unit.reports.notify.test_metrics import read
from tests.unit.reports.notify.test_ping import private

CONFIG = """
[organisation]
system = "vault"
[notify]
ping_file = "ping"
receivers_file = "receivers"
metrics = "drillbook.prom"
"""


@pytest.mark.parametrize("days", [100, None, 10])
def test_the_age_of_the_proof_alarms_in_four_ways(tmp_path, monkeypatch, capsys, days):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("reports.notify.notice.PATIENCE_S", 60)
    (tmp_path / "drillbook.toml").write_text(CONFIG)
    runs = tmp_path / "drillbook-runs"
    runs.mkdir()
    done = {control: "satisfied" for act in status.ACTS for control in act.controls}
    if days:
        left_days_ago(runs, "run", days, **done)
        file = runs / "run" / "evidence.json"
        record = json.loads(file.read_text()) | {"organisation": {"system": "vault"}}
        file.write_text(json.dumps(record))
    with receiving() as receiver:
        private(tmp_path / "ping", f"status {receiver.url}/p\n")
        private(tmp_path / "receivers", f"{receiver.url.replace('http', 'json')}/hook\n")
        code = run(COMMANDS, ["status", "--output", "json"])
    answer = json.loads(capsys.readouterr().out)
    drill = answer["acts"][0]
    metrics = read(tmp_path / "drillbook.prom")
    late = days != 10
    assert code == int(late)
    assert (answer["stale"], drill["overdue"], drill["age_days"]) == (late, late, days)
    assert metrics["act_stale", "vault", "drill"] == int(late)
    notices = [json.loads(body) for _, path, body in receiver.seen if path == "/hook"]
    assert [one["title"] for one in notices] == ["drillbook status: stale (vault)"] * late
    assert all("stale: drill of a backup, " in one["message"] for one in notices)
    assert [path for path in receiver.paths if path != "/hook"] == ["/p/start", f"/p/{code}"]
