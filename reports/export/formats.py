"""`drillbook evidence export`: a bundle in other people's formats, from the bundle alone.

ctrf, ocsf, hdf and oscal are the record in formats of dashboards, SIEMs, Heimdall and assessors.
The other services take a PDF and a description, so they get `report.pdf` and a file that describes
it. Ids that only such a service knows, of owners or controls, are left to the person who uploads.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from drillbook.core.errors import BadInput
from drillbook.core.files import write_file
from reports.errors import BadEvidence
from reports.evidence import json_file
from reports.evidence.model import Run
from reports.export import dashboards, oscal
from reports.render import phrases
from reports.render.terminal import Line, write
from reports.seal.verification import intact
from reports.seal.verify_bundle import PDF, Trust, bundle_of
from reports.verdict import IDLE, PASSED

_RENEWAL = {
    "monthly": "ONE_MONTH",
    "quarterly": "THREE_MONTHS",
    "half-yearly": "SIX_MONTHS",
    "yearly": "ONE_YEAR",
}


def main(given: SimpleNamespace) -> int:
    """Write the files from a bundle that fits together; the exit code."""
    bundle, out = bundle_of(Path(given.bundle)), Path(given.out or "")
    run, examination = intact(bundle, Trust(unsigned=True), "nothing is exported from it")
    files = _FORMATS[given.format](run, examination.files.get(PDF))
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_document(out / name, content)
    write(Line(str(out / name)) for name in files)
    return PASSED


def write_document(path: Path, content: bytes) -> None:
    """Write a document; BadInput if a link or a file with other content has its name."""
    if path.is_symlink():
        raise BadInput(f"{path} is a link, and is not written through; give another --out")
    if not path.exists():
        write_file(path, content)
    elif not path.is_file() or path.stat().st_size != len(content) or path.read_bytes() != content:
        said = f"{path} exists with other content, and is not overwritten"
        raise BadInput(f"{said}; keep it elsewhere, or give another --out")


def _document(run: Run, pdf: bytes | None) -> dict[str, bytes]:
    if pdf is None:
        raise BadEvidence(f"run {run.run.id} has no {PDF}, and nothing else is taken there")
    return {f"{_file(run)}.pdf": pdf}


def _file(run: Run) -> str:
    """The name of the run's files, without their endings."""
    number = run.identity.number or run.run.id
    return re.sub(r"[^A-Za-z0-9._-]+", "-", number).lstrip(".-") or "record"


def _title(run: Run) -> str:
    drilled = any(one.chapter == "drill" and one.verdict not in IDLE for one in run.controls)
    kind = "recovery drill" if drilled else "run of controls"
    rehearsed = run.subject.grade == "rehearsal"
    shown = f"REHEARSAL of a {kind}" if rehearsed else kind.capitalize()
    return f"{shown} {run.identity.number or run.run.id}"


def _description(run: Run) -> str:
    end, worth = phrases.outcome(run), phrases.grade(run)
    said = [worth, f"{end.word}. {end.sentence}", f"Run {run.run.id}.", phrases.seal(run)]
    return " ".join(part for part in said if part)


def _drata(run: Run, pdf: bytes | None) -> dict[str, bytes]:
    """Fields of an evidence library item, without the ids that only the workspace has."""
    due = run.schedule.next_due
    fields = {
        "name": _title(run),
        "description": _description(run),
        "filedAt": run.run.finished.isoformat(),
        "renewalDate": due.isoformat() if due else None,
        "renewalScheduleType": _RENEWAL.get(run.schedule.cadence or ""),
    }
    known = {name: value for name, value in fields.items() if value is not None}
    return _document(run, pdf) | {f"{_file(run)}.drata.json": _json(known)}


def _vanta(run: Run, pdf: bytes | None) -> dict[str, bytes]:
    """The form fields that go with an uploaded file."""
    fields = {
        "description": f"{_title(run)}. {_description(run)}",
        "effectiveAtDate": run.run.finished.isoformat(),
    }
    return _document(run, pdf) | {f"{_file(run)}.vanta.json": _json(fields)}


def _ciso_assistant(run: Run, pdf: bytes | None) -> dict[str, bytes]:
    """A row for `import-evidences` of its CLI; `upload-attachment` takes the PDF by this name."""
    row = {
        "name": _title(run),
        "description": _description(run),
        "expiry_date": run.schedule.next_due or "",
    }
    table = io.StringIO()
    writer = csv.DictWriter(table, row)
    writer.writeheader()
    writer.writerow(row)
    return _document(run, pdf) | {f"{_file(run)}.ciso-assistant.csv": table.getvalue().encode()}


def _aws(run: Run, pdf: bytes | None) -> dict[str, bytes]:
    """What `aws auditmanager batch-import-evidence-to-assessment-control` takes."""
    fields = [{"evidenceFileName": f"{_file(run)}.pdf"}]
    return _document(run, pdf) | {f"{_file(run)}.aws-audit-manager.json": _json(fields)}


def _oscal(run: Run, _: bytes | None) -> dict[str, bytes]:
    plan = f"{_file(run)}.assessment-plan.json"
    return {
        f"{_file(run)}.oscal.json": oscal.render(run, plan).encode(),
        plan: _json(oscal.assessment_plan(run)),
        f"{_file(run)}.component-definition.json": _json(oscal.component_definition(run)),
    }


def _json(value: object) -> bytes:
    return json_file.compact_text(value).encode()


_FORMATS: dict[str, Callable[[Run, bytes | None], dict[str, bytes]]] = {
    "drata": _drata,
    "vanta": _vanta,
    "ciso-assistant": _ciso_assistant,
    "probo": _document,
    "aws-audit-manager": _aws,
    "oscal": _oscal,
    "ctrf": lambda run, _: {f"{_file(run)}.ctrf.json": _json(dashboards.ctrf(run))},
    "ocsf": lambda run, _: {f"{_file(run)}.ocsf.json": _json(dashboards.ocsf(run))},
    "hdf": lambda run, _: {f"{_file(run)}.hdf.json": _json(dashboards.hdf(run))},
}
