"""A manifest and a statement on their own: exact, and refused when they are not."""

import hashlib
import json

import pytest

from reports.errors import Distrusted
from reports.evidence.model import Subject
from reports.seal.statement import statement
from reports.seal.verification import check_consistency
from reports.seal.verify_bundle import (
    Tampered,
    check_record,
    measure,
    read_manifest,
    render_manifest,
    results,
    sha256,
)
from tests.support import sample_run

FILES = {"evidence.json": (3, "1" * 64)}
MANIFEST = render_manifest("r1", FILES)
DIGESTS = {"evidence.json": "1" * 64, "MANIFEST.json": sha256(MANIFEST)}


def result(run):
    return results(run.model_dump(mode="json"))["result"]


def test_files_are_measured_in_the_order_of_their_names():
    measured = measure({"b": b"two!", "a": bytes(3 << 20)})
    assert [*measured] == ["a", "b"]
    assert measured == {
        "a": (3 << 20, hashlib.sha256(bytes(3 << 20)).hexdigest()),
        "b": (4, hashlib.sha256(b"two!").hexdigest()),
    }


def test_manifest_reads_back_from_its_one_form_alone():
    assert read_manifest(MANIFEST) == ("r1", FILES)
    assert MANIFEST.endswith(b"}\n")
    assert b'\n "schema": "drillbook/manifest/1"' in MANIFEST
    assert "ü" in render_manifest("ü", {}).decode()
    with pytest.raises(Tampered, match=r"^MANIFEST.json was changed$"):
        read_manifest(MANIFEST + b"\n")


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.pop("run"),
        lambda record: record.update(more=1),
        lambda record: record.update(schema="drillbook/manifest/2"),
        lambda record: record["files"][0].update(more=1),
        lambda record: record["files"][0].update(size="3"),
        lambda record: record["files"][0].pop("sha256"),
    ],
)
def test_manifest_with_more_fewer_or_other_fields_is_refused(change):
    record = json.loads(MANIFEST)
    change(record)
    with pytest.raises(Tampered, match="changed"):
        read_manifest(json.dumps(record).encode())
    for data in (b"", b"[" * 100_000, b"\xff"):
        with pytest.raises(Tampered, match="is not a manifest"):
            read_manifest(data)


def stated(**changes):
    return json.loads(statement(sample_run.run(**changes), DIGESTS))


def test_statement_is_about_every_file_and_the_manifest():
    own = sha256(MANIFEST)
    assert stated()["subject"] == [
        {"name": "MANIFEST.json", "digest": {"sha256": own}},
        {"name": "evidence.json", "digest": {"sha256": "1" * 64}},
    ]
    assert b": " not in statement(sample_run.run(), DIGESTS).split(b'"predicate"')[0]


def test_statement_is_about_the_backup_as_well():
    found = stated(subject=sample_run.drill_run().subject)["subject"]
    assert {"name": "backup:nightly.sql.gz", "digest": {"sha256": "5a" * 32}} in found


def test_statement_sorts_controls_by_what_a_policy_may_admit():
    told = stated()["predicate"]
    assert told["passedTests"] == ["KEY-5"]
    assert told["warnedTests"] == ["DBP-1", "DEP-2"]
    assert told["failedTests"] == ["KEY-3", "DBP-2"]
    waived = json.loads(statement(sample_run.waived_run(), DIGESTS))["predicate"]
    assert waived["failedTests"] == ["KEY-3", "DBP-2"]
    controls = [
        one.model_copy(update={"waived": True}) if one.id == "DBP-2" else one
        for one in sample_run.run().controls
    ]
    excused = stated(controls=tuple(controls))["predicate"]
    assert (excused["failedTests"], "DBP-2" in excused["warnedTests"]) == (["KEY-3"], True)


def configuration(**changes):
    return {one["name"]: one for one in stated(**changes)["predicate"]["configuration"]}


