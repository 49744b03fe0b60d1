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
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
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
_VERSION = "1.1.2"


def _uid(run: Run, *what: str) -> str:
    """The UUID version 5 of a thing in this run, by its names."""
    name = ":".join(("urn:drillbook", run.run.id, *what))
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def _props(**named: object) -> list[dict[str, str]]:
    """Properties in our namespace; nothing for what is unknown or empty."""
    texts = {name.replace("_", "-"): _line(_plain(value)) for name, value in named.items()}
    return [{"name": name, "ns": _NAMESPACE, "value": text} for name, text in texts.items() if text]


def _drop_empty(value: Any) -> Any:
    """The value without empty lists, texts and objects at any depth: OSCAL refuses them."""
    if isinstance(value, list):
        return [_drop_empty(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {name: _drop_empty(one) for name, one in value.items() if one not in (None, "", [])}
    # An object that was empty from the start, such as `include-all`, stays.
    return {name: one for name, one in kept.items() if one != {} or value[name] == {}}


def _line(text: str) -> str:
    """The text on one line, as names and values must be."""
    return " ".join(text.replace("\ufeff", " ").split())


def _nist(control: Control) -> list[str]:
    """The control's ids in the NIST catalogue: SC-28(1) is sc-28.1 there."""
    found = [_ENHANCEMENT.fullmatch(one) for one in control.frameworks.get("nist", ())]
    parts = [match.groups() for match in found if match]
    return [f"{base.lower()}.{number}" if number else base.lower() for base, number in parts]


def _all_nist(controls: Iterable[Control]) -> list[str]:
    return sorted({one for control in controls for one in _nist(control)})


def _objective(control: Control) -> str:
    """The id of our objective for this control."""
    return f"{control.id.lower()}_obj"


def _day(when: date | None) -> str | None:
    """The beginning of a day as a moment."""
    return datetime.combine(when, time(), UTC).isoformat() if when else None


def _plain(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _observation(control: Control, run: Run) -> dict[str, Any]:
    idle = control.verdict in IDLE
    starts = (step.started for spec in control.specs for step in spec.steps)
    return {
        "uuid": _uid(run, "observation", control.id),
        "title": _line(f"{control.id} {control.title}"),
        "description": _account(control),
        "props": _facts(control),
        "methods": ["UNKNOWN" if idle else "TEST"],
        "types": ["control-objective"],
        "origins": [_origin(run)],
        "subjects": [{"subject-uuid": _uid(run, "component", "backend"), "type": "component"}],
        "relevant-evidence": [_evidence(control, run)],
        "collected": max(starts, default=run.run.finished).isoformat(),
        "expires": None if idle else _day(run.schedule.next_due),
    }


def _account(control: Control) -> str:
    said = [] if control.verdict is Verdict.SATISFIED else phrases.reasons(control)
    seen = [phrases.sentence(control.observed)] if control.observed else []
    return "\n\n".join([f"{control.verdict.words}: {control.claim}", *seen, *said]).strip()


def _facts(control: Control) -> list[dict[str, str]]:
    known = _props(
        verdict=control.verdict.value,
        nature=control.nature,
        severity=control.severity,
        gating=control.gating,
        waived=control.waived or None,
    )
    mapped = sorted(control.frameworks.items())
    return known + [one for name, ids in mapped for each in ids for one in _props(**{name: each})]


def _origin(run: Run) -> dict[str, Any]:
    return {"actors": [{"type": "tool", "actor-uuid": _uid(run, "tool")}]}


def _evidence(control: Control, run: Run) -> dict[str, Any]:
    specs = "; ".join(f"{spec.id}: {spec.verdict.words}" for spec in control.specs)
    return {
        "href": f"#{_uid(run, 'resource', 'evidence')}",
        "description": f"Control {control.id} in evidence.json. {specs or 'No spec was reached.'}",
    }


def _finding(control: Control, run: Run) -> dict[str, Any]:
    risk = [{"risk-uuid": _uid(run, "risk", control.id)}]
    return {
        "uuid": _uid(run, "finding", control.id),
        "title": _line(f"{control.id} {control.title}"),
        "description": _account(control),
        "props": _facts(control),
        "origins": [_origin(run)],
        "target": {
            "type": "objective-id",
            "target-id": _objective(control),
            "title": _line(control.title),
            "props": [one for each in _nist(control) for one in _props(control_id=each)],
            "status": _STATES[control.verdict],
        },
        "related-observations": [{"observation-uuid": _uid(run, "observation", control.id)}],
        "related-risks": risk if control.verdict in ASSERTED else [],
    }


def _risk(control: Control, run: Run) -> dict[str, Any]:
    statement = "Data or access is at stake."
    if control.verdict is Verdict.CONTRADICTED:
        statement = "Anyone who follows the runbook here does not get what it promises."
    return {
        "uuid": _uid(run, "risk", control.id),
        "title": _line(f"{control.id} does not hold: {control.title}"),
        "description": _account(control),
        "statement": statement,
        "props": _facts(control),
        "status": "deviation-approved" if control.waived else "open",
        "origins": [_origin(run)],
        "remediations": list(_responses(control, run)),
        "related-observations": [{"observation-uuid": _uid(run, "observation", control.id)}],
    }


def _responses(control: Control, run: Run) -> list[dict[str, Any]]:
    made = []
    if control.correction:
        contradicted = control.verdict is Verdict.CONTRADICTED
        title = "Correct the runbook" if contradicted else phrases.TO_DO
        made.append(("recommendation", title, control.correction, ""))
    if control.waived and control.waiver:
        waiver = control.waiver
        said = f"{waiver.reason}. Until {waiver.expires}; approved by {waiver.approved_by}."
        title = _line(f"Accepted, not remedied: waived by {waiver.owner}")
        made.append(("planned", title, said, "waiver"))
    return [
        {
            "uuid": _uid(run, "response", control.id, lifecycle, number),
            "lifecycle": lifecycle,
            "title": title,
            "description": text,
            # OSCAL's own property: the risk continues to exist.
            "props": [{"name": "type", "value": "accept"}] if number == "waiver" else [],
        }
        for lifecycle, title, text, number in made
    ]


def _metadata(run: Run) -> dict[str, Any]:
    """Title, version, and who answers for it."""
    owner = run.organisation.name
    parties = [{"uuid": _uid(run, "operator"), "type": "person", "name": _line(run.run.operator)}]
    if owner:
        parties += [{"uuid": _uid(run, "owner"), "type": "organization", "name": _line(owner)}]
    operator = {"role-id": "assessor", "party-uuids": [_uid(run, "operator")]}
    return {
        "title": _line(f"{phrases.outcome(run).word}: Drillbook run {run.run.id}"),
        "last-modified": run.run.finished.isoformat(),
        "version": "1",
        "oscal-version": _VERSION,
        "props": _props(grade=run.subject.grade),
        "roles": [{"id": "assessor", "title": "Who ran it"}],
        "parties": [party for party in parties if party["name"]],
        "responsible-parties": [operator] if _line(run.run.operator) else [],
        "remarks": phrases.grade(run) or phrases.LIMITS,
    }


def _objectives(run: Run) -> list[dict[str, Any]]:
    return [
        {
            "control-id": _nist(control)[0],
            "parts": [
                {
                    "id": _objective(control),
                    "name": "assessment-objective",
                    "title": _line(control.title),
                    "prose": control.claim,
                }
            ],
        }
        for control in run.controls
        if _nist(control)
    ]


def _result(run: Run) -> dict[str, Any]:
    facts, end = run.run, phrases.outcome(run)
    return {
        "uuid": _uid(run, "result"),
        "title": _line(f"{end.word}: run {facts.id}"),
        "description": end.sentence,
        "start": facts.started.isoformat(),
        "end": facts.finished.isoformat(),
        "props": _totals(run),
        "local-definitions": {
            "components": list(_components(run)),
            "assessment-assets": _assets(run),
        },
        "reviewed-controls": _selection(run),
        "attestations": [_attestation(run)],
        "assessment-log": {"entries": list(_log(run))},
        "observations": [_observation(control, run) for control in run.controls],
        # A waiver does not remove a risk.
        "risks": [_risk(one, run) for one in run.controls if one.verdict in ASSERTED],
        # A rehearsal determines nothing.
        "findings": [
            _finding(one, run)
            for one in run.controls
            if one.verdict in _STATES and not phrases.is_rehearsal(run)
        ],
    }


def _totals(run: Run) -> list[dict[str, str]]:
    counts = run.counts.model_dump()
    facts = _props(verdict=run.verdict.value, exit_code=run.exit_code, reason=run.run.reason)
    return facts + _props(**counts) + _props(**run.objectives.model_dump())


def _components(run: Run) -> Iterator[dict[str, Any]]:
    subject = run.subject
    backend = phrases.backend_name(subject)
    known = _props(digest=subject.backend.digest, version=subject.backend.version)
    for name, what, facts in (
        ("backend", backend, known),
        ("database", subject.database.version or "unknown", []),
        ("cache", subject.cache.version or "unknown", []),
    ):
        yield {
            "uuid": _uid(run, "component", name),
            "type": "service",
            "title": name,
            "description": what,
            "props": facts,
            "status": {"state": "operational" if subject.driver != "none" else "other"},
        }


def _assets(run: Run) -> dict[str, Any]:
    tool, host = run.run.tool, run.run.host
    component = {
        "uuid": _uid(run, "tool"),
        "type": "software",
        "title": "Drillbook",
        "description": "Performs each step of a runbook and says whether its statements held.",
        "props": _props(version=tool.version, commit=tool.commit, dirty=tool.dirty),
        "status": {"state": "operational"},
    }
    platform = {
        "uuid": _uid(run, "platform"),
        "title": _line(host.name) or "unnamed machine",
        "props": _props(system=host.system, machine=host.machine, python=host.python),
        "uses-components": [{"component-uuid": _uid(run, "tool")}],
        "remarks": f"Command: {run.run.command}; seed {run.run.seed}",
    }
    return {"components": [component], "assessment-platforms": [platform]}


def _selection(run: Run) -> dict[str, Any]:
    """The controls of which something ran; if none did, those planned, as OSCAL requires one."""
    ran = [control for control in run.controls if control.verdict not in IDLE]
    ids, planned = _all_nist(ran), _all_nist(run.controls)
    selected: dict[str, Any] = {
        "description": None if ids else "Planned and not reviewed: nothing of these ran.",
        "include-controls": [{"control-id": one} for one in ids or planned],
    }
    if not planned:
        selected = {"description": "No control of a catalogue is mapped.", "include-all": {}}
    objectives = [{"objective-id": _objective(control)} for control in ran if _nist(control)]
    return {
        "control-selections": [selected],
        "control-objective-selections": [{"include-objectives": objectives}] if ids else [],
    }


def _attestation(run: Run) -> dict[str, Any]:
    parts = [{"name": "limits", "ns": _NAMESPACE, "title": "Limits", "prose": phrases.LIMITS}]
    for act in ("prepared", "reviewed", "approved"):
        named = getattr(run.sign_off, act).name or "no one named"
        said = f"To be {act} by {named}: {phrases.NOT_SIGNED}."
        parts.append({"name": act, "ns": _NAMESPACE, "title": act.capitalize(), "prose": said})
    return {"parts": parts}


def _log(run: Run) -> Iterator[dict[str, Any]]:
    for number, span in enumerate(run.timeline):
        ended = span.started + timedelta(seconds=span.duration_s)
        yield {
            "uuid": _uid(run, "log", str(number)),
            "title": _line(f"{span.kind}: {span.name}") or span.kind,
            "start": span.started.isoformat(),
            "end": ended.isoformat(),
        }


def _resources(run: Run) -> Iterator[dict[str, Any]]:
    yield {"uuid": _uid(run, "resource", "plan"), "title": "No plan", "description": _NO_PLAN}
    record = json_file.text(run.model_dump(mode="json")).encode()
    digest = {"algorithm": "SHA-256", "value": hashlib.sha256(record).hexdigest()}
    yield {
        "uuid": _uid(run, "resource", "evidence"),
        "title": json_file.RECORD,
        "description": "The record of the run, from which this document was made.",
        "rlinks": [
            {"href": json_file.RECORD, "media-type": "application/json", "hashes": [digest]}
        ],
    }


def render(run: Run) -> str:
    """The run as assessment results."""
    record = {
        "uuid": _uid(run, "assessment-results"),
        "metadata": _metadata(run),
        "import-ap": {"href": f"#{_uid(run, 'resource', 'plan')}"},
        "local-definitions": {"objectives-and-methods": _objectives(run)},
        "results": [_result(run)],
        "back-matter": {"resources": list(_resources(run))},
    }
    return json_file.compact_text(_drop_empty({"assessment-results": record}))
