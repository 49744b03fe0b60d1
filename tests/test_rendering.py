"""Rendering grows in proportion to the record, within its memory, to the same bytes each time."""

import subprocess
import sys
from pathlib import Path

import pytest

from reports import rendering
from reports.writers import WRITERS

ROOT = Path(__file__).resolve().parents[1]
DIGESTS = (
    "import hashlib; from reports import sample; from reports.writers import WRITERS, render;"
    "run = sample.large_run(50);"
    "print([(name, hashlib.sha256(render(name, run)).hexdigest()) for name in WRITERS])"
)


@pytest.fixture(scope="module")
def sizes():
    return [rendering.measured(controls, steps) for controls, steps, *_ in rendering.SIZES]


def test_the_sizes_are_what_they_are_said_to_be(sizes):
    assert [one.controls for one in sizes] == [50, 1000]
    assert sizes[1].steps >= 20_000
    assert sizes[1].by_document.keys() == WRITERS.keys()


def test_a_very_large_record_is_rendered_within_its_memory(sizes):
    assert [one.mib for one in sizes if one.mib >= 500] == []


def test_rendering_grows_in_proportion_to_the_record(sizes):
    small, large = sizes
    # Beside the bare record written and read, a process warms up once; a square law would be 20,
    # and a machine that others use has shown 3.
    grown = (large.all_s / large.bare_s) / (small.all_s / small.bare_s)
    assert grown < 6, sizes


def test_a_bound_that_is_not_kept_is_told_and_fails(monkeypatch, capsys):
    taken = rendering.Taken(50, 340, 0.1, 4.0, {"report.pdf": 3.0}, 100)
    monkeypatch.setattr(rendering, "measured", lambda *_: taken)
    assert rendering.main([]) == 1
    assert "4.00 s (bound 3)" in capsys.readouterr().out
    monkeypatch.setattr(rendering, "SIZES", ((50, 5, 5, 500),))
    assert rendering.main([]) == 0


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
