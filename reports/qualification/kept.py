"""The last qualification that was kept, put into the bundle of every later run.

It lies in reports/qualification.json, under version control: `make qualify KEEP=1` writes it. A
bundle says whether the code that ran is the code that was qualified.
"""

from __future__ import annotations

from pathlib import Path

from reports import facts
from reports.qualification import pages
from reports.qualification.digest import code_digest
from reports.qualification.record import KEPT, Applies, Qualification, load
from reports.qualification.specimens import Unqualifiable


def attached(path: Path = KEPT) -> dict[str, bytes]:
    """The files for a bundle by name; of a record that cannot be read, a sentence about that.

    {} where nothing was ever qualified.
    """
    try:
        record = load(path)
    except Unqualifiable as trouble:
        return {"qualification.md": f"# Qualification record\n\n{trouble}\n".encode()}
    if record is None:
        return {}
    applied = record.model_copy(update={"applies": _compared(record)})
    return pages.files(applied, said(applied))


def said(record: Qualification) -> str:
    """What a reader of the bundle must know of the record; nothing when it is of this very code."""
    applies = record.applies
    if applies is None or applies.same_code:
        return ""
    ran = (applies.commit or "unknown")[:12]
    qualified = (record.commit or "unknown")[:12]
    return (
        f"This is the qualification of another code than the one that ran: qualified was commit "
        f"{qualified} on {record.started:%Y-%m-%d}, what ran is commit {ran}. What it shows holds "
        "for the controls and specs that are the same in both."
    )


def _compared(record: Qualification) -> Applies:
    code = code_digest()
    return Applies(commit=facts.tool().commit, code=code, same_code=code == record.code)
