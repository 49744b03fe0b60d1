"""Rendering gives the same bytes each time."""

import subprocess
import sys
from pathlib import Path

from reports.writers import WRITERS

ROOT = Path(__file__).resolve().parents[1]
DIGESTS = (
    "import hashlib; from reports import sample; from reports.writers import WRITERS, render;"
    "run = sample.large_run(50);"
    "print([(name, hashlib.sha256(render(name, run)).hexdigest()) for name in WRITERS])"
)


def test_two_processes_write_the_same_bytes_in_every_format():
    seen = [
        subprocess.run(
            [sys.executable, "-c", DIGESTS],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"},
            check=True,
            capture_output=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    ]
    assert seen[0] == seen[1]
    assert seen[0].count(b"'") == 4 * len(WRITERS)
