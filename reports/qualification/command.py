"""`drillbook qualify`: healthy runs, then every bug; prints what was caught, writes the record."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from rich.console import Console
from rich.text import Text

from reports.controls import Catalogue, load
from reports.errors import Unqualifiable
from reports.qualification import generated
from reports.qualification.record import (
    KEPT,
    LATEST,
    Fate,
    Qualification,
    Row,
    Seen,
    code_digest,
    text,
    update_readme,
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
    def selection(self) -> tuple[str, ...]:
        """What narrows the qualification, in words; empty for all bugs on the stacks they need."""
        stack = [f"stack {self.stack}"] if self.stack != "auto" else []
        part = [f"part {self.part}"] if self.part != "1/1" else []
        return (*self.mutants, *part, *stack, *([f"image {self.image}"] if self.image else []))

    @property
    def container_image(self) -> str | None:
        """The image of containers: the one named, else the reference if the stack is open."""
        return self.image or (REFERENCE if self.stack == "auto" else None)


def qualify(request: Request, progress: Progress) -> Qualification:
    """The record of healthy runs and a run of every bug, each printed as it ends.

    Unqualifiable if a healthy run leaves no evidence, as there is nothing to compare with then.
    """
    if request.generated and request.stack == "containers":
        raise Unqualifiable("--generated changes the reference backend: omit --stack containers")
    if request.stack == "containers" and not request.healthy:
        raise Unqualifiable("--healthy 0 leaves nothing to compare containers with; give 1 or more")
    catalogue, known = load(), list_bugs(request.container_image)
    bugs = choose_bugs(request, known)
    here = [bug for bug in bugs if driver_for(bug, request.stack) not in known.absent]
    image, some = request.container_image, bool(request.mutants)
    planned = healthy_trials(here, request.stack, request.healthy, image, some)
    driver = "containers" if request.stack == "containers" else "embedded"
    workers = request.workers or known.workers[driver]
    # The record is about the code as it is now; the checkout may change during the runs.
    commit, code = run_metadata.tool().commit, code_digest()
    started, zero = datetime.now(UTC), time.monotonic()
    progress.begin(len(here), len(planned), workers)
    rows: dict[str, Row] = {}
    drawn = None
    with TemporaryDirectory(prefix="drillbook-qualify-") as folder:
        trials = Trials(catalogue, Path(folder))
        healthy = trials.run(planned, workers, lambda outcome: progress.add_run(outcome, None))
        for outcome in healthy:
            if outcome.run is None:
                raise Unqualifiable(f"{outcome.trial.name}: {outcome.trouble}")
        took = durations(outcome.run for outcome in healthy if outcome.run)
        by_name = {bug.name: bug for bug in bugs}

        def judge(outcome: Outcome) -> None:
            bug = by_name[str(outcome.trial.mutant)]
            sound = _sound(outcome.trial.driver, catalogue, healthy)
            rows[bug.name] = row(bug, outcome, sound)
            progress.add_run(outcome, rows[bug.name])

        trials.run(bug_trials(here, took, request.stack, image), workers, judge)
        if request.generated:
            drawn = generated.qualify(
                generated.Sample(request.generated, request.seed, workers),
                trials,
                load_predictions("embedded", catalogue),
                Path(folder),
                progress.add_fate,
            )
    return Qualification(
        commit=commit,
        code=code,
        started=started,
        duration_s=round(time.monotonic() - zero, 1),
        stack=request.stack,
        image=request.image,
        selection=request.selection,
        healthy_runs=len(healthy),
        alarms=tuple(_alarms(healthy, catalogue)),
        bugs=tuple(rows.get(bug.name) or row(bug, None, {}) for bug in bugs),
        generated=drawn,
    )


def choose_bugs(request: Request, known: KnownBugs) -> list[PlantedBug]:
    """The bugs to plant; Unqualifiable if the stack that was named is not available."""
    if request.stack in known.absent:
        raise Unqualifiable(known.absent[request.stack])
    bugs = [] if request.mutants == (NONE,) else choose(known.mutants, request.mutants)
    number, of = map(int, request.part.split("/"))
    bugs = bugs[number - 1 :: of]
    if request.stack == "auto":
        return bugs
    return [bug for bug in bugs if driver_for(bug, request.stack)]


def _sound(driver: str, catalogue: Catalogue, healthy: Sequence[Outcome]) -> Mapping[str, Seen]:
    """The results of a healthy stack: the predicted ones, else those of the first healthy run."""
    runs = [outcome.run for outcome in healthy if outcome.run and outcome.trial.driver == driver]
    return load_predictions(driver, catalogue) or (results(runs[0]) if runs else {})


def _alarms(healthy: Sequence[Outcome], catalogue: Catalogue) -> list[str]:
    alarms = []
    for outcome in healthy:
        sound = _sound(outcome.trial.driver, catalogue, healthy)
        for control, seen in results(outcome.run).items() if outcome.run else ():
            expected = sound.get(control, Seen(verdict=Verdict.NOT_RUN))
            if seen != expected and (is_judged(seen.verdict) or is_judged(expected.verdict)):
                words = f"{seen.verdict.words} ({seen.observed}), not {expected.verdict.words}"
                alarms.append(f"{outcome.trial.name}: {control} is {words}")
    return alarms


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
        words = f"{row.control:<15}{row.name}" if row else outcome.trial.name
        self._print(f"{self._ended:4}/{self._total}", state, outcome.duration_s, words)
        if row and row.escaped:
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
        self.say(f"\n{record.sentence}")
        for bug in record.escaped:
            self.say(f"  {bug.state}: {bug.name}; meant for {bug.control}")
        alive = record.generated.alive if record.generated else []
        for fate in alive[:_LISTED]:
            self.say(f"  {fate.state}, generated: {fate} {fate.told}".rstrip())
        if len(alive) > _LISTED:
            self.say(f"  and {len(alive) - _LISTED} more generated ones; all are in the record")
        for alarm in record.alarms[:10]:
            self.say(f"  false alarm: {alarm}")
        word, style = ("QUALIFIED", "green") if record.passed else ("NOT QUALIFIED", "red")
        if record.passed and not record.tried:
            word = "NO FALSE ALARM"
        self._console.print(Text(f"{word}.", f"bold {style}"), end=" ")
        self.say(next_step(record))
        self.say(f"Record: {where}")


def next_step(record: Qualification) -> str:
    """What the reader should do now."""
    if record.escaped:
        return "A control that let its bug live must be made to see it, before it is trusted."
    if record.alarms:
        return "A healthy stack was accused: find out why before a verdict is trusted."
    if record.count("not run"):
        return "Some bugs need an engine: `drillbook images`, or --stack embedded to leave them."
    if not record.tried:
        return "No planted bug was tried, so nothing is said of the controls."
    if record.selection:
        return "The controls that these bugs are meant for can fail; the others were not tried."
    return "Every control can fail, and failed for its reason."


def main(given: SimpleNamespace) -> int:
    """0: every bug was caught by its control; 1: one was not; 2: some were not run."""
    # A supervisor's SIGTERM ends the command as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    progress = Progress()
    request = Request(
        stack=given.stack,
        mutants=tuple(name.strip() for name in (given.mutants or "").split(",") if name.strip()),
        part=given.shard or "1/1",
        healthy=int(given.healthy),
        workers=None if given.workers == "auto" else int(given.workers),
        image=given.image,
        generated=int(given.generated),
        seed=int(given.seed),
    )
    if given.keep and (request.selection or not request.healthy):
        raise Unqualifiable(
            "--keep keeps whole qualifications: leave out --mutants, --shard, --stack, --image, "
            "and --healthy 0"
        )
    try:
        record = qualify(request, progress)
    except KeyboardInterrupt:
        progress.say("interrupted; nothing was recorded")
        return UNDECIDED
    LATEST.parent.mkdir(parents=True, exist_ok=True)
    LATEST.write_text(text(record), encoding="utf-8")
    progress.end(record, LATEST)
    if given.keep and record.count("not run"):
        progress.say("not kept: only a qualification in which every bug was run is")
    elif given.keep:
        KEPT.write_text(text(record), encoding="utf-8")
        update_readme(record)
        progress.say("kept as reports/qualification.json, figures in README.md; commit both")
    if record.escaped or record.alarms:
        return FAILED
    return PASSED if record.passed else UNDECIDED
