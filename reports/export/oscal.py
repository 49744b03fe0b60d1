"""The run in OSCAL, NIST's format for assessments, as assessment results.

A finding has one of two states in OSCAL. So only a control that was judged becomes a finding:
satisfied, or not-satisfied for violated and contradicted. Each control is an observation, and its
property `verdict` holds the verdict itself.

The target of a finding is an objective of ours, defined in the document under the NIST control it
belongs to: one drill does not satisfy all of `sc-12_obj`, and should not say so.

The content uses nothing that is newer than OSCAL 1.1.2. Ids follow from the run, so the same run
gives the same bytes. Source: https://pages.nist.gov/OSCAL, assessment-results model.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, time
from typing import Any

from reports.evidence import json_file
from reports.evidence.model import Control, Run
from reports.render import phrases
from reports.render.phrases import ASSERTED
from reports.verdict import IDLE, Verdict

_NAMESPACE = "urn:drillbook:oscal"
_ENHANCEMENT = re.compile(r"([A-Za-z]{2}-\d+)(?:\((\d+)\))?")
_STATES = {
    Verdict.SATISFIED: {"state": "satisfied", "reason": "pass"},
    Verdict.VIOLATED: {"state": "not-satisfied", "reason": "fail"},
    Verdict.CONTRADICTED: {"state": "not-satisfied", "reason": "fail"},
}
_NO_PLAN = (
    "No assessment plan exists: Drillbook's catalogue of controls takes its place. The record "
    "repeats it in full, with what was left out and why."
)


def _uid(run: Run, *names: str) -> str:
    """The UUID version 5 of a thing in this run, by its names."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, ":".join(("urn:drillbook", run.run.id, *names))))


def _props(pairs: Iterable[tuple[str, object]]) -> list[dict[str, str]]:
    """Properties in our namespace; nothing for what is unknown or empty."""
    texts = [(name, _line("" if value is None else str(value))) for name, value in pairs]
    return [
        {"name": name.replace("_", "-"), "ns": _NAMESPACE, "value": text}
        for name, text in texts
        if text
    ]


def _drop_empty(value: Any) -> Any:
    """The value without empty lists and texts at any depth: OSCAL refuses them."""
    if isinstance(value, list):
        return [_drop_empty(item) for item in value]
    if isinstance(value, dict):
        return {key: _drop_empty(part) for key, part in value.items() if part not in (None, "", [])}
    return value


def _line(text: str) -> str:
    """The text on one line, as names and values must be."""
    return " ".join(text.replace("\ufeff", " ").split())


def _nist(control: Control) -> list[str]:
    """The control's ids in the NIST catalogue: SC-28(1) is sc-28.1 there."""
    matches = [_ENHANCEMENT.fullmatch(name) for name in control.frameworks.get("nist", ())]
    return [".".join(filter(None, match.groups())).lower() for match in matches if match]


def _about(control: Control, run: Run) -> dict[str, Any]:
    """What an observation, a finding and a risk of a control have in common."""
    seen = [phrases.sentence(control.observed)] if control.observed else []
    reasons = [] if control.verdict is Verdict.SATISFIED else phrases.reasons(control)
    facts = [
        ("verdict", control.verdict.value),
        ("nature", control.nature),
        ("severity", control.severity),
        ("gating", str(control.gating).lower()),
        ("waived", "true" if control.waived else None),
    ]
    facts += [(name, each) for name, ids in sorted(control.frameworks.items()) for each in ids]
    account = "\n\n".join([f"{control.verdict.words}: {control.claim}", *seen, *reasons])
    return {
        "title": _line(f"{control.id} {control.title}"),
        "description": account.strip(),
        "props": _props(facts),
        "origins": [{"actors": [{"type": "tool", "actor-uuid": _uid(run, "tool")}]}],
    }


def _observation(control: Control, run: Run) -> dict[str, Any]:
    idle, due = control.verdict in IDLE, run.schedule.next_due
    specs = "; ".join(f"{spec.id}: {spec.verdict.words}" for spec in control.specs)
    starts = (step.started for spec in control.specs for step in spec.steps)
    return _about(control, run) | {
        "uuid": _uid(run, "observation", control.id),
        "methods": ["UNKNOWN" if idle else "TEST"],
        "types": ["control-objective"],
        "subjects": [{"subject-uuid": _uid(run, "component", "backend"), "type": "component"}],
        "relevant-evidence": [
            {
                "href": f"#{_uid(run, 'resource', 'evidence')}",
                "description": f"{control.id} in evidence.json. {specs or 'No spec was reached.'}",
            }
        ],
        "collected": max(starts, default=run.run.finished).isoformat(),
        "expires": datetime.combine(due, time(), UTC).isoformat() if due and not idle else None,
    }


def _finding(control: Control, run: Run) -> dict[str, Any]:
    risks = [{"risk-uuid": _uid(run, "risk", control.id)}] if control.verdict in ASSERTED else []
    return _about(control, run) | {
        "uuid": _uid(run, "finding", control.id),
        "target": {
            "type": "objective-id",
            "target-id": f"{control.id.lower()}_obj",
            "title": _line(control.title),
            "props": _props(("control-id", name) for name in _nist(control)),
            "status": _STATES[control.verdict],
        },
        "related-observations": [{"observation-uuid": _uid(run, "observation", control.id)}],
        "related-risks": risks,
    }


