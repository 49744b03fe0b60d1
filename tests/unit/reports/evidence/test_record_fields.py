"""Every field that auditors and frameworks ask of evidence has its place in the record's schema."""

import json

import pytest

from reports.evidence import json_file

# Asked by the union of SOC 2, ISO 27001, NIST 800-53/-84, PCI DSS, DORA, HIPAA and NIS2 templates.
ASKED = {
    "unique id": "identity.uuid",
    "statements and specs, version": "identity.pack.version",
    "statements and specs, commit": "identity.pack.commit",
    "statements and specs, digest": "identity.pack.sha256",
    "run id": "run.id",
    "previous record": "identity.previous_run",
    "chain to the previous record": "seal.previous.manifest_sha256",
    "service account": "run.operator",
    "tool version": "run.tool.version",
    "tool commit": "run.tool.commit",
    "tool with local changes": "run.tool.dirty",
    "separation of executor and approver": "sign_off.separated",
    "start": "run.started",
    "end": "run.finished",
    "duration": "run.duration_s",
    "clock source": "run.clock.source",
    "clock offset": "run.clock.compared[].offset_s",
    "clock uncertainty": "run.clock.compared[].uncertainty_s",
    "cadence": "schedule.cadence",
    "next due": "schedule.next_due",
    "why run": "run.reason",
    "image": "subject.backend.image",
    "image digest": "subject.backend.digest",
    "backend version": "subject.backend.version",
    "database version": "subject.database.version",
    "cache version": "subject.cache.version",
    "compose file digest": "subject.compose.sha256",
    "host": "run.host.name",
    "kernel": "run.host.kernel",
    "container engine": "subject.engine.version",
    "data set, kind": "subject.data_set.kind",
    "data set, size": "subject.data_set.bytes",
    "row count": "subject.data_set.rows",
    "canary count": "subject.data_set.canaries",
    "which backup, digest": "subject.backup.sha256",
    "which backup, size": "subject.backup.bytes",
    "backup taken at": "subject.backup.taken_at",
    "backup taken by": "subject.backup.taken_by",
    "backup of which server": "subject.backup.server",
    "backup of which instance": "subject.backup.instance",
    "backup, form": "subject.backup.form",
    "backup, cipher": "subject.backup.cipher",
    "backup, kind of place": "subject.backup.source",
    "backup, how chosen": "subject.backup.selection",
    "backup, out of how many": "subject.backup.population",
    "newer backups passed over": "subject.backup.passed_over",
    "key fingerprint": "subject.keys[].label",
    "expected result": "controls[].claim",
    "exact command": "run.command",
    "command inside a service": "controls[].specs[].steps[].commands[].line",
    "step": "controls[].specs[].steps[].title",
    "step's time": "controls[].specs[].steps[].started",
    "verdict": "controls[].verdict",
    "observed": "controls[].observed",
    "RTO": "objectives.rto_s",
    "RTO target": "objectives.rto_target_s",
    "RPO": "objectives.rpo_s",
    "RPO target": "objectives.rpo_target_s",
    "controls planned": "counts.planned",
    "controls executed": "counts.executed",
    "specs planned": "counts.specs_planned",
    "specs executed": "counts.specs_executed",
    "satisfied": "counts.satisfied",
    "contradicted": "counts.contradicted",
    "violated": "counts.violated",
    "inconclusive": "counts.inconclusive",
    "not run": "counts.not_run",
    "not applicable": "counts.not_applicable",
    "waived": "counts.waived",
    "why a control did not run": "controls[].note",
    "waiver's owner": "controls[].waiver.owner",
    "waiver's reason": "controls[].waiver.reason",
    "waiver's approval": "controls[].waiver.approved_by",
    "waiver's end": "controls[].waiver.expires",
    "finding's severity": "controls[].severity",
    "what else people declare": "declared",
    "frameworks": "controls[].frameworks",
    "prepared by": "sign_off.prepared.name",
    "prepared, role": "sign_off.prepared.role",
    "reviewed by": "sign_off.reviewed.name",
    "approved by": "sign_off.approved.name",
    "signing key": "seal.key_id",
    "redaction: secrets known": "redaction.secrets_known",
    "redaction: files searched": "redaction.scanned_files",
}
SCHEMA = json.loads(json_file.SCHEMA.read_text())


def resolved(node):
    """A node of the schema itself: references followed, null left aside."""
    while "$ref" in node or "anyOf" in node or "allOf" in node:
        if "$ref" in node:
            node = SCHEMA["$defs"][node["$ref"].rpartition("/")[2]]
        else:
            choices = node.get("anyOf") or node["allOf"]
            node = next(one for one in choices if one.get("type") != "null")
    return node


def at(path):
    """The schema of a field; KeyError where the record has no such field."""
    node = SCHEMA
    for name in path.split("."):
        node = resolved(node)["properties"][name.removesuffix("[]")]
        if name.endswith("[]"):
            node = resolved(node)["items"]
    return resolved(node)


@pytest.mark.parametrize("field", ASKED)
def test_what_is_asked_of_evidence_has_a_field(field):
    assert at(ASKED[field])


def test_a_field_that_does_not_exist_would_be_noticed():
    with pytest.raises(KeyError):
        at("run.clock.compared[].offset")


def test_nothing_is_asked_twice():
    assert len(set(ASKED.values())) == len(ASKED)
