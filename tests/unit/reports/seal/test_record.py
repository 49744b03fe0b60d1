"""A record at odds with itself is caught, however well it is sealed."""

import json
from datetime import UTC, date, datetime

import pytest

from reports.evidence.context import Acknowledgement, Action, RegisteredKey
from reports.evidence.findings import match_keys
from reports.seal import signature
from reports.seal.manifest import statement
from reports.seal.sealer import contents
from tests.support import sample_run
from tests.support.bundles import examined, key, resealed, sealed


def altered(folder, change):
    record = json.loads((folder / "evidence.json").read_bytes())
    change(record)
    return json.dumps(record).encode()


def first(**changes):
    """The violated control otherwise, and counts that fit its verdict."""

    def change(record):
        control = record["controls"][0]
        record["counts"][control["verdict"]] -= 1
        control.update(changes)
        record["counts"][control["verdict"]] += 1

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda r: r.update(controls="none"), "$.controls"),
        (lambda r: r.update(run=7), "$.run"),
        (lambda r: r.update(controls=[]), "counts are not those"),
        (lambda r: r["counts"].update(planned=7), "7 controls planned, 6 reported"),
        (lambda r: r.update(exit_code=0, verdict="satisfied"), "what its controls amount to"),
        (lambda r: r.update(exit_code=1, verdict="inconclusive"), "what its controls amount to"),
        (first(verdict="satisfied"), "KEY-3 has another verdict than its specs"),
        (first(gating=False), "KEY-3 gates, or does not, against the rule"),
        (first(waived=True), "KEY-3 is waived without a waiver in force"),
    ],
)
def test_record_at_odds_with_itself_is_caught_even_when_sealed(tmp_path, change, told):
    folder = sealed(tmp_path)
    bundle = resealed(folder, tmp_path / "b.zip", **{"evidence.json": altered(folder, change)})
    found = examined(bundle, unsigned=True)["record"]
    assert found.state == "bad"
    assert told in found.sentence


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(("severity", "gating"), [("major", True), ("minor", False)])
def test_a_claim_that_is_violated_gates_as_safety_does(tmp_path, severity, gating, strict):
    def violate(record):
        control = next(one for one in record["controls"] if one["id"] == "DBP-1")
        control |= {"severity": severity, "gating": gating or strict, "verdict": "violated"}
        control["specs"][0]["verdict"] = "violated"
        record["counts"] |= {"contradicted": 0, "violated": 2}
        record["run"]["strict_claims"] = strict
        for one in record["controls"]:
            one["gating"] |= strict and one["nature"] == "claim"

    folder = sealed(tmp_path)
    record = {"evidence.json": altered(folder, violate)}
    bundle = resealed(folder, tmp_path / "b.zip", **record)
    assert examined(bundle, unsigned=True)["record"].state == "ok"


def declared_run():
    """A run with a register of keys and an action, both at one with what it saw."""
    run, day = sample_run.waived_run(), date(2026, 11, 24)
    answers = tuple(
        Acknowledgement(
            name=name, signed=datetime(2026, 11, 20, tzinfo=UTC), challenge="q", key_id=x
        )
        for name, x in (("Ada", "1" * 64), ("Grace", "2" * 64))
    )
    key = RegisteredKey(
        label="2e8c387a6790c53b",
        purpose="production",
        escrow_last_opened=day,
        stored_in=("safe", "envelope"),
        challenge="q",
        acknowledged=tuple(one.model_copy(update={"held": True}) for one in answers),
    )
    actions = run.deviations.model_copy(update={"actions": (Action(control="KEY-3", due=day),)})
    return run.model_copy(
        update={"key_register": match_keys([key], run.subject.keys, day), "deviations": actions}
    )


KEY, ANSWER = ("key_register", 0), ("key_register", 0, "acknowledged", 0)
ACTION = ("deviations", "actions", 0)


@pytest.mark.parametrize(
    ("place", "fact"),
    [
        *(((*KEY, "expires"), one) for one in ("2028-W01-3", "20280105", "2028-01-05T00:00:00")),
        *(((*KEY, "activated"), one) for one in ("1767657600", "2025-02-29", 1767657600)),
        *(((*KEY, "label"), one) for one in ("2e8c387a6790c53bX", "2E8C387A6790C53B")),
        *(((*ACTION, "due"), one) for one in ("2026-W48-2", "20261124")),
        *(((*ANSWER, "signed"), one) for one in ("20261120", "2026-11-20T00:00:00", "0001-01-01")),
        *(((*ANSWER, "held"), one) for one in (0, 1, "no")),
        (("run", "finished"), "2026-11-24"),
        (("run", "finished"), "9999-12-31T23:59:59Z"),
        (("counts", "waived"), 0),
    ],
)
def test_a_fact_that_is_written_to_be_misread_is_refused(tmp_path, place, fact):
    run = declared_run()
    parts = ("key_register", "deviations", "controls", "counts", "verdict", "exit_code")
    folder = sealed(tmp_path, **{name: getattr(run, name) for name in parts})
    assert examined(folder / "bundle.zip", unsigned=True)["record"].state == "ok"

    def change(record):
        *above, name = place
        for step in above:
            record = record[step]
        assert name in record
        record[name] = fact

    bundle = resealed(folder, tmp_path / "b.zip", **{"evidence.json": altered(folder, change)})
    assert examined(bundle, unsigned=True)["record"].state == "bad"


