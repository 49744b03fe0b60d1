"""One Compliance Finding (class 2003) for each control, for a SIEM or a data lake.

| verdict | compliance.status |
| --- | --- |
| satisfied | Pass |
| violated, contradicted | Fail |
| inconclusive, not_run | Warning, which in OCSF is: no result for want of information |
| not_applicable | Other |

`compliance.status_code` and `unmapped` hold the verdict itself. What failed is a New finding, and
Suppressed if a waiver is in force.
Source: https://schema.ocsf.io/1.5.0/classes/compliance_finding.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from reports.evidence.json_file import compact_text
from reports.evidence.model import Control, Run
from reports.render import phrases
from reports.verdict import Severity, Verdict

_VERSION = "1.5.0"
_STATUS = {
    Verdict.SATISFIED: (1, "Pass"),
    Verdict.VIOLATED: (3, "Fail"),
    Verdict.CONTRADICTED: (3, "Fail"),
    Verdict.INCONCLUSIVE: (2, "Warning"),
    Verdict.NOT_RUN: (2, "Warning"),
    Verdict.NOT_APPLICABLE: (99, "Other"),
}
_SEVERITY: dict[Severity, tuple[int, str]] = {
    "critical": (5, "Critical"),
    "major": (4, "High"),
    "minor": (2, "Low"),
    "info": (1, "Informational"),
}
_STANDARDS = {
    "nist": "NIST SP 800-53 Rev. 5",
    "soc2": "SOC 2",
    "iso27001": "ISO/IEC 27001:2022",
    "pci": "PCI DSS 4.0.1",
}


def render(run: Run) -> str:
    """The run as a list of OCSF events."""
    events = [_event(control, run) for control in run.controls]
    return compact_text(events)


def _event(control: Control, run: Run) -> dict[str, Any]:
    severity_id, severity = _SEVERITY[control.severity]
    new = (3, "Suppressed") if control.waived else (1, "New")
    failed = _STATUS[control.verdict][1] == "Fail"
    status_id, status = new if failed else (99, control.verdict.words)
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
        "metadata": _metadata(run),
        "finding_info": _finding(control, run),
        "compliance": _compliance(control),
        "resources": [_resource(run)],
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
    return {name: value for name, value in event.items() if value is not None}


def _metadata(run: Run) -> dict[str, Any]:
    product = {"name": "Drillbook", "vendor_name": "Drillbook", "version": run.run.tool.version}
    return {"version": _VERSION, "product": product, "correlation_uid": run.run.id}


def _finding(control: Control, run: Run) -> dict[str, Any]:
    uid = uuid.uuid5(uuid.NAMESPACE_URL, f"urn:drillbook:ocsf:{run.run.id}:{control.id}")
    return {
        "uid": str(uid),
        "title": control.title,
        "desc": control.claim,
        "types": [control.nature],
        "created_time": _ms(run.run.finished),
        "data_sources": [spec.id for spec in control.specs],
    }


def _compliance(control: Control) -> dict[str, Any]:
    status_id, status = _STATUS[control.verdict]
    mapped = control.frameworks.items()
    return {
        "control": control.id,
        "desc": control.claim,
        "standards": [_STANDARDS.get(name, name) for name, _ in sorted(mapped)],
        "requirements": [one for _, ids in sorted(mapped) for one in ids],
        "status_id": status_id,
        "status": status,
        "status_code": control.verdict.value,
    }


def _resource(run: Run) -> dict[str, Any]:
    backend = run.subject.backend
    known = {
        "type": run.subject.grade,
        "name": backend.image or backend.command or "nothing was started",
        "uid": backend.digest,
        "version": backend.version,
    }
    return {name: value for name, value in known.items() if value}


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
