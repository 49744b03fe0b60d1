"""The run for dashboards (CTRF), a SIEM or data lake (OCSF), and Heimdall (HDF), as JSON values.

Each format has one entry for each control, and fewer outcomes than Drillbook has verdicts:

| verdict | CTRF status | OCSF compliance.status | HDF status |
| --- | --- | --- | --- |
| satisfied | passed | Pass | passed |
| violated | failed | Fail | failed |
| contradicted | failed in a strict run, else other | Fail | failed |
| inconclusive | other | Warning | error |
| not_run | skipped | Warning | skipped |
| not_applicable | skipped | Other | skipped, and impact 0: readers show Not Applicable |

The verdict itself stands in `rawStatus` (CTRF), `compliance.status_code` and `unmapped` (OCSF) and
the tag `verdict` (HDF). Warning means in OCSF: no result for want of information. A failed control
is a New finding there, and a Suppressed one if a waiver is in force.

Heimdall sorts by the tag `nist`. It shows a control by the first of error, failed, passed and
skipped that one of its results has: a result that would hide the control's verdict is skipped, and
its description has its own verdict.

Sources: schema 0.0 of the npm package ctrf 0.3 (https://ctrf.io); OCSF class 2003,
https://schema.ocsf.io/1.5.0/classes/compliance_finding; ExecJSON of the npm package inspecjs 2.12.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from datetime import datetime
from typing import Any, NamedTuple

from reports.evidence.model import Control, Run, Spec, Step
from reports.render import phrases
from reports.verdict import Severity, Verdict


class _Status(NamedTuple):
    """What a verdict is in each format."""

    ctrf: str
    ocsf: tuple[int, str]
    hdf: str


_STATUS = {
    Verdict.SATISFIED: _Status("passed", (1, "Pass"), "passed"),
    Verdict.VIOLATED: _Status("failed", (3, "Fail"), "failed"),
    Verdict.CONTRADICTED: _Status("other", (3, "Fail"), "failed"),
    Verdict.INCONCLUSIVE: _Status("other", (2, "Warning"), "error"),
    Verdict.NOT_RUN: _Status("skipped", (2, "Warning"), "skipped"),
    Verdict.NOT_APPLICABLE: _Status("skipped", (99, "Other"), "skipped"),
}
_OCSF_SEVERITY: dict[Severity, tuple[int, str]] = {
    "critical": (5, "Critical"),
    "major": (4, "High"),
    "minor": (2, "Low"),
    "info": (1, "Informational"),
}
_HDF_IMPACT: dict[Severity, float] = {"critical": 0.9, "major": 0.7, "minor": 0.3, "info": 0.1}
# By the first of these that a control has, Heimdall says what became of it.
_HDF_ORDER = ("error", "failed", "passed", "skipped")
_STANDARDS = {
    "nist": "NIST SP 800-53 Rev. 5",
    "soc2": "SOC 2",
    "iso27001": "ISO/IEC 27001:2022",
    "pci": "PCI DSS 4.0.1",
}


def _with_value(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def ctrf(run: Run) -> dict[str, Any]:
    """The run in the Common Test Report Format."""
    return {
        "reportFormat": "CTRF",
        "specVersion": "0.0.0",
        "reportId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:drillbook:ctrf:{run.run.id}")),
        "runId": run.run.id,
        "timestamp": run.run.finished.isoformat(),
        "generatedBy": f"drillbook {run.run.tool.version}",
        "results": {
            "tool": {"name": "drillbook", "version": run.run.tool.version},
            "summary": _ctrf_summary(run),
            "tests": [_ctrf_test(control, run) for control in run.controls],
            "environment": _ctrf_environment(run),
        },
    }


def _ctrf_status(verdict: Verdict, run: Run) -> str:
    strict = verdict is Verdict.CONTRADICTED and run.run.strict_claims
    return "failed" if strict else _STATUS[verdict].ctrf


def _ctrf_summary(run: Run) -> dict[str, Any]:
    statuses = Counter(_ctrf_status(control.verdict, run) for control in run.controls)
    names = ("passed", "failed", "skipped", "pending", "other")
    return {
        "tests": len(run.controls),
        **{name: statuses[name] for name in names},
        "suites": len(phrases.by_chapter(run.controls)),
        "start": _ms(run.run.started),
        "stop": _ms(run.run.finished),
        "duration": round(run.run.duration_s * 1000),
        "extra": {
            "verdict": run.verdict.value,
            "exitCode": run.exit_code,
            "verdicts": run.counts.model_dump(),
        },
    }


def _ctrf_test(control: Control, run: Run) -> dict[str, Any]:
    mapped = sorted(control.frameworks.items())
    test: dict[str, Any] = {
        "testId": control.id,
        "name": f"{control.id} {control.title}",
        "status": _ctrf_status(control.verdict, run),
        "rawStatus": control.verdict.value,
        "duration": round(control.duration_s * 1000),
        "suite": [control.chapter],
        "type": control.nature,
        "tags": [control.severity, *(f"{name}:{one}" for name, ids in mapped for one in ids)],
        "steps": [_ctrf_step(step, spec) for spec in control.specs for step in spec.steps],
        "extra": {
            "claim": control.claim,
            "gating": control.gating,
            "waived": control.waived,
            "observed": control.observed,
            "correction": control.correction,
            "specs": [{"id": spec.id, "verdict": spec.verdict.value} for spec in control.specs],
        },
    }
    if control.verdict is not Verdict.SATISFIED:
        test["message"] = "\n".join(phrases.reasons(control))
    return test


def _ctrf_step(step: Step, spec: Spec) -> dict[str, Any]:
    extra = {"verdict": step.verdict.value, "spec": spec.id, "duration_s": step.duration_s}
    return {"name": step.title, "status": _STATUS[step.verdict].ctrf, "extra": extra}


def _ctrf_environment(run: Run) -> dict[str, Any]:
    subject, host = run.subject, run.run.host
    known = {
        "appName": subject.backend.image or subject.backend.command,
        "appVersion": subject.backend.version,
        "commit": run.run.tool.commit,
        "osPlatform": host.system,
        "testEnvironment": f"{subject.grade}, driver {subject.driver}",
    }
    extra = {"digest": subject.backend.digest, "seed": run.run.seed, "machine": host.name}
    return _with_value(known) | {"extra": extra}


def ocsf(run: Run) -> list[dict[str, Any]]:
    """The run as Compliance Findings of the Open Cybersecurity Schema Framework."""
    return [_ocsf_event(control, run) for control in run.controls]


def _ocsf_event(control: Control, run: Run) -> dict[str, Any]:
    severity_id, severity = _OCSF_SEVERITY[control.severity]
    new = (3, "Suppressed") if control.waived else (1, "New")
    failed = control.verdict in phrases.ASSERTED
    status_id, status = new if failed else (99, control.verdict.words)
    product = {"name": "Drillbook", "vendor_name": "Drillbook", "version": run.run.tool.version}
    event: dict[str, Any] = {
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2003,
        "class_name": "Compliance Finding",
        "activity_id": 1,
        "activity_name": "Create",
        "type_uid": 200301,
        "type_name": "Compliance Finding: Create",
        "time": _ms(run.run.finished),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "message": f"{control.id} {control.title}: {control.verdict.words}",
        "status_detail": "\n".join(phrases.reasons(control)) or None,
        "metadata": {"version": "1.5.0", "product": product, "correlation_uid": run.run.id},
        "finding_info": _ocsf_finding(control, run),
        "compliance": _ocsf_compliance(control),
        "resources": [_ocsf_resource(run)],
        "remediation": {"desc": control.correction} if control.correction else None,
        "unmapped": {
            "verdict": control.verdict.value,
            "nature": control.nature,
            "gating": control.gating,
            "waived": control.waived,
            "grade": run.subject.grade,
            "run": run.run.id,
        },
    }
    return _with_value(event)


def _ocsf_finding(control: Control, run: Run) -> dict[str, Any]:
    uid = uuid.uuid5(uuid.NAMESPACE_URL, f"urn:drillbook:ocsf:{run.run.id}:{control.id}")
    return {
        "uid": str(uid),
        "title": control.title,
        "desc": control.claim,
        "types": [control.nature],
        "created_time": _ms(run.run.finished),
        "data_sources": [spec.id for spec in control.specs],
    }


def _ocsf_compliance(control: Control) -> dict[str, Any]:
    status_id, status = _STATUS[control.verdict].ocsf
    mapped = sorted(control.frameworks.items())
    return {
        "control": control.id,
        "desc": control.claim,
        "standards": [_STANDARDS.get(name, name) for name, _ in mapped],
        "requirements": [one for _, ids in mapped for one in ids],
        "status_id": status_id,
        "status": status,
        "status_code": control.verdict.value,
    }


def _ocsf_resource(run: Run) -> dict[str, Any]:
    backend = run.subject.backend
    known = {
        "type": run.subject.grade,
        "name": phrases.backend_name(run.subject),
        "uid": backend.digest,
        "version": backend.version,
    }
    return _with_value(known)


def hdf(run: Run) -> dict[str, Any]:
    """The run in the Heimdall Data Format: as InSpec reports an execution."""
    target = f"{phrases.backend_name(run.subject)} ({run.subject.grade}, run {run.run.id})"
    return {
        "platform": {"name": run.run.host.system, "release": "", "target_id": target},
        "profiles": [_hdf_profile(run)],
        "statistics": {"duration": run.run.duration_s},
        "version": run.run.tool.version,
    }


def _hdf_profile(run: Run) -> dict[str, Any]:
    controls = [_hdf_control(control, run) for control in run.controls]
    statements = json.dumps([[c["id"], c["desc"], c["tags"]["severity"]] for c in controls])
    return {
        "name": "drillbook-infisical-runbook",
        "title": "Runbook of a self-hosted Infisical",
        "version": run.run.tool.version,
        "summary": phrases.grade(run) or "Evidence about a deployment.",
        "sha256": hashlib.sha256(statements.encode()).hexdigest(),
        "status": "loaded",
        "supports": [],
        "attributes": [],
        "groups": [
            {"id": chapter, "controls": [control.id for control in members]}
            for chapter, members in phrases.by_chapter(run.controls).items()
        ],
        "controls": controls,
    }


def _hdf_control(control: Control, run: Run) -> dict[str, Any]:
    away = control.verdict is Verdict.NOT_APPLICABLE
    texts = {"observed": control.observed, "fix": control.correction}
    results = [_hdf_result(control, spec, run) for spec in control.specs]
    record: dict[str, Any] = {
        "id": control.id,
        "title": control.title,
        "desc": control.claim,
        "descriptions": [{"label": label, "data": text} for label, text in texts.items() if text],
        "impact": 0.0 if away else _HDF_IMPACT[control.severity],
        "refs": [{"ref": section} for section in control.runbook],
        "tags": _hdf_tags(control),
        "code": "\n".join(spec.id for spec in control.specs),
        "source_location": {"ref": control.specs[0].id.split("::")[0] if control.specs else ""},
        "results": results or [_hdf_skipped(control, run)],
    }
    if control.waived and control.waiver:
        record["waiver_data"] = {
            "justification": f"{control.waiver.reason} ({control.waiver.owner})",
            "expiration_date": control.waiver.expires.isoformat(),
            "run": True,
            "skipped_due_to_waiver": False,
        }
    return record


def _hdf_tags(control: Control) -> dict[str, Any]:
    mapped = {name: list(ids) for name, ids in sorted(control.frameworks.items())}
    fixed = {"severity": control.severity, "nature": control.nature, "gating": control.gating}
    return mapped | fixed | {"verdict": control.verdict.value, "chapter": control.chapter}


def _hdf_status(control: Control, spec: Spec) -> str:
    """The status of a result; skipped if it would hide the verdict of its control."""
    own, shown = (_STATUS[one.verdict].hdf for one in (spec, control))
    return "skipped" if _HDF_ORDER.index(own) < _HDF_ORDER.index(shown) else own


def _hdf_result(control: Control, spec: Spec, run: Run) -> dict[str, Any]:
    started = spec.steps[0].started if spec.steps else run.run.started
    status, said = _hdf_status(control, spec), spec.message or control.note
    if spec.verdict is not control.verdict:
        said = said or f"this part is {spec.verdict.words}, the control {control.verdict.words}"
    result: dict[str, Any] = {
        "status": status,
        "code_desc": f"{spec.id} ({spec.verdict.words})",
        "run_time": spec.duration_s,
        "start_time": started.isoformat(),
    }
    if status != "passed" and said:
        result["skip_message" if status == "skipped" else "message"] = said
    if status == "error":
        result |= {"exception": "Inconclusive", "backtrace": (said or "").splitlines()}
    return result


def _hdf_skipped(control: Control, run: Run) -> dict[str, Any]:
    return {
        "status": "skipped",
        "code_desc": f"no spec of {control.id} was reached",
        "run_time": 0.0,
        "start_time": run.run.started.isoformat(),
        "skip_message": control.note or "no reason was recorded",
    }
