"""What was due in a period, what was done, and what is missing: `drillbook history report`.

The period is divided by the declared cadence (90 days without one), and in each part each act of
`drillbook status` is due once; with a fleet.toml, the drill of each of its instances. It was done
if a run of a deployment ended in that part with one of the act's controls satisfied, and if its
evidence is there and is what its seal says; with public keys, one of them must have signed it.
Otherwise the act is named as missed or as not proven.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Literal, NamedTuple

from drillbook.core.files import file_digest
from reports.config.declarations import Declared
from reports.config.due_dates import cadence_in_words, next_due_day
from reports.config.fleet_file import Instance
from reports.errors import BadBundle, BadEvidence, Distrusted
from reports.evidence.context import Schedule, Waiver
from reports.evidence.json_file import RECORD
from reports.evidence.model import BackupFile, Run
from reports.history.runs import History, Past, load_record, past_of
from reports.history.status import ACTS, Act, has_failed, recurs
from reports.render.context_sections import day
from reports.seal.verification import intact
from reports.seal.verify_bundle import BUNDLE, Keys, Trust
from reports.verdict import Verdict

State = Literal["done", "missed", "not proven", "not yet due"]
_DAY = timedelta(days=1)


class Entry(NamedTuple):
    """A run with its record and seal. `doubt` says why it proves nothing; empty if it does."""

    past: Past
    record: Run | None = None
    digest: str | None = None
    seal: str = "not sealed"
    sign_off: str = ""
    doubt: str = ""

    @property
    def backup(self) -> BackupFile | None:
        """The backup that the run examined."""
        return self.record.subject.backup if self.record else None

    def shows(self, act: Act) -> bool:
        """Whether one of the act's controls came out satisfied."""
        return not self.past.satisfied.isdisjoint(act.controls)


class Duty(NamedTuple):
    """An act, how often it is due, and of which system; None: any system."""

    act: Act
    schedule: Schedule
    system: str | None = None


class Due(NamedTuple):
    """A duty in one part of the period; run is the one that did it, says it did, or failed."""

    duty: Duty
    first: date
    last: date
    state: State
    run: Entry | None


class Lapse(NamedTuple):
    """Days on which the last proof of an act was older than the cadence allows."""

    duty: Duty
    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days."""
        return (self.last - self.first).days + 1


class Failure(NamedTuple):
    """A violated control, and the later run that found it satisfied."""

    entry: Entry
    control: str
    waiver: Waiver | None
    retest: Past | None


@dataclass(frozen=True, slots=True)
class Period:
    """What the report says of a period, as known on the day `today`.

    fleet names the file of the instances that it is about; empty where it is about one system.
    Each waiver has the system of its run.
    """

    since: date
    until: date
    today: date
    declared: Declared
    signed: bool
    fleet: str
    duties: tuple[Duty, ...]
    entries: tuple[Entry, ...]
    dues: tuple[Due, ...]
    lapses: tuple[Lapse, ...]
    failures: tuple[Failure, ...]
    waivers: tuple[tuple[str | None, Waiver], ...]
    troubles: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over the lines '<SHA-256 of evidence.json>  <run>' of the runs, oldest first."""
        lines = (f"{one.digest or '-'}  {one.past.id}\n" for one in self.entries)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def open(self) -> tuple[Due, ...]:
        """Acts that were due and are not shown to have been done."""
        return tuple(one for one in self.dues if one.state in ("missed", "not proven"))

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        due = [one for one in self.dues if one.state != "not yet due"]
        if not due:
            return f"Nothing fell due by {day(min(self.until, self.today))}."
        done = sum(one.state == "done" for one in due)
        said = f"{done} of {len(due)} due acts were done"
        for state in ("missed", "not proven"):
            if number := sum(one.state == state for one in due):
                said += f", {number} {'was' if number == 1 else 'were'} {state}"
        later = len(self.dues) - len(due)
        return f"{said}; {later} fall{'s' * (later == 1)} due later." if later else f"{said}."

    @property
    def result(self) -> str:
        """The sentence in a few words; where nothing was due, nothing was complete.

        Where no drill was in force at the end of the period, it says since when.
        """
        states = {one.state for one in self.dues}
        if self.open or self.troubles:
            return "Incomplete"
        if "done" not in states:
            return self._unproven or "Nothing was due"
        return "Complete so far" if "not yet due" in states else "Complete"

    @property
    def _unproven(self) -> str:
        """Since when no drill of any system is in force; empty where one is."""
        drills = [duty for duty in self.duties if duty.act.id == "drill"]
        end = min(self.until, self.today)
        since = [lapse.first for lapse in self.lapses if lapse.duty in drills and lapse.last == end]
        return f"No proof in force since {day(max(since))}" if len(since) == len(drills) else ""


