"""`drillbook history report`: what was due in a period, what was done, and what is missing.

The period is divided by the declared cadence (90 days without one), and in each part each act of
`drillbook status` is due once; with a fleet.toml, the drill of each of its instances. It was done
if a run of a deployment ended in that part with one of the act's controls satisfied, and its
evidence is there and is what its seal says; with public keys also only if one of them signed it.
Anything else is named as missed, or as not proven.

Exit code 0; 1 if something was missed or is not proven, or if the history is not what it was; 3 if
the report cannot be made.
"""

from __future__ import annotations

import csv
import hashlib
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from drillbook.core.display import write_json
from drillbook.core.files import write_file
from drillbook.core.options import QUARTER
from reports import controls
from reports.config import declarations
from reports.config.declarations import Declared, next_due_day
from reports.config.fleet_file import Instance
from reports.config.fleet_file import load as load_fleet
from reports.errors import BadBundle, BadHistory, Distrusted
from reports.evidence.context import Action, Report, Schedule, Waiver
from reports.evidence.json_file import LARGEST, RECORD
from reports.evidence.model import Run
from reports.history.runs import History, Past, load_history, load_record, past_of
from reports.history.status import ACTS, Act, has_failed, recurs
from reports.render.context_sections import day, moment, with_value
from reports.render.pdf import compile_pdf
from reports.render.phrases import days
from reports.render.terminal import Line, wrap, write
from reports.seal.manifest import BUNDLE, file_digest
from reports.seal.signature import load_trusted_keys
from reports.seal.verification import Trust, intact
from reports.seal.zip_file import read_entries
from reports.verdict import FAILED, PASSED, Verdict

Keys = dict[str, Ed25519PublicKey]
State = Literal["done", "missed", "not proven", "not yet due"]
_DAY = timedelta(days=1)
_FAILED = "tried, and not shown"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = (
    *("kind", "what", "since", "until", "state", "run", "finished", "question", "grade", "verdict"),
    *("system", "backup_sha256", "evidence_sha256", "seal", "sign_off", "note"),
)


class Entry(NamedTuple):
    """A run that ended by the end of the period, and why it proves nothing where it does not."""

    past: Past
    record: Run | None
    digest: str | None
    seal: str
    sign_off: str
    doubt: str


class Duty(NamedTuple):
    """An act, how often it is due, and of which system; None: of whichever the runs are."""

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
        """How many they are."""
        return (self.last - self.first).days + 1


class Failure(NamedTuple):
    """A control that was violated, what is declared to be done, and the run that saw it healed."""

    entry: Entry
    control: str
    action: Action | None
    waiver: Waiver | None
    retest: Past | None
    reported: Report | None


@dataclass(frozen=True, slots=True)
class Period:
    """Everything that is said of a period, as it was known on the day `today`.

    fleet is the file whose instances it is about; empty where it is about one system.
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
    waivers: tuple[Waiver, ...]
    troubles: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over the lines '<SHA-256 of evidence.json>  <run>' of the runs, oldest first."""
        lines = (f"{one.digest or '-'}  {one.past.id}\n" for one in self.entries)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def open(self) -> tuple[Due, ...]:
        """What was due and is not shown to have been done."""
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
        """The sentence in a few words; where nothing was due, nothing was complete."""
        states = {one.state for one in self.dues}
        if self.open or self.troubles:
            return "Incomplete"
        if "done" not in states:
            return "Nothing was due"
        return "Complete so far" if "not yet due" in states else "Complete"


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
    """What is known of the period; span is its first day, its last, and today."""
    since, until, today = span
    systems = {one.system for one in duties if one.system}
    # Of what came before the period only a proof that may still be in force counts; of what came
    # after it, a re-test.
    wanted = (one for one in history.runs if since <= _day(one) or recurs(one))
    entries = [_entry(one, folder, keys, systems) for one in wanted]
    inside = [one for one in entries if since <= _day(one.past) <= until]
    proving = [one for one in entries if not one.doubt]
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
        failures=tuple(
            _failures(inside, [one.past for one in proving], declared, today, bool(fleet))
        ),
        waivers=tuple(_waivers(inside)),
        troubles=(
            *history.troubles,
            *(f"folder {one}: its evidence cannot be read" for one in history.unreadable),
            *_missing_links(inside, {one.id for one in history.runs}, since),
            *_other_cadences(inside, duties),
            *(_other_systems(inside) if not systems else ()),
        ),
    )


def _day(past: Past) -> date:
    return past.finished.astimezone(UTC).date()


