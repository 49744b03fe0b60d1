"""A qualification from its options to its record: healthy runs, every bug, judged and counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from reports import facts
from reports.catalogue import Catalogue, load
from reports.qualification import plan
from reports.qualification.digest import code_digest
from reports.qualification.figures import flaking, upper_bound
from reports.qualification.judgement import Row, Seen, row, seen
from reports.qualification.notebook import Notebook
from reports.qualification.record import Alarm, Checked, Qualification, counts
from reports.qualification.record import load as load_kept
from reports.qualification.specimens import (
    REFERENCE,
    ROOT,
    Specimen,
    Stock,
    Unqualifiable,
    chosen,
    stock,
)
from reports.qualification.trial import Laboratory, Outcome, Trial
from reports.verdict import Verdict

UNFINISHED = ROOT / "reports" / "runs" / "qualification" / "unfinished"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted: the stack, which bugs, how many healthy runs, how many side by side."""

    stack: str = "auto"
    mutants: tuple[str, ...] = ()
    healthy: int = 2
    workers: int | None = None
    image: str | None = None

    @property
    def container_image(self) -> str | None:
        """The image of containers: the reference where none is named and containers come along."""
        return self.image or (REFERENCE if self.stack == "auto" else None)

    @property
    def question(self) -> tuple[object, ...]:
        """What makes two qualifications of one code the same, however many run side by side."""
        return (self.stack, self.mutants, self.healthy, self.image)


Tell = Callable[[Outcome, Row | None], None]
Begin = Callable[[int, int, int], None]


def qualify(asked: Asked, begin: Begin, tell: Tell) -> Qualification:
    """Do it all; `tell` hears of each run as it ends, with the row of the bug it was about."""
    catalogue = load(ROOT / "suites" / "controls.toml")
    known = stock(asked.container_image)
    specimens = _wanted(asked, known)
    here = [one for one in specimens if plan.placed(one, asked.stack) not in known.absent]
    if asked.stack == "containers" and not asked.healthy:
        raise Unqualifiable("N=0 leaves nothing to compare a container with; give N=1 or more")
    image, some = asked.container_image, bool(asked.mutants)
    well = plan.healthy_trials(here, asked.stack, asked.healthy, image, some)
    carried = "containers" if asked.stack == "containers" else "embedded"
    workers = asked.workers or known.workers[carried]
    # What is judged is the code as it is now, whatever becomes of the checkout meanwhile.
    tool, code = facts.tool(), code_digest()
    notebook = Notebook(UNFINISHED, code, *asked.question)
    begin(len(here), len(well), workers)
    with TemporaryDirectory(prefix="drillbook-qualify-") as folder:
        laboratory = Laboratory(catalogue, Path(folder), notebook)
        work = _Work(laboratory, catalogue, asked, workers, tell)
        healthy, found = work.done(well, here)
    rows = tuple(found.get(one.name) or row(one, None, {}) for one in specimens)
    measured = _healthy_figures(healthy, catalogue)
    started, spent = notebook.begun.started, notebook.spent_s
    notebook.close()
    return Qualification.model_validate(
        {
            "commit": tool.commit,
            "dirty": tool.dirty,
            "code": code,
            "started": started,
            "duration_s": spent,
            "workers": workers,
            "stack": asked.stack,
            "image": asked.image,
            "selection": asked.mutants,
            "host": facts.host(),
            "controls": tuple(_checked(catalogue, rows, healthy)),
            "matrix": rows,
            **counts(rows),
            **measured,
        }
    )


def _wanted(asked: Asked, known: Stock) -> list[Specimen]:
    """The bugs to plant; a stack that was named leaves out what it cannot carry.

    Unqualifiable when that stack is not to be had.
    """
    found = chosen(known.mutants, asked.mutants)
    if asked.stack == "auto":
        return found
    if asked.stack in known.absent:
        raise Unqualifiable(known.absent[asked.stack])
    return [one for one in found if plan.placed(one, asked.stack)]


