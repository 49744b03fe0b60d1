"""`drillbook qualify`: healthy runs, then every bug; prints what was caught, keeps the record."""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import comb
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from rich.console import Console
from rich.text import Text

from reports.controls import Catalogue, load
from reports.errors import Unqualifiable
from reports.qualification import generated, pages
from reports.qualification.pages import code_digests, figures, whole
from reports.qualification.record import (
    KEPT,
    LATEST,
    Alarm,
    Checked,
    Fate,
    Qualification,
    Row,
    Seen,
    counts,
    text,
)
from reports.qualification.trial import (
    NONE,
    REFERENCE,
    KnownBugs,
    Outcome,
    PlantedBug,
    Trials,
    bug_trials,
    choose,
    driver_for,
    durations,
    healthy_trials,
    list_bugs,
    load_predictions,
    results,
    row,
)
from reports.record import run_metadata
from reports.verdict import FAILED, PASSED, UNDECIDED, Verdict, is_judged

_LISTED = 40
_STYLES = {"killed": "green", "survived": "bold red", "wrong reason": "red", "stumbled": "yellow"}


@dataclass(frozen=True, slots=True)
class Request:
    """The options: which stack and bugs, how many healthy runs, how many runs side by side."""

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
        """The image of containers: the one named, else the reference if the stack is open."""
        return self.image or (REFERENCE if self.stack == "auto" else None)


def qualify(asked: Request, progress: Progress) -> Qualification:
    """The record of healthy runs and a run of every bug, each printed as it ends.

    Unqualifiable if a healthy run leaves no evidence, as there is nothing to compare with then.
    """
    if asked.generated and asked.stack == "containers":
        raise Unqualifiable("--generated changes the reference backend: omit --stack containers")
    catalogue = load()
    known = list_bugs(asked.container_image)
    bugs = _choose_bugs(asked, known)
    here = [one for one in bugs if driver_for(one, asked.stack) not in known.absent]
    if asked.stack == "containers" and not asked.healthy:
        raise Unqualifiable("--healthy 0 leaves nothing to compare containers with; give 1 or more")
    image, some = asked.container_image, bool(asked.mutants)
    well = healthy_trials(here, asked.stack, asked.healthy, image, some)
    workers = (
        asked.workers or known.workers["containers" if asked.stack == "containers" else "embedded"]
    )
    # The record is about the code as it is now; the checkout may change during the runs.
    tool, parts = run_metadata.tool(), code_digests()
    started, zero = datetime.now(UTC), time.monotonic()
    progress.begin(len(here), len(well), workers)
    rows: dict[str, Row] = {}
    with TemporaryDirectory(prefix="drillbook-qualify-") as folder:
        trials = Trials(catalogue, Path(folder))
        healthy = trials.run(well, workers, lambda one: progress.add_run(one, None))
        for one in healthy:
            if one.run is None:
                raise Unqualifiable(f"{one.trial.name}: {one.trouble}")
        took = durations(one.run for one in healthy if one.run)
        by_name = {one.name: one for one in bugs}

        def judge(one: Outcome) -> None:
            name = str(one.trial.mutant)
            rows[name] = row(by_name[name], one, _sound(one.trial.driver, catalogue, healthy))
            progress.add_run(one, rows[name])

        trials.run(bug_trials(here, took, asked.stack, image), workers, judge)
        drawn = None
        if asked.generated:
            drawn = generated.qualify(
                generated.Sample(asked.generated, asked.seed, workers),
                trials,
                load_predictions("embedded", catalogue),
                Path(folder),
                progress.add_fate,
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
            "controls": tuple(_controls(catalogue, matrix, took)),
            "matrix": matrix,
            "generated": drawn,
            **counts(matrix),
            **_healthy_figures(healthy, catalogue),
        }
    )


def _choose_bugs(asked: Request, known: KnownBugs) -> list[PlantedBug]:
    """The bugs to plant; Unqualifiable if the stack that was named is not available."""
    found = [] if asked.mutants == (NONE,) else choose(known.mutants, asked.mutants)
    number, of = map(int, asked.part.split("/"))
    found = found[number - 1 :: of]
    if asked.stack == "auto":
        return found
    if asked.stack in known.absent:
        raise Unqualifiable(known.absent[asked.stack])
    return [one for one in found if driver_for(one, asked.stack)]


def _sound(driver: str, catalogue: Catalogue, healthy: Sequence[Outcome]) -> Mapping[str, Seen]:
    """The results of a healthy stack: the predicted ones, else those of the first healthy run."""
    predicted = load_predictions(driver, catalogue)
    runs = [one.run for one in healthy if one.run and one.trial.driver == driver]
    return predicted or (results(runs[0]) if runs else {})


def _healthy_figures(healthy: Sequence[Outcome], catalogue: Catalogue) -> dict[str, object]:
    alarms: list[Alarm] = []
    verdicts: dict[tuple[str, str], list[Seen]] = {}
    for one in healthy:
        expected = _sound(one.trial.driver, catalogue, healthy)
        for control, found in results(one.run).items() if one.run else ():
            if is_judged(found.verdict):
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
    catalogue: Catalogue, rows: Sequence[Row], took: Mapping[str, float]
) -> list[Checked]:
    return [
        Checked(
            **entry.model_dump(include={"id", "title", "chapter", "nature", "severity"}),
            mutants=sum(one.meant == entry.id for one in rows),
            caught=sum(one.meant == entry.id and one.state == "killed" for one in rows),
            took_s=took.get(entry.id),
        )
        for entry in catalogue.control
    ]


