"""The qualification that belongs to a run, for its bundle.

`make qualify` writes its record to reports/runs/qualification; one that passed and is of this very
code is taken. Else it is reports/qualification.json, which is under version control (KEEP=1), and
the bundle says which parts of the code have changed since.
"""

from __future__ import annotations

from pathlib import Path

from reports.qualification import pages
from reports.qualification.digest import code_digests, whole
from reports.qualification.record import KEPT, LATEST, Applies, Qualification, load
from reports.qualification.specimens import Unqualifiable
from reports.record import run_metadata


def bundle_files(path: Path = KEPT, latest: Path = LATEST) -> dict[str, bytes]:
    """The files for a bundle by name; of a record that cannot be read, a sentence about that.

    {} where nothing was ever qualified.
    """
    parts = code_digests()
    try:
        record = _of_this_code(latest, whole(parts)) or load(path)
    except Unqualifiable as trouble:
        return {"qualification.md": f"# Qualification record\n\n{trouble}\n".encode()}
    if record is None:
        return {}
    same = record.code == whole(parts)
    applies = Applies(commit=run_metadata.tool().commit, code=whole(parts), same_code=same)
    return pages.files(record.model_copy(update={"applies": applies}), note(record, parts))


def note(record: Qualification, parts: dict[str, str]) -> str:
    """What has changed since the qualification, in a sentence; "" where nothing has."""
    if record.code == whole(parts):
        return ""
    names = sorted({*record.parts, *parts})
    changed = [name for name in names if record.parts.get(name) != parts.get(name)]
    return (
        f"Qualified was commit {(record.commit or 'unknown')[:12]} on "
        f"{record.started:%Y-%m-%d}. Since then changed: "
        + (", ".join(changed) if record.parts else "parts that this older record does not name")
        + ". For everything else the qualification applies."
    )


def _of_this_code(path: Path, code: str) -> Qualification | None:
    try:
        record = load(path)
    except Unqualifiable:
        return None
    return record if record and record.passed and record.code == code else None