def _entry(past: Past, folder: Path, keys: Keys | None, systems: set[str]) -> Entry:
    """A run with its record and seal; nothing of it is believed that is not in its evidence."""
    if not past.kept:
        return Entry(past, None, None, "evidence gone", "", "its evidence is not there any more")
    place = folder / past.id
    try:
        digest, record = file_digest(place / RECORD), load_record(place)
    except (OSError, ValueError, BadBundle, Distrusted):
        return Entry(past, None, None, "unreadable", "", "its evidence cannot be read")
    seal, sign_off, doubt = "not sealed", "", "" if keys is None else "no trusted key signed it"
    if (place / BUNDLE).is_file():
        try:
            sealed, found = intact(place / BUNDLE, Trust(keys, keys is None), "it does not count")
        except (BadBundle, Distrusted) as trouble:
            seal, doubt = "not accepted", str(trouble).partition(": ")[2] or str(trouble)
            return Entry(past, record, digest, seal, "", doubt)
        if sealed.run.id != past.id:
            doubt = f"its bundle is of run {sealed.run.id}"
            seal = "not accepted"
        else:
            record = sealed
            # What counts is what was sealed, also where the file next to the bundle is another.
            data = read_entries(place / BUNDLE, [RECORD], LARGEST)[RECORD]
            digest = hashlib.sha256(data).hexdigest()
            by = f"key {str(record.seal.key_id)[:16]}{'' if found.signed else ', not checked'}"
            seal = by if found.envelope else "unsigned"
            sign_off = next(one.sentence for one in found.checks if one.name == "sign-off")
            sign_off = "" if sign_off == "none" else sign_off
            past, doubt = past_of(record), ""
    return Entry(past, record, digest, seal, sign_off, doubt or _doubt(past, systems))


def _doubt(past: Past, systems: set[str]) -> str:
    """Why a run shows nothing of the deployment, whatever its verdict."""
    if not past.intact:
        return "its evidence was changed since it was sealed"
    if past.grade != "deployment":
        return "a rehearsal"
    if past.facts.mutant:
        return "a bug was planted on purpose"
    if systems and past.facts.system not in systems:
        return f"of another system: {past.facts.system or 'not stated'}"
    return ""


def _next(day: date, schedule: Schedule) -> date:
    return next_due_day(day, schedule.cadence) if schedule.cadence else day + QUARTER


def _parts(since: date, until: date, schedule: Schedule) -> Iterator[tuple[date, date]]:
    """The first and last day of each part; the last part may end after the period."""
    while since <= until:
        after = _next(since, schedule)
        yield since, after - _DAY
        since = after


def _due(duty: Duty, part: tuple[date, date], entries: Iterable[Entry], *, closed: bool) -> Due:
    tried = [
        one
        for one in entries
        if part[0] <= _day(one.past) <= part[1] and one.past.grade == "deployment"
    ]
    did = [one for one in tried if not one.past.satisfied.isdisjoint(duty.act.controls)]
    proven = next((one for one in did if not one.doubt), None)
    claimed = next(iter(did), None)
    if proven:
        return Due(duty, *part, "done", proven)
    if not closed:
        return Due(duty, *part, "not yet due", claimed)
    if claimed:
        return Due(duty, *part, "not proven", claimed)
    failed = next((one for one in tried if has_failed(duty.act, one.past)), None)
    return Due(duty, *part, "missed", failed)


def _lapses(duty: Duty, proving: Iterable[Entry], bounds: tuple[date, date]) -> Iterator[Lapse]:
    """The days of the period that no proof covered."""
    since, until = bounds
    wanted = duty.act.controls
    done = [_day(one.past) for one in proving if not one.past.satisfied.isdisjoint(wanted)]
    first = since
    for again in [*sorted(done), until + _DAY]:
        start, end = max(first, since), min(again - _DAY, until)
        if start <= end:
            yield Lapse(duty, start, end)
        first = max(first, _next(again, duty.schedule) + _DAY)


def _failures(
    entries: Iterable[Entry], runs: Sequence[Past], declared: Declared, today: date, fleet: bool
) -> Iterator[Failure]:
    """Each violated control of a deployment; a re-test is a later run that found it satisfied."""
    words = declared.words
    reports = [one for one in words.exercise.reported if one.at.astimezone(UTC).date() <= today]
    # Of several instances, an action that names no run could be about any of them.
    actions = [one for one in words.actions if one.retest_of or not fleet]
    for entry in entries:
        if entry.record is None or entry.doubt:
            continue
        said = [*actions, *entry.record.deviations.actions]
        for control in entry.record.controls:
            if control.verdict is not Verdict.VIOLATED:
                continue
            mine = [one for one in said if one.control == control.id]
            about = [one for one in mine if _is_about(one, entry.past)]
            yield Failure(
                entry,
                control.id,
                next(iter(about), None),
                control.waiver if control.waived else None,
                next((one for one in runs if _heals(one, entry.past, control.id)), None),
                next((one for one in reports if _is_of(one, entry.past)), None),
            )


