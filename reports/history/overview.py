"""`drillbook history`: the runs of a folder over time, on the terminal and as a page.

Exit code 0; 1 if a run's evidence or its seal is no longer what it was; 3 if the page cannot be
written.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

from drillbook.core.answer import write_json
from drillbook.core.files import write_file
from reports.errors import BadHistory
from reports.history.diff import ORDER, before, changes, overdue, stale
from reports.history.history_page import render
from reports.history.runs import History, Past, ledger_path, load_history
from reports.history.status import describe_troubles
from reports.render.phrases import duration
from reports.render.terminal import STYLES, Line, wrap, write
from reports.verdict.verdicts import FAILED, PASSED, Verdict

_RUNS, _MOST = 12, 24


def describe(history: History, today: date) -> Iterator[Line]:
    """The history as lines; the newest run and its changes come last, where a reader looks."""
    yield from describe_troubles(history)
    if not history.runs:
        yield Line("No run has ended here yet: drillbook verify")
        return
    yield from _table(history.runs[-_RUNS:])
    if len(history.runs) > _RUNS:
        yield Line(f"({len(history.runs) - _RUNS} earlier ones are on the page)")
    yield from _old(history, today)
    yield from _change_lines(history, history.runs[-1])


def _table(runs: tuple[Past, ...]) -> Iterator[Line]:
    head = f"{'ended':<17}{'question':<16}{'verdict':<14}{'RTO':>12}{'RPO':>12}"
    yield Line(f"{head} wrong", ("bold",))
    for run in runs:
        facts = run.facts
        verdict = facts.verdict.words if facts.verdict else "none"
        times = (facts.objectives.rto_s, facts.objectives.rpo_s)
        question = f"{facts.question[:14]}{'*' if run.grade == 'rehearsal' else ''}"
        row = f"{run.finished:%Y-%m-%d %H:%M} {question:<16}{verdict:<14}"
        row += "".join(f"{'-' if one is None else duration(one):>12}" for one in times)
        style = STYLES[facts.verdict] if facts.verdict else ()
        yield Line(f"{row}{len(facts.corrections) or '-':>6}", style)
    if any(run.grade == "rehearsal" for run in runs):
        yield Line("* a rehearsal: no evidence about a deployment")


def _old(history: History, today: date) -> Iterator[Line]:
    for one in stale(history.runs, today):
        text = (
            f"Past its time: {len(one.controls)} controls were last judged by run {one.run.id}, "
            f"which counted until {one.run.facts.valid_until}. Run them again."
        )
        yield from wrap(text, then="  ", style=("yellow", "bold"))
    for past in overdue(history.runs, today):
        yield from wrap(
            f"Run {past.id} was to be disposed of after {past.facts.dispose_after}.", then="  "
        )


def _change_lines(history: History, run: Past) -> Iterator[Line]:
    """What changed from the last comparable run to the newest."""
    yield Line("")
    earlier = before(history.runs, run)
    if earlier is None:
        yield Line(f"Run {run.id} is the first that asked this.")
        return
    found = changes(earlier, run)
    counted, named = Counter(one.kind for one in found), {"other": "changed otherwise"}
    said = ", ".join(f"{counted[kind]} {named.get(kind, kind)}" for kind in ORDER if counted[kind])
    yield from wrap(f"Since run {earlier.id}: {said or 'no verdict changed'}.", then="  ")
    for one in found[:_MOST]:
        words = " -> ".join(verdict.words if verdict else "unknown" for verdict in one[1:3])
        style = STYLES[one.now] if one.now else STYLES[Verdict.NOT_RUN]
        yield Line(f"  {one.control:<12} {words}", style)
    if len(found) > _MOST:
        yield Line(f"  and {len(found) - _MOST} more, on the page")


def _write_answer(history: History, page: Path) -> None:
    newest = history.runs[-1] if history.runs else None
    earlier = before(history.runs, newest) if newest else None
    write_json(
        "history",
        page=str(page),
        troubles=[*history.troubles],
        unreadable=[*history.unreadable],
        runs=[
            {
                "run": one.id,
                "finished": one.finished,
                "grade": one.grade,
                "kept": one.kept,
                "intact": one.intact,
                "facts": one.facts.model_dump(mode="json"),
            }
            for one in history.runs
        ],
        changed_since=earlier.id if earlier else None,
        changes=[one._asdict() for one in changes(earlier, newest)] if earlier and newest else [],
    )


def main(given: SimpleNamespace) -> int:
    """Print it, and write the page next to the ledger."""
    runs = Path(given.run_dir)
    if not runs.is_dir():
        said = f"{runs} is not a folder of runs; drillbook verify makes one, or give --run-dir"
        raise BadHistory(said)
    history, today = load_history(runs), datetime.now(UTC).date()
    if given.output == "text":
        write(describe(history, today), sys.stdout)
    page = ledger_path(runs).with_name("history.html")
    text = render(history, os.path.relpath(runs, page.parent), today)
    write_file(page, text.encode())
    if given.output == "json":
        _write_answer(history, page)
    else:
        write([Line(f"Page: {page}")], sys.stdout)
    return FAILED if history.troubles or history.unreadable else PASSED