def duties_of(declared: Declared) -> tuple[Duty, ...]:
    """All acts of the declared system."""
    words = declared.words
    return tuple(Duty(act, words.schedule, words.organisation.identity) for act in ACTS)


def duties_of_fleet(instances: Iterable[Instance]) -> tuple[Duty, ...]:
    """The drill of each instance."""
    drill = next(act for act in ACTS if act.id == "drill")
    return tuple(Duty(drill, Schedule(cadence=one.cadence), one.name) for one in instances)


def report(
    history: History,
    folder: Path,
    declared: Declared,
    keys: Keys | None,
    span: tuple[date, ...],
    duties: tuple[Duty, ...],
    fleet: str = "",
) -> Period:
    """The report of a period; span is its first day, its last day, and today."""
    since, until, today = span
    systems = {one.system for one in duties if one.system}
    # A run before the period matters only if its proof may still be in force, and a run after it
    # only as a re-test. With keys only the sealed record says which run that is.
    wanted = (
        one for one in history.runs if since <= ended_on(one) or recurs(one) or keys is not None
    )
    entries = [_entry(one, folder, keys, partial(_doubt, systems, today)) for one in wanted]
    inside = [one for one in entries if since <= ended_on(one.past) <= until]
    proving = [one for one in entries if not one.doubt]
    ours = [one for one in inside if not _other_subject(systems, one.past)]
    known = since, min(until, today)

    def of(duty: Duty, entries: Iterable[Entry]) -> list[Entry]:
        return [one for one in entries if not fleet or one.past.facts.system == duty.system]

    return Period(
        since,
        until,
        today,
        declared,
        signed=keys is not None,
        fleet=fleet,
        duties=duties,
        entries=tuple(inside),
        dues=tuple(
            _due(duty, part, of(duty, inside), closed=part[1] <= until and part[1] < today)
            for duty in duties
            for part in _parts(*known, duty.schedule)
        ),
        lapses=tuple(one for duty in duties for one in _lapses(duty, of(duty, proving), known)),
        failures=tuple(_failures(ours, [one.past for one in proving])),
        waivers=tuple(_waivers(ours)),
        troubles=(
            *history.troubles,
            *(f"folder {one}: its evidence cannot be read" for one in history.unreadable),
            *_missing_links(entries, since, until),
            *_other_cadences(ours, duties),
            *(_other_systems(inside) if not systems else ()),
        ),
    )


def ended_on(past: Past) -> date:
    """The day on which a run ended, in UTC."""
    return past.finished.date()


def _entry(past: Past, folder: Path, keys: Keys | None, doubt_of: Callable[[Past], str]) -> Entry:
    """A run with its record and seal; only what its evidence says is believed."""
    place = folder / past.id
    try:
        digest, record = file_digest(place / RECORD), load_record(place)
    except (OSError, ValueError, BadBundle, BadEvidence, Distrusted):
        return Entry(past, seal="unreadable", doubt="its evidence cannot be read")
    if not (place / BUNDLE).is_file():
        unsigned = "" if keys is None else "no trusted key signed it"
        return Entry(past, record, digest, doubt=unsigned or doubt_of(past))
    try:
        sealed, found = intact(place / BUNDLE, Trust(keys, keys is None), "it does not count")
    except (BadBundle, Distrusted) as trouble:
        doubt = str(trouble).removeprefix(f"{place / BUNDLE}: ").removesuffix("; it does not count")
        return Entry(past, record, digest, "not accepted", doubt=doubt)
    if sealed.run.id != past.id:
        doubt = f"its bundle is of run {sealed.run.id}"
        return Entry(past, record, digest, "not accepted", doubt=doubt)
    seal = f"key {found.signer[:16]}{'' if found.signed else ', not checked'}"
    sign_off = next(one.sentence for one in found.checks if one.name == "sign-off")
    past = past_of(sealed)
    # The sealed record counts, even if the file next to the bundle is another.
    evidence = found.files[RECORD]
    return Entry(
        past,
        sealed,
        hashlib.sha256(evidence).hexdigest(),
        seal if found.envelope else "unsigned",
        "" if sign_off == "none" else sign_off,
        doubt_of(past),
    )


def _doubt(systems: set[str], today: date, past: Past) -> str:
    """Why a run proves nothing about the deployment; empty if it may."""
    if not past.intact:
        return "its evidence was changed since it was sealed"
    if ended_on(past) > today:
        return "it ended after the day of this report, by its own clock"
    return _other_subject(systems, past)


def _other_subject(systems: set[str], past: Past) -> str:
    """Why a run is not about the deployment of these systems; empty if it is."""
    if past.grade != "deployment":
        return "a rehearsal"
    if past.facts.mutant:
        return "a bug was planted on purpose"
    if systems and past.facts.system not in systems:
        return f"of another system: {past.facts.system or 'not stated'}"
    return ""