def _is_of(report: Report, failed: Past) -> bool:
    """Whether a report to management can be of this failure."""
    return report.run == failed.id and report.at >= failed.finished


def _is_about(action: Action, failed: Past) -> bool:
    """Whether an action may be about a failure: what was closed before it is about another."""
    if action.retest_of:
        return action.retest_of == failed.id
    return action.closed is None or action.closed >= _day(failed)


def _heals(later: Past, failed: Past, control: str) -> bool:
    same = later.grade == failed.grade and later.facts.system == failed.facts.system
    instances = {one.backup.instance for one in (later, failed) if one.backup}
    # That another instance's backup comes back says nothing of this one's.
    same = same and len(instances - {None}) < 2
    return later.finished > failed.finished and same and control in later.satisfied


def _waivers(entries: Iterable[Entry]) -> Iterator[Waiver]:
    """Each waiver that a record names, once, as the last run saw it."""
    found: dict[tuple[object, ...], Waiver] = {}
    for entry in entries:
        for one in entry.record.deviations.waivers if entry.record else ():
            found[one.control, one.reason, one.approved_by, one.expires] = one
    yield from found.values()


def _missing_links(entries: Iterable[Entry], known: set[str], since: date) -> Iterator[str]:
    """A run that another names as the one before it, and that was taken out of the folder."""
    for entry in entries:
        if entry.record is None:
            continue
        sealed, said = entry.record.seal.previous, entry.record.identity.previous_run
        before = sealed.run if sealed else said
        if before and before not in known and _started(before, since) >= since:
            yield f"run {entry.past.id} follows run {before}, of which nothing is here"


def _started(run: str, unknown: date) -> date:
    """The day with which the id of a run begins; else the other."""
    with suppress(ValueError):
        return date.fromisoformat(run.partition("T")[0][:10])
    return unknown


def _other_cadences(entries: Iterable[Entry], duties: tuple[Duty, ...]) -> Iterator[str]:
    """A cadence that was changed afterwards could hide what was due."""
    used = {one.system: one.schedule.cadence for one in duties}
    for entry in entries:
        said = entry.record.schedule.cadence if entry.record else None
        cadence = used.get(entry.past.facts.system, duties[0].schedule.cadence)
        if said and said != cadence:
            now = cadence or f"every {QUARTER.days} days"
            yield f"run {entry.past.id} was made under the cadence {said}; this report uses {now}"


def _other_systems(entries: Iterable[Entry]) -> Iterator[str]:
    names = sorted({one.past.facts.system or "not stated" for one in entries if not one.doubt})
    if len(names) > 1:
        yield (
            f"the runs are of several systems ({', '.join(names)}) and are counted together; name "
            "one in [organisation] of drillbook.toml"
        )


def render_csv(period: Period) -> str:
    """One line for each due act, lapse, failure, waiver and run."""
    target = io.StringIO()
    table = csv.DictWriter(target, COLUMNS, restval="", lineterminator="\r\n")
    table.writeheader()
    for row in _rows(period):
        table.writerow({key: _as_text(value) for key, value in row.items()})
    return target.getvalue()


