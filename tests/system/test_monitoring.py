"""Commands report to a monitor: a passed run, a stopped one, a killed one."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.backups import KEYS, whole
from tests.support.receiver import receiving
from tests.unit.reports.notify.test_notice import private

pytestmark = pytest.mark.slow

PROGRAM = Path(sys.executable).with_name("drillbook")
READS_FILES_ONLY = ["verify", "--stack", "embedded", "--control", "DEP-4", "--workers", "1"]
ON_END = 'echo "$DRILLBOOK_EXIT_CODE $DRILLBOOK_EVIDENCE" > told'
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
    private(tmp_path / "ping", address)
    # What a caller set for pytest of his own must not leave a spec out.
    env = {"PYTEST_ADDOPTS": "--collect-only"}
    with start(
        tmp_path, *READS_FILES_ONLY, "--ping-file", "ping", "--on-end", ON_END, **env
    ) as run:
        said = run.stdout.read()
    assert run.returncode == 0, said
    assert monitor.paths == [f"/{TOKEN}"]
    told = (tmp_path / "told").read_text().split()
    assert told[0] == "0"
    assert json.loads((tmp_path / told[1]).read_text())["exit_code"] == 0
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
    assert monitor.paths == ([f"/{TOKEN}/fail"] if number == signal.SIGTERM else [])


def test_a_backup_check_pings(tmp_path, monitor):
    (tmp_path / "backup.sql").write_text(whole("2024-10"))
    words = ["backup", "check", "backup.sql", "--env-file", "keys.env"]
    address = f"{monitor.url}/{TOKEN}"
    for key, code in (("0" * 32, 1), (KEYS["2024-10"], 0)):
        private(tmp_path / "keys.env", f"ENCRYPTION_KEY={key}\n")
        with start(tmp_path, *words, DRILLBOOK_PING=address) as run:
            said = run.stdout.read()
        assert run.returncode == code, said
        assert monitor.paths[-1] == f"/{TOKEN}{'/fail' if code else ''}"
