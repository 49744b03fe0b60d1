"""Deviations that a person accepts until a day: waivers.toml.

A waiver never hides a verdict. It lets the gate pass, and every document says so.

| waiver | what happens |
| --- | --- |
| in force, the control does not hold | the verdict stays, `waived` is true, the gate lets it pass |
| in force, the control holds or has no meaning | the run says that it is not needed |
| expired | it no longer counts, and the run says so |
| unknown control, missing field, two for one control | the run does not begin (exit code 3) |

A waiver counts through the whole of its last day, in UTC.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from reports.config.strict_toml import day, load_toml, validate_tables
from reports.controls.catalogue import Catalogue
from reports.errors import BadDeclaration, near
from reports.evidence.context import Waiver, WaiverState
from reports.verdict.verdicts import HOLDS, Verdict

SOON_DAYS = 30
Said = Annotated[str, Field(pattern=r"\S")]


class Entry(BaseModel):
    """One waiver as waivers.toml states it; every field is needed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    control: Said
    reason: Said
    owner: Said
    approved_by: Said
    expires: Annotated[date, BeforeValidator(day)]


class _File(BaseModel):
    waiver: tuple[Entry, ...] = ()


def load(path: Path, catalogue: Catalogue) -> tuple[Entry, ...]:
    """The waivers of a file; BadDeclaration for a control that is unknown or waived twice."""
    entries = validate_tables(path, load_toml(path)[0], _File).waiver
    named = [entry.control for entry in entries]
    for control in named:
        if control not in catalogue.ids:
            raise BadDeclaration(f"{path}: no control {control}; {near(control, catalogue.ids)}")
        if named.count(control) > 1:
            raise BadDeclaration(f"{path}: {control} is waived twice; keep one waiver for it")
    return entries


def apply_waiver(entry: Entry, verdict: Verdict, today: date) -> Waiver:
    """A waiver with the verdict of its control, on the day of the run."""
    left = (entry.expires - today).days
    state: WaiverState = "expired" if left < 0 else "in_force"
    if state == "in_force" and verdict in HOLDS:
        state = "not_needed"
    return Waiver(**entry.model_dump(), state=state, days_left=left)
