"""What is signed: an in-toto Statement about every file of the bundle, and about the backup.

The statement is of type test-result/v0.1; verify_bundle.results says what its `result` means.
Source: https://github.com/in-toto/attestation, spec/v1 and spec/predicates/test-result.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from reports.evidence.json_file import RECORD
from reports.evidence.model import Run
from reports.seal.verify_bundle import STATEMENT, TEST_RESULT, backup_subject, results


def in_toto(kind: str, subjects: Mapping[str, Mapping[str, str]], predicate: object) -> object:
    """An in-toto statement: a predicate of this kind about subjects with their digests."""
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": digest} for name, digest in subjects.items()],
        "predicateType": kind,
        "predicate": predicate,
    }


def statement(run: Run, digests: Mapping[str, str]) -> bytes:
    """The statement about files, by SHA-256 and name, as JSON; equal runs give equal bytes."""
    record = run.model_dump(mode="json")
    judged = results(record)
    predicate = {
        "result": judged.pop("result"),
        "configuration": list(_configuration(run, digests[RECORD])),
        **judged,
    }
    named = {**digests, **backup_subject(record)}
    subjects = {name: {"sha256": sha} for name, sha in sorted(named.items())}
    content = in_toto(TEST_RESULT, subjects, predicate)
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _configuration(run: Run, evidence: str) -> Iterator[dict[str, Any]]:
    """What was used for the test: record, tool, backend and compose file, as far as known."""
    facts, subject, tool = run.run, run.subject, run.run.tool
    yield {
        "name": RECORD,
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
