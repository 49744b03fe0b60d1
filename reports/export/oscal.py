"""The run in NIST's language for assessments: results, and next to them what was planned.

OSCAL knows two states of a finding. So only what was judged becomes one: satisfied, or
not-satisfied for violated and contradicted. Everything else is an observation without a finding,
and the property `verdict` of each observation holds the true one.

A finding's target is our own objective, defined in the document under the NIST control it
belongs to: one drill does not satisfy all of `sc-12_obj`, and should not say so.
The component definition names Drillbook as a validation component: each control is a rule with its
check, in the properties that compliance-trestle and compliance-to-policy read. The assessment plan
is a stub: what was selected, and that no system security plan is known.

The content uses nothing that is newer than OSCAL 1.1.2. Ids follow from the run, so the same run
gives the same bytes. Source: https://pages.nist.gov/OSCAL, assessment-results model.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from reports.evidence import json_file
from reports.evidence.model import Control, Run
from reports.render import phrases
from reports.verdict import IDLE, Verdict

NAMESPACE = "urn:drillbook:oscal"
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
_NIST = (
    "https://raw.githubusercontent.com/usnistgov/oscal-content/main/nist.gov/SP800-53/rev5/json/"
    "NIST_SP-800-53_rev5_catalog.json"
)
_NO_SSP = "Drillbook knows of no system security plan. Put yours in the place of this resource."
_VERSION = "1.1.2"


def uid(run: Run, *what: str) -> str:
    """A UUID version 5 of something in this run."""
    name = ":".join(("urn:drillbook", run.run.id, *what))
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def props(**named: object) -> list[dict[str, str]]:
    """Properties in our namespace; nothing for what is unknown or empty."""
    texts = {name.replace("_", "-"): line(_plain(value)) for name, value in named.items()}
    return [{"name": name, "ns": NAMESPACE, "value": text} for name, text in texts.items() if text]


def drop_empty(value: Any) -> Any:
    """Without what is empty, however deep: OSCAL refuses empty lists and texts."""
    if isinstance(value, list):
        return [drop_empty(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {name: drop_empty(one) for name, one in value.items() if one not in (None, "", [])}
    # What holds nothing by intent, `include-all`, stays.
    return {name: one for name, one in kept.items() if one != {} or value[name] == {}}


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


def day(when: date | None) -> str | None:
    """The beginning of a day as a moment."""
    return datetime.combine(when, time(), UTC).isoformat() if when else None


def _plain(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _amiss(control: Control) -> bool:
    return _STATES.get(control.verdict, {}).get("state") == "not-satisfied"


def _observation(control: Control, run: Run) -> dict[str, Any]:
    idle = control.verdict in IDLE
    return {
        "uuid": uid(run, "observation", control.id),
        "title": line(f"{control.id} {control.title}"),
        "description": _account(control),
        "props": _facts(control),
        "methods": ["UNKNOWN" if idle else "TEST"],
        "types": ["control-objective"],
        "origins": [_origin(run)],
        "subjects": [{"subject-uuid": uid(run, "component", "backend"), "type": "component"}],
        "relevant-evidence": [_evidence(control, run)],
        "collected": _collection_time(control, run),
        "expires": None if idle else day(run.schedule.next_due),
    }


def _account(control: Control) -> str:
    said = [] if control.verdict is Verdict.SATISFIED else phrases.reasons(control)
    seen = [phrases.sentence(control.observed)] if control.observed else []
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


def _collection_time(control: Control, run: Run) -> str:
    steps = [step for spec in control.specs for step in spec.steps]
    if not steps:
        return run.run.finished.isoformat()
    return max(step.started for step in steps).isoformat()


def _finding(control: Control, run: Run) -> dict[str, Any]:
    risk = [{"risk-uuid": uid(run, "risk", control.id)}]
    return {
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
        "related-risks": risk if _amiss(control) else [],
    }


def _risk(control: Control, run: Run) -> dict[str, Any]:
    actions = [action for action in run.deviations.actions if action.control == control.id]
    due = min((one.due for one in actions if one.due and not one.closed), default=None)
    return {
        "uuid": uid(run, "risk", control.id),
        "title": line(f"{control.id} does not hold: {control.title}"),
        "description": _account(control),
        "statement": _statement(control),
        "props": _facts(control),
        "status": "deviation-approved" if control.waived else "open",
        "origins": [_origin(run)],
        "deadline": day(due),
        "remediations": list(_responses(control, run)),
        "related-observations": [{"observation-uuid": uid(run, "observation", control.id)}],
    }


def _statement(control: Control) -> str:
    if control.verdict is Verdict.CONTRADICTED:
        return "Anyone who follows the runbook here does not get what it promises."
    return "Data or access is at stake."


def _responses(control: Control, run: Run) -> list[dict[str, Any]]:
    made = []
    if control.correction:
        made.append(("recommendation", "Correct the runbook", control.correction, ""))
    for number, action in enumerate(run.deviations.actions):
        if action.control == control.id and action.corrective_action:
            owner = action.owner or "no one named"
            title = line(f"Corrective action ({owner})")
            lifecycle = "completed" if action.closed else "planned"
            made.append((lifecycle, title, action.corrective_action, str(number)))
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


def _document(run: Run, plan: str | None) -> dict[str, Any]:
    return {
        "uuid": uid(run, "assessment-results"),
        "metadata": metadata(run),
        "import-ap": {"href": plan or f"#{uid(run, 'resource', 'plan')}"},
        "local-definitions": {"objectives-and-methods": _objectives(run)},
        "results": [_result(run)],
        "back-matter": {"resources": list(_resources(run, plan))},
    }


def metadata(run: Run) -> dict[str, Any]:
    """Title, version, and who answers for it."""
    owner = run.organisation.name
    parties = [{"uuid": uid(run, "operator"), "type": "person", "name": line(run.run.operator)}]
    if owner:
        parties += [{"uuid": uid(run, "owner"), "type": "organization", "name": line(owner)}]
    operator = {"role-id": "assessor", "party-uuids": [uid(run, "operator")]}
    return {
        "title": line(f"{phrases.outcome(run).word}: Drillbook run {run.run.id}"),
        "last-modified": run.run.finished.isoformat(),
        "version": "1",
        "oscal-version": _VERSION,
        "props": props(grade=run.subject.grade, record=run.identity.number),
        "roles": [{"id": "assessor", "title": "Who ran it"}],
        "parties": [party for party in parties if party["name"]],
        "responsible-parties": [operator] if line(run.run.operator) else [],
        "remarks": phrases.grade(run) or phrases.LIMITS,
    }


def _objectives(run: Run) -> list[dict[str, Any]]:
    return [
        {
            "control-id": nist(control)[0],
            "parts": [
                {
                    "id": objective(control),
                    "name": "assessment-objective",
                    "title": line(control.title),
                    "prose": control.claim,
                }
            ],
        }
        for control in run.controls
        if nist(control)
    ]


def _result(run: Run) -> dict[str, Any]:
    facts, end = run.run, phrases.outcome(run)
    return {
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
        "reviewed-controls": selection(run),
        "attestations": [_attestation(run)],
        "assessment-log": {"entries": list(_log(run))},
        "observations": [_observation(control, run) for control in run.controls],
        # A waiver does not take a risk away.
        "risks": [_risk(control, run) for control in run.controls if _amiss(control)],
        "findings": [_finding(one, run) for one in run.controls if one.verdict in _STATES],
    }


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
        yield {
            "uuid": uid(run, "component", name),
            "type": "service",
            "title": name,
            "description": what,
            "props": known,
            "status": {"state": "operational" if subject.driver != "none" else "other"},
        }


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


def selection(run: Run) -> dict[str, Any]:
    """The controls of which something ran; OSCAL wants one named even where nothing did."""
    ran = [control for control in run.controls if control.verdict not in IDLE]
    ids = sorted({one for control in ran for one in nist(control)})
    if not ids:
        return {"control-selections": [_empty_selection(run)]}
    objectives = [{"objective-id": objective(control)} for control in ran if nist(control)]
    return {
        "control-selections": [{"include-controls": [{"control-id": one} for one in ids]}],
        "control-objective-selections": [{"include-objectives": objectives}],
    }


def _empty_selection(run: Run) -> dict[str, Any]:
    planned = sorted({one for control in run.controls for one in nist(control)})
    if not planned:
        return {"description": "No control of a catalogue is mapped.", "include-all": {}}
    nothing = "Planned and not reviewed: nothing of these ran."
    return {"description": nothing, "include-controls": [{"control-id": one} for one in planned]}


def _attestation(run: Run) -> dict[str, Any]:
    signed = {"prepared": run.sign_off.prepared, "reviewed": run.sign_off.reviewed}
    parts = [{"name": "limits", "ns": NAMESPACE, "title": "Limits", "prose": phrases.LIMITS}]
    for act, by in (signed | {"approved": run.sign_off.approved}).items():
        said = f"Not {act} by anyone yet."
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


def _resources(run: Run, plan: str | None) -> Iterator[dict[str, Any]]:
    if plan is None:
        yield {"uuid": uid(run, "resource", "plan"), "title": "No plan", "description": _NO_PLAN}
    record = json_file.text(run.model_dump(mode="json")).encode()
    digest = {"algorithm": "SHA-256", "value": hashlib.sha256(record).hexdigest()}
    yield {
        "uuid": uid(run, "resource", "evidence"),
        "title": json_file.RECORD,
        "description": "The record of the run, from which this document was made.",
        "rlinks": [
            {"href": json_file.RECORD, "media-type": "application/json", "hashes": [digest]}
        ],
    }


def render(run: Run, plan: str | None = None) -> str:
    """The run as assessment results; plan is the assessment plan's file."""
    record = drop_empty({"assessment-results": _document(run, plan)})
    return json_file.compact_text(record)


