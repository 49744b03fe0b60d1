"""`drillbook history report`: what was due in a period, what was done, and what is missing.

The period is divided by the declared cadence (90 days without one), and in each part each act of
`drillbook status` is due once. It was done if a run of a deployment ended in that part with one of
the act's controls satisfied, and if its evidence is there and is what its seal says; with public
keys, one of them must have signed it. Otherwise the act is named as missed or as not proven.

Exit code 0; 1 if something was missed or is not proven, if the history was changed, or if runs of
another cadence or of several systems are counted; 3 if the report cannot be made.
"""

from __future__ import annotations

import csv
import hashlib
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
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
from reports.errors import BadBundle, BadHistory, Distrusted
from reports.evidence.context import Action, Report, Schedule, Waiver
from reports.evidence.json_file import RECORD
from reports.evidence.model import BackupFile, Run
from reports.history.runs import History, Past, find_runs, load_history, load_record, past_of
from reports.history.status import ACTS, Act, recurs
from reports.render.context_sections import day, moment, with_value
from reports.render.pdf import compile_pdf
from reports.render.phrases import days
from reports.render.terminal import Line, wrap, write
from reports.seal.manifest import BUNDLE, file_digest
from reports.seal.signature import load_trusted_keys
from reports.seal.verification import Trust, intact
from reports.verdict import FAILED, PASSED, Verdict

Keys = dict[str, Ed25519PublicKey]
State = Literal["done", "missed", "not proven", "not yet due"]
_DAY = timedelta(days=1)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = (
    *("kind", "what", "since", "until", "state", "run", "finished", "question", "grade", "verdict"),
    *("system", "backup_sha256", "evidence_sha256", "seal", "sign_off", "note"),
)


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


class Due(NamedTuple):
    """An act in one part of the period; `run` is the one that did it, or that says it did."""

    act: Act
    first: date
    last: date
    state: State
    run: Entry | None


