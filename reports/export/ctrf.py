"""The run in the Common Test Report Format, for dashboards.

The verdict itself stands in `rawStatus`. Source: schema 0.0 of the npm package ctrf 0.3
(https://ctrf.io).
"""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import datetime
from typing import Any

from reports.evidence.model import Control, Run
from reports.render import phrases
from reports.verdict import Verdict

_STATUS = {
    Verdict.SATISFIED: "passed",
    Verdict.VIOLATED: "failed",
    Verdict.CONTRADICTED: "other",
    Verdict.INCONCLUSIVE: "other",
    Verdict.NOT_RUN: "skipped",
    Verdict.NOT_APPLICABLE: "skipped",
}


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _status_of(control: Control, run: Run) -> str:
    """A known weakness to which the deployment is not exposed does not count as failed."""
    if control.known_weakness:
        return "other"
    strict = control.verdict is Verdict.CONTRADICTED and run.run.strict_claims
    return "failed" if strict else _STATUS[control.verdict]


def render(run: Run) -> dict[str, Any]:
    """The run in the Common Test Report Format."""
    facts, subject = run.run, run.subject
    statuses = Counter(_status_of(control, run) for control in run.controls)
    names = ("passed", "failed", "skipped", "pending", "other")
    return {
        "reportFormat": "CTRF",
        "specVersion": "0.0.0",
        "reportId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:drillbook:ctrf:{facts.id}")),
        "runId": facts.id,
        "timestamp": facts.finished.isoformat(),
        "generatedBy": f"drillbook {facts.tool.version}",
        "results": {
            "tool": {"name": "drillbook", "version": facts.tool.version},
            "summary": {
                "tests": len(run.controls),
                **{name: statuses[name] for name in names},
                "start": _ms(facts.started),
                "stop": _ms(facts.finished),
                "duration": round(facts.duration_s * 1000),
                "extra": {"verdict": run.verdict.value, "exitCode": run.exit_code},
            },
            "tests": [_test(control, run) for control in run.controls],
            "environment": {
                "appName": phrases.backend_name(subject),
                "testEnvironment": f"{subject.grade}, driver {subject.driver}",
            },
        },
    }


def _test(control: Control, run: Run) -> dict[str, Any]:
    reasons = [] if control.verdict is Verdict.SATISFIED else phrases.reasons(control)
    return {
        "testId": control.id,
        "name": f"{control.id} {control.title}",
        "status": _status_of(control, run),
        "rawStatus": control.verdict.value,
        "duration": round(control.duration_s * 1000),
        "suite": [control.chapter],
        "type": control.nature,
        "tags": [control.severity],
        "message": "\n".join(reasons),
        "extra": {"claim": control.claim, "gating": control.gating, "waived": control.waived},
    }
