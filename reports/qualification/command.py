"""`drillbook qualify`: healthy runs, then every bug; prints what was caught, writes the record.

fixtures/mutants lists the bugs. A bug is caught by the control meant for it, for its reason, or it
is not.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import count
from types import SimpleNamespace

from drillbook.core.display import printable
from reports.errors import Unqualifiable, near
from reports.evidence.context import EvidenceModel
from reports.evidence.model import Control
from reports.qualification import generated, record
from reports.qualification.record import Qualification, Row, State
from reports.qualification.trial import (
    REFERENCE,
    Outcome,
    Seen,
    Trial,
    output,
    predicted_results,
    run_trial,
    side_by_side,
)
from reports.record import run_metadata
from reports.render.phrases import failing_step
from reports.verdict import FAILED, PASSED, UNDECIDED, Verdict, is_judged

# The table of tests/predicted.toml for a driver; containers may have any product.
_PREDICTED = {"embedded": "reference", "remote": "rehearsal"}
_LONGEST = 400


class PlantedBug(EvidenceModel):
    """A planted bug: the control meant to catch it, where it is planted, and why it must die."""

    name: str
    control: str
    where: str
    driver: str
    turns: str
    says: str


class KnownBugs(EvidenceModel):
    """Every planted bug, how many stacks of a driver fit on this machine, and what it lacks."""

    workers: dict[str, int]
    absent: dict[str, str]
    mutants: tuple[PlantedBug, ...]


def list_bugs(image: str | None) -> KnownBugs:
    """The bugs by `python -m fixtures.mutants`, which this package must not import."""
    command = [sys.executable, "-m", "fixtures.mutants", *([image] if image else [])]
    return KnownBugs.model_validate_json(output(command, "the planted bugs cannot be listed"))


def choose(bugs: Sequence[PlantedBug], patterns: Sequence[str], part: str) -> list[PlantedBug]:
    """This part of the bugs whose name, control or place fits a pattern; all without patterns.

    Unqualifiable if a pattern fits no bug; `none` stands for no bug.
    """
    if patterns == ["none"]:
        return []
    for pattern in patterns:
        if not any(_fits(bug, pattern) for bug in bugs):
            names = [bug.name for bug in bugs]
            raise Unqualifiable(f"--mutants {pattern} fits none; {near(pattern, names)}")
    number, of = map(int, part.split("/"))
    asked = patterns or ["*"]
    chosen = [bug for bug in bugs if any(_fits(bug, pattern) for pattern in asked)]
    return chosen[number - 1 :: of]


def _fits(bug: PlantedBug, pattern: str) -> bool:
    return any(fnmatchcase(text, pattern) for text in (bug.name, bug.control, bug.where))


def driver_for(bug: PlantedBug, stack: str) -> str | None:
    """The driver a bug is planted on in a qualification of this stack; None if on none.

    A bug in procedures or in the network shows on any stack.
    """
    if stack != "containers":
        return None if (stack, bug.driver) == ("embedded", "containers") else bug.driver
    anywhere = bug.where in ("procedure", "network") and bug.driver != "remote"
    return "containers" if anywhere or bug.driver == "containers" else None


def healthy_trials(
    bugs: Sequence[PlantedBug], stack: str, runs: int, image: str | None
) -> list[Trial]:
    """As many runs of each driver that a bug is planted on; the number is the seed.

    Containers are slow: they are asked only what the bugs there are about, or all without bugs.
    """
    drivers = {driver: True for bug in bugs if (driver := driver_for(bug, stack))}
    asked = {bug.control: True for bug in bugs if driver_for(bug, stack) == "containers"}
    return [
        Trial(
            driver,
            controls=tuple(asked) if driver == "containers" else (),
            seed=seed,
            image=image,
            # The bugs wait for a single healthy run, so two processes share it.
            workers=2 if runs == 1 and driver == "embedded" else 1,
        )
        for driver in drivers or ["containers" if stack == "containers" else "embedded"]
        for seed in range(1, runs + 1)
    ]


def bug_trial(bug: PlantedBug, stack: str, image: str | None) -> Trial:
    """The trial of a bug; checks of a rehearsed address are quick, so that all of them run."""
    driver = driver_for(bug, stack) or ""
    controls = () if driver == "remote" else (bug.control,)
    # What fails on a healthy stack as well must not end it.
    to_first = bool(controls) and bug.turns == "violated"
    return Trial(driver, bug.name, controls, image=image, to_first=to_first)


def judge(bug: PlantedBug, outcome: Outcome, healthy: Mapping[str, Seen]) -> Row:
    """What became of a planted bug: its trial compared with a healthy stack."""
    row = Row(name=bug.name, control=bug.control, duration_s=outcome.duration_s)
    if outcome.run is None:
        return row.model_copy(update={"state": "stumbled", "reason": outcome.trouble})
    control = next(known for known in outcome.run.controls if known.id == bug.control)
    state, reason = _state(bug, control, healthy.get(bug.control))
    return row.model_copy(update={"verdict": control.verdict, "state": state, "reason": reason})


def _state(bug: PlantedBug, control: Control, healthy: Seen | None) -> tuple[State, str]:
    words = _words(control)
    if control.verdict in (Verdict.INCONCLUSIVE, Verdict.NOT_RUN):
        return "stumbled", f"{control.verdict.words}: {words[:_LONGEST]}"
    if (control.verdict, control.observed) == healthy:
        return "survived", f"{bug.control} said what it says of a healthy stack"
    if control.verdict.value != bug.turns:
        return "wrong reason", f"{control.verdict.words}, not {bug.turns}: {words[:_LONGEST]}"
    if bug.says not in words:
        return "wrong reason", f"not a word of {bug.says!r} in: {words[:_LONGEST]}"
    return "killed", bug.says


def _words(control: Control) -> str:
    """Observations, failing steps, messages and notes of the control's worst specs."""
    words: list[str] = []
    for spec in control.specs:
        if spec.verdict is control.verdict:
            words += [*spec.observations, failing_step(spec) or "", spec.message or ""]
            words += [note for step in spec.steps for note in step.notes]
    return " | ".join(dict.fromkeys(filter(None, words)))