def _as_text(value: object) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _rows(period: Period) -> Iterator[dict[str, Any]]:
    for due in period.dues:
        note = _FAILED if due.run and due.state == "missed" else due.run and due.run.doubt
        yield {
            "kind": "due",
            "what": due.duty.act.name,
            "since": due.first,
            "until": due.last,
            "state": due.state,
            "system": due.duty.system,
            **({"run": due.run.past.id, "note": note} if due.run else {}),
        }
    for lapse in period.lapses:
        span = {"what": lapse.duty.act.name, "since": lapse.first, "until": lapse.last}
        note = days(lapse.days)
        yield {"kind": "no proof in force", **span, "system": lapse.duty.system, "note": note}
    for one in period.failures:
        yield {
            "kind": "failure",
            "what": one.control,
            "state": "re-tested" if one.retest else "open",
            "run": one.entry.past.id,
            "finished": one.entry.past.finished.isoformat(),
            "system": one.entry.past.facts.system,
            "note": _correction(one),
        }
    for waiver in period.waivers:
        said = f"{waiver.reason}; owner {waiver.owner}, approved by {waiver.approved_by}"
        span = {"until": waiver.expires, "state": waiver.state, "note": said}
        yield {"kind": "waiver", "what": waiver.control, **span}
    for entry in period.entries:
        facts, record = entry.past.facts, entry.record
        backup = record.subject.backup if record else None
        yield {
            "kind": "run",
            "state": "does not count" if entry.doubt else "counts",
            "run": entry.past.id,
            "finished": entry.past.finished.isoformat(),
            "question": facts.question,
            "grade": entry.past.grade,
            "verdict": facts.verdict.value if facts.verdict else None,
            "system": facts.system,
            "backup_sha256": backup.sha256 if backup else None,
            "evidence_sha256": entry.digest,
            "seal": entry.seal,
            "sign_off": entry.sign_off,
            "note": entry.doubt,
        }


def _correction(one: Failure) -> str:
    """What is declared to be done about a failure, and the re-test that was measured."""
    action = one.action or Action(
        control=one.control, corrective_action="no corrective action is declared"
    )
    retested = "not re-tested with success"
    if one.retest:
        after = days((_day(one.retest) - _day(one.entry.past)).days)
        retested = f"satisfied again in run {one.retest.id}, {after} later"
    reported = "no report to management is declared"
    if one.reported:
        reported = f"reported to {one.reported.to} on {one.reported.at.astimezone(UTC).date()}"
    parts = (
        action.root_cause and f"root cause: {action.root_cause}",
        action.corrective_action,
        action.owner and f"owner {action.owner}",
        action.due and f"due {action.due}",
        action.closed and f"closed {action.closed}",
        one.waiver and f"waived until {one.waiver.expires}",
    )
    said = "; ".join(str(part) for part in (*parts, reported) if part)
    return f"Declared: {said}. Measured: {retested}"


def render_pdf(period: Period, table: str) -> bytes:
    """The report as PDF/A-3a with its CSV attached."""
    words = period.declared.words
    who = words.organisation
    source = period.declared.source
    counting = sum(not one.doubt for one in period.entries)
    cadence = words.schedule.cadence or f"every {QUARTER.days} days (none declared)"
    printed = {
        "title": f"Drills of {_span(period.since, period.until)}",
        "date": [period.today.year, period.today.month, period.today.day],
        "result": period.result,
        "sentence": period.sentence,
        "trust": _trust(period),
        "cover": with_value(
            [
                ("Organisation", ", ".join(filter(None, (who.name, who.unit)))),
                (
                    ("Instances", ", ".join(str(one.system) for one in period.duties))
                    if period.fleet
                    else ("System", ", ".join(filter(None, (who.system, who.system_id))))
                ),
                ("Period", _span(period.since, period.until)),
                ("As known on", day(period.today)),
                ("Due", "as stated with each instance" if period.fleet else cadence),
                ("Instances declared in", period.fleet),
                ("Declared in", f"{source.file}, SHA-256 {source.sha256}" if source else ""),
                ("Runs", f"{len(period.entries)}, of which {counting} count"),
                ("Digest of the history", period.digest),
            ]
        ),
        "troubles": [*period.troubles],
        "acts": [
            {
                "name": _name(duty, period),
                "controls": ", ".join(duty.act.controls)
                + (f"; {duty.schedule.cadence}" if period.fleet else ""),
                "dues": [
                    [_span(one.first, one.last), one.state, _done(one)]
                    for one in period.dues
                    if one.duty is duty
                ],
                "lapses": [
                    f"{_span(one.first, one.last)} ({days(one.days)})"
                    for one in period.lapses
                    if one.duty is duty
                ],
            }
            for duty in period.duties
        ],
        "failures": [
            [one.control, _run(one.entry, period), day(_day(one.entry.past)), _correction(one)]
            for one in period.failures
        ],
        "waivers": [
            [one.control, one.reason, one.owner, one.approved_by, day(one.expires), state]
            for one in period.waivers
            for state in [one.state.replace("_", " ")]
        ],
        "runs": [
            {
                "id": _run(one, period),
                "when": moment(one.past.finished),
                "question": one.past.facts.question,
                "verdict": one.past.facts.verdict.words if one.past.facts.verdict else "none",
                "grade": one.past.grade,
                "seal": one.seal,
                "sign_off": one.sign_off or "not signed off",
                "doubt": one.doubt,
                "digest": one.digest or "",
                "backup": f"{backup.name}, SHA-256 {backup.sha256}" if backup else "",
            }
            for one in period.entries
            for backup in [one.record.subject.backup if one.record else None]
        ],
    }
    noon = datetime.combine(period.today, time(12), UTC)
    return compile_pdf("period.typ", {"period": printed}, {"table": table}, int(noon.timestamp()))


