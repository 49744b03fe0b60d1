"""What a healthy stack is known to say, and what became of a planted bug.

It was caught by the control meant for it, for its reason, or not.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from drillbook.core.application import ROOT
from reports.controls import Catalogue
from reports.evidence.context import EvidenceModel
from reports.evidence.model import Control, Run
from reports.qualification.trial import Outcome, PlantedBug
from reports.render.phrases import failing_step
from reports.verdict import Verdict

State = Literal["killed", "wrong reason", "survived", "stumbled", "not run", "equivalent"]
Kind = Literal["meant", "by-catch", "unmoved", "stumbled", "not run"]
_UNDECIDED = (Verdict.INCONCLUSIVE,)
_LONGEST = 400
PREDICTED = ROOT / "tests" / "predicted.toml"
_TABLES = {"embedded": "reference", "files": "reference", "remote": "rehearsal"}


class Seen(EvidenceModel):
    """A control's verdict and observation, which tell a healthy stack from a bad one."""

    verdict: Verdict
    observed: str | None = None


class Cell(EvidenceModel):
    """One bug, one control: what the control said, and what that is."""

    control: str
    verdict: Verdict
    observed: str | None
    kind: Kind


class Row(EvidenceModel):
    """One bug: what was expected of whom, what happened, and the other controls that moved."""

    mutant: str
    meant: str
    where: str
    driver: str
    sentence: str
    turns: str | None
    says: str | None
    state: State
    told: str
    duration_s: float
    cells: tuple[Cell, ...] = ()


def results(run: Run) -> dict[str, Seen]:
    """Verdict and observation of every control of a run."""
    return {one.id: Seen(verdict=one.verdict, observed=one.observed) for one in run.controls}


def load_predictions(driver: str, catalogue: Catalogue, path: Path = PREDICTED) -> dict[str, Seen]:
    """What measurements of the product predict of a healthy stack; {} for an unknown driver."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    predicted = tables.get(_TABLES.get(driver, driver), {})
    seen = {}
    for control, (verdict, *words) in predicted.items():
        observed = "; ".join(catalogue.sentence(word, [control]) for word in words) or None
        seen[control] = Seen(verdict=Verdict(verdict), observed=observed)
    return seen


def row(bug: PlantedBug, outcome: Outcome | None, healthy: Mapping[str, Seen]) -> Row:
    """Judge what a trial showed against what a healthy stack shows."""
    state, words = _state(bug, outcome, healthy)
    run = outcome.run if outcome else None
    return Row(
        mutant=bug.name,
        meant=bug.control,
        **bug.model_dump(exclude={"name", "control", "equivalent"}),
        state=state,
        told=words,
        duration_s=outcome.duration_s if outcome else 0.0,
        cells=tuple(_cells(bug, run, healthy)) if run else (),
    )


def _state(
    bug: PlantedBug, outcome: Outcome | None, healthy: Mapping[str, Seen]
) -> tuple[State, str]:
    if bug.equivalent:
        return "equivalent", bug.equivalent
    if outcome is None:
        return "not run", f"needs the driver {bug.driver}, which was not available"
    if outcome.run is None:
        return "stumbled", outcome.trouble
    control = next(one for one in outcome.run.controls if one.id == bug.control)
    now = Seen(verdict=control.verdict, observed=control.observed)
    if control.verdict in (*_UNDECIDED, Verdict.NOT_RUN):
        return "stumbled", f"{control.verdict.words}: {_words(control)[:_LONGEST]}"
    if now == healthy.get(bug.control):
        return "survived", f"{bug.control} said what it says of a healthy stack"
    return _reason(bug, control)


def _reason(bug: PlantedBug, control: Control) -> tuple[State, str]:
    words = _words(control)
    if bug.turns is None or bug.says is None:
        return "wrong reason", f"no reason is stated in bugs.toml; it was: {words[:_LONGEST]}"
    if control.verdict.value != bug.turns:
        return "wrong reason", f"{control.verdict.words}, not {bug.turns}: {words[:_LONGEST]}"
    if bug.says not in words:
        return "wrong reason", f"not a word of {bug.says!r} in: {words[:_LONGEST]}"
    return "killed", bug.says


def _words(control: Control) -> str:
    """What its worst specs observed, at which step they failed, and what they said."""
    words: list[str] = []
    for spec in control.specs:
        if spec.verdict is control.verdict:
            words += [*spec.observations, failing_step(spec) or "", spec.message or ""]
            words += [note for step in spec.steps for note in step.notes]
    return " | ".join(dict.fromkeys(filter(None, words)))


def _cells(bug: PlantedBug, run: Run, healthy: Mapping[str, Seen]) -> list[Cell]:
    return [
        Cell(control=one.id, verdict=one.verdict, observed=one.observed, kind=kind)
        for one in run.controls
        for kind in [_kind(bug, one, healthy.get(one.id))]
        if any(spec.steps or spec.verdict is not Verdict.NOT_RUN for spec in one.specs)
    ]


def _kind(bug: PlantedBug, control: Control, healthy: Seen | None) -> Kind:
    if control.verdict in _UNDECIDED:
        return "stumbled"
    if Seen(verdict=control.verdict, observed=control.observed) == healthy:
        return "unmoved"
    if control.verdict in (Verdict.NOT_RUN, Verdict.NOT_APPLICABLE):
        return "not run"
    return "meant" if control.id == bug.control else "by-catch"
