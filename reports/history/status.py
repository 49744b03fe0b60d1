"""`drillbook status`: the last drill, recovery, rotation and move, how old, and when each is due.

It is stale once one of them is overdue, also where nothing ever ran.

With public keys (--pubkey) only what one of them signed counts: anyone who can write the folder of
a history can rewrite it. Without, the account says that it rests on no signature. `calendar` has
the days that are due as any calendar program imports them (RFC 5545).

Exit code 0; 1 if something is overdue, or if the history is no longer what it was; 3 if the
declaration cannot be read or the calendar not be written.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from drillbook.core.display import write_json
from drillbook.core.files import write_file
from drillbook.core.options import QUARTER
from reports import controls
from reports.config import declarations
from reports.config.declarations import Words, next_due_day
from reports.errors import BadBundle, CannotWrite, Distrusted
from reports.evidence.context import Schedule
from reports.history.runs import History, Past, load_history, name_past, past_of
from reports.render.phrases import days
from reports.render.terminal import Line, wrap, write
from reports.seal.manifest import BUNDLE
from reports.seal.signature import load_trusted_keys
from reports.seal.verification import Trust, intact
from reports.verdict import FAILED, IDLE, PASSED

_ESCAPED = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})
_HEAD = "VERSION:2.0\nPRODID:-//Drillbook//status//EN\nCALSCALE:GREGORIAN\nMETHOD:PUBLISH\n"
# At most 75 octets with the blank before what is continued (3.1), and no character in pieces.
_PART = re.compile(rb".{1,74}(?![\x80-\xbf])")
_RED: tuple[str, ...] = ("red", "bold")
_BEGIN = b"BEGIN:VCALENDAR"


class Act(NamedTuple):
    """Something that recurs: the controls of which any one, satisfied, shows that it was done."""

    id: str
    name: str
    controls: tuple[str, ...]
    command: str


# Those of SEC-6 (drillbook/runbook/procedures.py), and the drill itself.
ACTS = (
    Act("drill", "drill of a backup", ("DRL-2",), "drillbook drill … --env-file … --image …"),
    Act(
        "key-recovery",
        "recovery with the old keys",
        ("KEY-5", "DRL-2"),
        "drillbook verify --control KEY-5 --stack containers --image …",
    ),
    Act(
        "password-rotation",
        "rotation of the database password",
        ("DBP-7", "DBP-1"),
        "drillbook verify --control 'DBP-*' --stack containers --image …",
    ),
    Act(
        "move",
        "move to a new instance",
        ("MIG-1",),
        "drillbook verify --control MIG-1 --stack containers --image …",
    ),
)


class Standing(NamedTuple):
    """How an act stands. `failed` came after `last`, if anything did; `rehearsed` never counts.

    due is the day it is due next, or was; today where it was never done.
    """

    act: Act
    last: Past | None
    failed: Past | None
    rehearsed: Past | None
    due: date
    overdue: bool

    def remarks(self) -> Iterator[str]:
        """What happened that is not a proof."""
        if self.failed:
            yield f"tried on {self.failed.finished:%Y-%m-%d} and not shown (run {self.failed.id})"
        if self.rehearsed and not self.last:
            when = f"{self.rehearsed.finished:%Y-%m-%d}"
            yield f"rehearsed on {when}, which is not evidence about a deployment"


def standings(runs: Sequence[Past], schedule: Schedule, today: date) -> list[Standing]:
    """All acts. Of deployments only, and of no run with a planted bug or with changed evidence."""
    honest = [
        one for one in runs if one.intact and not one.facts.mutant and one.finished.date() <= today
    ]
    return [_standing(act, honest, schedule, today) for act in ACTS]


def _standing(act: Act, runs: Sequence[Past], schedule: Schedule, today: date) -> Standing:
    real = [one for one in runs if one.grade == "deployment"]
    done = [one for one in runs if not one.satisfied.isdisjoint(act.controls)]
    last = _last(one for one in done if one.grade == "deployment")
    rehearsed = _last(one for one in done if one.grade != "deployment")
    failed = _last(one for one in real if has_failed(act, one))
    if failed and last and failed.finished < last.finished:
        failed = None
    due = _due(last, schedule, today)
    return Standing(act, last, failed, rehearsed, due, due < today or (not last and due <= today))


def recurs(run: Past) -> bool:
    """Whether a run tried anything that recurs."""
    return any(run.facts.verdicts.keys() & set(act.controls) for act in ACTS)


def has_failed(act: Act, run: Past) -> bool:
    """Whether a run did one of its controls, and none came out satisfied."""
    seen = [run.facts.verdicts[one] for one in act.controls if one in run.facts.verdicts]
    return run.satisfied.isdisjoint(act.controls) and any(one not in IDLE for one in seen)


def _last(runs: Iterable[Past]) -> Past | None:
    return max(runs, key=lambda one: one.finished, default=None)


def _due(last: Past | None, schedule: Schedule, today: date) -> date:
    """The declared day while it lies ahead of the last time; else the cadence, or 90 days."""
    done = last.finished.date() if last else None
    if schedule.next_due and (done is None or done < schedule.next_due):
        return schedule.next_due
    if done is None:
        return today
    return next_due_day(done, schedule.cadence) if schedule.cadence else done + QUARTER


def calendar(found: Sequence[Standing], system: str, now: datetime) -> bytes:
    """The calendar; importing a newer one moves the events of the older, as their ids stay."""
    events = "".join(_event(one, system, now) for one in found)
    lines = f"BEGIN:VCALENDAR\n{_HEAD}{events}END:VCALENDAR".encode().split(b"\n")
    return b"".join(b"\r\n ".join(_PART.findall(line)) + b"\r\n" for line in lines)


def _event(one: Standing, system: str, now: datetime) -> str:
    # What is overdue is due today: a reminder in the past has no effect. A day without an end is
    # one whole day (3.6.1), also the last of the calendar.
    day, late = (now.date(), "Overdue: ") if one.overdue else (one.due, "")
    whose = f" ({system})" if system else ""
    last = f"Last: {one.last.finished:%Y-%m-%d} (run {one.last.id})" if one.last else "Never done."
    return f"""\
