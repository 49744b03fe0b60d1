"""`drillbook history`: the runs of a folder over time, on the terminal and as a page.

Two runs are comparable when they asked the same question of the same system with the same kind of
stack. The image may differ. A run with a planted bug is only compared with runs of the same bug.

Exit code 0; 1 if a run's evidence or its seal was changed; 3 if the page cannot be written.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from math import log
from pathlib import Path
from types import SimpleNamespace
from typing import Literal, NamedTuple, get_args

from drillbook.core.display import write_json
from drillbook.core.files import write_file
from reports.history.runs import History, Past, find_runs, load_history
from reports.history.status import describe_troubles
from reports.render import phrases
from reports.render.html import render_template
from reports.render.terminal import STYLES, Line, wrap, write
from reports.verdict import FAILED, IDLE, PASSED, Verdict, is_judged

# The worst first.
Kind = Literal["newly violated", "no longer run", "newly contradicted", "healed", "other"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_AMISS = (Verdict.VIOLATED, Verdict.CONTRADICTED, Verdict.INCONCLUSIVE)
# How many of the newest runs a page shows; how many runs and changes a terminal shows.
_COLUMNS = 30
_RUNS, _MOST = 12, 24
_CHART_WIDTH = 1000.0
_CHARTS = {"rto": "Recovery time (RTO)", "rpo": "Age of the backup (RPO)"}
_SIGNS = {
    Verdict.SATISFIED: "✓",
    Verdict.CONTRADICTED: "C",
    Verdict.VIOLATED: "✗",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_RUN: "–",
    Verdict.NOT_APPLICABLE: "·",
}


class Change(NamedTuple):
    """A control whose verdict changed; None where the control was not in the run."""

    control: str
    before: Verdict | None
    now: Verdict | None
    kind: Kind


class Stale(NamedTuple):
    """Controls whose newest evidence has expired, and the run it comes from."""

    run: Past
    controls: tuple[str, ...]


class Correction(NamedTuple):
    """A sentence that the runbook should have; the first and the last run that asked for it."""

    control: str
    text: str
    first: Past
    last: Past
    open: bool


def changes(earlier: Past, later: Past) -> list[Change]:
    """The controls whose verdict changed, the worst first."""
    was, now = earlier.facts.verdicts, later.facts.verdicts
    found = [
        Change(one, was.get(one), now.get(one), _kind(was.get(one), now.get(one)))
        for one in dict.fromkeys((*now, *was))
        if was.get(one) is not now.get(one)
    ]
    return sorted(found, key=lambda change: KINDS.index(change.kind))


def _kind(was: Verdict | None, now: Verdict | None) -> Kind:
    if now is Verdict.VIOLATED:
        return "newly violated"
    if now is Verdict.CONTRADICTED:
        return "newly contradicted"
    if was in _AMISS and now is Verdict.SATISFIED:
        return "healed"
    if is_judged(was) and not is_judged(now):
        return "no longer run"
    return "other"


def stale(runs: Iterable[Past], today: date) -> list[Stale]:
    """Expired evidence, among the newest of each control, system and grade."""
    newest: dict[tuple[str, str | None, str], Past] = {}
    for run in runs:
        for control, verdict in run.facts.verdicts.items():
            past = run.finished.date() <= today
            if past and is_judged(verdict) and not run.facts.mutant:
                newest[run.grade, run.facts.whose, control] = run
    old: dict[str, tuple[Past, list[str]]] = {}
    for (*_, control), run in newest.items():
        if run.facts.valid_until and run.facts.valid_until < today:
            old.setdefault(run.id, (run, []))[1].append(control)
    return [Stale(run, tuple(controls)) for run, controls in old.values()]


def corrections(runs: Sequence[Past]) -> list[Correction]:
    """Every correction ever asked for; those that a system's newest run asks for come first."""
    runs_by_sentence: dict[tuple[str, str], list[Past]] = {}
    judged: dict[tuple[str, str, str | None], Past] = {}
    for run in [one for one in runs if not one.facts.mutant]:
        for control, text in run.facts.corrections.items():
            runs_by_sentence.setdefault((control, text), []).append(run)
        for control, verdict in run.facts.verdicts.items():
            if is_judged(verdict):
                judged[control, run.grade, run.facts.whose] = run
    found = []
    for (control, text), by in runs_by_sentence.items():
        is_open = any(judged.get((control, one.grade, one.facts.whose), one) is one for one in by)
        found.append(Correction(control, text, by[0], by[-1], is_open))
    return sorted(found, key=lambda one: (not one.open, one.control))


