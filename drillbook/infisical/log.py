"""The backend's log: lines of JSON, an entry each, among lines of other programs and of crashes."""

from __future__ import annotations

import json
from typing import Any


def parse_entry(line: str) -> dict[str, Any] | None:
    """The entry that a line holds; None for any other line."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def log_entries(log: str) -> list[dict[str, Any]]:
    """The entries of a log, in order."""
    return [entry for line in log.splitlines() if (entry := parse_entry(line)) is not None]