BEGIN:VEVENT
UID:{one.act.id}-{hashlib.sha256(system.encode()).hexdigest()[:12]}@drillbook.invalid
DTSTAMP:{now:%Y%m%dT%H%M%SZ}
SEQUENCE:{int(now.timestamp()) >> 4}
DTSTART;VALUE=DATE:{day:%Y%m%d}
SUMMARY:{_text(f"{late}{one.act.name}{whose}")}
DESCRIPTION:{_text(f"{last}\n{one.act.command}")}
TRANSP:TRANSPARENT
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:{_text(one.act.name)}
TRIGGER:-P7D
END:VALARM
END:VEVENT
"""


def _text(words: str) -> str:
    """A text as RFC 5545 (3.3.11) escapes it, without what no calendar takes."""
    return "".join(c for c in words.translate(_ESCAPED) if c.isprintable())


def main(
    given: SimpleNamespace,
    keep: Callable[[History, Sequence[Standing]], None] | None = None,
) -> int:
    """Print what is due, and write the calendar that was asked for; keep gets what was found."""
    run_dir = Path(given.run_dir)
    words = declarations.load(Path.cwd(), given.config, None, controls.load()).words
    keys = load_trusted_keys(*given.pubkey) if given.pubkey else None
    now = datetime.now(UTC)
    history = load_history(run_dir)
    runs = history.runs
    if keys is not None:
        seen = [one.id for one in runs if one.kept and recurs(one)]
        runs = tuple(filter(None, (sealed_past(run_dir, one, Trust(keys)) for one in seen)))
    found = standings(runs, words.schedule, now.date())
    if keep:
        keep(history, found)
    counted = None if keys is None else len(runs)
    if given.output == "json":
        _write_answer(history, found, counted, now.date())
    else:
        write(_lines(history, found, words, run_dir, now.date(), signed=counted), sys.stdout)
    if given.ics:
        system = words.organisation.identity or ""
        _write_calendar(Path(given.ics), calendar(found, system, now))
        write([Line(f"Calendar: {given.ics}")], sys.stderr)
    return FAILED if history.troubles or any(one.overdue for one in found) else PASSED


def sealed_past(folder: Path, run: str, trust: Trust) -> Past | None:
    """A run as its bundle describes it; None where that is not trusted, or of another run."""
    try:
        record, _ = intact(folder / run / BUNDLE, trust, "it does not count")
    except (BadBundle, Distrusted):
        return None
    return past_of(record) if record.run.id == run else None


def _age(one: Standing, today: date) -> int | None:
    """How many days ago it was last done; None: never."""
    return (today - one.last.finished.date()).days if one.last else None


def _write_answer(history: History, found: list[Standing], signed: int | None, today: date) -> None:
    write_json(
        "status",
        stale=any(one.overdue for one in found),
        troubles=[*history.troubles],
        unreadable=[*history.unreadable],
        signed=signed,
        acts=[
            {
                "id": one.act.id,
                "name": one.act.name,
                "command": one.act.command,
                "due": one.due,
                "overdue": one.overdue,
                "age_days": _age(one, today),
                "last": name_past(one.last),
                "failed": name_past(one.failed),
                "rehearsed": name_past(one.rehearsed),
            }
            for one in found
        ],
    )


def describe_troubles(history: History) -> Iterator[Line]:
    """What is wrong with a history, which comes before what it says."""
    for trouble in history.troubles:
        yield from wrap(f"History: {trouble}.", then="  ", style=_RED)
    for folder in history.unreadable:
        yield Line(f"Folder {folder}: its evidence cannot be read", ("yellow",))


def _lines(
    history: History,
    found: list[Standing],
    words: Words,
    runs: Path,
    today: date,
    *,
    signed: int | None,
) -> Iterator[Line]:
    yield from describe_troubles(history)
    cadence = words.schedule.cadence or f"every {QUARTER.days} days"
    yield from wrap(
        f"{len(history.runs)} run{'s' * (len(history.runs) != 1)} in {runs}; due {cadence}",
        then="  ",
    )
    if signed is None:
        said = "not proven: no signature was checked; --pubkey counts only what your key signed"
        yield from wrap(f"This history is {said}.", then="  ", style=("yellow",))
    else:
        yield Line(f"Of them {signed} are about these and signed by a trusted key; no other counts")
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
    ages = [age for one in found if (age := _age(one, today)) is not None]
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


def _write_calendar(target: Path, content: bytes) -> None:
    """Write the calendar in place of an older one; CannotWrite where that fails."""
    try:
        if target.exists():
            with target.open("rb") as file:
                if file.read(len(_BEGIN)) != _BEGIN:
                    raise CannotWrite(
                        f"{target} is there and is not a calendar; give another --ics"
                    )
        write_file(target, content)
    except OSError as trouble:
        said = f"{target} cannot be written: {trouble.strerror}; give another --ics"
        raise CannotWrite(said) from None
