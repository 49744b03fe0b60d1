"""On real stacks, neither order nor number of workers changes a verdict, and nothing is left."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from drillbook.core.application import ROOT

pytestmark = pytest.mark.slow

# Cheap controls of several kinds: a read, a change of key, of password, a wipe.
SLIM = "KEY-2.AUTH,KEY-2.ENC,DBP-2,WIP-1,HLT-1"


def command(runs, *options):
    fixed = ["suites", "--evidence", "--only-evidence", "--stack=embedded", "--seed=3"]
    fixed.append(f"--controls={SLIM}")
    return [sys.executable, "-m", "pytest", *fixed, f"--run-dir={runs}", *options]


def evidence(runs):
    return json.loads((runs / "latest/evidence.json").read_text(encoding="utf-8"))


def judged(runs):
    return [
        [
            one["id"],
            one["verdict"],
            one["observed"],
            [[s["id"], s["verdict"]] for s in one["specs"]],
        ]
        for one in evidence(runs)["controls"]
    ]


def test_order_and_number_of_workers_change_no_verdict(tmp_path):
    found = {}
    for name, options in {
        "one by one": ["-n0"],
        "side by side in another order": ["-n2", "--seed=4"],
    }.items():
        runs = tmp_path / name
        subprocess.run(command(runs, *options), cwd=ROOT, capture_output=True, check=False)
        found[name] = judged(runs), evidence(runs)["counts"]
    first, second = found.values()
    assert second[1] == first[1]
    assert dict(verdicts(second)) == dict(verdicts(first))


def verdicts(found):
    return [(one[0], (one[1], one[2], sorted(one[3]))) for one in found[0]]


def homes(run):
    """The process and private folder of each worker of a run that has one by now."""
    children = Path(f"/proc/{run}/task/{run}/children").read_text().split()
    for child in children:
        for opened in Path(f"/proc/{child}/fd").glob("*"):
            target = Path("/gone")
            with suppress(OSError):
                target = opened.readlink()
            if target.name == "lock" and target.parent.name.startswith("drillbook-"):
                yield int(child), target.parent


def test_a_killed_worker_leaves_evidence_and_nothing_else(tmp_path):
    options = ["-n2"]
    with subprocess.Popen(command(tmp_path, *options), cwd=ROOT, stdout=subprocess.DEVNULL) as run:
        deadline = time.monotonic() + 240
        while len(found := list(homes(run.pid))) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(found[0][0], signal.SIGKILL)
    assert run.returncode == 2
    record = evidence(tmp_path)
    assert (record["counts"]["inconclusive"], record["run"]["interrupted"]) == (1, False)
    assert [place for _, place in found if place.exists()] == []
