"""`drillbook evidence export`: a bundle in other formats (OSCAL, CTRF, CSV), from the bundle alone.

The CSV is a header line and one row for the run. Every field is always there and in the same order,
empty where nothing is known; times are UTC in ISO 8601 with Z, durations in seconds.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

from drillbook.core.errors import BadInput
from drillbook.core.files import write_file
from reports.evidence import json_file
from reports.evidence.model import Run
from reports.export import ctrf, oscal
from reports.render import phrases
from reports.render.terminal import Line, write
from reports.seal.verification import intact
from reports.seal.verify_bundle import Trust, bundle_of
from reports.verdict import PASSED

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def main(given: SimpleNamespace) -> int:
    """Write the file from a bundle that fits together; the exit code."""
    bundle, out = bundle_of(Path(given.bundle)), Path(given.out or "")
    run, _ = intact(bundle, Trust(unsigned=True), "nothing is exported from it")
    ending, render = _FORMATS[given.format]
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{_file(run)}.{ending}"
    write_document(path, render(run).encode())
    write([Line(str(path))])
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


def _file(run: Run) -> str:
    """The name of the run's file, without its ending."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", run.run.id).lstrip(".-") or "record"


def row(run: Run) -> dict[str, object]:
    """The run as one flat row; None where nothing is known."""
    facts, subject, backup, goals = run.run, run.subject, run.subject.backup, run.objectives
    return {
        "run": facts.id,
        "organisation": run.organisation.name,
        "system": run.organisation.system,
        "system_id": run.organisation.system_id,
        "started": facts.started,
        "finished": facts.finished,
        "duration_s": facts.duration_s,
        "operator": facts.operator,
        "reason": facts.reason,
        "command": facts.command,
        "grade": subject.grade,
        "driver": subject.driver,
        "image": subject.backend.image,
        "image_digest": subject.backend.digest,
        "backup": backup and backup.name,
        "backup_sha256": backup and backup.sha256,
        "backup_bytes": backup and backup.bytes,
        "result": phrases.outcome(run).word,
        "verdict": run.verdict.value,
        "exit_code": run.exit_code,
        **run.counts.model_dump(),
        "rto_target_s": goals.rto_target_s,
        "rto_s": goals.rto_s,
        "rpo_target_s": goals.rpo_target_s,
        "rpo_s": goals.rpo_s,
        "cadence": run.schedule.cadence,
        "next_due": run.schedule.next_due,
        "key_id": run.seal.key_id,
        "drillbook": facts.tool.version,
        "commit": facts.tool.commit,
    }


def _csv(run: Run) -> str:
    table = io.StringIO()
    fields = row(run)
    writer = csv.DictWriter(table, fields, lineterminator="\r\n")
    writer.writeheader()
    writer.writerow({name: _cell(value) for name, value in fields.items()})
    return table.getvalue()


def _cell(value: object) -> object:
    """A cell that no spreadsheet reads as a formula; a moment in UTC with Z."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value


_FORMATS: dict[str, tuple[str, Callable[[Run], str]]] = {
    "oscal": ("oscal.json", oscal.render),
    "ctrf": ("ctrf.json", lambda run: json_file.compact_text(ctrf.render(run))),
    "csv": ("csv", _csv),
}