class Lapse(NamedTuple):
    """Days on which the last proof of an act was older than the cadence allows."""

    act: Act
    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days."""
        return (self.last - self.first).days + 1


class Failure(NamedTuple):
    """A violated control, the declared action, and the later run that found it satisfied."""

    entry: Entry
    control: str
    action: Action | None
    waiver: Waiver | None
    retest: Past | None
    reported: Report | None


@dataclass(frozen=True, slots=True)
class Period:
    """What the report says of a period, as known on the day `today`."""

    since: date
    until: date
    today: date
    declared: Declared
    signed: bool
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
        """Acts that were due and are not shown to have been done."""
        return tuple(one for one in self.dues if one.state in ("missed", "not proven"))

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        due = [one for one in self.dues if one.state != "not yet due"]
        done = sum(one.state == "done" for one in due)
        said = f"{done} of {len(due)} due acts were done"
        for state in ("missed", "not proven"):
            if number := sum(one.state == state for one in due):
                said += f", {number} {'was' if number == 1 else 'were'} {state}"
        return f"{said}."


def report(
    history: History, folder: Path, declared: Declared, keys: Keys | None, span: tuple[date, ...]
) -> Period:
    """The report of a period; span is its first day, its last day, and today."""
    since, until, today = span
    schedule, system = declared.words.schedule, declared.words.organisation.identity
    # A run before the period matters only if its proof may still be in force, and a run after it
    # only as a re-test.
    wanted = (one for one in history.runs if since <= _day(one) or recurs(one))
    entries = [_entry(one, folder, keys, system) for one in wanted]
    inside = [one for one in entries if since <= _day(one.past) <= until]
    proving = [one for one in entries if not one.doubt]
    known = since, min(until, today)
    parts = list(_parts(*known, schedule))
    return Period(
        since,
        until,
        today,
        declared,
        signed=keys is not None,
        entries=tuple(inside),
        dues=tuple(
            _due(act, first, last, inside, closed=last <= until and last < today)
            for act in ACTS
            for first, last in parts
        ),
        lapses=tuple(one for act in ACTS for one in _lapses(act, proving, schedule, known)),
        failures=tuple(_failures(inside, [one.past for one in proving], declared)),
        waivers=tuple(_waivers(inside)),
        troubles=(
            *history.troubles,
            *(f"folder {one}: its evidence cannot be read" for one in history.unreadable),
            *_other_cadences(inside, schedule),
            *_other_systems(inside, system),
        ),
    )


def _day(past: Past) -> date:
    return past.finished.astimezone(UTC).date()


def _entry(past: Past, folder: Path, keys: Keys | None, system: str | None) -> Entry:
    """A run with its record and seal; only what its evidence says is believed."""
    if not past.kept:
        return Entry(past, seal="evidence gone", doubt="its evidence is not there any more")
    place = folder / past.id
    try:
        digest, record = file_digest(place / RECORD), load_record(place)
    except (OSError, ValueError, BadBundle, Distrusted):
        return Entry(past, seal="unreadable", doubt="its evidence cannot be read")
    if not (place / BUNDLE).is_file():
        unsigned = "" if keys is None else "no trusted key signed it"
        return Entry(past, record, digest, doubt=unsigned or _doubt(past, system))
    try:
        record, found = intact(place / BUNDLE, Trust(keys, keys is None), "it does not count")
    except (BadBundle, Distrusted) as trouble:
        doubt = str(trouble).partition(": ")[2] or str(trouble)
        return Entry(past, record, digest, "not accepted", doubt=doubt)
    seal = f"key {str(record.seal.key_id)[:16]}{'' if found.signed else ', not checked'}"
    sign_off = next(one.sentence for one in found.checks if one.name == "sign-off")
    past = past_of(record)
    return Entry(
        past,
        record,
        digest,
        seal if found.envelope else "unsigned",
        "" if sign_off == "none" else sign_off,
        _doubt(past, system),
    )


def _doubt(past: Past, system: str | None) -> str:
    """Why a run proves nothing about the deployment; empty if it may."""
    if not past.intact:
        return "its evidence was changed since it was sealed"
    if past.grade != "deployment":
        return "a rehearsal"
    if past.facts.mutant:
        return "a bug was planted on purpose"
    if system and past.facts.system != system:
        return f"of another system: {past.facts.system or 'not stated'}"
    return ""


def _parts(since: date, until: date, schedule: Schedule) -> Iterator[tuple[date, date]]:
    """The first and last day of each part; the last part may end after the period."""
    while since <= until:
        after = next_due_day(since, schedule.cadence)
        yield since, after - _DAY
        since = after


def _due(act: Act, first: date, last: date, entries: Sequence[Entry], *, closed: bool) -> Due:
    did = [one for one in entries if first <= _day(one.past) <= last and one.shows(act)]
    proven = next((one for one in did if not one.doubt), None)
    claimed = next((one for one in did if one.past.grade == "deployment"), None)
    if proven:
        return Due(act, first, last, "done", proven)
    if not closed:
        return Due(act, first, last, "not yet due", claimed)
    return Due(act, first, last, "not proven" if claimed else "missed", claimed)


def _lapses(
    act: Act, proving: Iterable[Entry], schedule: Schedule, bounds: tuple[date, date]
) -> Iterator[Lapse]:
    """The days of the period that no proof covered."""
    since, until = bounds
    done = sorted(_day(one.past) for one in proving if one.shows(act))
    first = since
    for again in [*done, until + _DAY]:
        start, end = max(first, since), min(again - _DAY, until)
        if start <= end:
            yield Lapse(act, start, end)
        first = max(first, next_due_day(again, schedule.cadence) + _DAY)


def _failures(
    entries: Iterable[Entry], runs: Sequence[Past], declared: Declared
) -> Iterator[Failure]:
    """Each violated control of a deployment; a re-test is a later run that found it satisfied."""
    reports = declared.words.exercise.reported
    for entry in entries:
        if entry.record is None or entry.doubt:
            continue
        said = [*declared.words.actions, *entry.record.deviations.actions]
        for control in entry.record.controls:
            if control.verdict is not Verdict.VIOLATED:
                continue
            mine = [one for one in said if one.control == control.id]
            about = [one for one in mine if one.retest_of in (None, entry.past.id)]
            yield Failure(
                entry,
                control.id,
                next(iter(about), None),
                control.waiver if control.waived else None,
                next((one for one in runs if _is_retest(one, entry.past, control.id)), None),
                next((one for one in reports if one.run == entry.past.id), None),
            )


def _is_retest(later: Past, failed: Past, control: str) -> bool:
    same = later.grade == failed.grade and later.facts.system == failed.facts.system
    instances = {one.backup.instance for one in (later, failed) if one.backup}
    # A backup of another instance says nothing about this one.
    same = same and len(instances - {None}) < 2
    return later.finished > failed.finished and same and control in later.satisfied


def _waivers(entries: Iterable[Entry]) -> Iterator[Waiver]:
    """Each waiver that a record names, once, as the last run saw it."""
    records = (entry.record for entry in entries if entry.record)
    found = {
        (one.control, one.reason, one.approved_by, one.expires): one
        for record in records
        for one in record.deviations.waivers
    }
    yield from found.values()


def _other_cadences(entries: Iterable[Entry], schedule: Schedule) -> Iterator[str]:
    """Sentences about runs made under another cadence: a later change could hide what was due."""
    for entry in entries:
        said = entry.record.schedule.cadence if entry.record else None
        if said and said != schedule.cadence:
            now = schedule.cadence or f"every {QUARTER.days} days"
            yield f"run {entry.past.id} was made under the cadence {said}; this report uses {now}"


def _other_systems(entries: Iterable[Entry], system: str | None) -> Iterator[str]:
    names = sorted({one.past.facts.system or "not stated" for one in entries if not one.doubt})
    if system is None and len(names) > 1:
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
    """A cell that no spreadsheet reads as a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _rows(period: Period) -> Iterator[dict[str, Any]]:
    for due in period.dues:
        span = {"what": due.act.name, "since": due.first, "until": due.last, "state": due.state}
        done = {"run": due.run.past.id, "note": due.run.doubt} if due.run else {}
        yield {"kind": "due", **span, **done}
    for lapse in period.lapses:
        span = {"what": lapse.act.name, "since": lapse.first, "until": lapse.last}
        yield {"kind": "no proof in force", **span, "note": days(lapse.days)}
    for one in period.failures:
        yield {
            "kind": "failure",
            "what": one.control,
            "state": "re-tested" if one.retest else "open",
            "run": one.entry.past.id,
            "finished": one.entry.past.finished.isoformat(),
            "note": _correction(one),
        }
    for waiver in period.waivers:
        said = f"{waiver.reason}; owner {waiver.owner}, approved by {waiver.approved_by}"
        span = {"until": waiver.expires, "state": waiver.state, "note": said}
        yield {"kind": "waiver", "what": waiver.control, **span}
    for entry in period.entries:
        facts, backup = entry.past.facts, entry.backup
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
    """What was done about a failure, and the re-test."""
    action = one.action or Action(
        control=one.control, corrective_action="no corrective action is declared"
    )
    retested = "not re-tested with success"
    if one.retest:
        after = days((_day(one.retest) - _day(one.entry.past)).days)
        retested = f"satisfied again in run {one.retest.id}, {after} later"
    reported = "no report to management is declared"
    if one.reported:
        reported = f"reported to {one.reported.to} on {one.reported.at.date()}"
    parts = (
        action.root_cause and f"root cause: {action.root_cause}",
        action.corrective_action,
        action.owner and f"owner {action.owner}",
        action.due and f"due {action.due}",
        action.closed and f"closed {action.closed}",
        one.waiver and f"waived until {one.waiver.expires}",
    )
    return "; ".join(str(part) for part in (*parts, retested, reported) if part)


