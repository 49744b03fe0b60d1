"""`make report`: every document once more from the record alone, byte for byte.

So a document that was lost is had again, and one that says something else than its record is
found. Another version of Drillbook may word things differently, so it accuses none.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from drillbook.core.files import open_file, read_file
from reports import evidence, facts
from reports.errors import BadEvidence, ReportError
from reports.lines import Line, wrapped, write
from reports.model import Run
from reports.seal.archive import Archive
from reports.verdict import FAILED, PASSED, UNUSABLE
from reports.writers import WRITERS, render

RECORD = "evidence.json"
_LARGEST = 64 << 20
_DIFFERS = ("red", "bold")


def main(arguments: Sequence[str] | None = None) -> int:
    """Render it; exit code 1 if a document is another, 3 if there is no record to render."""
    parser = argparse.ArgumentParser(prog="report", description=__doc__)
    parser.add_argument("record", type=Path, help="evidence.json, a run's folder, or a bundle")
    parser.add_argument("--out", type=Path, help="where the documents go (default: nowhere)")
    given = parser.parse_args(arguments)
    try:
        lines = list(_report(given.record, given.out))
    except (ReportError, OSError) as trouble:
        said = (
            f"{trouble.filename}: {trouble.strerror}" if isinstance(trouble, OSError) else trouble
        )
        write([Line(f"report: {said}", ("red", "bold"))], sys.stderr)
        return UNUSABLE
    write(lines, sys.stdout)
    return FAILED if any(line.style == _DIFFERS for line in lines) else PASSED


def _report(origin: Path, out: Path | None) -> Iterator[Line]:
    """A line for each document: written, and the same as in the folder or bundle, or not."""
    if origin == Path():
        raise BadEvidence("no record was named: give FROM=reports/runs/latest")
    before = _documents(origin)
    run = _run(before.get(RECORD, b""), origin)
    for name in WRITERS:
        made = render(name, run)
        if out:
            out.mkdir(parents=True, exist_ok=True)
            (out / name).write_bytes(made)
        if name not in before:
            yield Line(f"  --  {name} was not there")
        elif made == before[name]:
            yield Line(f"  ok  {name}", ("green",))
        elif other := _other_version(run):
            yield from wrapped(f"{name} differs, as it may: {other}", "  --  ", "      ")
        else:
            yield Line(f"  NO  {name} is not what this record gives", _DIFFERS)


def record(origin: Path) -> Run:
    """The record of a run that was kept; BadEvidence where there is none that can be read."""
    return _run(_documents(origin).get(RECORD, b""), origin)


def _other_version(run: Run) -> str | None:
    """How the record's Drillbook differs from this one, if it does."""
    ours, its = facts.tool(), run.run.tool
    if (ours.version, ours.commit) != (its.version, its.commit):
        return f"the record is of {its.version}, commit {its.commit}; this is {ours.commit}"
    return "made with changes that no commit holds" if ours.dirty or its.dirty else None


def _documents(origin: Path) -> dict[str, bytes]:
    """What is there to compare with: of a folder or a bundle all, of a record itself."""
    if origin.is_dir():
        found = {name: origin / name for name in WRITERS}
        return {name: read_file(path, _LARGEST) for name, path in found.items() if path.is_file()}
    with open_file(origin) as file:
        if file.read(2) != b"PK":
            return {RECORD: read_file(origin, _LARGEST)}
        archive = Archive(file)
        names = archive.entries.keys() & WRITERS.keys()
        return {name: archive.read(name, _LARGEST) for name in names}


def _run(record: bytes, origin: Path) -> Run:
    try:
        return evidence.parse(record)
    except ValueError:
        raise BadEvidence(f"{origin}: no record of a run that this version can read") from None


if __name__ == "__main__":
    sys.exit(main())