class Row(NamedTuple):
    """A run, the last comparable run before it, and what changed since then."""

    run: Past
    before: Past | None
    changes: list[Change]

    @property
    def counted(self) -> dict[Verdict, int]:
        """How many controls have which verdict."""
        seen = list(self.run.facts.verdicts.values())
        return {verdict: seen.count(verdict) for verdict in phrases.COLUMNS if verdict in seen}


def render(history: History, runs: str, today: date) -> str:
    """The page; `runs` is the path from the page to the folders of runs."""
    rows = [_row(history, run) for run in reversed(history.runs)]
    return render_template(
        "history.html.j2",
        history=history,
        rows=rows,
        runs=runs,
        today=today,
        curves=curves(history.runs),
        columns=history.runs[-_COLUMNS:],
        controls=_judged_controls(history.runs[-_COLUMNS:]),
        signs=_SIGNS,
        corrections=corrections(history.runs),
        stale=stale(history.runs, today),
    )


def _row(history: History, run: Past) -> Row:
    earlier = history.last_comparable(run)
    return Row(run, earlier, changes(earlier, run) if earlier else [])


def _judged_controls(runs: Sequence[Past]) -> dict[str, bool]:
    """The controls in the order of the newest catalogue, and whether their verdicts differ."""
    verdicts: dict[str, set[Verdict]] = {}
    for run in reversed(runs):
        for control, verdict in run.facts.verdicts.items():
            verdicts.setdefault(control, set()).update({verdict}.difference(IDLE))
    return {control: len(seen) > 1 for control, seen in verdicts.items()}


class Dot(NamedTuple):
    """A measured time as a point of a 1000 by 100 chart, its label, and its result."""

    x: float
    y: float
    words: str
    result: str


class Tick(NamedTuple):
    """A labelled height of the chart."""

    y: float
    words: str


class Curve(NamedTuple):
    """One objective over time, on a logarithmic scale, in runs of one grade."""

    title: str
    dots: list[Dot]
    scale: list[Tick]
    target: Tick | None
    dates: tuple[str, str]


def curves(runs: Sequence[Past]) -> list[Curve]:
    """Recovery times and ages of backups; deployments and rehearsals have charts of their own."""
    found = []
    for name, title in _CHARTS.items():
        for grade, apart in (("deployment", ""), ("rehearsal", ", rehearsals")):
            counting = [one for one in runs if one.grade == grade and one.is_genuine]
            measured = [
                (one, spent, getattr(one.facts.objectives, f"{name}_target_s"))
                for one in counting
                if (spent := getattr(one.facts.objectives, f"{name}_s")) is not None
            ]
            if measured:
                found.append(_curve(title + apart, measured))
    return found


def _curve(title: str, measured: Sequence[tuple[Past, float, float | None]]) -> Curve:
    """The chart of these runs, each with the measured time and its target."""
    target = measured[-1][2]
    if target is not None and target <= 0:
        # A logarithmic scale has no place for it.
        target = None
    times = [max(spent, 1.0) for _, spent, _ in measured]
    bounds = [*times, max(target or times[0], 1.0)]
    low, high = min(bounds) / 2, max(bounds) * 2

    def height(seconds: float) -> float:
        return round(100 * (1 - log(max(seconds, 1.0) / low) / log(high / low)), 1)

    first, last = measured[0][0].finished, measured[-1][0].finished
    span = (last - first).total_seconds()
    form = "%Y-%m-%d" if first.date() != last.date() else "%Y-%m-%d %H:%M"
    dots = []
    for run, spent, allowed in measured:
        at = (run.finished - first).total_seconds() / span if span else 0.5
        result = phrases.objective_result(spent, allowed, restored=run.facts.objectives.restored)
        end = result if allowed is not None else "no target"
        words = f"{run.finished:%Y-%m-%d}: {phrases.duration(spent)}, {end}, run {run.id}"
        dots.append(Dot(round(at * _CHART_WIDTH, 1), height(spent), words, result))
    named = [max(times)] if max(times) < 2 * min(times) else [max(times), min(times)]
    return Curve(
        title,
        dots,
        [Tick(height(seconds), phrases.duration(seconds)) for seconds in named],
        Tick(height(target), f"target {phrases.duration(target)}") if target else None,
        (first.strftime(form), last.strftime(form)),
    )