class _Work:
    """The runs of a qualification, and what is known of a healthy stack by then."""

    def __init__(
        self,
        laboratory: Laboratory,
        catalogue: Catalogue,
        asked: Asked,
        workers: int,
        tell: Tell,
    ) -> None:
        self._laboratory = laboratory
        self._catalogue = catalogue
        self._asked = asked
        self._workers = workers
        self._tell = tell
        self._last = _last()

    def done(
        self, healthy: list[Trial], specimens: list[Specimen]
    ) -> tuple[list[Outcome], dict[str, Row]]:
        """The healthy runs, and the row of every bug that was planted, by its name.

        All of it is tried at once, but for the first healthy run of a driver where it must be
        learnt from it how long each control takes, or what a healthy stack says. A healthy run
        that leaves no evidence ends the qualification.
        """
        first = [one for one in healthy if one.number == 1 and not self._foreseen(one.driver)]
        ended = self._all_well(self._laboratory.perform(first, self._workers, self._well))
        bugs = self._planned(specimens, ended)
        rest = [one for one in healthy if one not in first]
        known, rows = {one.name: one for one in specimens}, {}

        def tell(one: Outcome) -> None:
            if one.trial.mutant is None:
                self._well(one)
                return
            sound = _sound(one.trial.driver, self._catalogue, ended)
            rows[one.trial.mutant] = row(known[one.trial.mutant], one, sound)
            self._tell(one, rows[one.trial.mutant])

        found = self._laboratory.perform([*rest, *bugs], self._workers, tell)
        return ended + self._all_well([one for one in found if one.trial.mutant is None]), rows

    def _well(self, one: Outcome) -> None:
        self._tell(one, None)

    def _all_well(self, healthy: list[Outcome]) -> list[Outcome]:
        for one in healthy:
            if one.run is None:
                raise Unqualifiable(
                    f"{one.trial.name}: {one.trouble}. It is tried again by the same command, "
                    "which goes on where this ended"
                )
        return healthy

    def _foreseen(self, driver: str) -> bool:
        return bool(self._last and plan.predicted(driver, self._catalogue))

    def _planned(self, specimens: list[Specimen], healthy: list[Outcome]) -> list[Trial]:
        asked, image = self._asked, self._asked.container_image
        took = plan.durations(one.run for one in healthy if one.run)
        lasted = {one.mutant: one.duration_s for one in self._last.matrix} if self._last else {}
        if self._last and not took:
            took = {one.id: one.took_s for one in self._last.controls if one.took_s is not None}
        return plan.trials(specimens, self._catalogue, took, asked.stack, image, lasted)


def _last() -> Qualification | None:
    """The qualification that was kept; one that cannot be read costs the order of trials only."""
    with suppress(Unqualifiable):
        return load_kept()
    return None


def _sound(driver: str, catalogue: Catalogue, healthy: Sequence[Outcome]) -> Mapping[str, Seen]:
    """What a healthy stack says: as predicted, and where nothing is predicted as it said here."""
    told = plan.predicted(driver, catalogue)
    here = [one.run for one in healthy if one.run and one.trial.driver == driver]
    return told or (seen(here[0]) if here else {})


def _healthy_figures(healthy: Sequence[Outcome], catalogue: Catalogue) -> dict[str, object]:
    alarms: list[Alarm] = []
    verdicts: dict[tuple[str, str], list[Seen]] = {}
    for one in healthy:
        expected = _sound(one.trial.driver, catalogue, healthy)
        for control, found in seen(one.run).items() if one.run else ():
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


def _checked(
    catalogue: Catalogue, rows: Sequence[Row], healthy: Sequence[Outcome]
) -> list[Checked]:
    took = plan.durations(one.run for one in healthy if one.run)
    return [
        Checked(
            id=entry.id,
            title=entry.title,
            chapter=entry.chapter,
            nature=entry.nature,
            severity=entry.severity,
            mutants=sum(one.meant == entry.id for one in rows),
            caught=sum(one.meant == entry.id and one.state == "killed" for one in rows),
            took_s=took.get(entry.id),
        )
        for entry in catalogue.control
    ]
