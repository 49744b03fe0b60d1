"""`drillbook status`: the last drill, recovery, rotation and move, how old, and when each is due.

The result is stale once one of them is overdue, or where nothing ever ran.

With public keys (--pubkey) only runs that one of them signed count: anyone who can write to the
folder of a history can rewrite it. Without keys, the output says that no signature was checked.
`calendar` makes the due days a file that any calendar program imports (RFC 5545).

Exit code 0; 1 if something is overdue, or if the history was changed; 3 if the declaration cannot
be read or the calendar cannot be written.
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
from drillbook.core.files import open_file, write_file
from drillbook.core.options import QUARTER, QUARTERLY
from reports import controls
from reports.config import declarations
from reports.config.due_dates import cadence_in_words, due_again, period
from reports.errors import BadBundle, Distrusted, ReportError
from reports.evidence.context import Organisation, Schedule
from reports.history.runs import History, Past, load_history, name_past, past_of
from reports.render.phrases import days
from reports.render.terminal import Line, wrap, write
from reports.seal.manifest import BUNDLE
from reports.seal.signature import load_trusted_keys
from reports.seal.verification import Trust, intact
from reports.verdict import FAILED, PASSED, is_judged

_ESCAPED = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})
_HEAD = "VERSION:2.0\nPRODID:-//Drillbook//status//EN\nCALSCALE:GREGORIAN\nMETHOD:PUBLISH\n"
# A line has at most 75 octets, with the space that begins a continued one (3.1), and no character
# is cut in two.
_PART = re.compile(rb".{1,74}(?![\x80-\xbf])")
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
    """All acts, by runs of deployments with unchanged evidence and without a planted bug."""
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
    due = _due(last, schedule, today)
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


def _due(last: Past | None, schedule: Schedule, today: date) -> date:
    """When an act is due; one that was never done is due on the declared day, or today."""
    if last is None:
        return schedule.next_due or today
    return due_again(last.finished.date(), schedule)


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


def calendar(found: Sequence[Standing], system: str, now: datetime) -> bytes:
    """The calendar as a file; importing a newer one moves the events, as their ids stay."""
    events = "".join(_event(one, system, now) for one in found)
    lines = f"BEGIN:VCALENDAR\n{_HEAD}{events}END:VCALENDAR".encode().split(b"\n")
    return b"".join(b"\r\n ".join(_PART.findall(line)) + b"\r\n" for line in lines)


def _event(one: Standing, system: str, now: datetime) -> str:
    # An overdue act is due today: a reminder in the past has no effect. An event without an end
    # lasts a whole day (3.6.1).
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
    """A text as RFC 5545 (3.3.11) escapes it, without characters that calendars refuse."""
    return "".join(c for c in words.translate(_ESCAPED) if c.isprintable())


def main(
    given: SimpleNamespace,
    keep: Callable[[History, Sequence[Standing]], None] | None = None,
) -> int:
    """Print what is due, and write the calendar if one was asked for; `keep` gets the result."""
    run_dir = Path(given.run_dir)
    words = declarations.load(Path.cwd(), given.config, None, controls.load()).words
    keys = load_trusted_keys(*given.pubkey) if given.pubkey else None
    now = datetime.now(UTC)
    history = load_history(run_dir)
    runs = history.runs
    if keys is not None:
        # Whether a run is one that recurs, only its sealed record says.
        seen = [one.id for one in runs if one.kept]
        runs = tuple(filter(None, (sealed_past(run_dir, one, Trust(keys)) for one in seen)))
    runs = of_system(runs, words.organisation)
    found = standings(runs, words.schedule, now.date())
    if keep:
        keep(history, found)
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
        write(_lines(history, found, place, counted, quarter, now.date()), sys.stdout)
    if given.ics:
        system = words.organisation.identity or ""
        replace_file(Path(given.ics), calendar(found, system, now), "calendar", "--ics")
        write([Line(f"Calendar: {given.ics}")], sys.stderr)
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
    runs = f"{len(history.runs)} run{'s' * (len(history.runs) != 1)}"
    yield from wrap(f"{runs} {place}", then="  ")
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


def replace_file(target: Path, content: bytes, kind: str, option: str) -> None:
    """Write a file in place of an older one of its kind, known by the first line.

    ReportError where another file has the name, or where the disk refuses.
    """
    first = content.partition(b"\n")[0]
    try:
        if target.exists():
            with open_file(target) as file:
                if file.read(len(first)) != first:
                    said = f"{target} is there and is not a {kind}; give another {option}"
                    raise ReportError(said)
        write_file(target, content)
    except OSError as trouble:
        said = f"{target} cannot be written: {trouble.strerror}; give another {option}"
        raise ReportError(said) from None
