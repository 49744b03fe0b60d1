"""Durations as an operator writes them: 4h, 90m, 1d12h, 45s."""

from __future__ import annotations

import re
from datetime import timedelta

from drillbook.core.errors import BadInput

# What is due quarterly, and what counts for a quarter.
QUARTER = timedelta(days=90)
_UNITS = {"d": 86400, "h": 3600, "m": 60, "min": 60, "s": 1}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(d|h|min|m|s)")
_LONGEST_S = 366 * 86400


def seconds(text: str, name: str) -> float:
    """4h, 90m, 1d12h, 45s or 1.5 h in seconds; BadInput for anything else, as for zero."""
    lower = text.strip().lower()
    parts = _PART.findall(lower)
    what = f"{name} {text[:40]}".lstrip()
    if not parts or _PART.sub("", lower).strip():
        raise BadInput(f"{what}: write a duration such as 4h, 90m, 1d12h or 30s")
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not 0 < total <= _LONGEST_S:
        raise BadInput(f"{what}: give more than zero and at most a year")
    return total
