"""drillbook.toml and waivers.toml: what only people know of a run, and what follows from it.

The keys of drillbook.toml are the names of the evidence (reports/evidence/context.py). The file is
optional; what it leaves out stays empty in the record. What the run finds out by itself cannot be
declared: a key that a table here does not have is refused (strict_toml.py). Only `[declared]` takes
any: it is copied into the record and printed, and nothing judges it.

A waiver never hides a verdict. It lets the gate pass, and every document says so.

| waiver | what happens |
| --- | --- |
| in force, the control does not hold | the verdict stays, `waived` is true, the gate lets it pass |
| in force, the control holds or does not apply | the run says that it is not needed |
| expired | it no longer counts, and the run says so |
| unknown control, missing field, two for one control | the run does not begin (exit code 3) |

A waiver counts until the end of its last day, in UTC.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field

from reports.config.due_dates import due_again
from reports.config.strict_toml import load_toml
from reports.controls import Catalogue
from reports.errors import BadDeclaration, near
from reports.evidence.context import (
    Day,
    Declaration,
    EvidenceModel,
    Identity,
    Organisation,
    Pack,
    Schedule,
    Signatory,
    SignOff,
    Waiver,
    WaiverState,
)
from reports.evidence.model import Control, Objectives, RunFacts
from reports.verdict import HOLDS, Verdict

CONFIG, WAIVERS = Path("drillbook.toml"), Path("waivers.toml")
Seconds = Annotated[float, Field(gt=0, le=366 * 86400)]
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:drillbook:run")
NonBlank = Annotated[str, Field(pattern=r"\S")]


class WaiverEntry(BaseModel, frozen=True, extra="forbid"):
    """A waiver in waivers.toml; every field is required."""

    control: NonBlank
    reason: NonBlank
    owner: NonBlank
    approved_by: NonBlank
    expires: Day


class WaiverFile(BaseModel):
    """The whole waivers.toml."""

    waiver: tuple[WaiverEntry, ...] = ()


def load_waivers(path: Path, catalogue: Catalogue) -> tuple[WaiverEntry, ...]:
    """The waivers of a file; BadDeclaration for a control that is unknown or waived twice."""
    entries = load_toml(path, WaiverFile)[0].waiver
    named = [entry.control for entry in entries]
    for control in named:
        _check_control(str(path), control, catalogue)
        if named.count(control) > 1:
            raise BadDeclaration(f"{path}: {control} is waived twice; keep one waiver for it")
    return entries


def apply_waiver(entry: WaiverEntry, verdict: Verdict, today: date) -> Waiver:
    """The waiver for the record: its state by the verdict of its control on the day of the run."""
    left = (entry.expires - today).days
    state: WaiverState = "expired" if left < 0 else "in_force"
    if state == "in_force" and verdict in HOLDS:
        state = "not_needed"
    return Waiver(**entry.model_dump(), state=state, days_left=left)


class Targets(EvidenceModel):
    """The wanted recovery time and recovery point, in seconds.

    drop: how much less a backup may hold than that of the last good drill, such as 20%.
    """

    rto_s: Seconds | None = None
    rpo_s: Seconds | None = None
    drop: Annotated[str, Field(pattern=r"^([1-9]?[0-9]|100)%$")] | None = None


class Signatories(EvidenceModel):
    """Three persons; the one who executed the run should not approve it."""

    prepared: Signatory | None = None
    reviewed: Signatory | None = None
    approved: Signatory | None = None


class Words(EvidenceModel):
    """The whole drillbook.toml."""

    organisation: Organisation = Organisation()
    schedule: Schedule = Schedule()
    objectives: Targets = Targets()
    declared: dict[str, Any] = Field(default={})
    sign_off: Signatories = Signatories()


@dataclass(frozen=True, slots=True)
class Declared:
    """Everything that is declared: the words of drillbook.toml, and the waivers."""

    words: Words = field(default_factory=Words)
    source: Declaration | None = None
    waivers: tuple[WaiverEntry, ...] = ()
    executor: str | None = None


def load(folder: Path, config: str | None, waiver_file: str | None, known: Catalogue) -> Declared:
    """Both files, looked for in the folder; each may be absent unless it was named.

    BadDeclaration says what is wrong with which key of which file.
    """
    path = _find(folder, config, CONFIG)
    words, source = Words(), None
    if path:
        words, sha256 = load_toml(path, Words)
        source = Declaration(file=path.name, sha256=sha256)
    waived = _find(folder, waiver_file, WAIVERS)
    accepted = load_waivers(waived, known) if waived else ()
    return Declared(words, source, accepted)


def _find(folder: Path, named: str | None, usual: Path) -> Path | None:
    path = folder / (named or usual)
    # A broken link is an error to report, not an absent file.
    return path if named or path.exists(follow_symlinks=False) else None


def _check_control(where: str, control: str, known: Catalogue) -> None:
    if control not in known.ids:
        raise BadDeclaration(f"{where}: no control {control}; {near(control, known.ids)}")


@dataclass(frozen=True, slots=True)
class Setting:
    """What a run knows before it begins: declarations, the applied specs, the previous run."""

    declared: Declared
    pack: Pack = Pack()  # noqa: RUF009 - frozen
    previous_run: str | None = None


def apply_waivers(controls: Iterable[Control], declared: Declared, today: date) -> list[Control]:
    """The controls with their waivers; `waived` marks those in force, the verdicts stay."""
    entries = {entry.control: entry for entry in declared.waivers}
    found = []
    for control in controls:
        if entry := entries.get(control.id):
            waiver = apply_waiver(entry, control.verdict, today)
            state = {"waiver": waiver, "waived": waiver.state == "in_force"}
            control = control.model_copy(update=state)
        found.append(control)
    return found


def build_context(setting: Setting, facts: RunFacts) -> dict[str, Any]:
    """The parts of the record around its verdicts, by field name."""
    words = setting.declared.words
    planned, ended = words.schedule, facts.finished.date()
    due = due_again(ended, planned) if planned.next_due or planned.cadence else None
    return {
        "identity": Identity(
            uuid=uuid_of_run(facts.id),
            previous_run=setting.previous_run,
            pack=setting.pack,
            declared=setting.declared.source,
        ),
        "organisation": words.organisation,
        "schedule": planned.model_copy(update={"next_due": due}),
        "declared": _plain(words.declared),
        "sign_off": sign_off(setting.declared),
    }


def _plain(value: Any) -> Any:
    """A value of TOML as one of JSON: days, times and numbers that JSON lacks become texts."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return value.isoformat() if isinstance(value, date | time) else str(value)


def objectives(measured: dict[str, float], declared: Declared) -> Objectives:
    """The measured and the wanted times; a target that a spec states replaces the declared one."""
    wanted = declared.words.objectives
    targets = {"rto_target_s": wanted.rto_s, "rpo_target_s": wanted.rpo_s}
    return Objectives.model_validate(targets | measured)


def uuid_of_run(run: str) -> str:
    """The UUID of a run, by its id."""
    return str(uuid.uuid5(_NAMESPACE, run))


def sign_off(declared: Declared) -> SignOff:
    """Who is to sign. The executor is the one who was named: a login name is not compared."""
    said = declared.words.sign_off
    approver = said.approved.name if said.approved else None
    return SignOff(
        executed_by=declared.executor,
        separated=is_separated(approver, declared.executor),
        **said.model_dump(exclude_none=True),
    )


def is_separated(approver: str | None, executor: str | None) -> bool | None:
    """Whether the approver did not execute the run; None if one is unknown."""
    if not approver or not executor:
        return None
    return approver.strip().casefold() != executor.strip().casefold()
