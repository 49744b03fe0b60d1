"""A fleet on a real PostgreSQL queue loses, repeats and invents no drill if a worker is killed."""

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run
from drillbook.core.application import ROOT
from drillbook.fleet_queue import enqueue
from drillbook.stack.waiting import wait_until
from tests.support.backups import KEYS, dump
from tests.support.bundles import key

pytestmark = pytest.mark.slow

INSTANCES = ("ada", "bob", "cyd", "dee", "eve")
# A drill: it records when it begins and ends, and passes unless it is eve's.
DRILL = 'echo "$1 $$ begins" >>stamps; sleep "$2"; echo "$1 $$ ends" >>stamps; test "$1" != eve'
WORKER = """
import sys
from drillbook.fleet_queue import Worker
conninfo, script, seconds, *names = sys.argv[1:]
commands = {name: ["sh", "-c", script, "sh", name, seconds] for name in names}
sys.exit(Worker("eu", commands).work(conninfo))
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
FLEET = """
[[instance]]
name = "ada"
label = "real"
cadence = "weekly"
stack = "embedded"
backup = "backup.sql"
env_file = "keys.env"
"""


@pytest.fixture
def queue(isolated):
    """The connection string of an empty queue."""
    with isolated.connect() as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
        password = isolated.settings["POSTGRES_PASSWORD"]
        return psycopg.conninfo.make_conninfo(connection.info.dsn, password=password)


@pytest.fixture
def start(queue, tmp_path):
    """Starts workers, which are killed at the end."""
    with ExitStack() as ends:

        def begin(seconds="0.05"):
            command = [sys.executable, "-c", WORKER, queue, DRILL, seconds, *INSTANCES]
            worker = ends.enter_context(subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT))
            ends.callback(worker.kill)
            return worker

        yield begin


def ask(queue, question):
    with psycopg.connect(queue) as connection:
        return connection.execute(question).fetchall()


def states(queue):
    return dict(ask(queue, "SELECT lock, status FROM procrastinate_jobs ORDER BY id"))


def stamps(folder):
    path = folder / "stamps"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def test_workers_drill_each_instance_once_and_alone(queue, start, tmp_path):
    workers = [start() for _ in range(2)]
    assert enqueue(queue, dict.fromkeys(INSTANCES, "eu")) == ([*INSTANCES], [], [])
    assert wait_until(lambda: not {"todo", "doing"} & {*states(queue).values()}, 120)
    wanted = dict.fromkeys(INSTANCES, "succeeded") | {"eve": "failed"}
    assert states(queue) == wanted
    assert sorted(name for name, _, what in stamps(tmp_path) if what == "begins") == [*INSTANCES]
    assert ask(queue, "SELECT max(attempts), max(args::text) FROM procrastinate_jobs") == [
        (1, "{}")
    ]
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    assert {worker.wait(60) for worker in workers} <= {0, 1}


def test_the_job_of_a_killed_worker_has_not_passed_and_its_instance_is_drilled_again(
    queue, start, tmp_path
):
    doomed = start("60")
    enqueue(queue, {"ada": "eu"})
    assert wait_until(lambda: len(stamps(tmp_path)) == 1, 120)
    os.kill(int(stamps(tmp_path)[0][1]), signal.SIGKILL)
    doomed.kill()
    doomed.wait()
    # A minute without a sign of life.
    silent = "last_heartbeat = last_heartbeat - interval '5 minutes'"
    ask(queue, f"UPDATE procrastinate_workers SET {silent} RETURNING 1")
    assert enqueue(queue, {"ada": "eu"}) == (["ada"], [], ["ada"])
    start()
    assert wait_until(lambda: states(queue) == {"ada": "succeeded"}, 120)
    assert ask(queue, "SELECT status FROM procrastinate_jobs ORDER BY id") == [
        ("aborted",),
        ("succeeded",),
    ]


def test_a_real_drill_is_carried_out_signed_and_reported(queue, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    key(tmp_path)
    Path("backup.sql").write_text(dump("2024-10"))
    Path("keys.env").write_text(f"ENCRYPTION_KEY={KEYS['2024-10']}\n")
    Path("fleet.toml").write_text(FLEET)
    Path("queue.txt").touch(mode=0o600)
    Path("queue.txt").write_text(queue)

    def call(line):
        code = run(COMMANDS, line.split())
        return code, capsys.readouterr().out

    where = "--queue queue.txt --run-dir runs"
    code, out = call(f"fleet enqueue {where} --pubkey drill.key.pub --output json")
    answer = json.loads(out)
    assert answer["schema"] == "drillbook/fleet-enqueue/1"
    assert (code, answer["added"], answer["waiting"]) == (0, ["ada"], [])
    assert call(f"fleet enqueue {where} --instance ada") == (0, "ada: waits in the queue already\n")
    line = f"fleet work {where} --label real --sign drill.key --until-empty"
    command = [sys.executable, "-m", "drillbook.cli", *line.split()]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    # The sample lacks some tables of a backup.
    said = "ada: drill begins\nada: not passed, exit code 1\n"
    assert (done.returncode, done.stdout) == (1, said), done.stderr
    code, out = call("fleet report runs --pubkey drill.key.pub --output json")
    answer = json.loads(out)
    assert (code, answer["bundles"], answer["ignored"]) == (1, 1, [])
    (bundle,) = Path("runs").glob("2*/evidence.json")
    record = json.loads(bundle.read_text())
    assert record["organisation"]["system_id"] == "ada"
    assert "--instance=ada --env-file=keys.env" in record["run"]["command"]
