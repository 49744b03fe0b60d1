"""An answer for programs: one JSON document on standard output, and nothing else there."""

from __future__ import annotations

import json
import sys
from datetime import date


def write_json(name: str, **fields: object) -> None:
    """Write the document of a command; `schema` says by which rules it is made."""
    document = {"schema": f"drillbook/{name}/1", **fields}
    text = json.dumps(document, indent=2, ensure_ascii=False, default=_plain)
    sys.stdout.write(f"{text}\n")


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