def render_pdf(period: Period, table: str) -> bytes:
    """The report as PDF/A-3a with its CSV attached."""
    words = period.declared.words
    who = words.organisation
    source = period.declared.source
    counting = sum(not one.doubt for one in period.entries)
    printed = {
        "title": f"Drills of {_span(period.since, period.until)}",
        "date": [period.today.year, period.today.month, period.today.day],
        "complete": not period.open and not period.troubles,
        "sentence": period.sentence,
        "trust": _trust(period),
        "cover": with_value(
            [
                ("Organisation", ", ".join(filter(None, (who.name, who.unit)))),
                ("System", ", ".join(filter(None, (who.system, who.system_id)))),
                ("Period", _span(period.since, period.until)),
                ("As known on", day(period.today)),
                ("Due", words.schedule.cadence or f"every {QUARTER.days} days (none declared)"),
                ("Declared in", f"{source.file}, SHA-256 {source.sha256}" if source else ""),
                ("Runs", f"{len(period.entries)}, of which {counting} count"),
                ("Digest of the history", period.digest),
            ]
        ),
        "troubles": [*period.troubles],
        "acts": [
            {
                "name": act.name,
                "controls": ", ".join(act.controls),
                "dues": [
                    [_span(one.first, one.last), one.state, _done(one)]
                    for one in period.dues
                    if one.act is act
                ],
                "lapses": [
                    f"{_span(one.first, one.last)} ({days(one.days)})"
                    for one in period.lapses
                    if one.act is act
                ],
            }
            for act in ACTS
        ],
        "failures": [
            [one.control, one.entry.past.id, day(_day(one.entry.past)), _correction(one)]
            for one in period.failures
        ],
        "waivers": [_printed_waiver(one) for one in period.waivers],
        "runs": [_printed_run(one) for one in period.entries],
    }
    noon = datetime.combine(period.today, time(12), UTC)
    return compile_pdf("period.typ", {"period": printed}, {"table": table}, int(noon.timestamp()))