def component_definition(run: Run) -> dict[str, Any]:
    """Drillbook's controls as rules, and which NIST control each is evidence for."""
    mapped = [control for control in run.controls if nist(control)]
    component = {
        "uuid": uid(run, "component-definition", "component"),
        "type": "validation",
        "title": "Drillbook",
        "description": "Carries out each step of a runbook, and says whether it held.",
        "props": [prop for number, one in enumerate(mapped) for prop in _rule(one, number)],
        "control-implementations": [
            {
                "uuid": uid(run, "component-definition", "implementation"),
                "source": _NIST,
                "description": "Proposals: a check is evidence for the control, and does not "
                "meet it alone.",
                "implemented-requirements": list(_requirements(run, mapped)),
            }
        ]
        if mapped
        else [],
    }
    record = {
        "component-definition": {
            "uuid": uid(run, "component-definition"),
            "metadata": metadata(run) | {"title": "Drillbook as a validation component"},
            "components": [component],
        }
    }
    return dict(drop_empty(record))


def _rule(control: Control, number: int) -> Iterator[dict[str, str]]:
    known = {
        "Rule_Id": control.id,
        "Rule_Description": control.title,
        "Check_Id": control.id,
        "Check_Description": control.claim,
    }
    for name, value in known.items():
        # The remark is what groups them.
        yield {"name": name, "value": line(value), "remarks": f"rule_set_{number:03}"}


def _requirements(run: Run, mapped: list[Control]) -> Iterator[dict[str, Any]]:
    for name in sorted({one for control in mapped for one in nist(control)}):
        rules = [control.id for control in mapped if name in nist(control)]
        yield {
            "uuid": uid(run, "component-definition", name),
            "control-id": name,
            "description": f"Checked by {', '.join(rules)}.",
            "props": [{"name": "Rule_Id", "value": rule} for rule in rules],
        }


def assessment_plan(run: Run) -> dict[str, Any]:
    """What the run set out to review."""
    record = {
        "assessment-plan": {
            "uuid": uid(run, "assessment-plan"),
            "metadata": metadata(run) | {"title": line(f"Plan of run {run.run.id}")},
            "import-ssp": {"href": f"#{uid(run, 'resource', 'ssp')}"},
            "reviewed-controls": selection(run),
            "back-matter": {
                "resources": [
                    {
                        "uuid": uid(run, "resource", "ssp"),
                        "title": "No system security plan",
                        "description": _NO_SSP,
                    }
                ]
            },
        }
    }
    return dict(drop_empty(record))
