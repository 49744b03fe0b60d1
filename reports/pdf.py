"""report.pdf: the run for auditors, as PDF/A-3a and PDF/UA-1 with evidence.json attached.

The same run gives the same bytes. Text of the run goes to the template as data and is never read
as markup; fonts are those of the package and those built into typst, never the machine's.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import typst

from reports import evidence
from reports.glyphs import FONTS, shown_tree
from reports.model import Run
from reports.paper import paper

_TEMPLATE = Path(__file__).parent / "templates" / "report.typ"


def render(run: Run) -> bytes:
    """The run as a file that shows itself, and carries the record it was made from."""
    record = evidence.unchecked(run)
    digest = hashlib.sha256(record.encode()).hexdigest()
    document = typst.compile(
        str(_TEMPLATE),
        sys_inputs={"run": json.dumps(shown_tree(paper(run, digest))), "evidence": record},
        pdf_standards=["a-3a", "ua-1"],
        font_paths=[str(FONTS)],
        ignore_system_fonts=True,
        timestamp=int(run.run.finished.timestamp()),
    )
    return bytes(document)