def _printed_waiver(one: Waiver) -> list[str | None]:
    state = one.state.replace("_", " ")
    return [one.control, one.reason, one.owner, one.approved_by, day(one.expires), state]


def _printed_run(one: Entry) -> dict[str, str]:
    facts, backup = one.past.facts, one.backup
    return {
        "id": one.past.id,
        "when": moment(one.past.finished),
        "question": facts.question,
        "verdict": facts.verdict.words if facts.verdict else "none",
        "grade": one.past.grade,
        "seal": one.seal,
        "sign_off": one.sign_off or "not signed off",
        "doubt": one.doubt,
        "digest": one.digest or "",
        "backup": f"{backup.name}, SHA-256 {backup.sha256}" if backup else "",
    }


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
    return f"{said}: {one.run.doubt}" if one.run.doubt else said


def main(given: SimpleNamespace) -> int:
    """Write both documents and print what is missing; the exit code."""
    span = (date.fromisoformat(given.since), date.fromisoformat(given.until), _today())
    if span[0] > min(span[1:]):
        said = f"--from {span[0]} --to {span[1]}: the period is empty, or has not begun"
        raise BadHistory(said)
    folder, out = find_runs(given.run_dir), Path(given.out)
    declared = declarations.load(Path.cwd(), given.config, None, controls.load())
    keys = load_trusted_keys(*given.pubkey) if given.pubkey else None
    period = report(load_history(folder), folder, declared, keys, span)
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
    yield from wrap(period.sentence, style=red if period.open else ("green", "bold"))
    for trouble in period.troubles:
        yield from wrap(f"Note: {trouble}.", then="  ", style=red)
    for one in period.open:
        said = f"{one.state.upper()}: {one.act.name}, {one.first} to {one.last}"
        yield from wrap(f"{said}; {_done(one)}", then="  ", style=red)
    for lapse in period.lapses:
        said = f"{lapse.act.name}: no proof in force from {lapse.first} to {lapse.last}"
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
