"""`drillbook qualify`: plants every bug, says what was caught, and keeps the record."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import SimpleNamespace

from rich.console import Console
from rich.text import Text

from reports.errors import Unqualifiable
from reports.qualification import pages
from reports.qualification.generated import Fate
from reports.qualification.judgement import Row
from reports.qualification.pages import figures
from reports.qualification.record import KEPT, LATEST, Qualification, text
from reports.qualification.run import Request, qualify
from reports.qualification.trial import Outcome
from reports.verdict.verdicts import FAILED, PASSED, UNDECIDED

_LISTED = 40
_STYLES = {"killed": "green", "survived": "bold red", "wrong reason": "red", "stumbled": "yellow"}


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

    def tell_fate(self, fate: Fate, total: int) -> None:
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
        record = qualify(_request(given), teller.begin, teller.tell, teller.tell_fate)
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
