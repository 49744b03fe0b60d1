"""`drillbook status`: the last drill, recovery, rotation and move, how old, and when each is due.

The result is stale once one of them is overdue, or where nothing ever ran.

With public keys (--pubkey) only runs that one of them signed count: anyone who can write to the
folder of a history can rewrite it. Without keys, the output says that no signature was checked.

Exit code 0; 1 if something is overdue, or if the history was changed; 3 if the declaration cannot
be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from drillbook.core.cadence import QUARTER, QUARTERLY
from drillbook.core.display import write_json
from reports import controls
from reports.config import declarations
from reports.config.due_dates import cadence_in_words, due_again, period
from reports.errors import BadBundle, Distrusted
from reports.evidence.context import Organisation, Schedule
from reports.history.runs import (
    History,
    Past,
    load_history,
    name_past,
    past_of,
    refuse_one_run,
)
from reports.render.phrases import days
from reports.render.terminal import Line, wrap, write
from reports.seal.signature import load_trusted_keys
from reports.seal.verification import intact
from reports.seal.verify_bundle import BUNDLE, Trust
from reports.verdict import FAILED, PASSED, is_judged

_RED: tuple[str, ...] = ("red", "bold")


class Act(NamedTuple):
    """Something that recurs. Any one of its controls, satisfied, shows that it was done."""

    id: str
    name: str
    controls: tuple[str, ...]
    command: str


def _quarterly(act: str, name: str, selection: str) -> Act:
    command = f"drillbook verify --control {selection} --stack containers --image IMAGE"
    return Act(act, name, QUARTERLY[name], command)


ACTS = (
    Act(
        "drill",
        "drill of a backup",
        ("DRL-2",),
        "drillbook drill BACKUP --env-file KEYS --image IMAGE",
    ),
    _quarterly("key-recovery", "recovery with the old keys", "KEY-5"),
    _quarterly("password-rotation", "rotation of the database password", "'DBP-*'"),
    _quarterly("move", "move to a new instance", "MIG-1"),
)


class Standing(NamedTuple):
    """When an act was last done and is due.

    failed: a later run that did not show it. rehearsed: the last rehearsal, which never counts.
    due: the day when it is due, or was; today if it was never done.
    """

    act: Act
    last: Past | None
    failed: Past | None
    rehearsed: Past | None
    due: date
    overdue: bool

    def age_days(self, today: date) -> int | None:
        """How many days ago it was last done; None for never."""
        return (today - self.last.finished.date()).days if self.last else None

    def remarks(self) -> Iterator[str]:
        """Sentences about runs that tried it and prove nothing, or less."""
        if self.failed:
            yield f"tried on {self.failed.finished:%Y-%m-%d} and not shown (run {self.failed.id})"
        if self.last and self.last.facts.waived:
            yield f"proven with a waiver of {', '.join(self.last.facts.waived)}"
        if self.rehearsed and not self.last:
            when = f"{self.rehearsed.finished:%Y-%m-%d}"
            yield f"rehearsed on {when}, which is not evidence about a deployment"


def standings(runs: Sequence[Past], schedule: Schedule, today: date) -> list[Standing]:
    """All acts, by runs of deployments with unchanged evidence and no planted bug."""
    counting = [one for one in runs if one.is_genuine and one.finished.date() <= today]
    return [_standing(act, counting, schedule, today) for act in ACTS]


def of_system(runs: Iterable[Past], declared: Organisation) -> tuple[Past, ...]:
    """The runs of the declared system; all where none is declared."""
    system = declared.identity
    return tuple(one for one in runs if system is None or one.facts.system == system)


def _standing(act: Act, runs: Sequence[Past], schedule: Schedule, today: date) -> Standing:
    real = [one for one in runs if one.grade == "deployment"]
    done = [one for one in runs if not one.satisfied.isdisjoint(act.controls)]
    last = _last(one for one in done if one.grade == "deployment")
    rehearsed = _last(one for one in done if one.grade != "deployment")
    failed = _last(one for one in real if has_failed(act, one))
    if failed and last and failed.finished < last.finished:
        failed = None
    # What was never done is due on the declared day, or today.
    due = due_again(last.finished.date(), schedule) if last else schedule.next_due or today
    return Standing(act, last, failed, rehearsed, due, due < today or (not last and due <= today))


def recurs(run: Past) -> bool:
    """Whether a run tried a recurring act."""
    return any(run.facts.verdicts.keys() & set(act.controls) for act in ACTS)


def has_failed(act: Act, run: Past) -> bool:
    """Whether a run judged one of the act's controls, and none came out satisfied."""
    judged = any(is_judged(run.facts.verdicts.get(one)) for one in act.controls)
    return judged and run.satisfied.isdisjoint(act.controls)


def _last(runs: Iterable[Past]) -> Past | None:
    return max(runs, key=lambda one: one.finished, default=None)


def describe_quarter(found: Sequence[Standing], schedule: Schedule, now: datetime) -> str:
    """A sentence for declarations that allow more than the runbook, whose quarter SEC-6 judges.

    Empty where SEC-6 calls nothing late that is not overdue here, and will not.
    """
    late = [
        one.act.name
        for one in found
        if one.act.name in QUARTERLY
        and not one.overdue
        and (one.last is None or now - one.last.finished > QUARTER)
    ]
    if not late and period(schedule.cadence) <= QUARTER:
        return ""
    now_late = f" Late or never done by that: {', '.join(late)}." if late else ""
    return (
        "Whatever is declared, SEC-6 judges by the runbook's quarter: it calls all but the drill "
        f"late after {QUARTER.days} days.{now_late}"
    )


