"""A qualification from its options to its record: healthy runs, every bug, judged and counted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import comb
from pathlib import Path
from tempfile import TemporaryDirectory

from reports.controls.catalogue import Catalogue, load
from reports.errors import Unqualifiable
from reports.qualification import generated, plan
from reports.qualification.judgement import Row, Seen, load_predictions, results, row
from reports.qualification.kept import code_digests, whole
from reports.qualification.plan import NONE, KnownBugs, PlantedBug, choose, list_bugs
from reports.qualification.record import Alarm, Checked, Qualification, counts
from reports.qualification.trial import REFERENCE, Outcome, Trials
from reports.record import run_metadata
from reports.verdict.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted: the stack, which bugs, how many healthy runs, how many side by side."""

    stack: str = "auto"
    mutants: tuple[str, ...] = ()
    part: str = "1/1"
    healthy: int = 2
    workers: int | None = None
    image: str | None = None
    generated: int = 0
    seed: int = 1

    @property
    def container_image(self) -> str | None:
        """The image of containers: the reference where none is named and containers come along."""
        return self.image or (REFERENCE if self.stack == "auto" else None)


Report = Callable[[Outcome, Row | None], None]
ReportGenerated = Callable[[generated.Fate, int], None]
Begin = Callable[[int, int, int], None]


def qualify(
    asked: Request, begin: Begin, report: Report, report_generated: ReportGenerated
) -> Qualification:
    """Healthy runs, then every bug; `report` hears of each run as it ends, with the bug's row.

    Raises Unqualifiable where a healthy run leaves no evidence: nothing can be compared then.
    """
    if asked.generated and asked.stack == "containers":
        raise Unqualifiable("--generated changes the reference backend: omit --stack containers")
    catalogue = load()
    known = list_bugs(asked.container_image)
    bugs = _choose_bugs(asked, known)
    here = [one for one in bugs if plan.driver_for(one, asked.stack) not in known.absent]
    if asked.stack == "containers" and not asked.healthy:
        raise Unqualifiable("--healthy 0 leaves nothing to compare containers with; give 1 or more")
    image, some = asked.container_image, bool(asked.mutants)
    well = plan.healthy_trials(here, asked.stack, asked.healthy, image, some)
    workers = (
        asked.workers or known.workers["containers" if asked.stack == "containers" else "embedded"]
    )
    # What is judged is the code as it is now, whatever becomes of the checkout meanwhile.
    tool, parts = run_metadata.tool(), code_digests()
    started, zero = datetime.now(UTC), time.monotonic()
    begin(len(here), len(well), workers)
    rows: dict[str, Row] = {}
    with TemporaryDirectory(prefix="drillbook-qualify-") as folder:
        trials = Trials(catalogue, Path(folder))
        healthy = trials.run(well, workers, lambda one: report(one, None))
        for one in healthy:
            if one.run is None:
                raise Unqualifiable(f"{one.trial.name}: {one.trouble}")
        took = plan.durations(one.run for one in healthy if one.run)
        by_name = {one.name: one for one in bugs}

        def judge(one: Outcome) -> None:
            name = str(one.trial.mutant)
            rows[name] = row(by_name[name], one, _sound(one.trial.driver, catalogue, healthy))
            report(one, rows[name])

        trials.run(plan.trials(here, took, asked.stack, image), workers, judge)
        drawn = None
        if asked.generated:
            drawn = generated.qualify(
                generated.Sample(asked.generated, asked.seed, workers),
                trials,
                load_predictions("embedded", catalogue),
                Path(folder),
                report_generated,
            )
    matrix = tuple(rows.get(one.name) or row(one, None, {}) for one in bugs)
    return Qualification.model_validate(
        {
            "commit": tool.commit,
            "dirty": tool.dirty,
            "code": whole(parts),
            "parts": parts,
            "started": started,
            "duration_s": round(time.monotonic() - zero, 1),
            "workers": workers,
            "stack": asked.stack,
            "image": asked.image,
            "selection": (*asked.mutants, *([f"part {asked.part}"] * (asked.part != "1/1"))),
            "host": run_metadata.host(),
            "controls": tuple(_controls(catalogue, matrix, healthy)),
            "matrix": matrix,
            "generated": drawn,
            **counts(matrix),
            **_healthy_figures(healthy, catalogue),
        }
    )