def describe(history: History, today: date) -> Iterator[Line]:
    """The history as lines; the newest run and its changes come last, next to the prompt."""
    yield from describe_troubles(history)
    if not history.runs:
        yield Line("No run has ended here yet: drillbook verify")
        return
    yield from _table(history.runs[-_RUNS:])
    if len(history.runs) > _RUNS:
        yield Line(f"({len(history.runs) - _RUNS} earlier ones are on the page)")
    yield from _old(history, today)
    yield from _change_lines(_row(history, history.runs[-1]))


def _table(runs: tuple[Past, ...]) -> Iterator[Line]:
    head = f"{'ended':<17}{'question':<16}{'verdict':<14}{'RTO':>12}{'RPO':>12}"
    yield Line(f"{head} wrong", ("bold",))
    for run in runs:
        facts = run.facts
        times = (facts.objectives.rto_s, facts.objectives.rpo_s)
        question = f"{facts.question[:14]}{'*' if run.grade == 'rehearsal' else ''}"
        row = f"{run.finished:%Y-%m-%d %H:%M} {question:<16}{facts.words:<14}"
        row += "".join(f"{'-' if one is None else phrases.duration(one):>12}" for one in times)
        style = STYLES[facts.shown] if facts.shown else ()
        yield Line(f"{row}{run.wrong or '-':>6}", style)
        if facts.waived:
            yield from wrap(f"  waived: {', '.join(facts.waived)}", then="    ")
    if any(run.grade == "rehearsal" for run in runs):
        yield Line("* a rehearsal: no evidence about a deployment")


def _old(history: History, today: date) -> Iterator[Line]:
    for one in stale(history.runs, today):
        text = (
            f"Past its time: {len(one.controls)} controls were last judged by run {one.run.id}, "
            f"which counted until {one.run.facts.valid_until}. Run them again."
        )
        yield from wrap(text, then="  ", style=("yellow", "bold"))


def _change_lines(row: Row) -> Iterator[Line]:
    """What changed since the last comparable run."""
    yield Line("")
    if row.before is None:
        yield Line(f"Run {row.run.id} is the first that asked this.")
        return
    counted, named = Counter(one.kind for one in row.changes), {"other": "changed otherwise"}
    said = ", ".join(f"{counted[kind]} {named.get(kind, kind)}" for kind in KINDS if counted[kind])
    yield from wrap(f"Since run {row.before.id}: {said or 'no verdict changed'}.", then="  ")
    for one in row.changes[:_MOST]:
        words = " -> ".join(verdict.words if verdict else "unknown" for verdict in one[1:3])
        style = STYLES[one.now] if one.now else STYLES[Verdict.NOT_RUN]
        yield Line(f"  {one.control:<12} {words}", style)
    if len(row.changes) > _MOST:
        yield Line(f"  and {len(row.changes) - _MOST} more, on the page")


def _write_answer(history: History, page: Path | None) -> None:
    newest = _row(history, history.runs[-1]) if history.runs else None
    earlier = newest.before if newest else None
    write_json(
        "history",
        page=str(page) if page else None,
        troubles=[*history.troubles],
        unreadable=[*history.unreadable],
        runs=[
            {
                "run": one.id,
                "finished": one.finished,
                "grade": one.grade,
                "intact": one.intact,
                "facts": one.facts.model_dump(mode="json"),
            }
            for one in history.runs
        ],
        changed_since=earlier.id if earlier else None,
        changes=[one._asdict() for one in newest.changes] if newest else [],
    )


def main(given: SimpleNamespace) -> int:
    """Print the history, and write the page; the exit code.

    The page, history.html, is next to reports/runs, and inside any other folder of runs.
    """
    runs = find_runs(given.run_dir)
    history, today = load_history(runs), datetime.now(UTC).date()
    if given.output == "text":
        write(describe(history, today))
    target = (runs.parent if runs.parts[-2:] == ("reports", "runs") else runs) / "history.html"
    text = render(history, os.path.relpath(runs, target.parent), today)
    page: Path | None = target
    said = f"Page: {target}"
    try:
        write_file(target, text.encode(errors="replace"))
    except OSError as trouble:
        # An auditor's copy may be read-only: what it says is printed nevertheless.
        if trouble.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        said, page = f"No page: {target.parent}: {trouble.strerror}", None
    if given.output == "json":
        _write_answer(history, page)
    else:
        write([Line(said)])
    return FAILED if history.troubles or history.unreadable else PASSED