def _risk(control: Control, run: Run) -> dict[str, Any]:
    statement = "Data or access is at stake."
    if control.verdict is Verdict.CONTRADICTED:
        statement = "Anyone who follows the runbook here does not get what it promises."
    return _about(control, run) | {
        "uuid": _uid(run, "risk", control.id),
        "statement": statement,
        "status": "deviation-approved" if control.waived else "open",
        "related-observations": [{"observation-uuid": _uid(run, "observation", control.id)}],
    }


def _metadata(run: Run) -> dict[str, Any]:
    """Title, version, and who answers for it."""
    named = (
        ("operator", "person", _line(run.run.operator)),
        ("owner", "organization", _line(run.organisation.name or "")),
    )
    return {
        "title": _line(f"{phrases.outcome(run).word}: Drillbook run {run.run.id}"),
        "last-modified": run.run.finished.isoformat(),
        "version": "1",
        "oscal-version": "1.1.2",
        "props": _props([("grade", run.subject.grade)]),
        "parties": [
            {"uuid": _uid(run, role), "type": kind, "name": name}
            for role, kind, name in named
            if name
        ],
        "remarks": phrases.grade(run) or phrases.LIMITS,
    }


def _components(run: Run) -> list[dict[str, Any]]:
    """The backend, and Drillbook, which observations name as their origin."""
    backend, tool = run.subject.backend, run.run.tool
    return [
        {
            "uuid": _uid(run, "component", "backend"),
            "type": "service",
            "title": "backend",
            "description": phrases.backend_name(run.subject),
            "props": _props([("digest", backend.digest), ("version", backend.version)]),
            "status": {"state": "operational" if run.subject.driver != "none" else "other"},
        },
        {
            "uuid": _uid(run, "tool"),
            "type": "software",
            "title": "Drillbook",
            "description": "Performs each step of a runbook, and says whether its statements held.",
            "props": _props([("version", tool.version), ("commit", tool.commit)]),
            "status": {"state": "operational"},
        },
    ]


def _selection(run: Run) -> dict[str, Any]:
    """The controls of which something ran; if none did, those planned, as OSCAL requires one."""
    ran = {
        name for control in run.controls if control.verdict not in IDLE for name in _nist(control)
    }
    planned = {name for control in run.controls for name in _nist(control)}
    if not planned:
        return {"description": "No control of a catalogue is mapped.", "include-all": {}}
    return {
        "description": None if ran else "Planned and not reviewed: nothing of these ran.",
        "include-controls": [{"control-id": name} for name in sorted(ran or planned)],
    }


def _result(run: Run) -> dict[str, Any]:
    end = phrases.outcome(run)
    totals = {"verdict": run.verdict.value, "exit_code": run.exit_code, "reason": run.run.reason}
    totals |= run.counts.model_dump() | run.objectives.model_dump()
    return {
        "uuid": _uid(run, "result"),
        "title": _line(f"{end.word}: run {run.run.id}"),
        "description": end.sentence,
        "start": run.run.started.isoformat(),
        "end": run.run.finished.isoformat(),
        "props": _props(totals.items()),
        "local-definitions": {"components": _components(run)},
        "reviewed-controls": {"control-selections": [_selection(run)]},
        "observations": [_observation(control, run) for control in run.controls],
        # A waiver does not remove a risk.
        "risks": [_risk(control, run) for control in run.controls if control.verdict in ASSERTED],
        # A rehearsal determines nothing.
        "findings": [
            _finding(control, run)
            for control in run.controls
            if control.verdict in _STATES and not phrases.is_rehearsal(run)
        ],
    }


def render(run: Run) -> str:
    """The run as assessment results."""
    objectives = [
        {
            "control-id": _nist(control)[0],
            "parts": [
                {
                    "id": f"{control.id.lower()}_obj",
                    "name": "assessment-objective",
                    "title": _line(control.title),
                    "prose": control.claim,
                }
            ],
        }
        for control in run.controls
        if _nist(control)
    ]
    record = json_file.text(run.model_dump(mode="json")).encode()
    digest = {"algorithm": "SHA-256", "value": hashlib.sha256(record).hexdigest()}
    file = {"href": json_file.RECORD, "media-type": "application/json", "hashes": [digest]}
    plan, evidence = _uid(run, "resource", "plan"), _uid(run, "resource", "evidence")
    results = {
        "uuid": _uid(run, "assessment-results"),
        "metadata": _metadata(run),
        "import-ap": {"href": f"#{plan}"},
        "local-definitions": {"objectives-and-methods": objectives} if objectives else None,
        "results": [_result(run)],
        "back-matter": {
            "resources": [
                {"uuid": plan, "title": "No plan", "description": _NO_PLAN},
                {"uuid": evidence, "title": json_file.RECORD, "rlinks": [file]},
            ]
        },
    }
    return json_file.compact_text(_drop_empty({"assessment-results": results}))
