"""`drillbook qualify`: healthy runs, then every bug; says what was caught, and keeps the record."""

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

from reports import run_metadata
from reports.controls import Catalogue, load
from reports.errors import Unqualifiable
from reports.qualification import generated, pages
from reports.qualification.judgement import Row, Seen, load_predictions, results, row
from reports.qualification.pages import code_digests, figures, whole
from reports.qualification.record import (
    KEPT,
    LATEST,
    Alarm,
    Checked,
    Qualification,
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
)
from reports.verdict import FAILED, PASSED, UNDECIDED, Verdict

_LISTED = 40
_STYLES = {"killed": "green", "survived": "bold red", "wrong reason": "red", "stumbled": "yellow"}


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


def qualify(asked: Request, teller: Teller) -> Qualification:
    """Healthy runs, then every bug; the teller hears of each run as it ends, with the bug's row.

    Raises Unqualifiable where a healthy run leaves no evidence: nothing can be compared then.
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
    # What is judged is the code as it is now, whatever becomes of the checkout meanwhile.
    tool, parts = run_metadata.tool(), code_digests()
    started, zero = datetime.now(UTC), time.monotonic()
    teller.begin(len(here), len(well), workers)
    rows: dict[str, Row] = {}
    with TemporaryDirectory(prefix="drillbook-qualify-") as folder:
        trials = Trials(catalogue, Path(folder))
        healthy = trials.run(well, workers, lambda one: teller.tell(one, None))
        for one in healthy:
            if one.run is None:
                raise Unqualifiable(f"{one.trial.name}: {one.trouble}")
        took = durations(one.run for one in healthy if one.run)
        by_name = {one.name: one for one in bugs}

        def judge(one: Outcome) -> None:
            name = str(one.trial.mutant)
            rows[name] = row(by_name[name], one, _sound(one.trial.driver, catalogue, healthy))
            teller.tell(one, rows[name])

        trials.run(bug_trials(here, took, asked.stack, image), workers, judge)
        drawn = None
        if asked.generated:
            drawn = generated.qualify(
                generated.Sample(asked.generated, asked.seed, workers),
                trials,
                load_predictions("embedded", catalogue),
                Path(folder),
                teller.tell_fate,
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
    return [one for one in found if driver_for(one, asked.stack)]


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
    took = durations(one.run for one in healthy if one.run)
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


class Teller:
    """One line for each run; NO_COLOR and pipes are obeyed."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._total = 0
        self._ended = 0
        self._judged = 0

    def say(self, sentence: str) -> None:
        """A sentence of its own."""
        self._console.print(Text(sentence))

    def begin(self, mutants: int, healthy: int, workers: int) -> None:
        """What is about to be done."""
        self._total = mutants + healthy
        self.say(f"{mutants} planted bugs and {healthy} healthy runs, {workers} side by side")

    def tell(self, outcome: Outcome, row: Row | None) -> None:
        """A run has ended."""
        self._ended += 1
        state = row.state if row else ("ended" if outcome.run else "stumbled")
        line = Text(f"{self._ended:4}/{self._total}  ")
        line.append(f"{state:<13}", _STYLES.get(state, ""))
        line.append(f"{outcome.duration_s:6.1f} s  ")
        line.append(f"{row.meant:<11}{row.mutant}" if row else outcome.trial.name)
        self._console.print(line)
        if row and row.state not in ("killed", "equivalent"):
            self._console.print(Text(f"{'':12}{row.told.splitlines()[0][:200]}"))

    def tell_fate(self, fate: generated.Fate, total: int) -> None:
        """A generated bug was judged."""
        self._judged += 1
        line = Text(f"{self._judged:4}/{total}  ")
        line.append(f"{fate.state:<13}", _STYLES.get(fate.state, ""))
        line.append(f"{fate.duration_s:6.1f} s  {fate.control or '':<11}{fate}")
        self._console.print(line)

    def end(self, record: Qualification, where: Path) -> None:
        """The figures, what escaped, and what to do next."""
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
    return "Every control can fail, and failed for its reason."


def interrupt(*_: object) -> None:
    """A supervisor's SIGTERM ends a command as Ctrl-C does."""
    raise KeyboardInterrupt


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
    """0: every bug died by its control; 1: one did not; 2: some were not run."""
    signal.signal(signal.SIGTERM, interrupt)
    teller = Teller()
    narrowed = given.mutants or given.shard or given.image
    if given.keep and (narrowed or given.stack != "auto"):
        raise Unqualifiable(
            "--keep keeps whole qualifications: leave out --mutants, --shard, --stack, --image"
        )
    try:
        record = qualify(_request(given), teller)
    except KeyboardInterrupt:
        teller.say("interrupted; nothing was recorded")
        return UNDECIDED
    where = pages.write(record, LATEST.parent)
    teller.end(record, where)
    if given.keep and not record.passed:
        teller.say("not kept: only a qualification that passed is")
    elif given.keep:
        KEPT.write_text(text(record), encoding="utf-8")
        pages.update(record)
        teller.say("kept as reports/qualification.json, figures in README.md; commit both")
    return _code(record)


def _code(record: Qualification) -> int:
    if record.escaped or record.false_alarms:
        return FAILED
    return PASSED if record.passed else UNDECIDED