def _parts(since: date, until: date, schedule: Schedule) -> Iterator[tuple[date, date]]:
    """The first and last day of each part; the last part may end after the period."""
    first = since
    for number in count(1):
        if first > until:
            return
        # From the first day on: after a short month the 31st would stay the 28th.
        after = next_due_day(since, schedule.cadence, number)
        yield first, after - _DAY
        first = after


def _due(duty: Duty, part: tuple[date, date], entries: Iterable[Entry], *, closed: bool) -> Due:
    tried = [
        one
        for one in entries
        if part[0] <= ended_on(one.past) <= part[1] and one.past.grade == "deployment"
    ]
    did = [one for one in tried if one.shows(duty.act)]
    proven = next((one for one in did if not one.doubt), None)
    claimed = next(iter(did), None)
    if proven:
        return Due(duty, *part, "done", proven)
    if not closed:
        return Due(duty, *part, "not yet due", claimed)
    if claimed:
        return Due(duty, *part, "not proven", claimed)
    systems = {duty.system} if duty.system else set()
    failed = next(
        (
            one
            for one in tried
            if has_failed(duty.act, one.past) and not _other_subject(systems, one.past)
        ),
        None,
    )
    return Due(duty, *part, "missed", failed)


def _lapses(duty: Duty, proving: Iterable[Entry], bounds: tuple[date, date]) -> Iterator[Lapse]:
    """The days of the period that no proof covered."""
    since, until = bounds
    done = sorted(ended_on(one.past) for one in proving if one.shows(duty.act))
    first = since
    for again in [*done, until + _DAY]:
        start, end = max(first, since), min(again - _DAY, until)
        if start <= end:
            yield Lapse(duty, start, end)
        first = max(first, next_due_day(again, duty.schedule.cadence) + _DAY)


def _failures(entries: Iterable[Entry], runs: Sequence[Past]) -> Iterator[Failure]:
    """Each violated control of a deployment; a re-test is a later run that found it satisfied.

    A run that proves nothing, as it is not signed, may still have failed.
    """
    for entry in entries:
        record = entry.record
        waived = {one.id: one.waiver for one in (record.controls if record else ()) if one.waived}
        for control, verdict in entry.past.facts.verdicts.items():
            if verdict is not Verdict.VIOLATED:
                continue
            yield Failure(
                entry,
                control,
                waived.get(control),
                next((one for one in runs if _is_retest(one, entry.past, control)), None),
            )


def _is_retest(later: Past, failed: Past, control: str) -> bool:
    same = later.grade == failed.grade and later.facts.whose == failed.facts.whose
    instances = {one.backup.instance for one in (later, failed) if one.backup}
    # A backup of another instance says nothing about this one.
    same = same and len(instances - {None}) < 2
    return later.finished > failed.finished and same and control in later.satisfied


def _waivers(entries: Iterable[Entry]) -> Iterator[tuple[str | None, Waiver]]:
    """Each waiver that a system's records name, once, as its last run saw it."""
    found = {
        (entry.past.facts.system, one.control, one.reason, one.approved_by, one.expires): one
        for entry in entries
        for control in (entry.record.controls if entry.record else ())
        if (one := control.waiver)
    }
    for (system, *_), waiver in found.items():
        yield system, waiver


def _missing_links(entries: Sequence[Entry], since: date, until: date) -> Iterator[str]:
    """Sentences about runs of the period that another names as the one before it, and that lack."""
    known = {one.past.id for one in entries}
    for entry in entries:
        if entry.record is None:
            continue
        sealed, said = entry.record.seal.previous, entry.record.identity.previous_run
        before = sealed.run if sealed else said
        if before and before not in known and since <= _started(before, since) <= until:
            yield f"run {entry.past.id} follows run {before}, of which nothing is here"


def _started(run: str, unknown: date) -> date:
    """The day with which the id of a run begins; the other day if it begins with none."""
    with suppress(ValueError):
        return date.fromisoformat(run.partition("T")[0][:10])
    return unknown


def _other_cadences(entries: Iterable[Entry], duties: tuple[Duty, ...]) -> Iterator[str]:
    """Sentences about runs made under another cadence: a later change could hide what was due."""
    used = {one.system: one.schedule.cadence for one in duties}
    for entry in entries:
        said = entry.record.schedule.cadence if entry.record else None
        cadence = used.get(entry.past.facts.system, duties[0].schedule.cadence)
        if said and said != cadence:
            yield (
                f"run {entry.past.id} was made under the cadence {said}; this report uses "
                f"{cadence_in_words(cadence)}"
            )


def _other_systems(entries: Iterable[Entry]) -> Iterator[str]:
    names = sorted({one.past.facts.system or "not stated" for one in entries if not one.doubt})
    if len(names) > 1:
        yield (
            f"the runs are of several systems ({', '.join(names)}) and are counted together; name "
            "one in [organisation] of drillbook.toml"
        )
