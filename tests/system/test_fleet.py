"""A fleet on a real PostgreSQL queue loses, repeats and invents no drill if workers are killed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run
from drillbook.core.application import ROOT
from drillbook.fleet_queue import Worker, enqueue, local_database
from drillbook.stack.waiting import wait_until
from tests.support.backups import KEYS, dump
from tests.support.bundles import key

pytestmark = pytest.mark.slow

INSTANCES = ("ada", "bob", "cyd", "dee", "eve")
JOBS, WORKERS = 40, 4
# A drill: it records when it begins and ends, and passes unless it is eve's.
DRILL = 'echo "$1 $$ begins" >>stamps; sleep "$2"; echo "$1 $$ ends" >>stamps; test "$1" != eve'
WORKER = """
import sys
from drillbook.fleet_queue import Worker
conninfo, script, seconds, *names = sys.argv[1:]
commands = {name: ["sh", "-c", script, "sh", name, seconds] for name in names}
sys.exit(Worker("eu", commands, beat_s=1.0, silent_s=10.0).work(conninfo))
"""


@pytest.fixture(scope="module")
def runs():
    """A folder of runs that every user can enter, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="drillbook-fleet-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="module")
def server(runs):
    with local_database(runs) as conninfo:
        yield conninfo


@pytest.fixture
def database(server):
    enqueue(server, {})
    ask(server, "DELETE FROM procrastinate_jobs RETURNING 1")
    return server


@pytest.fixture
def start(database, tmp_path):
    """Starts workers, which are killed at the end."""
    with ExitStack() as ends:

        def begin(seconds="0.05"):
            command = [sys.executable, "-c", WORKER, database, DRILL, seconds, *INSTANCES]
            env = {**os.environ, "PYTHONPATH": str(ROOT)}
            worker = ends.enter_context(subprocess.Popen(command, cwd=tmp_path, env=env))
            ends.callback(worker.kill)
            return worker

        yield begin


def ask(database, question):
    with psycopg.connect(database) as connection:
        return connection.execute(question).fetchall()


def states(database):
    return dict(ask(database, "SELECT status, count(*) FROM procrastinate_jobs GROUP BY status"))


def stamps(folder):
    path = folder / "stamps"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def test_four_workers_and_a_killed_one_lose_and_invent_nothing(database, start, tmp_path):
    doomed = start("60")
    enqueue(database, {"ada": "eu"})
    assert wait_until(lambda: len(stamps(tmp_path)) == 1, 60)
    (began,) = stamps(tmp_path)
    added = [1]
    others = [start() for _ in range(WORKERS - 1)]
    doomed.kill()
    while sum(added) < JOBS:
        missing = INSTANCES[: JOBS - sum(added)]
        added.append(len(enqueue(database, dict.fromkeys(missing, "eu"))[0]))
        time.sleep(0.2)
    assert wait_until(lambda: not {"todo", "doing"} & set(states(database)), 60)
    assert sum(added) == JOBS == sum(states(database).values())
    # The drill of the killed worker ended with it, and does not count.
    assert ask(database, "SELECT lock FROM procrastinate_jobs WHERE status = 'aborted'") == [
        ("ada",)
    ]
    seen = stamps(tmp_path)
    assert [*began[:2], "ends"] not in seen
    assert not Path(f"/proc/{began[1]}").exists()
    # Each of the others ran once and alone, and its state is its result.
    rest = [one for one in seen if one != began]
    assert len(rest) == 2 * (JOBS - 1)
    for name in INSTANCES:
        own = [one[1:] for one in rest if one[0] == name]
        for begins, ends in zip(own[::2], own[1::2], strict=True):
            assert (begins[0], begins[1], ends[1]) == (ends[0], "begins", "ends")
    failed = ask(database, "SELECT DISTINCT lock FROM procrastinate_jobs WHERE status = 'failed'")
    passed = ask(
        database, "SELECT DISTINCT lock FROM procrastinate_jobs WHERE status = 'succeeded'"
    )
    assert failed == [("eve",)]
    assert sorted(passed) == [(name,) for name in INSTANCES if name != "eve"]
    assert ask(database, "SELECT max(attempts), max(args::text) FROM procrastinate_jobs") == [
        (1, "{}")
    ]
    for worker in others:
        worker.send_signal(signal.SIGTERM)
    assert {worker.wait(60) for worker in others} <= {0, 1}


