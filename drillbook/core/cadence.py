"""What the runbook wants each quarter, and what of it earlier runs show to be overdue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from drillbook.core.bugs import seam
from drillbook.core.errors import Unsupported

# How long something that is due quarterly counts.
QUARTER = timedelta(days=90)
# Procedures that the runbook wants each quarter (SEC-6), and the controls of which any one,
# satisfied, shows that it was carried out.
QUARTERLY = {
    "rotation of the database password": ("DBP-7", "DBP-1"),
    "recovery with the old keys": ("KEY-5", "DRL-2"),
    "move to a new instance": ("MIG-1",),
}


class Past(Protocol):
    """An earlier run: when it ended, the grade of its evidence, and the controls it satisfied."""

    @property
    def finished(self) -> datetime: ...
    @property
    def grade(self) -> str: ...
    @property
    def satisfied(self) -> frozenset[str]: ...


@seam("count_runs")
def runs_that_count(runs: Iterable[Past], grade: str, now: datetime) -> list[Past]:
    """The earlier runs that count for a run of this grade; Unsupported if there are none.

    A rehearsal is not evidence about a deployment, and runs dated after now do not count.
    """
    past = [run for run in runs if run.finished <= now]
    counted = [run for run in past if grade == "rehearsal" or run.grade == grade]
    if not counted:
        raise Unsupported(
            f"no earlier run of grade {grade} left evidence that counts in this folder: the "
            "cadence is judged from the next run on; keep the folder of runs, and give it as "
            "--run-dir"
        )
    return counted


def overdue_acts(runs: Sequence[Past], now: datetime) -> dict[str, str]:
    """Each overdue procedure, and how late it is: never done in these runs, or too long ago."""
    standings = {act: _standing(runs, controls, now) for act, controls in QUARTERLY.items()}
    return {act: words for act, words in standings.items() if words}


def _standing(runs: Sequence[Past], controls: tuple[str, ...], now: datetime) -> str | None:
    done = [run.finished for run in runs if not run.satisfied.isdisjoint(controls)]
    if not done:
        since = min(run.finished for run in runs)
        return f"never, in the runs since {since:%Y-%m-%d} (there are {len(runs)})"
    age = now - max(done)
    if age <= QUARTER:
        return None
    return f"{age.days} days ago, on {max(done):%Y-%m-%d}"
