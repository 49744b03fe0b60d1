"""`drillbook evidence render`: every document once more from the record alone, byte for byte.

So a lost document can be made again, and one that contradicts its record is found. Another version
of Drillbook may word things differently, so it accuses none.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from drillbook.core import options
from reports.errors import BadEvidence, ReportError
from reports.evidence.model import Run
from reports.history.runs import load_files, parse_record
from reports.record import run_metadata
from reports.render.terminal import Line, refuse, wrap, write
from reports.session.bundle import WRITERS, render
from reports.verdict.verdicts import FAILED, PASSED

_DIFFERS = ("red", "bold")


def main(arguments: Sequence[str] | None = None) -> int:
    """Render it; exit code 1 if a document is another, 3 without a record to render."""
    given = options.parse("evidence render", arguments, (options.OUT_FOLDER,), (options.RECORD,))
    out = Path(given.out) if given.out else None
    try:
        lines = list(_report(Path(given.record), out))
    except (ReportError, OSError) as trouble:
        return refuse(trouble, "report")
    write(lines, sys.stdout)
    return FAILED if any(line.style == _DIFFERS for line in lines) else PASSED


def _report(origin: Path, out: Path | None) -> Iterator[Line]:
    """A line for each document: written, and the same as in the folder or bundle, or not."""
    if origin == Path():
        raise BadEvidence("no record was named: give reports/runs/latest")
    before = load_files(origin, WRITERS)
    run = parse_record(before, origin)
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
            yield from wrap(f"{name} differs, as it may: {other}", "  --  ", "      ")
        else:
            yield Line(f"  NO  {name} is not what this record gives", _DIFFERS)


def _other_version(run: Run) -> str | None:
    """How the record's Drillbook differs from this one, if it does."""
    ours, its = run_metadata.tool(), run.run.tool
    if (ours.version, ours.commit) != (its.version, its.commit):
        return f"the record is of {its.version}, commit {its.commit}; this is {ours.commit}"
    return "made with changes that no commit holds" if ours.dirty or its.dirty else None
