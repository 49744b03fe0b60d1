"""`drillbook history report`: a period as PDF, CSV and text, with each gap in it.

Exit code 0; 1 if something was missed or is not proven, if the history was changed, if a run was
taken out, or if runs of another cadence or of several systems are counted; 3 if the report cannot
be made.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from drillbook.core.display import printable, write_json
from drillbook.core.files import file_digest, write_file
from reports import controls
from reports.config import declarations
from reports.config.due_dates import cadence_in_words
from reports.config.fleet_file import load as load_fleet
from reports.errors import ReportError
from reports.evidence.context import Waiver
from reports.history.period import (
    Due,
    Duty,
    Entry,
    Failure,
    Period,
    duties_of,
    duties_of_fleet,
    ended_on,
    report,
)
from reports.history.runs import find_runs, load_history
from reports.render.context_sections import day, moment, with_value
from reports.render.pdf import compile_pdf
from reports.render.phrases import days
from reports.render.terminal import Line, wrap, write
from reports.seal.signature import load_trusted_keys
from reports.verdict import FAILED, PASSED

_FAILED = "tried, and not shown"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = (
    *("kind", "what", "since", "until", "state", "run", "finished", "question", "grade", "verdict"),
    *("system", "backup_sha256", "evidence_sha256", "seal", "sign_off", "note"),
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
    """A cell that no spreadsheet reads as a formula, and that steers no terminal."""
    text = "" if value is None else printable(str(value), keep="\n\t\r")
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
    for system, waiver in period.waivers:
        said = f"{waiver.reason}; owner {waiver.owner}, approved by {waiver.approved_by}"
        span = {"until": waiver.expires, "state": _waiver_state(waiver, period), "note": said}
        yield {"kind": "waiver", "what": waiver.control, "system": system, **span}
    for entry in period.entries:
        facts, backup = entry.past.facts, entry.backup
        yield {
            "kind": "run",
            "state": "does not count" if entry.doubt else "counts",
            "run": entry.past.id,
            "finished": entry.past.finished.isoformat(),
            "question": facts.question,
            "grade": entry.past.grade,
            "verdict": facts.shown.value if facts.shown else None,
            "system": facts.system,
            "backup_sha256": backup.sha256 if backup else None,
            "evidence_sha256": entry.digest,
            "seal": entry.seal,
            "sign_off": entry.sign_off,
            "note": entry.doubt,
        }


def _correction(one: Failure) -> str:
    """The waiver of a failure, and the re-test that was measured."""
    retested = "not re-tested with success"
    if one.retest:
        after = days((ended_on(one.retest) - ended_on(one.entry.past)).days)
        retested = f"satisfied again in run {one.retest.id}, {after} later"
    waived = f"waived until {one.waiver.expires}; " if one.waiver else ""
    doubt = f" (that run proves nothing: {one.entry.doubt})" if one.entry.doubt else ""
    return f"{waived}{retested}{doubt}"


def render_pdf(period: Period, table: str) -> bytes:
    """The report as PDF/A-3a with its CSV attached."""
    words = period.declared.words
    who = words.organisation
    source = period.declared.source
    counting = sum(not one.doubt for one in period.entries)
    cadence = cadence_in_words(words.schedule.cadence)
    if not words.schedule.cadence:
        cadence += " (none declared)"
    printed = {
        "title": f"Drills of {_span(period.since, period.until)}",
        "date": [period.today.year, period.today.month, period.today.day],
        "result": period.result,
        "sentence": period.sentence,
        "trust": _trust(period),
        "cover": with_value(
            [
                ("Organisation", who.name or ""),
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
                "name": _title(duty, period),
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
            [
                one.control,
                _name_run(one.entry, period),
                day(ended_on(one.entry.past)),
                _correction(one),
            ]
            for one in period.failures
        ],
        "waivers": [_printed_waiver(*one, period) for one in period.waivers],
        "runs": [_printed_run(one, period) for one in period.entries],
    }
    noon = datetime.combine(period.today, time(12), UTC)
    return compile_pdf("period.typ", {"period": printed}, {"table": table}, int(noon.timestamp()))


def _waiver_state(one: Waiver, period: Period) -> str:
    """The state on the day of the report; what its last run saw may be over."""
    return "expired" if one.expires and one.expires < period.today else one.state


def _printed_waiver(system: str | None, one: Waiver, period: Period) -> list[str | None]:
    state = _waiver_state(one, period).replace("_", " ")
    control = f"{one.control} ({system})" if period.fleet else one.control
    return [control, one.reason, one.owner, one.approved_by, day(one.expires), state]


def _printed_run(one: Entry, period: Period) -> dict[str, str]:
    facts, backup = one.past.facts, one.backup
    return {
        "id": _name_run(one, period),
        "when": moment(one.past.finished),
        "question": facts.question,
        "verdict": facts.words,
        "grade": one.past.grade,
        "seal": one.seal,
        "sign_off": one.sign_off or "not signed off",
        "doubt": one.doubt,
        "digest": one.digest or "",
        "backup": f"{backup.name}, SHA-256 {backup.sha256}" if backup else "",
    }


def _name_run(one: Entry, period: Period) -> str:
    return f"{one.past.id} ({one.past.facts.system})" if period.fleet else one.past.id


def _title(duty: Duty, period: Period) -> str:
    """A heading; the name of an instance keeps its small letters."""
    name = _name_duty(duty, period)
    return name if period.fleet else name.capitalize()


def _name_duty(duty: Duty, period: Period) -> str:
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
    said = f"run {one.run.past.id}, {day(ended_on(one.run.past))}"
    if one.state == "missed":
        return f"{said}: {_FAILED}"
    return f"{said}: {one.run.doubt}" if one.run.doubt else said


def main(given: SimpleNamespace) -> int:
    """Write both documents and print what is missing; the exit code."""
    span = (date.fromisoformat(given.since), date.fromisoformat(given.until), _today())
    if span[0] > min(span[1:]):
        said = f"--from {span[0]} --to {span[1]}: the period is empty, or has not begun"
        raise ReportError(said)
    folder, out = find_runs(given.run_dir), Path(given.out)
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
        write([*_lines(period), end])
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
        said = f"{one.state.upper()}: {_name_duty(one.duty, period)}, {one.first} to {one.last}"
        yield from wrap(f"{said}; {_done(one)}", then="  ", style=red)
    for lapse in period.lapses:
        name = _name_duty(lapse.duty, period)
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
