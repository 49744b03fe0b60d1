"""`make bench` prints what a run costs, as ratios of two measurements on this machine.

| ratio | of | to |
| --- | --- | --- |
| overhead | the suite, one spec at a time | its boots, migrations, dumps and restores |
| side by side | the suite, a worker for each core | the suite, one spec at a time |

Seconds depend on the machine and its load; only the ratios are comparable.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from drillbook.core.application import ROOT

STACK_KINDS = ("boot", "migrate", "dump", "restore")


def run_suite(folder, workers):
    """Run the suite on an embedded stack; its seconds, and its record as a mapping."""
    command = [sys.executable, "-m", "pytest", "suites", "--evidence", "--stack=embedded"]
    command += ["--seed=1", "-p", "no:cacheprovider", f"--workers={workers}", f"--run-dir={folder}"]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode not in (0, 1, 2):
        sys.exit(
            f"bench: the suite ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}"
        )
    return seconds, json.loads((folder / "latest" / "evidence.json").read_text(encoding="utf-8"))


def stack_seconds(record):
    """Seconds during which a stack booted, migrated, dumped or restored, without overlaps."""
    spans = sorted(
        (datetime.fromisoformat(span["started"]).timestamp(), span["duration_s"])
        for span in record["timeline"]
        if span["kind"] in STACK_KINDS
    )
    total, reached = 0.0, 0.0
    for started, duration in spans:
        ended = started + duration
        total += max(0.0, ended - max(started, reached))
        reached = max(reached, ended)
    return total


def main():
    """Measure and print."""
    sys.stdout.write(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    with tempfile.TemporaryDirectory(prefix="drillbook-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # root's database runs as another user
        serial, record = run_suite(folder, "1")
        parallel, _ = run_suite(folder, "auto")
    stacks = stack_seconds(record)
    sys.stdout.write(f"overhead      {serial / stacks:.2f}   {serial:.1f} s / {stacks:.1f} s\n")
    sys.stdout.write(f"side by side  {parallel / serial:.2f}   {parallel:.1f} s / {serial:.1f} s\n")


if __name__ == "__main__":
    main()
