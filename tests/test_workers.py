"""How many workers a run gets, by what it is told and by what the machine has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from drillbook.core.errors import BadInput
from fixtures.session import workers

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("wanted", ["0", "17", "-1", "two", "", "1.5", "²"])
def test_nonsense_is_refused_in_one_sentence(wanted):
    with pytest.raises(BadInput, match="give a number from 1 to 16, or auto"):
        workers.number(wanted)


def test_a_refusal_ends_the_run_before_it_begins():
    command = [sys.executable, "-m", "pytest", "suites", "--workers=many"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.splitlines() == ["WORKERS=many: give a number from 1 to 16, or auto"]


@pytest.mark.parametrize(
    ("cores", "mib", "driver", "expected"),
    [
        (2, 9000, "embedded", 3),
        (2, 9000, "containers", 2),
        (8, 1300, "embedded", 3),
        (8, 3300, "containers", 2),
        (8, 3300, "auto", 2),
        (4, 10, "embedded", 1),
        (64, 1 << 20, "containers", 16),
    ],
)
def test_cores_and_memory_both_limit(monkeypatch, cores, mib, driver, expected):
    monkeypatch.setattr(workers, "cores", lambda: cores)
    monkeypatch.setattr(workers, "free_mib", lambda: mib)
    assert workers.fitting(driver) == expected


def test_quota_of_the_control_group_counts(monkeypatch, tmp_path):
    monkeypatch.setattr(workers, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8))
    assert workers.cores() == 8
    (tmp_path / "cpu.max").write_text("250000 100000\n")
    assert workers.cores() == 2
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert workers.cores() == 8
    (tmp_path / "memory.max").write_text(f"{300 << 20}\n")
    (tmp_path / "memory.current").write_text(f"{100 << 20}\n")
    assert workers.free_mib() == 200
