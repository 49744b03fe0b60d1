"""What each command answers with `--output json`: the contract, from which the schemas are made.

`python -m drillbook.cli.answers` writes the schemas in reports/schema/ again. They only ever grow.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any, Literal, TypedDict

from pydantic import TypeAdapter

from drillbook.core.application import ROOT
from drillbook.keys.hierarchy import Project, Wrapper

FOLDER = ROOT / "reports" / "schema"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_Verdict = Literal[
    "not_applicable", "satisfied", "not_run", "contradicted", "inconclusive", "violated"
]
_Grade = Literal["deployment", "rehearsal"]
_Opens = Literal["OPENS", "DOES NOT OPEN", "CANNOT TELL"]


class _BackupFacts(TypedDict):
    path: str
    complete: bool
    size: int
    form: str
    packed: str
    server: str | None
    dumped_by: str | None
    dumped_at: datetime | str | None
    newest: datetime | None
    instance: str | None
    schema: str | None
    migrations: int
    labels: list[str]
    damage: str


class _KeyTried(TypedDict):
    file: str
    variable: str
    label: str
    answer: _Opens
    reasons: list[str]
    root_keys: int
    roots_opened: int
    projects: int
    projects_opened: int
    secrets: int
    secrets_opened: int
    empty: int
    by_project: list[Project]
    unproven: list[str]
    damage: str
    rootless: bool
    wrappers: list[Wrapper]
    kept: list[str]
    first_generation: int
    under_this_key: int


class _KeyCheck(TypedDict):
    answer: _Opens
    exit_code: Literal[0, 1, 2]
    reasons: list[str]
    backup: _BackupFacts
    keys: list[_KeyTried]
    not_tried: list[str]


class _Age(TypedDict):
    least_s: float
    most_s: float | None
    said: list[str]


class _KeyUsed(TypedDict):
    file: str
    label: str
    answer: _Opens


class _Holds(TypedDict):
    rows: dict[str, int]
    projects: dict[str, int]
    bytes: int
    newest: datetime | None
    instance: str | None
    migration: str | None
    names: dict[str, str]


class _Earlier(_Holds):
    at: str


class _BackupCheck(TypedDict):
    answer: Literal["GOOD", "BAD", "CANNOT TELL"]
    exit_code: Literal[0, 1, 2]
    findings: list[str]
    unknown: list[str]
    chosen: str
    backup: _BackupFacts
    age: _Age
    key: _KeyUsed
    not_tried: list[str]
    secrets_opened: int
    kept: int | None
    passed_over: list[str]
    holds: _Holds
    compared: list[_Earlier]


class _SettingChange(TypedDict):
    name: str
    kind: Literal["changed", "added", "removed"]
    dangerous: bool
    detail: str
    meaning: str


class _EnvDiff(TypedDict):
    old: str
    new: str
    changes: list[_SettingChange]


class _FileFinding(TypedDict):
    control: str
    file: str
    line: int | None
    sentence: str
    cure: str


class _Reason(TypedDict):
    control: str
    reason: str


class _Preflight(TypedDict):
    findings: list[_FileFinding]
    corrections: list[_FileFinding]
    not_run: list[_Reason]
    not_finished: list[_Reason]
    held: list[str]


class _Cause(TypedDict):
    name: str
    sentence: str
    named: list[str]
    line: int
    words: str
    cure: str
    runbook: str


class _Diagnose(TypedDict):
    cause: _Cause | None


class _LintFinding(TypedDict):
    file: str
    line: int
    rule: str
    control: str
    title: str
    found: str
    measured: str
    write: str


class _AcceptedFinding(_LintFinding):
    reason: str


class _RunbookLint(TypedDict):
    files: list[str]
    not_checked: list[str]
    findings: list[_LintFinding]
    accepted: list[_AcceptedFinding]
    idle_marks: list[str]


class _BundleCheck(TypedDict):
    name: str
    state: Literal["ok", "bad", "open"]
    sentence: str


class _RecordedRun(TypedDict):
    id: str
    grade: _Grade
    verdict: _Verdict
    exit_code: int


class _EvidenceVerify(TypedDict):
    bundle: str
    answer: Literal["GENUINE", "INTACT", "UNSIGNED", "UNTRUSTED", "TAMPERED"]
    checks: list[_BundleCheck]
    run: _RecordedRun | None


class _PastRun(TypedDict):
    run: str
    finished: datetime
    grade: _Grade
    kept: bool
    intact: bool
    facts: dict[str, Any]


class _Change(TypedDict):
    control: str
    before: _Verdict | None
    now: _Verdict | None
    kind: str


class _History(TypedDict):
    page: str
    troubles: list[str]
    unreadable: list[str]
    runs: list[_PastRun]
    changed_since: str | None
    changes: list[_Change]


class _PeriodRow(TypedDict, total=False):
    kind: Literal["due", "no proof in force", "failure", "waiver", "run"]
    what: str
    since: str
    until: str
    state: str
    run: str
    finished: datetime
    question: str
    grade: _Grade
    verdict: _Verdict | None
    system: str | None
    backup_sha256: str | None
    evidence_sha256: str | None
    seal: str
    sign_off: str
    note: str


class _Period(TypedDict):
    pdf: str
    csv: str
    since: date
    until: date
    today: date
    sentence: str
    signed: bool
    digest: str
    troubles: list[str]
    rows: list[_PeriodRow]


class _Done(TypedDict):
    run: str
    finished: datetime


class _Act(TypedDict):
    id: str
    name: str
    command: str
    due: date
    overdue: bool
    age_days: int | None
    last: _Done | None
    failed: _Done | None
    rehearsed: _Done | None


class _Status(TypedDict):
    stale: bool
    troubles: list[str]
    unreadable: list[str]
    signed: int | None
    acts: list[_Act]


class _Objective(TypedDict):
    measured_s: float | None
    target_s: float | None
    result: Literal["met", "missed", "not determined"]


class _Restore(TypedDict):
    name: str
    label: str
    cadence: str
    well: bool
    due: date
    is_due: bool
    overdue: bool
    why: str
    age_days: int | None
    verdict: _Verdict | None
    proven: _Done | None
    failed: _Done | None
    rehearsed: _Done | None
    rto: _Objective
    rpo: _Objective


class _IgnoredBundle(TypedDict):
    bundle: str
    reason: str


class _FleetPlan(TypedDict):
    bundles: int
    ignored: list[_IgnoredBundle]
    instances: list[_Restore]


class _FleetEnqueue(TypedDict):
    added: list[str]
    waiting: list[str]
    interrupted: list[str]


class _FleetReport(_FleetPlan):
    page: str


class _Look(TypedDict):
    name: str
    state: Literal["ok", "lacks", "optional"]
    sentence: str
    next: str


class _Doctor(TypedDict):
    ready: bool
    drivers: list[Literal["embedded", "containers"]]
    checks: list[_Look]


class _KeptRun(TypedDict):
    run: str
    reason: str


class _Prune(TypedDict):
    folder: str
    removed: list[str]
    kept: list[_KeptRun]
    dry_run: bool


class _Sweep(TypedDict):
    removed: list[str]
    engine_not_swept: str | None


class _Images(TypedDict):
    images: list[str]


class _Control(TypedDict):
    id: str
    statement: str
    runbook: list[str]
    nature: Literal["claim", "safety"]
    severity: str
    specs: list[str]
    frameworks: dict[str, list[str]]
    last_verdict: _Verdict | None
    last_run: str | None
    last_grade: _Grade | None


ANSWERS: dict[str, Any] = {
    "key-check": _KeyCheck,
    "backup-check": _BackupCheck,
    "env-diff": _EnvDiff,
    "preflight": _Preflight,
    "diagnose": _Diagnose,
    "runbook-lint": _RunbookLint,
    "evidence-verify": _EvidenceVerify,
    "history": _History,
    "history-report": _Period,
    "status": _Status,
    "fleet-plan": _FleetPlan,
    "fleet-enqueue": _FleetEnqueue,
    "fleet-report": _FleetReport,
    "doctor": _Doctor,
    "prune": _Prune,
    "sweep": _Sweep,
    "images": _Images,
    # A plain list, because it is older than the other answers.
    "catalogue": list[_Control],
}


def schema(command: str) -> dict[str, Any]:
    """The JSON Schema of what a command answers."""
    document = TypeAdapter(ANSWERS[command]).json_schema(mode="serialization")
    if document["type"] == "object":
        name = {"schema": {"const": f"drillbook/{command}/1"}}
        document["properties"] = name | document["properties"]
        document["required"] = ["schema", *document["required"]]
    document["title"] = f"What drillbook {command.replace('-', ' ')} --output json answers"
    return {"$schema": _DIALECT, "$id": f"urn:drillbook:{command}:1"} | document


def text(command: str) -> str:
    """The schema as its file holds it."""
    return json.dumps(schema(command), indent=2) + "\n"


if __name__ == "__main__":
    for command in ANSWERS:
        (FOLDER / f"{command}-1.schema.json").write_text(text(command), encoding="utf-8")