def main(
    given: SimpleNamespace,
    report: Callable[[str, Sequence[Past], Sequence[Standing], datetime], None] | None = None,
) -> int:
    """Print what is due; then `report` gets the declared system, its runs, and how acts stand."""
    run_dir = Path(given.run_dir)
    words = declarations.load(Path.cwd(), given.config, None, controls.load()).words
    keys = load_trusted_keys(*given.pubkey) if given.pubkey else None
    now = datetime.now(UTC)
    refuse_one_run(run_dir)
    history = load_history(run_dir)
    runs = history.runs
    if keys is not None:
        # Whether a run is one that recurs, only its sealed record says.
        sealed = (sealed_past(run_dir, past.id, Trust(keys)) for past in runs)
        runs = tuple(filter(None, sealed))
    runs = of_system(runs, words.organisation)
    found = standings(runs, words.schedule, now.date())
    counted = None if keys is None else len(runs)
    quarter = describe_quarter(found, words.schedule, now)
    if given.output == "json":
        _write_answer(history, found, counted, quarter, now.date())
    else:
        place = f"in {run_dir}; due {cadence_in_words(words.schedule.cadence)}"
        systems = sorted({one.facts.system for one in runs if one.facts.system})
        if len(systems) > 1:
            place += f"; of {len(systems)} systems together ({', '.join(systems)}): declare the "
            place += "system_id of one in drillbook.toml"
        if ahead := [one.id for one in runs if one.finished.date() > now.date()]:
            place += f"; of a day in the future, so not counted: {', '.join(ahead)}"
        known = [past.id for past in history.runs] if keys is not None else []
        if moved := [run for run in known if not (run_dir / run).is_dir()]:
            place += f"; in a folder of another name, so not counted: {', '.join(moved)}"
        write(_lines(history, found, place, counted, quarter, now.date()))
    if report:
        report(words.organisation.identity or "", runs, found, now)
    return FAILED if history.troubles or any(one.overdue for one in found) else PASSED


def sealed_past(folder: Path, run: str, trust: Trust) -> Past | None:
    """A run as its bundle describes it; None if the bundle is not trusted or is of another run."""
    try:
        record, _ = intact(folder / run / BUNDLE, trust, "it does not count")
    except (BadBundle, Distrusted):
        return None
    return past_of(record) if record.run.id == run else None


def _write_answer(
    history: History, found: list[Standing], signed: int | None, quarter: str, today: date
) -> None:
    write_json(
        "status",
        stale=any(one.overdue for one in found),
        troubles=[*history.troubles],
        unreadable=[*history.unreadable],
        signed=signed,
        quarter=quarter or None,
        acts=[
            {
                "id": one.act.id,
                "name": one.act.name,
                "command": one.act.command,
                "due": one.due,
                "overdue": one.overdue,
                "age_days": one.age_days(today),
                "last": name_past(one.last),
                "failed": name_past(one.failed),
                "rehearsed": name_past(one.rehearsed),
            }
            for one in found
        ],
    )


def describe_troubles(history: History) -> Iterator[Line]:
    """Lines about what is wrong with a history; they are printed before what it says."""
    for trouble in history.troubles:
        yield from wrap(f"History: {trouble}.", then="  ", style=_RED)
    for folder in history.unreadable:
        yield Line(f"Folder {folder}: its evidence cannot be read", ("yellow",))


def _lines(
    history: History,
    found: list[Standing],
    place: str,
    signed: int | None,
    quarter: str,
    today: date,
) -> Iterator[Line]:
    yield from describe_troubles(history)
    number = len(history.runs)
    yield from wrap(f"{number} run{'s' * (number != 1)} {place}", then="  ")
    if quarter:
        yield from wrap(quarter, then="  ", style=("yellow",))
    if signed is None:
        said = "not proven: no signature was checked; --pubkey counts only what your key signed"
        yield from wrap(f"This history is {said}.", then="  ", style=("yellow",))
    else:
        said = f"A trusted key signed {signed} of those that are about what is listed here"
        yield from wrap(f"{said}; no other run counts, and no rehearsal.", then="  ")
    yield Line("")
    yield Line(f"{'':<35}{'last':<12}{'due':<12}", ("bold",))
    for one in found:
        yield from _row(one)
    late = [one for one in found if one.overdue]
    yield Line("")
    if not late:
        doubt, colour = (", if this history is true", "yellow") if signed is None else ("", "green")
        yield Line(f"Nothing is overdue{doubt}.", (colour, "bold"))
        return
    ages = [age for one in found if (age := one.age_days(today)) is not None]
    newest = f"the newest proof is {days(min(ages))} old" if ages else "nothing was ever proved"
    yield from wrap(f"STALE: {newest}.", then="  ", style=_RED)
    yield Line(f"OVERDUE: {len(late)} of {len(found)}. Next:", _RED)
    yield from (Line(f"  {one.act.command}") for one in late)


def _row(one: Standing) -> Iterator[Line]:
    last = f"{one.last.finished:%Y-%m-%d}" if one.last else "never"
    due = "OVERDUE" if one.overdue else f"{one.due:%Y-%m-%d}"
    since = f" since {one.due:%Y-%m-%d}" if one.overdue and one.last else ""
    style = _RED if one.overdue else ()
    yield Line(f"{one.act.name:<35}{last:<12}{due}{since}", style)
    yield from (Line(f"  {remark}", ("yellow",)) for remark in one.remarks())
