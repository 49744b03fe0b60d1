"""The frame of assessment results: who, with what, on what, against which controls."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from reports import evidence, prose
from reports.model import Run
from reports.oscal.findings import findings, observations, risks
from reports.oscal.words import NAMESPACE, filled, line, nist, objective, props, uid
from reports.verdict import Verdict

_IDLE = (Verdict.NOT_RUN, Verdict.NOT_APPLICABLE)
_NO_PLAN = (
    "There is no assessment plan. What was planned is Drillbook's catalogue of controls, which the "
    "record repeats in full, with what was left out and why."
)


def document(run: Run, version: str) -> dict[str, Any]:
    """The value of `assessment-results`."""
    return filled(
        {
            "uuid": uid(run, "assessment-results"),
            "metadata": _metadata(run, version),
            "import-ap": {"href": f"#{uid(run, 'resource', 'plan')}"},
            "local-definitions": filled({"objectives-and-methods": _objectives(run)}),
            "results": [_result(run)],
            "back-matter": {"resources": list(_resources(run))},
        }
    )


def _metadata(run: Run, version: str) -> dict[str, Any]:
    owner = run.organisation.name
    parties = [{"uuid": uid(run, "operator"), "type": "person", "name": line(run.run.operator)}]
    if owner:
        parties += [{"uuid": uid(run, "owner"), "type": "organization", "name": line(owner)}]
    operator = {"role-id": "assessor", "party-uuids": [uid(run, "operator")]}
    record = {
        "title": line(f"{prose.outcome(run).word}: Drillbook run {run.run.id}"),
        "last-modified": run.run.finished.isoformat(),
        "version": "1",
        "oscal-version": version,
        "props": props(grade=run.subject.grade, record=run.identity.number),
        "roles": [{"id": "assessor", "title": "Who ran it"}],
        "parties": [party for party in parties if party["name"]],
        "responsible-parties": [operator] if line(run.run.operator) else [],
        "remarks": prose.grade(run) or prose.LIMITS,
    }
    return filled(record)


def _objectives(run: Run) -> list[dict[str, Any]]:
    return [
        {
            "control-id": nist(control)[0],
            "parts": [
                filled(
                    {
                        "id": objective(control),
                        "name": "assessment-objective",
                        "title": line(control.title),
                        "prose": control.claim,
                    }
                )
            ],
        }
        for control in run.controls
        if nist(control)
    ]


def _result(run: Run) -> dict[str, Any]:
    facts, end = run.run, prose.outcome(run)
    return filled(
        {
            "uuid": uid(run, "result"),
            "title": line(f"{end.word}: run {facts.id}"),
            "description": end.sentence,
            "start": facts.started.isoformat(),
            "end": facts.finished.isoformat(),
            "props": _totals(run),
            "local-definitions": {
                "components": list(_components(run)),
                "assessment-assets": _assets(run),
            },
            "reviewed-controls": _reviewed(run),
            "attestations": [_attestation(run)],
            "assessment-log": filled({"entries": list(_log(run))}),
            "observations": observations(run),
            "risks": risks(run),
            "findings": findings(run),
        }
    )


def _totals(run: Run) -> list[dict[str, str]]:
    counts = run.counts.model_dump()
    facts = props(verdict=run.verdict.value, exit_code=run.exit_code, reason=run.run.reason)
    return facts + props(**counts) + props(**run.objectives.model_dump())


def _components(run: Run) -> Iterator[dict[str, Any]]:
    subject = run.subject
    backend = subject.backend.image or subject.backend.command or "nothing was started"
    parts: tuple[tuple[str, str, list[dict[str, str]]], ...] = (
        ("backend", backend, props(digest=subject.backend.digest, version=subject.backend.version)),
        ("database", subject.database.version or "unknown", []),
        ("cache", subject.cache.version or "unknown", []),
    )
    for name, what, known in parts:
        yield filled(
            {
                "uuid": uid(run, "component", name),
                "type": "service",
                "title": name,
                "description": what,
                "props": known,
                "status": {"state": "operational" if subject.driver != "none" else "other"},
            }
        )


def _assets(run: Run) -> dict[str, Any]:
    tool, host = run.run.tool, run.run.host
    component = {
        "uuid": uid(run, "tool"),
        "type": "software",
        "title": "Drillbook",
        "description": "Performs each step of a runbook and says whether its statements held.",
        "props": props(version=tool.version, commit=tool.commit, dirty=tool.dirty),
        "status": {"state": "operational"},
    }
    platform = {
        "uuid": uid(run, "platform"),
        "title": line(host.name) or "unnamed machine",
        "props": props(system=host.system, machine=host.machine, python=host.python),
        "uses-components": [{"component-uuid": uid(run, "tool")}],
        "remarks": f"Command: {run.run.command}; seed {run.run.seed}",
    }
    return {"components": [component], "assessment-platforms": [platform]}


def _reviewed(run: Run) -> dict[str, Any]:
    """The controls of which something ran; OSCAL wants one named even where nothing did."""
    ran = [control for control in run.controls if control.verdict not in _IDLE]
    ids = sorted({one for control in ran for one in nist(control)})
    if not ids:
        return {"control-selections": [_unreviewed(run)]}
    objectives = [{"objective-id": objective(control)} for control in ran if nist(control)]
    return {
        "control-selections": [{"include-controls": [{"control-id": one} for one in ids]}],
        "control-objective-selections": [{"include-objectives": objectives}],
    }


def _unreviewed(run: Run) -> dict[str, Any]:
    planned = sorted({one for control in run.controls for one in nist(control)})
    if not planned:
        return {"description": "No control of a catalogue is mapped.", "include-all": {}}
    nothing = "Planned and not reviewed: nothing of these ran."
    return {"description": nothing, "include-controls": [{"control-id": one} for one in planned]}


def _attestation(run: Run) -> dict[str, Any]:
    signed = {"prepared": run.sign_off.prepared, "reviewed": run.sign_off.reviewed}
    parts = [{"name": "limits", "ns": NAMESPACE, "title": "Limits", "prose": prose.LIMITS}]
    for act, by in (signed | {"approved": run.sign_off.approved}).items():
        said = f"Not {act} by anybody yet."
        if by.name and by.signed:
            said = f"{act.capitalize()} by {by.name}, {by.signed:%d %B %Y}. {by.remark or ''}"
        parts.append(
            {"name": act, "ns": NAMESPACE, "title": act.capitalize(), "prose": said.strip()}
        )
    return {"parts": parts}


def _log(run: Run) -> Iterator[dict[str, Any]]:
    for number, span in enumerate(run.timeline):
        ended = span.started + timedelta(seconds=span.duration_s)
        yield {
            "uuid": uid(run, "log", str(number)),
            "title": line(f"{span.kind}: {span.name}") or span.kind,
            "start": span.started.isoformat(),
            "end": ended.isoformat(),
        }


def _resources(run: Run) -> Iterator[dict[str, Any]]:
    yield {"uuid": uid(run, "resource", "plan"), "title": "No plan", "description": _NO_PLAN}
    record = evidence.text(run.model_dump(mode="json")).encode()
    digest = {"algorithm": "SHA-256", "value": hashlib.sha256(record).hexdigest()}
    yield {
        "uuid": uid(run, "resource", "evidence"),
        "title": "evidence.json",
        "description": "The record of the run, from which this document was made.",
        "rlinks": [{"href": "evidence.json", "media-type": "application/json", "hashes": [digest]}],
    }