def upper_bound(found: int, of: int) -> float:
    """The largest rate that `found` out of `of` leaves possible, with 95 % confidence.

    The bound is the one-sided one of Clopper and Pearson; with nothing found it is about 3/of.
    """
    if of == 0 or found >= of:
        return 1.0
    low, high = found / of, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        # The probability of at most `found` out of `of` at this rate.
        if sum(comb(of, k) * rate**k * (1 - rate) ** (of - k) for k in range(found + 1)) > 0.05:
            low = rate
        else:
            high = rate
    return high


def flaking(verdicts: Iterable[Sequence[object]]) -> tuple[int, int]:
    """How many verdicts differ from the usual one of their control, and of how many."""
    strays = total = 0
    for of_control in verdicts:
        counted = Counter(of_control)
        total += len(of_control)
        strays += len(of_control) - max(counted.values(), default=0)
    return strays, total


class Progress:
    """Prints a line for each run as it ends; without style for NO_COLOR and pipes."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._total = self._ended = self._judged = 0

    def say(self, sentence: str) -> None:
        """Print a sentence."""
        self._console.print(Text(sentence))

    def begin(self, mutants: int, healthy: int, workers: int) -> None:
        """Print what is about to be done."""
        self._total = mutants + healthy
        self.say(f"Planted bugs: {mutants}. Healthy runs: {healthy}. Side by side: {workers}.")

    def add_run(self, outcome: Outcome, row: Row | None) -> None:
        """Print a run that ended."""
        self._ended += 1
        state = row.state if row else ("ended" if outcome.run else "stumbled")
        words = f"{row.meant:<15}{row.mutant}" if row else outcome.trial.name
        self._print(f"{self._ended:4}/{self._total}", state, outcome.duration_s, words)
        if row and row.state not in ("killed", "equivalent"):
            self.say(f"{'':12}{row.told.splitlines()[0][:200]}")

    def add_fate(self, fate: Fate, total: int) -> None:
        """Print a generated bug that was judged."""
        self._judged += 1
        words = f"{fate.control or '':<15}{fate}"
        self._print(f"{self._judged:4}/{total}", fate.state, fate.duration_s, words)

    def _print(self, number: str, state: str, seconds: float, words: str) -> None:
        line = Text(f"{number}  ").append(f"{state:<13}", _STYLES.get(state, ""))
        self._console.print(line.append(f"{seconds:6.1f} s  {words}"))

    def end(self, record: Qualification, where: Path) -> None:
        """Print the figures, what escaped, and what to do next."""
        self.say("")
        for line in figures(record):
            self.say(line)
        for one in record.escaped:
            self.say(f"  {one.state}: {one.mutant} ({one.sentence}); meant for {one.meant}")
        alive = record.generated.alive if record.generated else []
        for bug in alive[:_LISTED]:
            self.say(f"  {bug.state}, generated: {bug} {bug.told}".rstrip())
        if len(alive) > _LISTED:
            self.say(f"  and {len(alive) - _LISTED} more generated ones; all are in the record")
        for alarm in record.alarms[:10]:
            found = f"{alarm.found.verdict.words} ({alarm.found.observed})"
            self.say(f"  false alarm: {alarm.run}, {alarm.control}: {found}")
        word, style = ("QUALIFIED", "green") if record.passed else ("NOT QUALIFIED", "red")
        self._console.print(Text(f"{word}.", f"bold {style}"), end=" ")
        self.say(next_step(record))
        self.say(f"Matrix and record: {where / 'qualification.html'}")


def next_step(record: Qualification) -> str:
    """What the reader should do now."""
    if record.escaped:
        return "A control that let its bug live must be made to see it, before it is trusted."
    if record.false_alarms:
        return "A healthy stack was accused: find out why before a verdict is trusted."
    if record.not_run:
        return "Some bugs need an engine: `drillbook images`, or --stack embedded to leave them."
    if not record.planted:
        return "No planted bug was tried, so nothing is said of the controls."
    if record.selection:
        return "The controls that these bugs are meant for can fail; the others were not tried."
    return "Every control can fail, and failed for its reason."


def _request(given: SimpleNamespace) -> Request:
    workers = None if given.workers == "auto" else int(given.workers)
    return Request(
        stack=given.stack,
        mutants=tuple(one.strip() for one in (given.mutants or "").split(",") if one.strip()),
        part=given.shard or "1/1",
        healthy=int(given.healthy),
        workers=workers,
        image=given.image,
        generated=int(given.generated),
        seed=int(given.seed),
    )


def main(given: SimpleNamespace) -> int:
    """0: every bug was caught by its control; 1: one was not; 2: some were not run."""
    # A supervisor's SIGTERM ends the command as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    progress = Progress()
    narrowed = given.mutants or given.shard or given.image
    if given.keep and (narrowed or given.stack != "auto"):
        raise Unqualifiable(
            "--keep keeps whole qualifications: leave out --mutants, --shard, --stack, --image"
        )
    try:
        record = qualify(_request(given), progress)
    except KeyboardInterrupt:
        progress.say("interrupted; nothing was recorded")
        return UNDECIDED
    where = pages.write(record, LATEST.parent)
    progress.end(record, where)
    if given.keep and record.not_run:
        progress.say("not kept: only a qualification in which every bug was run is")
    elif given.keep:
        KEPT.write_text(text(record), encoding="utf-8")
        pages.update(record)
        progress.say("kept as reports/qualification.json, figures in README.md; commit both")
    if record.escaped or record.false_alarms:
        return FAILED
    return PASSED if record.passed else UNDECIDED
