"""Commands with --ping report to a monitor: a passed run, a stopped one, a killed one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.backups import KEYS, whole
from tests.support.receiver import receiving
from tests.unit.reports.notify.test_metrics import read
from tests.unit.reports.notify.test_ping import private

pytestmark = pytest.mark.slow

PROGRAM = Path(sys.executable).with_name("drillbook")
READS_FILES_ONLY = ["verify", "--stack", "embedded", "--control", "DEP-4", "--workers", "1"]
TOKEN = "c0ffee00-5ec4-e700-0000-00000000aa55"


def start(folder, *words, **env):
    return subprocess.Popen(
        [PROGRAM, *words],
        cwd=folder,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def monitor():
    with receiving() as monitor:
        yield monitor


def test_a_passed_run_pings_and_keeps_the_address_to_itself(tmp_path, monitor):
    address = f"{monitor.url}/{TOKEN}"
    config = '[notify]\nreceivers_file = "receivers"\non = ["success"]\nmetrics = "x.prom"\n'
    (tmp_path / "drillbook.toml").write_text(config)
    private(tmp_path / "receivers", f"{address.replace('http', 'json')}/hook\n")
    # What a caller set for pytest of his own must not leave a spec out.
    env = {"PYTEST_ADDOPTS": "--collect-only"}
    with start(tmp_path, *READS_FILES_ONLY, "--ping", address, **env) as run:
        said = run.stdout.read()
    assert run.returncode == 0, said
    start_of_run, *end = monitor.paths
    assert start_of_run == f"/{TOKEN}/start"
    assert sorted(end) == [f"/{TOKEN}/0", f"/{TOKEN}/hook"]
    assert all("1 satisfied" in body for *_, body in monitor.seen[1:])
    metrics = read(tmp_path / "x.prom")
    assert metrics["gate_exit_code", "", "deployment DEP-4", "rehearsal"] == 0
    written = [path for path in (tmp_path / "drillbook-runs").rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if TOKEN.encode() in path.read_bytes()]
    assert TOKEN not in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_never_reports_success(tmp_path, monitor, number):
    address = f"{monitor.url}/{TOKEN}"
    words = ("lifecycle", "--stack", "embedded", "--budget", "9x9", "--workers", "1")
    with start(tmp_path, *words, DRILLBOOK_PING=address) as run:
        while "to do:" not in (line := run.stdout.readline()):
            assert line, "it ended early"
        run.send_signal(number)
        said = run.stdout.read()
    assert run.returncode == (2 if number == signal.SIGTERM else -9), said
    ends = [f"/{TOKEN}/2"] if number == signal.SIGTERM else []
    assert monitor.paths == [f"/{TOKEN}/start", *ends]
    assert not ends or "interrupted" in monitor.seen[1][2]


def test_a_backup_check_pings_with_its_exit_code(tmp_path, monitor):
    (tmp_path / "backup.sql").write_text(whole("2024-10"))
    words = ["backup", "check", "backup.sql", "--env-file", "keys.env"]
    address = f"{monitor.url}/{TOKEN}"
    for key, code in (("0" * 32, 1), (KEYS["2024-10"], 0)):
        private(tmp_path / "keys.env", f"ENCRYPTION_KEY={key}\n")
        with start(tmp_path, *words, "--ping", address) as run:
            said = run.stdout.read()
        assert run.returncode == code, said
        assert monitor.paths[-2:] == [f"/{TOKEN}/start", f"/{TOKEN}/{code}"]
