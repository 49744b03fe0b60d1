"""`drillbook env diff`: which settings changed, and what each change does; never a value.

Ends with 0, with 1 when a change is dangerous, with 3 when a file cannot be read.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from drillbook.core import dotenv
from drillbook.core.answer import write_json
from drillbook.core.errors import BadInput
from drillbook.infisical.setting_changes import compare_settings


def main(old: Path, new: Path, form: str) -> int:
    """Compare two environment files and print what differs; the exit code."""
    try:
        before, after = (dotenv.load(path.expanduser()) for path in (old, new))
    except BadInput as reason:
        sys.stderr.write(f"drillbook env diff: {reason}\n")
        return 3
    changes = compare_settings(before, after)
    if form == "json":
        write_json("env-diff", old=str(old), new=str(new), changes=[asdict(c) for c in changes])
    for change in changes if form == "text" else ():
        mark = "DANGEROUS: " if change.dangerous else ""
        detail = f" ({change.detail})" if change.detail else ""
        sys.stdout.write(f"{mark}{change.name} {change.kind}{detail}: {change.meaning}\n")
    if form == "text" and not changes:
        sys.stdout.write("no setting differs\n")
    return int(any(change.dangerous for change in changes))