def false_alarms(outcome: Outcome, healthy: Mapping[str, Seen]) -> list[str]:
    """The controls that say of a healthy run what they should not, in words."""
    alarms = []
    for control, (verdict, observed) in outcome.results.items():
        expected = healthy.get(control, (Verdict.NOT_RUN, None))
        if (verdict, observed) != expected and (is_judged(verdict) or is_judged(expected[0])):
            words = f"{control} is {verdict.words} ({observed}), not {expected[0].words}"
            alarms.append(f"{outcome.trial.name}: {words}")
    return alarms


def qualify(given: SimpleNamespace, selection: Sequence[str]) -> Qualification:
    """The record of healthy runs and a run of every bug, each printed as it ends.

    Unqualifiable if the stack is not available, or if a healthy run leaves no evidence.
    """
    # The record is about the code as it is now; the checkout may change during the runs.
    commit, code = run_metadata.tool().commit, record.code_digest()
    started, zero, stack = datetime.now(UTC), time.monotonic(), given.stack
    image = given.image or (REFERENCE if stack == "auto" else None)
    known = list_bugs(image)
    if stack in known.absent:
        raise Unqualifiable(known.absent[stack])
    bugs = choose(known.mutants, split(given.mutants), given.shard or "1/1")
    bugs = [bug for bug in bugs if stack == "auto" or driver_for(bug, stack)]
    here = [bug for bug in bugs if driver_for(bug, stack) not in known.absent]
    trials = healthy_trials(here, stack, int(given.healthy), image)
    drawing = generated.draw(int(given.generated), int(given.seed))
    fitting = known.workers["containers" if stack == "containers" else "embedded"]
    workers = fitting if given.workers == "auto" else int(given.workers)
    total, ended = len(here) + len(drawing.changes), count(1)
    healthy = {driver: predicted_results(table) for driver, table in _PREDICTED.items()}
    alarms: list[str] = []

    def tell(row: Row) -> Row:
        words = f"{row.duration_s:6.1f} s  {row.control or '':<15}{row.name}"
        _say(f"{next(ended):4}/{total}  {row.state:<13}{words}")
        return row

    async def run_healthy(trial: Trial) -> None:
        outcome = await run_trial(trial)
        if outcome.run is None:
            raise Unqualifiable(f"{trial.name}: {outcome.trouble}")
        found = false_alarms(outcome, healthy.setdefault(trial.driver, outcome.results))
        alarms.extend(found)
        _say(f"{trial.name}: {len(found)} false alarms, {outcome.duration_s:.1f} s")

    async def try_bug(bug: PlantedBug) -> Row:
        if bug not in here:
            return Row(name=bug.name, control=bug.control, reason=f"needs {bug.driver}")
        trial = bug_trial(bug, stack, image)
        outcome = await run_trial(trial)
        row = judge(bug, outcome, healthy.get(trial.driver, {}))
        if trial.to_first and outcome.run and row.state not in ("killed", "survived"):
            # Another failure came first.
            outcome = await run_trial(replace(trial, to_first=False))
            row = judge(bug, outcome, healthy.get(trial.driver, {}))
        return tell(row)

    async def try_change(change: generated.Drawn) -> Row:
        return tell(await generated.try_change(change, healthy["embedded"]))

    _say(f"Planted bugs: {len(here)}. Healthy runs: {len(trials)}. Side by side: {workers}.")
    side_by_side(trials, run_healthy, workers)
    rows = side_by_side(bugs, try_bug, workers)
    changes = side_by_side(drawing.changes, try_change, workers)
    return Qualification(
        commit=commit,
        code=code,
        started=started,
        duration_s=round(time.monotonic() - zero, 1),
        selection=tuple(selection),
        healthy_runs=len(trials),
        alarms=tuple(alarms),
        bugs=tuple(rows),
        engine=drawing.engine,
        generated=tuple(changes),
    )


