"""What is signed: an in-toto Statement v1 of type test-result/v0.1 about every file of the bundle.

`result` is meant for policies that admit a deployment, so it says less rather than more: PASSED
only when every gating control of a deployment held and nothing was contradicted; WARNED when the
gate held, yet claims were contradicted, or waivers were needed, or it was a rehearsal; else FAILED.
Source: https://github.com/in-toto/attestation, spec/v1 and spec/predicates/test-result.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from reports.model import Control, Run
from reports.seal.manifest import MANIFEST, Manifest
from reports.verdict import PASSED, Verdict

STATEMENT = "https://in-toto.io/Statement/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
_HOLDS = (Verdict.SATISFIED, Verdict.NOT_APPLICABLE)


def statement(run: Run, manifest: Manifest) -> bytes:
    """The statement as JSON; equal runs with equal files give equal bytes."""
    digests = manifest.digests | {MANIFEST: hashlib.sha256(manifest.render()).hexdigest()}
    record: dict[str, Any] = {
        "_type": STATEMENT,
        "subject": [
            {"name": name, "digest": {"sha256": sha}} for name, sha in sorted(digests.items())
        ],
        "predicateType": TEST_RESULT,
        "predicate": {
            "result": result(run),
            "configuration": list(_configuration(run, digests["evidence.json"])),
            "passedTests": [c.id for c in run.controls if c.verdict is Verdict.SATISFIED],
            "warnedTests": [c.id for c in run.controls if _warned(c)],
            "failedTests": [c.id for c in run.controls if _failed(c)],
        },
    }
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def result(run: Run) -> str:
    """PASSED, WARNED or FAILED."""
    if run.exit_code != PASSED:
        return "FAILED"
    doubtful = run.counts.contradicted or run.counts.waived
    return "WARNED" if doubtful or run.subject.grade == "rehearsal" else "PASSED"


def _failed(control: Control) -> bool:
    gates = control.gating and not control.waived
    return control.verdict is Verdict.VIOLATED or (gates and control.verdict not in _HOLDS)


def _warned(control: Control) -> bool:
    return control.verdict not in _HOLDS and not _failed(control)


def _configuration(run: Run, evidence: str) -> Iterator[dict[str, Any]]:
    """With what was tested: the record, the tool and the backend, each as far as it is known."""
    facts, subject, tool = run.run, run.subject, run.run.tool
    yield {
        "name": "evidence.json",
        "digest": {"sha256": evidence},
        "annotations": {
            "run": facts.id,
            "grade": subject.grade,
            "verdict": run.verdict.value,
            "exitCode": run.exit_code,
        },
    }
    commit = {"digest": {"gitCommit": tool.commit}} if tool.commit else {}
    uri = f"pkg:generic/drillbook@{tool.version}"
    yield {"name": "drillbook", "uri": uri, **commit, "annotations": {"dirty": tool.dirty}}
    algorithm, _, digest = (subject.backend.digest or "").partition(":")
    if algorithm == "sha256" and digest:
        name = subject.backend.image or "backend"
        yield {"name": name, "digest": {"sha256": digest}}
    if subject.compose.sha256:
        yield {"name": "compose file", "digest": {"sha256": subject.compose.sha256}}
