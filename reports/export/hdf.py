"""The run as InSpec reports one, for Heimdall and whatever else reads that (HDF).

| verdict | status of the result |
| --- | --- |
| satisfied | passed |
| violated, contradicted | failed |
| inconclusive | error |
| not_run | skipped |
| not_applicable | skipped, and impact 0, which readers show as Not Applicable |

The tag `verdict` holds the verdict itself; `nist` is what Heimdall sorts by.
Source: ExecJSON of the npm package inspecjs 2.12.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from reports.evidence.json_file import compact_text
from reports.evidence.model import Control, Run, Spec
from reports.render import phrases
from reports.verdict import Severity, Verdict

_STATUS = {
    Verdict.SATISFIED: "passed",
    Verdict.VIOLATED: "failed",
    Verdict.CONTRADICTED: "failed",
    Verdict.INCONCLUSIVE: "error",
    Verdict.NOT_RUN: "skipped",
    Verdict.NOT_APPLICABLE: "skipped",
}
_IMPACT: dict[Severity, float] = {"critical": 0.9, "major": 0.7, "minor": 0.3, "info": 0.1}


def render(run: Run) -> str:
    """The run as an InSpec execution."""
    record = {
        "platform": {"name": run.run.host.system, "release": "", "target_id": _target(run)},
        "profiles": [_profile(run)],
        "statistics": {"duration": run.run.duration_s},
        "version": run.run.tool.version,
    }
    return compact_text(record)


def _target(run: Run) -> str:
    backend = run.subject.backend
    name = backend.image or backend.command or "nothing was started"
    return f"{name} ({run.subject.grade}, run {run.run.id})"


def _profile(run: Run) -> dict[str, Any]:
    controls = [_control(control, run) for control in run.controls]
    statements = json.dumps([[c["id"], c["desc"], c["tags"]["severity"]] for c in controls])
    chapters = dict.fromkeys(control.chapter for control in run.controls)
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
            {"id": name, "controls": [c.id for c in run.controls if c.chapter == name]}
            for name in chapters
        ],
        "controls": controls,
    }


def _control(control: Control, run: Run) -> dict[str, Any]:
    away = control.verdict is Verdict.NOT_APPLICABLE
    record: dict[str, Any] = {
        "id": control.id,
        "title": control.title,
        "desc": control.claim,
        "descriptions": _descriptions(control),
        "impact": 0.0 if away else _IMPACT[control.severity],
        "refs": [{"ref": section} for section in control.runbook],
        "tags": _tags(control),
        "code": "\n".join(spec.id for spec in control.specs),
        "source_location": {"ref": control.specs[0].id.split("::")[0] if control.specs else ""},
        "results": [_result(control, spec, run) for spec in control.specs],
    }
    if not control.specs:
        record["results"] = [_skipped_result(control, run)]
    if control.waiver:
        record["waiver_data"] = {
            "justification": f"{control.waiver.reason} ({control.waiver.owner})",
            "expiration_date": control.waiver.expires.isoformat(),
            "run": True,
            "skipped_due_to_waiver": False,
        }
    return record


def _descriptions(control: Control) -> list[dict[str, str]]:
    known = {"observed": control.observed, "fix": control.correction}
    return [{"label": label, "data": data} for label, data in known.items() if data]


def _tags(control: Control) -> dict[str, Any]:
    mapped = {name: list(ids) for name, ids in sorted(control.frameworks.items())}
    fixed = {"severity": control.severity, "nature": control.nature, "gating": control.gating}
    return mapped | fixed | {"verdict": control.verdict.value, "chapter": control.chapter}


def _result(control: Control, spec: Spec, run: Run) -> dict[str, Any]:
    started = spec.steps[0].started if spec.steps else run.run.started
    status, said = _STATUS[spec.verdict], spec.message or control.note
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


def _skipped_result(control: Control, run: Run) -> dict[str, Any]:
    return {
        "status": "skipped",
        "code_desc": f"no spec of {control.id} was reached",
        "run_time": 0.0,
        "start_time": run.run.started.isoformat(),
        "skip_message": control.note or "no reason was recorded",
    }
