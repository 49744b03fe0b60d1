"""What was seen, what follows from it, and what is at risk: one of each for a control at most."""

from __future__ import annotations

from typing import Any

from reports import prose
from reports.model import Control, Run
from reports.oscal.words import day, filled, line, nist, objective, props, uid
from reports.verdict import Verdict

_STATES = {
    Verdict.SATISFIED: {"state": "satisfied", "reason": "pass"},
    Verdict.VIOLATED: {"state": "not-satisfied", "reason": "fail"},
    Verdict.CONTRADICTED: {"state": "not-satisfied", "reason": "fail"},
}
_IDLE = (Verdict.NOT_RUN, Verdict.NOT_APPLICABLE)


def observations(run: Run) -> list[dict[str, Any]]:
    """One for every control, also for those of which nothing ran."""
    return [_observation(control, run) for control in run.controls]


def findings(run: Run) -> list[dict[str, Any]]:
    """One for every control that was judged."""
    return [_finding(control, run) for control in run.controls if control.verdict in _STATES]


def risks(run: Run) -> list[dict[str, Any]]:
    """One for every control that did not hold; a waiver does not take it away."""
    return [_risk(control, run) for control in run.controls if _amiss(control)]


def _amiss(control: Control) -> bool:
    return _STATES.get(control.verdict, {}).get("state") == "not-satisfied"


def _observation(control: Control, run: Run) -> dict[str, Any]:
    idle = control.verdict in _IDLE
    record = {
        "uuid": uid(run, "observation", control.id),
        "title": line(f"{control.id} {control.title}"),
        "description": _account(control),
        "props": _facts(control),
        "methods": ["UNKNOWN" if idle else "TEST"],
        "types": ["control-objective"],
        "origins": [_origin(run)],
        "subjects": [{"subject-uuid": uid(run, "component", "backend"), "type": "component"}],
        "relevant-evidence": [_evidence(control, run)],
        "collected": _collected(control, run),
    }
    if run.schedule.next_due and not idle:
        record["expires"] = day(run.schedule.next_due)
    return filled(record)


def _account(control: Control) -> str:
    said = [] if control.verdict is Verdict.SATISFIED else prose.reasons(control)
    seen = [prose.sentence(control.observed)] if control.observed else []
    return "\n\n".join([f"{control.verdict.words}: {control.claim}", *seen, *said]).strip()


def _facts(control: Control) -> list[dict[str, str]]:
    known = props(
        verdict=control.verdict.value,
        nature=control.nature,
        severity=control.severity,
        gating=control.gating,
        waived=control.waived or None,
    )
    mapped = sorted(control.frameworks.items())
    return known + [one for name, ids in mapped for each in ids for one in props(**{name: each})]


def _origin(run: Run) -> dict[str, Any]:
    return {"actors": [{"type": "tool", "actor-uuid": uid(run, "tool")}]}


def _evidence(control: Control, run: Run) -> dict[str, Any]:
    specs = "; ".join(f"{spec.id}: {spec.verdict.words}" for spec in control.specs)
    return {
        "href": f"#{uid(run, 'resource', 'evidence')}",
        "description": f"Control {control.id} in evidence.json. {specs or 'No spec was reached.'}",
    }


def _collected(control: Control, run: Run) -> str:
    steps = [step for spec in control.specs for step in spec.steps]
    if not steps:
        return run.run.finished.isoformat()
    return max(step.started for step in steps).isoformat()


def _finding(control: Control, run: Run) -> dict[str, Any]:
    record = {
        "uuid": uid(run, "finding", control.id),
        "title": line(f"{control.id} {control.title}"),
        "description": _account(control),
        "props": _facts(control),
        "origins": [_origin(run)],
        "target": {
            "type": "objective-id",
            "target-id": objective(control),
            "title": line(control.title),
            "props": [one for each in nist(control) for one in props(control_id=each)],
            "status": _STATES[control.verdict],
        },
        "related-observations": [{"observation-uuid": uid(run, "observation", control.id)}],
    }
    record["target"] = filled(record["target"])  # type: ignore[arg-type]
    if _amiss(control):
        record["related-risks"] = [{"risk-uuid": uid(run, "risk", control.id)}]
    return record


def _risk(control: Control, run: Run) -> dict[str, Any]:
    actions = [action for action in run.deviations.actions if action.control == control.id]
    due = min((action.due for action in actions if action.due), default=None)
    return filled(
        {
            "uuid": uid(run, "risk", control.id),
            "title": line(f"{control.id} does not hold: {control.title}"),
            "description": _account(control),
            "statement": _statement(control),
            "props": _facts(control),
            "status": "deviation-approved" if control.waived else "open",
            "origins": [_origin(run)],
            "deadline": day(due) if due else None,
            "remediations": list(_responses(control, run)),
            "related-observations": [{"observation-uuid": uid(run, "observation", control.id)}],
        }
    )


def _statement(control: Control) -> str:
    if control.verdict is Verdict.CONTRADICTED:
        return "Whoever follows the runbook here does not get what it promises."
    return "Data or access is at stake."


def _responses(control: Control, run: Run) -> list[dict[str, Any]]:
    made = []
    if control.correction:
        made.append(("recommendation", "Correct the runbook", control.correction, ""))
    for number, action in enumerate(run.deviations.actions):
        if action.control == control.id and action.corrective_action:
            owner = action.owner or "nobody named"
            title = line(f"Corrective action ({owner})")
            made.append(("planned", title, action.corrective_action, str(number)))
    if control.waiver:
        waiver = control.waiver
        said = f"{waiver.reason}. Until {waiver.expires}; approved by {waiver.approved_by}."
        made.append(("completed", line(f"Waived by {waiver.owner}"), said, "waiver"))
    return [
        {
            "uuid": uid(run, "response", control.id, lifecycle, number),
            "lifecycle": lifecycle,
            "title": title,
            "description": text,
        }
        for lifecycle, title, text, number in made
    ]
