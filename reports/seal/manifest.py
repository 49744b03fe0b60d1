"""MANIFEST.json, and what is signed: an in-toto Statement about every file of the bundle.

The manifest has the name, size and SHA-256 of every file of a bundle except itself and its
signature. The statement also covers the backup that was drilled. It is of type test-result/v0.1.
Its `result` is for policies that admit a deployment, so it is cautious: PASSED only if every gating
control of a deployment held and nothing was contradicted or violated; WARNED if the gate held, but
claims were contradicted, a control that does not gate was violated, no gating control applied,
waivers were needed, controls were selected, or it was a rehearsal; else FAILED.
Source: https://github.com/in-toto/attestation, spec/v1 and spec/predicates/test-result.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from drillbook.core.files import file_digest
from reports.errors import Distrusted
from reports.evidence.json_file import RECORD, compact_text
from reports.evidence.model import Control, Run
from reports.render.phrases import color_code, planted_bug
from reports.verdict import HOLDS, PASSED, Verdict

BUNDLE = "bundle.zip"
MANIFEST = "MANIFEST.json"
SIGNATURE = "attestation.intoto.jsonl"
STATEMENT = "https://in-toto.io/Statement/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
BACKUP = "backup:"


class File(BaseModel, frozen=True, extra="forbid", strict=True):
    """A file of a bundle: its path in it, its length in bytes, its SHA-256 in hexadecimal."""

    name: str
    size: int
    sha256: str


class Manifest(BaseModel, frozen=True, extra="forbid"):
    """The files of a bundle, and the run it belongs to."""

    schema_: Literal["drillbook/manifest/1"] = Field(default="drillbook/manifest/1", alias="schema")
    run: str
    files: tuple[File, ...]

    def render(self) -> bytes:
        """The manifest as a file; equal manifests give equal bytes."""
        return compact_text(self.model_dump(mode="json", by_alias=True)).encode()

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each file by name."""
        return {file.name: file.sha256 for file in self.files}


def bundle_of(place: Path) -> Path:
    """The path of a bundle, given itself or its folder."""
    return place / BUNDLE if place.is_dir() else place


def sign_off_file(bundle: Path, act: str) -> Path:
    """The path of a sign-off, next to its bundle."""
    return bundle.with_name(f"{bundle.name}.{act}.json")


def measure(run: str, files: Mapping[str, Path]) -> Manifest:
    """The manifest of these files, sorted by name, without itself and its signature."""
    measured = (
        File(name=name, size=path.stat().st_size, sha256=file_digest(path))
        for name, path in sorted(files.items())
        if name not in (MANIFEST, SIGNATURE)
    )
    return Manifest(run=run, files=tuple(measured))


def parse(data: bytes) -> Manifest:
    """A manifest from its file; Distrusted if it is not exactly what render writes."""
    try:
        manifest = Manifest.model_validate_json(data)
    except (ValidationError, RecursionError):
        raise Distrusted(f"{MANIFEST} is not a manifest: it was changed") from None
    if manifest.render() != data:
        raise Distrusted(f"{MANIFEST} was changed")
    return manifest


def digest(chunks: Iterable[bytes]) -> str:
    """SHA-256 of the chunks in hexadecimal."""
    sha = hashlib.sha256()
    for chunk in chunks:
        sha.update(chunk)
    return sha.hexdigest()


def in_toto(kind: str, subjects: Mapping[str, Mapping[str, str]], predicate: object) -> object:
    """An in-toto statement: a predicate of this kind about subjects with their digests."""
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": digest} for name, digest in subjects.items()],
        "predicateType": kind,
        "predicate": predicate,
    }


def statement(run: Run, manifest: Manifest) -> bytes:
    """The statement as JSON; equal runs with equal files give equal bytes."""
    digests = manifest.digests | {MANIFEST: hashlib.sha256(manifest.render()).hexdigest()}
    digests |= backup_subject(run)
    predicate = {
        "result": result(run),
        "configuration": list(_configuration(run, digests[RECORD])),
        **tests(run),
    }
    subjects = {name: {"sha256": sha} for name, sha in sorted(digests.items())}
    record = in_toto(TEST_RESULT, subjects, predicate)
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def backup_subject(run: Run) -> dict[str, str]:
    """SHA-256 of the backup of the run, by a name that no file of a bundle can have."""
    backup = run.subject.backup
    return {f"{BACKUP}{backup.name}": backup.sha256} if backup else {}


def result(run: Run) -> str:
    """PASSED, WARNED or FAILED."""
    if run.exit_code != PASSED:
        return "FAILED"
    planted = planted_bug(run.run.command) is not None
    doubtful = run.counts.contradicted or run.counts.waived or planted
    # Earlier versions of the rules looked at less, and their bundles must stay genuine.
    if run.rules > 1:
        doubtful = doubtful or bool(run.run.selection)
    if run.rules > 2:
        doubtful = doubtful or run.counts.violated or color_code(run) != PASSED
    return "WARNED" if doubtful or run.subject.grade == "rehearsal" else "PASSED"


def tests(run: Run) -> dict[str, list[str]]:
    """The controls that passed, of which policies are warned, and that failed."""
    return {
        "passedTests": [c.id for c in run.controls if c.verdict is Verdict.SATISFIED],
        "warnedTests": [c.id for c in run.controls if c.verdict not in HOLDS and not _fails(c)],
        "failedTests": [c.id for c in run.controls if _fails(c)],
    }


def _fails(control: Control) -> bool:
    gates = control.gating and not control.waived
    return control.verdict is Verdict.VIOLATED or (gates and control.verdict not in HOLDS)


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
