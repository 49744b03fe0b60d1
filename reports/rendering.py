"""What it takes to render everything, for a usual record and for a very large one.

`make bench` runs it. Each size has a process of its own, so that its memory is its own; its time
is set beside that of writing and reading the bare record once in the same process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from reports.lines import Line, write
from reports.verdict import FAILED, PASSED

# Controls, steps of a spec that ran, seconds and MiB that must do (two thirds of the specs run).
SIZES = ((50, 5, 3, 500), (1000, 15, 20, 500))
_ROOT = Path(__file__).resolve().parents[1]


class Taken(NamedTuple):
    """What one record took: seconds of it bare and as everything, by document, and memory."""

    controls: int
    steps: int
    bare_s: float
    all_s: float
    by_document: dict[str, float]
    mib: float


def measured(controls: int, steps: int) -> Taken:
    """Render a made-up record of this size once, in a process that does nothing else."""
    command = [sys.executable, "-m", "reports.rendering", str(controls), str(steps)]
    done = subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, text=True)
    return Taken(**json.loads(done.stdout))


def main(arguments: Sequence[str]) -> int:
    """Without arguments the table, and exit code 1 if a bound was not kept; else one size."""
    if arguments:
        sys.stdout.write(json.dumps(_taken(*map(int, arguments))._asdict()))
        return PASSED
    within = True
    for controls, steps, seconds, mib in SIZES:
        taken = measured(controls, steps)
        good = taken.all_s < seconds and taken.mib < mib
        within = within and good
        write(_told(taken, seconds, mib, good), sys.stdout)
    return PASSED if within else FAILED


def _taken(controls: int, steps: int) -> Taken:
    from reports import evidence, sample
    from reports.model import Run
    from reports.writers import WRITERS, render

    run = sample.large_run(controls, steps)
    by_document = {name: _seconds(lambda name=name: render(name, run)) for name in WRITERS}
    bare = _seconds(lambda: Run.model_validate_json(evidence.unchecked(run)))
    count = sum(len(spec.steps) for control in run.controls for spec in control.specs)
    return Taken(controls, count, bare, sum(by_document.values()), by_document, _peak_mib())


def _peak_mib() -> int:
    """What this program took at most; getrusage would count what it was forked from, too."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def _seconds(act: object) -> float:
    assert callable(act)
    began = time.perf_counter()
    act()
    return round(time.perf_counter() - began, 3)


def _told(taken: Taken, seconds: int, mib: int, good: bool) -> Iterator[Line]:
    slowest = sorted(taken.by_document.items(), key=lambda one: -one[1])[:3]
    style = ("green",) if good else ("red", "bold")
    yield Line(
        f"rendering {taken.controls:,} controls, {taken.steps:,} steps: {taken.all_s:.2f} s "
        f"(bound {seconds}), {taken.mib:.0f} MiB (bound {mib})",
        style,
    )
    yield Line(
        f"  {taken.all_s / max(taken.bare_s, 0.001):.1f} times the bare record written and read; "
        + ", ".join(f"{name} {spent:.2f} s" for name, spent in slowest)
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