def split(patterns: str | None) -> list[str]:
    """The patterns of --mutants, which commas separate."""
    return [name.strip() for name in (patterns or "").split(",") if name.strip()]


def narrowed(given: SimpleNamespace) -> list[str]:
    """What narrows the qualification, in words; [] for all bugs on the stacks they need."""
    words = {"part": given.shard, "stack": given.stack, "image": given.image}
    named = [f"{name} {value}" for name, value in words.items() if value not in (None, "auto")]
    return [*split(given.mutants), *named]


def _say(sentence: str) -> None:
    sys.stdout.write(f"{printable(sentence)}\n")
    sys.stdout.flush()


def _say_result(result: Qualification) -> None:
    """Print the figures, what escaped, and what to do next."""
    _say("")
    _say(result.sentence)
    for row in (*result.escaped, *result.generated):
        if row.state not in ("killed", "equivalent"):
            _say(f"  {row.state}: {row.control or 'generated'}: {row.name}: {row.reason[:200]}")
    for alarm in result.alarms[:10]:
        _say(f"  false alarm: {alarm}")
    word = "QUALIFIED" if result.bugs else "NO FALSE ALARM"
    _say(f"{word if result.passed else 'NOT QUALIFIED'}. {next_step(result)}")
    _say(f"Record: {record.LATEST}")


def next_step(result: Qualification) -> str:
    """What the reader should do now."""
    if result.escaped:
        return "A control that let its bug live must be made to see it, before it is trusted."
    if result.alarms:
        return "A healthy stack was accused: find out why before a verdict is trusted."
    if result.missing:
        return "Some bugs need an engine: `drillbook images`, or --stack embedded to leave them."
    if not result.bugs:
        return "No planted bug was tried, so nothing is said of the controls."
    if result.selection:
        return "The controls that these bugs are meant for can fail; the others were not tried."
    return "Every control can fail, and failed for its reason."


def main(given: SimpleNamespace) -> int:
    """0: every bug was caught by its control; 1: one was not; 2: some were not run."""
    # A supervisor's SIGTERM ends the command as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    selection = narrowed(given)
    if given.keep and (selection or given.healthy == "0"):
        raise Unqualifiable(
            "--keep keeps whole qualifications: leave out --mutants, --shard, --stack, --image, "
            "and --healthy 0"
        )
    if given.generated != "0" and given.stack == "containers":
        raise Unqualifiable("--generated changes the reference backend: omit --stack containers")
    if given.healthy == "0" and given.stack == "containers":
        raise Unqualifiable("--healthy 0 leaves nothing to compare containers with; give 1 or more")
    try:
        result = qualify(given, selection)
    except KeyboardInterrupt:
        _say("interrupted; nothing was recorded")
        return UNDECIDED
    record.write(result, record.LATEST)
    _say_result(result)
    if given.keep and result.missing:
        _say("not kept: only a qualification in which every bug was run is")
    elif given.keep:
        record.keep(result)
        _say("kept as reports/qualification.json, figures in README.md; commit both")
    if result.escaped or result.alarms:
        return FAILED
    return PASSED if result.passed else UNDECIDED
