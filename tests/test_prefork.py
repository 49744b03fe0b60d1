"""Workers that are forks of the run: they take their orders, and never outlive it."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import execnet
import pytest

from fixtures.stack.prefork import Prefork

ROOT = Path(__file__).resolve().parents[1]
SPECS = """
import os, signal, time, pytest
from pathlib import Path

@pytest.mark.parametrize("one", range(2))
def test_where(one, worker_id):
    command = Path("/proc/self/cmdline").read_text().replace(chr(0), " ")
    print(f"<{os.getppid()}|{command.strip()}>")
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()), "what it starts can be interrupted"

def test_long():
    time.sleep(float(os.environ["SECONDS"]))
"""


@pytest.fixture
def begun(tmp_path):
    """A run of two workers; its long spec takes as many seconds as it is told."""
    file = tmp_path / "test_where.py"
    file.write_text(SPECS)
    fixed = ["-m", "pytest", "-n2", "-rP", "-p", "no:cacheprovider", str(file), f"--rootdir={ROOT}"]
    fixed += ["-c", str(ROOT / "pyproject.toml"), "-p", "fixtures.stack.workers"]

    def begin(seconds):
        env = {**os.environ, "SECONDS": str(seconds)}
        command = [sys.executable, *fixed]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=env)

    return begin


def children(pid):
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def awaited(seen):
    for _ in range(500):
        if found := seen():
            return found
        time.sleep(0.02)
    return pytest.fail("it did not happen in ten seconds")


def gone(pid):
    status = Path(f"/proc/{pid}/status")
    return not status.exists() or "zombie" in status.read_text()


def test_specs_run_in_forks_of_the_run(begun):
    with begun(0) as run:
        printed, _ = run.communicate(timeout=60)
    assert run.returncode == 0, printed
    parents = re.findall(r"<(\d+)\|(.*)>", printed)
    assert {int(pid) for pid, _ in parents} == {run.pid}
    assert all("-n2" in command for _, command in parents), "a fork has the run's command line"


def test_no_worker_outlives_a_run_that_is_killed(begun):
    with begun(60) as run:
        workers = awaited(lambda: len(found := children(run.pid)) == 2 and found)
        run.kill()
        run.communicate(timeout=60)
        awaited(lambda: all(map(gone, workers)))


def test_those_that_nobody_took_end_with_a_run_that_never_began():
    command = [sys.executable, "-m", "pytest", "suites", "--workers=3", "--budget=nonsense"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 3
    assert "BUDGET=nonsense" in done.stdout + done.stderr


@pytest.fixture
def one_fork():
    """One worker that waits in this process, and what ends it."""
    ends = []
    Prefork(1).hand_out(SimpleNamespace(add_cleanup=ends.append))
    yield ends.pop
    for end in reversed(ends):
        end()


def test_beyond_those_that_wait_a_worker_is_started_anew(one_fork):
    group = execnet.Group()
    pids = [group.makegateway("popen")._rinfo().pid for _ in range(2)]
    mine = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in (os.getpid(), *pids)]
    assert mine[1] == mine[0] != mine[2]
    group.terminate(timeout=5)
    assert all(map(gone, pids))


def test_one_that_does_not_end_with_its_orders_is_ended(one_fork):
    group = execnet.Group()
    pid = group.makegateway("popen")._rinfo().pid
    assert not gone(pid)
    one_fork()()
    assert gone(pid)
    group.terminate(timeout=1)