def _choose_bugs(asked: Request, known: KnownBugs) -> list[PlantedBug]:
    """The bugs to plant; a stack that was named leaves out what it cannot carry.

    Unqualifiable when that stack is not available.
    """
    found = [] if asked.mutants == (NONE,) else choose(known.mutants, asked.mutants)
    number, of = map(int, asked.part.split("/"))
    found = found[number - 1 :: of]
    if asked.stack == "auto":
        return found
    if asked.stack in known.absent:
        raise Unqualifiable(known.absent[asked.stack])
    return [one for one in found if plan.driver_for(one, asked.stack)]


def _sound(driver: str, catalogue: Catalogue, healthy: Sequence[Outcome]) -> Mapping[str, Seen]:
    """The results of a healthy stack: as predicted, or as measured here without a prediction."""
    predicted = load_predictions(driver, catalogue)
    runs = [one.run for one in healthy if one.run and one.trial.driver == driver]
    return predicted or (results(runs[0]) if runs else {})


def _healthy_figures(healthy: Sequence[Outcome], catalogue: Catalogue) -> dict[str, object]:
    alarms: list[Alarm] = []
    verdicts: dict[tuple[str, str], list[Seen]] = {}
    for one in healthy:
        expected = _sound(one.trial.driver, catalogue, healthy)
        for control, found in results(one.run).items() if one.run else ():
            verdicts.setdefault((one.trial.driver, control), []).append(found)
            known = expected.get(control, Seen(verdict=Verdict.NOT_RUN))
            if found != known:
                name = one.trial.name
                alarms.append(Alarm(run=name, control=control, expected=known, found=found))
    struck = len({one.run for one in alarms})
    strays, total = flaking([[str(one) for one in each] for each in verdicts.values()])
    return {
        "healthy_runs": len(healthy),
        "healthy_verdicts": total,
        "false_alarms": len(alarms),
        "runs_with_false_alarm": struck,
        "false_alarm_bound": round(upper_bound(struck, len(healthy)), 4),
        "flake_rate": round(strays / total, 6) if total else 0.0,
        "alarms": tuple(alarms),
    }


def _controls(
    catalogue: Catalogue, rows: Sequence[Row], healthy: Sequence[Outcome]
) -> list[Checked]:
    took = plan.durations(one.run for one in healthy if one.run)
    return [
        Checked(
            **entry.model_dump(include={"id", "title", "chapter", "nature", "severity"}),
            mutants=sum(one.meant == entry.id for one in rows),
            caught=sum(one.meant == entry.id and one.state == "killed" for one in rows),
            took_s=took.get(entry.id),
        )
        for entry in catalogue.control
    ]


def upper_bound(found: int, of: int, confidence: float = 0.95) -> float:
    """The largest rate that `found` out of `of` leaves possible (Clopper and Pearson, one-sided).

    With nothing found this is about 3/of, the rule of three.
    """
    if of == 0 or found >= of:
        return 1.0
    low, high = found / of, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        if _at_most(found, of, rate) > 1 - confidence:
            low = rate
        else:
            high = rate
    return high


def _at_most(found: int, of: int, rate: float) -> float:
    """The probability of so few or fewer."""
    terms = (comb(of, k) * rate**k * (1 - rate) ** (of - k) for k in range(found + 1))
    return sum(terms)


def flaking(verdicts: Iterable[Sequence[object]]) -> tuple[int, int]:
    """How many verdicts differ from the usual one of their control, and of how many."""
    strays = total = 0
    for of_control in verdicts:
        counted = Counter(of_control)
        total += len(of_control)
        strays += len(of_control) - max(counted.values(), default=0)
    return strays, total
