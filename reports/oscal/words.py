"""Small pieces of OSCAL: ids that follow from the run, properties, tokens, moments."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from reports.model import Control, Run

NAMESPACE = "urn:drillbook:oscal"
_ENHANCEMENT = re.compile(r"([A-Za-z]{2}-\d+)(?:\((\d+)\))?")


def uid(run: Run, *what: str) -> str:
    """A UUID version 5 of something in this run."""
    name = ":".join(("urn:drillbook", run.run.id, *what))
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def props(**named: object) -> list[dict[str, str]]:
    """Properties in our namespace; nothing for what is unknown or empty."""
    texts = {name.replace("_", "-"): line(_plain(value)) for name, value in named.items()}
    return [{"name": name, "ns": NAMESPACE, "value": text} for name, text in texts.items() if text]


def filled(record: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty: OSCAL refuses empty lists and texts."""
    return {name: value for name, value in record.items() if value not in (None, "", [], {})}


def line(text: str) -> str:
    """On one line, as names and values must be."""
    return " ".join(text.replace("\ufeff", " ").split())


def nist(control: Control) -> list[str]:
    """The ids of the NIST catalogue: SC-28(1) is sc-28.1 there."""
    found = [_ENHANCEMENT.fullmatch(one) for one in control.frameworks.get("nist", ())]
    parts = [match.groups() for match in found if match]
    return [f"{base.lower()}.{number}" if number else base.lower() for base, number in parts]


def objective(control: Control) -> str:
    """The id of our objective for this control."""
    return f"{control.id.lower()}_obj"


def day(when: date) -> str:
    """The beginning of a day as a moment."""
    return datetime.combine(when, time(), UTC).isoformat()


def _plain(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
