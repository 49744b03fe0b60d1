"""`make history`: the runs of a folder over time, on the terminal and as a page.

Exit code 0; 1 if a run's evidence or its seal is no longer what it was; 3 if the page cannot be
written.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from drillbook.core.files import write_file
from reports.history import ledger
from reports.history.page import render
from reports.history.reading import read
from reports.history.telling import told
from reports.lines import Line, write
from reports.verdict import FAILED, PASSED, UNUSABLE


def main(arguments: Sequence[str] | None = None) -> int:
    """Tell it, and write the page beside the ledger."""
    parser = argparse.ArgumentParser(prog="history", description=__doc__)
    parser.add_argument("--run-dir", type=Path, default=Path("reports/runs"))
    runs: Path = parser.parse_args(arguments).run_dir
    if not runs.is_dir():
        said = (
            f"history: {runs} is no folder of runs; make verify makes one, RUN_DIR= names another"
        )
        write([Line(said, ("red", "bold"))], sys.stderr)
        return UNUSABLE
    history, today = read(runs), datetime.now(UTC).date()
    write(told(history, today), sys.stdout)
    page = ledger.beside(runs).with_name("history.html")
    try:
        text = render(history, os.path.relpath(runs, page.parent), today)
        write_file(page, text.encode())
    except OSError as trouble:
        write([Line(f"history: {page}: {trouble.strerror}", ("red", "bold"))], sys.stderr)
        return UNUSABLE
    write([Line(f"Page: {page}")], sys.stdout)
    return FAILED if history.troubles or history.unreadable else PASSED


if __name__ == "__main__":
    sys.exit(main())