def test_record_that_says_a_thing_twice_is_refused(tmp_path):
    folder = sealed(tmp_path)
    text = (folder / "evidence.json").read_bytes()
    twice = text.replace(b'"exit_code": ', b'"exit_code": 0,\n  "exit_code": ', 1)
    bundle = resealed(folder, tmp_path / "b.zip", **{"evidence.json": twice})
    found = examined(bundle, unsigned=True)["record"]
    assert (found.state, "'exit_code' stands twice" in found.sentence) == ("bad", True)


@pytest.mark.parametrize("name", ["report.pdf", "report.html", "junit.xml"])
def test_bundle_without_a_document_that_was_written_is_refused(tmp_path, name):
    folder = sealed(tmp_path, pdf=True)
    assert examined(folder / "bundle.zip", unsigned=True)["record"].state == "ok"
    bundle = resealed(folder, tmp_path / "b.zip", **{name: None})
    found = examined(bundle, unsigned=True)["record"]
    assert (found.state, f"{name} was written" in found.sentence) == ("bad", True)


def test_bundle_of_before_documents_were_named_needs_its_reports(tmp_path):
    folder = sealed(tmp_path, pdf=True)
    record = altered(folder, lambda one: one.pop("documents"))
    old = resealed(folder, tmp_path / "a.zip", **{"evidence.json": record})
    assert examined(old, unsigned=True)["record"].state == "ok"
    without = {"evidence.json": record, "report.pdf": None}
    bundle = resealed(folder, tmp_path / "b.zip", **without)
    assert examined(bundle, unsigned=True)["record"].state == "bad"


@pytest.mark.parametrize("text", [b"[" * 100_000, b"\xff\xfe", b"", b"nul", b'{"a":1e999}'])
def test_record_that_cannot_be_read_is_caught(tmp_path, text):
    bundle = resealed(sealed(tmp_path), tmp_path / "b.zip", **{"evidence.json": text})
    assert examined(bundle, unsigned=True)["record"].state == "bad"


@pytest.mark.parametrize(
    ("bound", "told"), [("LARGEST", "not sane"), ("_MOST_VALUES", "more values than is sane")]
)
def test_huge_record_is_not_parsed(tmp_path, monkeypatch, bound, told, compared):
    monkeypatch.setattr(f"reports.seal.verification.{bound}", 10)
    found = examined(sealed(tmp_path) / "bundle.zip", unsigned=True)
    assert told in found["record"].sentence
    compared.clear()


def test_link_in_a_folder_is_not_followed_into_the_bundle(tmp_path):
    folder = sealed(tmp_path)
    (tmp_path / "elsewhere").write_text("not of this run")
    (folder / "logs" / "link.log").symlink_to(tmp_path / "elsewhere")
    assert "logs/link.log" not in contents(folder)


def test_manifest_of_another_run_is_caught(tmp_path):
    bundle = resealed(sealed(tmp_path), tmp_path / "b.zip", run="another")
    assert "is of run another" in examined(bundle, unsigned=True)["record"].sentence


def test_previous_bundle_of_a_record_that_names_none_is_told(tmp_path):
    bundle = sealed(tmp_path) / "bundle.zip"
    found = examined(bundle, unsigned=True, previous=bundle)["chain"]
    assert "names no run before it" in found.sentence
    assert found.state == "bad"


@pytest.mark.parametrize("signed", [sample_run.run(), sample_run.drill_run()])
@pytest.mark.parametrize("trusting", [True, False])
def test_record_of_another_backup_than_was_signed_is_caught(
    tmp_path, monkeypatch, signed, trusting
):
    made, public = key(tmp_path)
    other = sample_run.drill_run().subject
    other = other.model_copy(update={"backup": other.backup.model_copy(update={"name": "old.sql"})})
    with monkeypatch.context() as patch:
        patch.setattr(
            "reports.seal.sealer.statement", lambda _, manifest: statement(signed, manifest)
        )
        folder = sealed(tmp_path, made, subject=other)
    trust = {"keys": signature.load_trusted_keys(public)} if trusting else {"unsigned": True}
    found = examined(folder / "bundle.zip", **trust)["record"]
    assert (found.state, "about another backup" in found.sentence) == ("bad", True)


def test_record_of_the_backup_that_was_signed_is_accepted(tmp_path):
    made, public = key(tmp_path)
    folder = sealed(tmp_path, made, subject=sample_run.drill_run().subject)
    found = examined(folder / "bundle.zip", keys=signature.load_trusted_keys(public))
    assert (found["record"].state, found["signature"].state) == ("ok", "ok")


def test_statement_of_another_kind_does_not_vouch(tmp_path, monkeypatch):
    made, public = key(tmp_path)

    def other(run, manifest):
        return statement(run, manifest).replace(b"test-result/v0.1", b"link/v0.3")

    monkeypatch.setattr("reports.seal.sealer.statement", other)
    folder = sealed(tmp_path, made)
    monkeypatch.undo()
    found = examined(folder / "bundle.zip", keys=signature.load_trusted_keys(public))
    assert "about other files" in found["signature"].sentence
