"""The frame of a run: what was declared, completed by what follows from it and from the run."""

from __future__ import annotations

import calendar
import hashlib
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from reports.config.declarations import Declared, Signatory, apply_waiver
from reports.evidence.context import (
    Cadence,
    DataSet,
    Deviations,
    Exclusion,
    Exercise,
    Identity,
    Pack,
    Retention,
    Schedule,
    Scope,
    Signature,
    SignOff,
)
from reports.evidence.model import Control, Objectives, RunFacts
from reports.verdict.verdicts import IDLE

_MONTHS: dict[Cadence, int] = {"monthly": 1, "quarterly": 3, "half-yearly": 6, "yearly": 12}
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:drillbook:run")


@dataclass(frozen=True, slots=True)
class Setting:
    """What a run knows before it begins: declarations, what was applied, the run before."""

    declared: Declared
    pack: Pack = Pack()  # noqa: RUF009 - frozen
    previous_run: str | None = None


def apply_waivers(controls: Iterable[Control], declared: Declared, today: date) -> list[Control]:
    """The controls with their waivers; one in force is `waived`, its verdict untouched."""
    entries = {entry.control: entry for entry in declared.waivers}
    found = []
    for control in controls:
        if entry := entries.get(control.id):
            waiver = apply_waiver(entry, control.verdict, today)
            state = {"waiver": waiver, "waived": waiver.state == "in_force"}
            control = control.model_copy(update=state)
        found.append(control)
    return found


def compare_runbook(controls: Iterable[Control], declared: Declared) -> list[Control]:
    """The controls; one with a correction says whether the declared runbook has its words."""
    if declared.runbook is None:
        return [*controls]
    text = _words(declared.runbook.decode(errors="replace"))
    return [
        one.model_copy(update={"taken_over": _words(one.correction) in text})
        if one.correction
        else one
        for one in controls
    ]


def _words(text: str) -> str:
    """Its words alone, whatever the markup around them."""
    return f" {' '.join(re.findall(r'\w+', text.casefold()))} "


def build_context(setting: Setting, facts: RunFacts, controls: Sequence[Control]) -> dict[str, Any]:
    """The parts of the record that stand around its verdicts, by field name."""
    words, ended = setting.declared.words, facts.finished.date()
    waivers = tuple(control.waiver for control in controls if control.waiver)
    runbook, data_set = setting.declared.runbook, words.scope.data_set
    return {
        "identity": Identity(
            uuid=uuid_of_run(facts.id),
            number=words.number,
            previous_run=setting.previous_run,
            pack=setting.pack,
            declared=setting.declared.source,
        ),
        "organisation": words.organisation,
        "people": words.people,
        "schedule": _schedule(setting.declared, ended),
        "scope": Scope(
            systems=words.scope.systems,
            data_set=DataSet(**data_set.model_dump()) if data_set else None,
            exclusions=(
                *(Exclusion(**one.model_dump()) for one in words.scope.exclusions),
                *list_exclusions(controls),
            ),
        ),
        "environment": words.environment,
        "method": words.method,
        "deviations": Deviations(
            waivers=waivers, actions=words.actions, escalated_to=words.escalated_to
        ),
        "exercise": Exercise(
            **dict(words.exercise),
            runbook_sha256=hashlib.sha256(runbook).hexdigest() if runbook is not None else None,
        ),
        "sign_off": sign_off(setting.declared),
        "retention": _retention(setting.declared, ended),
    }


def objectives(measured: dict[str, float], declared: Declared) -> Objectives:
    """What was measured and what is wanted; a spec's own target goes before the declared one."""
    wanted = declared.words.objectives
    targets = {"rto_target_s": wanted.rto_s, "rpo_target_s": wanted.rpo_s}
    return Objectives.model_validate(targets | measured)


def uuid_of_run(run: str) -> str:
    """The UUID of a run, by its id."""
    return str(uuid.uuid5(_NAMESPACE, run))


def _schedule(declared: Declared, ended: date) -> Schedule:
    said = declared.words.schedule
    due = said.next_due or (next_due_day(ended, said.cadence) if said.cadence else None)
    return said.model_copy(update={"next_due": due})


def next_due_day(day: date, cadence: Cadence) -> date:
    """The day after a week, a month, ...; the last of a month that has no such day."""
    if cadence == "weekly":
        return date.fromordinal(day.toordinal() + 7)
    return _later(day, _MONTHS[cadence])


def _later(day: date, months: int) -> date:
    year, month = divmod(day.month - 1 + months, 12)
    last = calendar.monthrange(day.year + year, month + 1)[1]
    return date(day.year + year, month + 1, min(day.day, last))


def list_exclusions(controls: Iterable[Control]) -> list[Exclusion]:
    """The controls of which nothing ran, each with the reason."""
    return [
        Exclusion(what=control.id, reason=_reason(control), source="run")
        for control in controls
        if control.verdict in IDLE
    ]


def _reason(control: Control) -> str | None:
    messages = dict.fromkeys(
        spec.message for spec in control.specs if spec.verdict is control.verdict and spec.message
    )
    return "; ".join(messages) or control.note


def sign_off(declared: Declared) -> SignOff:
    """Who is to sign. A log-in name says too little of who executed it to compare it with names."""
    said = declared.words.sign_off
    approver = said.approved.name if said.approved else None
    return SignOff(
        executed_by=declared.executor,
        prepared=_signature(said.prepared),
        reviewed=_signature(said.reviewed),
        approved=_signature(said.approved),
        separated=is_separated(approver, declared.executor),
    )


def is_separated(approver: str | None, executor: str | None) -> bool | None:
    """Whether the approver is not the person who executed it; None where one is unknown."""
    if not approver or not executor:
        return None
    return approver.strip().casefold() != executor.strip().casefold()


def _signature(said: Signatory | None) -> Signature:
    return Signature(name=said.name, role=said.role) if said else Signature()


def _retention(declared: Declared, ended: date) -> Retention:
    said = declared.words.retention
    until = _later(ended, 12 * said.years) if said.years else None
    return Retention(classification=said.classification, years=said.years, dispose_after=until)
