"""Plans that another process makes up are those that would be made up here."""

import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.lifecycle.acts import PARTS, Budget, share
from fixtures.lifecycle.ahead import PlansAhead
from fixtures.lifecycle.machine import plans

SMALL = Budget(8, 5)
ROOT = Path(__file__).parents[1]
DIES = """
import os
from fixtures.lifecycle.ahead import Budget, PlansAhead
made = PlansAhead(Budget(90000, 12), 1, [0])
print(made._process.pid, flush=True)
os._exit(0)
"""


@pytest.fixture
def ahead():
    made = PlansAhead(SMALL, 3, [2, 0])
    yield made
    made.end()


def test_each_part_is_what_it_would_be_here(ahead):
    assert ahead.plans(0) == plans(*share(SMALL, 3, 0))
    assert ahead.plans(2) == plans(*share(SMALL, 3, 2))


def test_what_nobody_asked_for_is_made_up_here(ahead):
    assert ahead.plans(1) is None


def test_a_process_that_is_gone_is_no_trouble(ahead):
    ahead._process.kill()
    assert ahead.plans(0) is None


def test_the_parts_use_the_whole_budget_up_and_think_for_themselves():
    shares = [share(Budget(10, 5), 7, part) for part in range(PARTS)]
    assert sum(budget.runs for budget, _ in shares) == 10
    assert len({seed for _, seed in shares}) == PARTS


def test_a_budget_smaller_than_its_parts_leaves_some_without():
    made = PlansAhead(Budget(1, 5), 3, [3, 0])
    try:
        assert (made.plans(3), len(made.plans(0) or [])) == ([], 1)
    finally:
        made.end()


def test_it_ends_with_whoever_began_it():
    told = subprocess.run([sys.executable, "-c", DIES], cwd=ROOT, capture_output=True, check=True)
    process = Path("/proc", told.stdout.decode().strip())
    for _ in range(200):
        if not process.exists() or "(zombie)" in (process / "status").read_text():
            return
        subprocess.run(["sleep", "0.05"], check=True)
    pytest.fail(f"{process} is still there")
