"""The run in the Common Test Report Format, for dashboards.

| verdict | status |
| --- | --- |
| satisfied | passed |
| violated | failed; other for a known weakness to which the deployment is not exposed |
| contradicted | failed in a strict run, else other |
| inconclusive | other |
| not_run, not_applicable | skipped |

The verdict itself stands in `rawStatus`. Source: schema 0.0 of the npm package ctrf 0.3
(https://ctrf.io).
"""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import datetime
from typing import Any

from reports.evidence.model import Control, Run, Spec, Step
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


def render(run: Run) -> dict[str, Any]:
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
            "summary": _summary(run),
            "tests": [_test(control, run) for control in run.controls],
            "environment": _environment(run),
        },
    }


def _status_of(control: Control, run: Run) -> str:
    if control.known_weakness:
        return "other"
    strict = control.verdict is Verdict.CONTRADICTED and run.run.strict_claims
    return "failed" if strict else _STATUS[control.verdict]


def _summary(run: Run) -> dict[str, Any]:
    statuses = Counter(_status_of(control, run) for control in run.controls)
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


def _test(control: Control, run: Run) -> dict[str, Any]:
    mapped = sorted(control.frameworks.items())
    test: dict[str, Any] = {
        "testId": control.id,
        "name": f"{control.id} {control.title}",
        "status": _status_of(control, run),
        "rawStatus": control.verdict.value,
        "duration": round(control.duration_s * 1000),
        "suite": [control.chapter],
        "type": control.nature,
        "tags": [control.severity, *(f"{name}:{one}" for name, ids in mapped for one in ids)],
        "steps": [_step(step, spec) for spec in control.specs for step in spec.steps],
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


def _step(step: Step, spec: Spec) -> dict[str, Any]:
    extra = {"verdict": step.verdict.value, "spec": spec.id, "duration_s": step.duration_s}
    return {"name": step.title, "status": _STATUS[step.verdict], "extra": extra}


def _environment(run: Run) -> dict[str, Any]:
    subject, host = run.subject, run.run.host
    known = {
        "appName": subject.backend.image or subject.backend.command,
        "appVersion": subject.backend.version,
        "commit": run.run.tool.commit,
        "osPlatform": host.system,
        "testEnvironment": f"{subject.grade}, driver {subject.driver}",
    }
    extra = {"digest": subject.backend.digest, "seed": run.run.seed, "machine": host.name}
    return {name: value for name, value in known.items() if value} | {"extra": extra}