def _run(one: Entry, period: Period) -> str:
    return f"{one.past.id} ({one.past.facts.system})" if period.fleet else one.past.id


def _name(duty: Duty, period: Period) -> str:
    return f"{duty.system}: {duty.act.name}" if period.fleet else duty.act.name


def _trust(period: Period) -> str:
    if period.signed:
        return "Only runs count that a trusted key signed."
    return (
        "No signature was checked: anyone who can write the folder of the runs could have made it "
        "all. With --pubkey only what a trusted key signed counts."
    )


def _span(first: date, last: date) -> str:
    return f"{day(first)} to {day(last)}"


def _done(one: Due) -> str:
    if one.run is None:
        return "no run" if one.state == "missed" else ""
    said = f"run {one.run.past.id}, {day(_day(one.run.past))}"
    if one.state == "missed":
        return f"{said}: {_FAILED}"
    return f"{said}: {one.run.doubt}" if one.run.doubt else said


def main(given: SimpleNamespace) -> int:
    """Write both documents and say what is missing."""
    folder, out = Path(given.run_dir), Path(given.out)
    span = (date.fromisoformat(given.since), date.fromisoformat(given.until), _today())
    if span[0] > min(span[1:]):
        said = f"--from {span[0]} --to {span[1]}: the period is empty, or has not begun"
        raise BadHistory(said)
    if not folder.is_dir():
        raise BadHistory(f"{folder} is not a folder of runs; give --run-dir")
    declared = declarations.load(Path.cwd(), given.config, None, controls.load())
    keys = load_trusted_keys(*given.pubkey) if given.pubkey else None
    duties, fleet = duties_of(declared), ""
    if given.fleet:
        file = Path(given.fleet)
        duties = duties_of_fleet(load_fleet(file))
        fleet = f"{file.name}, SHA-256 {file_digest(file)}"
    period = report(load_history(folder), folder, declared, keys, span, duties, fleet)
    name = f"period-{period.since}-{period.until}"
    table = render_csv(period)
    out.mkdir(parents=True, exist_ok=True)
    write_file(out / f"{name}.csv", table.encode("utf-8-sig"))
    write_file(out / f"{name}.pdf", render_pdf(period, table))
    if given.output == "json":
        _write_answer(period, out / f"{name}.pdf", out / f"{name}.csv")
    else:
        end = Line(f"Report: {out / name}.pdf and {name}.csv")
        write([*_lines(period), end], sys.stdout)
    return FAILED if period.open or period.troubles else PASSED


def _today() -> date:
    return datetime.now(UTC).date()


def _lines(period: Period) -> Iterator[Line]:
    red = ("red", "bold")
    yield Line(f"{_span(period.since, period.until)}, as known on {day(period.today)}")
    style = {"Incomplete": red, "Complete": ("green", "bold")}.get(period.result, ("yellow",))
    yield from wrap(f"{period.result}. {period.sentence}", style=style)
    for trouble in period.troubles:
        yield from wrap(f"Note: {trouble}.", then="  ", style=red)
    for one in period.open:
        said = f"{one.state.upper()}: {_name(one.duty, period)}, {one.first} to {one.last}"
        yield from wrap(f"{said}; {_done(one)}", then="  ", style=red)
    for lapse in period.lapses:
        name = _name(lapse.duty, period)
        said = f"{name}: no proof in force from {lapse.first} to {lapse.last}"
        yield from wrap(f"{said} ({days(lapse.days)})", then="  ", style=("yellow",))
    for failure in period.failures:
        said = f"{failure.control} failed in run {failure.entry.past.id}: {_correction(failure)}"
        yield from wrap(said, then="  ", style=() if failure.retest else ("yellow",))
    if not period.signed:
        yield from wrap(_trust(period), then="  ", style=("yellow",))


def _write_answer(period: Period, pdf: Path, table: Path) -> None:
    write_json(
        "history-report",
        pdf=str(pdf),
        csv=str(table),
        since=period.since,
        until=period.until,
        today=period.today,
        sentence=period.sentence,
        signed=period.signed,
        digest=period.digest,
        troubles=[*period.troubles],
        rows=[*_rows(period)],
    )