def test_statement_says_with_what_was_tested():
    run = sample_run.run()
    told = configuration()
    assert told["evidence.json"]["digest"] == {"sha256": "1" * 64}
    assert told["evidence.json"]["annotations"] == {
        "run": run.run.id,
        "grade": run.subject.grade,
        "verdict": "violated",
        "exitCode": 1,
    }
    assert told["drillbook"] == {
        "name": "drillbook",
        "uri": "pkg:generic/drillbook@0.1.0",
        "digest": {"gitCommit": "8c1f" * 10},
        "annotations": {"dirty": False},
    }
    bare = run.run.model_copy(update={"tool": run.run.tool.model_copy(update={"commit": None})})
    assert "digest" not in configuration(run=bare)["drillbook"]


@pytest.mark.parametrize(
    ("image", "given", "name", "told"),
    [
        ("infisical:v1", "sha256:" + "2" * 64, "infisical:v1", "2" * 64),
        (None, "sha256:" + "2" * 64, "backend", "2" * 64),
        ("infisical:v1", "sha512:" + "2" * 64, "infisical:v1", None),
        ("infisical:v1", "sha256:", "infisical:v1", None),
        ("infisical:v1", None, "infisical:v1", None),
    ],
)
def test_backend_is_named_where_its_digest_is_known(image, given, name, told):
    subject = Subject.model_validate({"backend": {"image": image, "digest": given}})
    found = configuration(subject=subject)
    assert found.get(name) == (told and {"name": name, "digest": {"sha256": told}})
    assert "compose file" not in found


def test_statement_is_utf_8():
    backend = {"image": "prüfstand/infisical:v1", "digest": "sha256:" + "2" * 64}
    subject = Subject.model_validate({"backend": backend})
    assert "prüfstand".encode() in statement(sample_run.run(subject=subject), DIGESTS)


def test_compose_file_is_named_where_it_is_known():
    subject = Subject.model_validate({"compose": {"sha256": "3" * 64}})
    assert configuration(subject=subject)["compose file"]["digest"] == {"sha256": "3" * 64}


@pytest.mark.parametrize(
    ("code", "counts", "grade", "told"),
    [
        (0, {}, "deployment", "PASSED"),
        (0, {}, "rehearsal", "WARNED"),
        (0, {"contradicted": 1}, "deployment", "WARNED"),
        (0, {"waived": 1}, "deployment", "WARNED"),
        (0, {"violated": 1}, "deployment", "WARNED"),
        (1, {}, "deployment", "FAILED"),
        (2, {}, "deployment", "FAILED"),
        (3, {}, "rehearsal", "FAILED"),
    ],
)
def test_result_says_less_rather_than_more(code, counts, grade, told):
    run = sample_run.run(exit_code=code)
    clean = {"contradicted": 0, "violated": 0, "waived": 0}
    run = run.model_copy(
        update={
            "counts": run.counts.model_copy(update=clean | counts),
            "subject": run.subject.model_copy(update={"grade": grade}),
        }
    )
    assert result(run) == told


@pytest.mark.parametrize(
    ("text", "said"),
    [(b"," * 3_000_000, "cannot be read"), (b"," * 3_000_001, "has more values than is sane")],
    ids=["most values", "too many"],
)
def test_record_has_bounds_that_no_run_comes_near(text, said):
    with pytest.raises(Tampered, match=said):
        check_record(text, ["evidence.json"], "r1", None)


def test_record_that_agrees_with_itself_says_so():
    assert check_consistency(sample_run.run()) == "counts and verdicts of 6 controls agree"
    assert check_consistency(sample_run.waived_run()).startswith("counts")


def with_first(**changes):
    first, *rest = sample_run.waived_run().controls
    return sample_run.waived_run(controls=(first.model_copy(update=changes), *rest))


def test_control_gates_by_its_nature_by_strictness_and_by_what_was_asked():
    with pytest.raises(Distrusted, match="KEY-3 gates, or does not, against the rule"):
        check_consistency(with_first(gating=False))
    facts = sample_run.run().run
    for changes in ({"strict_claims": True}, {"asked": ("KEY-5",)}):
        with pytest.raises(Distrusted, match="gates, or does not, against the rule"):
            check_consistency(sample_run.run(run=facts.model_copy(update=changes)))
    asked = facts.model_copy(update={"asked": tuple(one.id for one in sample_run.run().controls)})
    assert check_consistency(sample_run.run(run=asked))
