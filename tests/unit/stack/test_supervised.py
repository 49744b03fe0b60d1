"""A supervised process behaves like a container under `restart: unless-stopped`."""

import sys
from functools import partial

import pytest

from drillbook.core.errors import StackTrouble
from drillbook.stack.processes import Supervised, spawn
from drillbook.stack.waiting import wait_for


@pytest.fixture
def supervise(tmp_path):
    made = []

    def start(code, **env):
        one = Supervised(partial(spawn, [sys.executable, "-c", code]), env, tmp_path / "log")
        made.append(one)
        one.start()
        return one

    yield start
    for one in made:
        one.stop()


def test_a_crash_loop_is_counted_and_keeps_its_exit_code(supervise):
    looping = supervise("raise SystemExit(255)")
    wait_for(lambda: looping.state.restarts >= 2, within_s=60, what="two restarts")
    assert looping.state.exit_code == 255
    assert looping.state.state in ("restarting", "running")


def test_the_environment_is_the_one_it_was_created_with(supervise, tmp_path):
    one = supervise(
        "import os, time; print(os.environ['WORD'], flush=True); time.sleep(60)", WORD="a"
    )
    wait_for(lambda: (tmp_path / "log").read_text() == "a\n", within_s=60, what="the first word")
    one.stop()
    one.start()
    wait_for(lambda: (tmp_path / "log").read_text() == "a\na\n", within_s=60, what="again")


def test_stopping_is_not_a_crash(supervise):
    one = supervise("import time; time.sleep(60)")
    one.stop()
    assert one.state.state == "exited"
    assert one.state.restarts == 0


def test_a_killed_process_comes_back(supervise):
    one = supervise("import time; time.sleep(60)")
    one.kill()
    wait_for(lambda: one.state.restarts == 1, within_s=60, what="one restart")
    wait_for(lambda: one.state.state == "running", within_s=60, what="the process")
    assert one.state.exit_code == 137


def test_one_that_cannot_be_started_again_says_so(tmp_path):
    starts = iter([partial(spawn, [sys.executable, "-c", ""])])

    def launch(env, log):
        if start := next(starts, None):
            return start(env, log)
        raise OSError("too many open files")

    one = Supervised(launch, {}, tmp_path / "log")
    one.start()

    def told():
        try:
            return one.state.state == "exited"
        except StackTrouble as trouble:
            return str(trouble)

    words = wait_for(told, within_s=60, what="the trouble")
    assert words == "the process cannot be started again: OSError: too many open files"
    one.stop()
    assert one.state.state == "exited"