def test_a_job_that_is_no_longer_ours_is_stopped(database, start, tmp_path):
    start("60")
    enqueue(database, {"ada": "eu", "zoe": "eu"})
    assert wait_until(lambda: len(stamps(tmp_path)) == 1, 60)
    (began,) = stamps(tmp_path)
    ask(database, "UPDATE procrastinate_jobs SET status = 'aborted' WHERE lock = 'ada' RETURNING 1")
    assert wait_until(lambda: not Path(f"/proc/{began[1]}").exists(), 60)
    # An instance that this worker does not know is not drilled, and does not pass.
    assert wait_until(lambda: states(database) == {"aborted": 1, "failed": 1}, 60)
    assert stamps(tmp_path) == [began]


def test_a_pass_is_told_with_where_the_controls_are_that_do_not_gate(monkeypatch, capfd):
    monkeypatch.setattr("drillbook.fleet_queue.watch", lambda *_: asyncio.sleep(60))
    job = SimpleNamespace(job=SimpleNamespace(lock="ada"), app=None)
    asyncio.run(Worker("eu", {"ada": ["true"]})._drill(job))
    _, said = capfd.readouterr().out.splitlines()
    assert said == "ada: passed, exit code 0; see its report for controls that do not gate"


def test_a_real_drill_is_carried_out_signed_and_reported(
    server, runs, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    key(tmp_path)
    Path("backup.sql").write_text(dump("2024-10"))
    Path("keys.env").write_text(f"ENCRYPTION_KEY={KEYS['2024-10']}\n")
    Path("fleet.toml").write_text(
        '[[instance]]\nname = "ada"\nlabel = "real"\ncadence = "weekly"\nstack = "embedded"\n'
        'backup = "backup.sql"\nenv_file = "keys.env"\n'
    )

    def call(line):
        code = run(COMMANDS, line.split())
        return code, capsys.readouterr().out

    where = f"--queue local --run-dir {runs}"
    code, out = call(f"fleet enqueue {where} --pubkey drill.key.pub --output json")
    answer = json.loads(out)
    assert answer["schema"] == "drillbook/fleet-enqueue/1"
    assert (code, answer["added"], answer["waiting"]) == (0, ["ada"], [])
    assert call(f"fleet enqueue {where} --instance ada") == (0, "ada: waits in the queue already\n")
    line = f"fleet work {where} --label real --sign drill.key --until-empty"
    command = [sys.executable, "-m", "drillbook.cli", *line.split()]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    # The sample lacks some tables of a backup.
    said = "ada: drill begins\nada: not passed, exit code 1\n"
    assert (done.returncode, done.stdout) == (1, said), done.stderr
    code, out = call(f"fleet report {runs} --pubkey drill.key.pub --output json")
    answer = json.loads(out)
    assert (code, answer["bundles"], answer["ignored"]) == (1, 1, [])
    assert answer["instances"][0]["why"] == "never drilled with success"
    (bundle,) = runs.glob("2*/evidence.json")
    record = json.loads(bundle.read_text())
    assert record["organisation"]["system_id"] == "ada"
    assert "--instance=ada --env-file=keys.env" in record["run"]["command"]


def test_the_last_user_stops_the_database(tmp_path, runs):
    with local_database(runs / "other") as conninfo, local_database(runs / "other") as same:
        assert conninfo == same
    with pytest.raises(psycopg.OperationalError):
        ask(conninfo, "SELECT 1")
    with local_database(runs / "other") as conninfo:
        assert ask(conninfo, "SELECT 1") == [(1,)]
