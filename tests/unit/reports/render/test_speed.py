"""Rendering grows in proportion to the record, within its memory, to the same bytes each time."""

import json
import subprocess
import sys

import pytest

from drillbook.core.application import ROOT
from reports.session.bundle import WRITERS

pytestmark = pytest.mark.slow

DIGESTS = (
    "import hashlib; from tests.support import sample_run;"
    "from reports.session.bundle import WRITERS, render;"
    "run = sample_run.large_run(50);"
    "print([(name, hashlib.sha256(render(name, run)).hexdigest()) for name in WRITERS])"
)
# In a process of its own, so that its memory is its own; its time is set against that of writing
# and reading the bare record once in the same process.
MEASURE = """
import json, sys, time
from pathlib import Path
from reports.evidence import json_file
from reports.evidence.model import Run
from reports.session.bundle import WRITERS, render
from tests.support import sample_run

run = sample_run.large_run(int(sys.argv[1]), int(sys.argv[2]))
began = time.process_time()
for name in WRITERS:
    render(name, run)
rendered = time.process_time()
Run.model_validate_json(json_file.text(run.model_dump(mode="json")))
read = time.process_time()
status = Path("/proc/self/status").read_text()
steps = sum(len(spec.steps) for control in run.controls for spec in control.specs)
print(json.dumps({
    "steps": steps,
    "ratio": (rendered - began) / (read - rendered),
    "mib": int(status.partition("VmHWM:")[2].split()[0]) // 1024,
}))
"""


def output(*arguments, **options):
    done = subprocess.run(
        [sys.executable, "-c", *arguments], cwd=ROOT, check=True, capture_output=True, **options
    )
    return done.stdout


@pytest.fixture(scope="module")
def small_and_large():
    return [json.loads(output(MEASURE, *size)) for size in (("50", "5"), ("1000", "15"))]


def test_a_very_large_record_is_rendered_within_its_memory(small_and_large):
    assert small_and_large[1]["steps"] >= 20_000
    assert max(one["mib"] for one in small_and_large) < 500


def test_rendering_grows_in_proportion_to_the_record(small_and_large):
    # A process warms up once; a square law would be 20, and a busy machine has shown 3.
    small, large = small_and_large
    assert large["ratio"] / small["ratio"] < 6, small_and_large


def test_two_processes_write_the_same_bytes_in_every_format():
    first, second = (
        output(DIGESTS, env={"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"})
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    )
    assert first == second
    assert first.count(b"'") == 4 * len(WRITERS)
