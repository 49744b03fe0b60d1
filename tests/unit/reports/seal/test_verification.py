"""A genuine bundle passes; a changed one, or a record that contradicts itself, is caught."""

import base64
import contextlib
import io
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors import Distrusted
from reports.evidence import json_file
from reports.evidence.model import RULES, Counts
from reports.seal import signature, verify_bundle
from reports.seal.sealer import Sealer, contents
from reports.seal.statement import statement
from reports.seal.verification import check_consistency
from reports.seal.verify_bundle import SIGNATURE, Trust, pack
from reports.verdict import Verdict, overall
from tests.support import sample_run
from tests.support.bundles import (
    check_record,
    examined,
    key,
    latest,
    repacked,
    resealed,
    sealed,
    verdict,
)
from tests.support.commands import verify as main

DRILL = settings(max_examples=150, deadline=None)


def said(capsys):
    return " ".join(capsys.readouterr().out.split())


def answer(bundle, *words):
    """The word of the answer."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        verify_bundle.main([str(bundle), *map(str, words)])
    (word,) = re.findall(r"^[A-Z]{6,}", printed.getvalue(), re.MULTILINE)
    return word


def test_signed_bundle_is_genuine(folder, signer, capsys):
    assert main([str(folder / "bundle.zip"), "--pubkey", str(signer[1])]) == 0
    told = said(capsys)
    assert "GENUINE." in told
    assert "FAILED. " in told, "a genuine record of a failed run must not look like good news"


def test_signature_without_a_trusted_key_is_not_enough(folder, place, capsys):
    assert main([str(folder / "bundle.zip")]) == 1
    assert "which is not trusted: give --pubkey" in said(capsys)
    _, foreign = key(place, "foreign")
    assert main([str(folder / "bundle.zip"), "--pubkey", str(foreign)]) == 1
    told = said(capsys)
    assert "UNTRUSTED." in told
    assert "as recorded" not in told


def test_one_of_several_keys_is_enough(folder, place, signer):
    _, foreign = key(place, "former")
    keys = ["--pubkey", str(foreign), "--pubkey", str(signer[1])]
    assert main([str(folder), *keys]) == 0


def test_unsigned_bundle_fails_unless_that_is_allowed(tmp_path, signer, capsys):
    bundle = str(sealed(tmp_path) / "bundle.zip")
    assert main([bundle]) == 1
    told = said(capsys)
    assert "UNSIGNED. It is consistent" in told
    assert "if you made it, sign it: " in told
    assert "if not, ask its maker for a signed one." in told
    assert main([bundle, "--unsigned"]) == 0
    told = said(capsys)
    assert "INTACT, and no more" in told
    assert "GENUINE" not in told
    assert main([bundle, "--pubkey", str(signer[1])]) == 1


def test_signature_cannot_be_stripped_unnoticed(folder, tmp_path):
    bundle = repacked(folder, tmp_path / "b.zip", **{SIGNATURE: None})
    found = examined(bundle, unsigned=True)
    assert found["record"].state == "bad"
    assert "the signature is gone" in found["record"].sentence


@DRILL
@given(data=st.data())
def test_any_changed_byte_is_caught(folder, signer, tmp_path_factory, data):
    whole = (folder / "bundle.zip").read_bytes()
    changed = bytearray(whole)
    changed[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("changed") / "bundle.zip"
    path.write_bytes(changed)
    assert main([str(path), "--pubkey", str(signer[1])]) != 0
    assert main([str(path), "--unsigned"]) != 0


@pytest.mark.parametrize("trusting", [True, False])
def test_every_file_that_is_changed_removed_added_or_renamed_is_caught(
    folder, signer, tmp_path, trusting
):
    trust = ["--pubkey", str(signer[1])] if trusting else ["--unsigned"]
    for name, path in contents(folder).items():
        whole = path.read_bytes()
        for change in ({name: whole + b" "}, {name: None}, {name: None, f"{name}.bak": whole}):
            assert main([str(repacked(folder, tmp_path / "b.zip", **change)), *trust]) != 0, change
    assert main([str(repacked(folder, tmp_path / "b.zip", **{"logs/x.log": b""})), *trust]) == 1


def test_unsigned_bundle_is_held_together_by_its_manifest(tmp_path):
    folder = sealed(tmp_path)
    for name, path in contents(folder).items():
        whole = path.read_bytes()
        for change in ({name: whole + b" "}, {name: b" " + whole}, {name: None}):
            bundle = repacked(folder, tmp_path / "b.zip", **change)
            assert main([str(bundle), "--unsigned"]) != 0, change


def test_changed_file_with_a_fitting_manifest_is_caught_by_the_signature(folder, signer, tmp_path):
    bundle = resealed(folder, tmp_path / "b.zip", **{"logs/backend.log": b"all is well"})
    found = examined(bundle, keys=signature.load_trusted_keys(signer[1]))
    assert found["files"].state == "ok"
    assert "about other files" in found["signature"].sentence
    assert "about other files" in examined(bundle, unsigned=True)["signature"].sentence


@pytest.mark.parametrize("trusting", ["the key", "another key", "no key"])
@pytest.mark.parametrize("forged", ["other files", "a false signature"])
def test_swapped_content_and_a_false_signature_are_tampering(
    folder, signer, tmp_path, trusting, forged
):
    """UNTRUSTED is only a signature that may hold, and names no trusted key."""
    _, foreign = key(tmp_path, "foreign")
    public = {"the key": [signer[1]], "another key": [foreign], "no key": []}[trusting]
    if forged == "other files":
        bundle = resealed(folder, tmp_path / "b.zip", **{"logs/backend.log": b"all is well"})
        expected = "TAMPERED"
    else:
        said = json.loads((folder / SIGNATURE).read_bytes())
        said["signatures"][0]["sig"] = base64.b64encode(bytes(64)).decode()
        envelope = json.dumps(said, sort_keys=True).encode() + b"\n"
        bundle = repacked(folder, tmp_path / "b.zip", **{SIGNATURE: envelope})
        expected = "TAMPERED" if trusting == "the key" else "UNTRUSTED"
    assert answer(bundle, *(f"--pubkey={path}" for path in public)) == expected


def test_chain_leads_to_the_bundle_before(tmp_path, signer):
    first = sealed(tmp_path, signer[0], name=sample_run.run().run.id)
    latest(tmp_path, first)
    second = sealed(tmp_path, signer[0], name="second")
    found = examined(second / "bundle.zip", keys=signature.load_trusted_keys(signer[1]))
    assert found["chain"].state == "ok"
    away = second.rename(tmp_path / "x")
    (away / "bundle.zip").rename(tmp_path / "alone.zip")
    assert examined(tmp_path / "alone.zip", unsigned=True)["chain"].state == "open"
    (first / "logs" / "backend.log").write_text("another run")
    assert Sealer().seal(first, sample_run.run(), lambda _: True).trouble is None
    given = examined(tmp_path / "alone.zip", unsigned=True, previous=first / "bundle.zip")
    assert "is another bundle" in given["chain"].sentence
    assert given["chain"].state == "bad"
    words = (f"--pubkey={signer[1]}", f"--previous={first / 'bundle.zip'}")
    assert answer(tmp_path / "alone.zip", *words) == "UNDECIDED"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data.replace(b"PK\1\2", b"PK\1\3", 1),
        lambda data: data.replace(b"drillbook/manifest/1", b"drillbook/manifest/2", 1),
    ],
)
def test_damage_to_the_bundle_before_is_not_called_tampering_of_this_one(
    tmp_path, signer, capsys, damage
):
    first = sealed(tmp_path, signer[0], name=sample_run.run().run.id)
    latest(tmp_path, first)
    second = sealed(tmp_path, signer[0], name="second")
    before = first / "bundle.zip"
    before.write_bytes(damage(before.read_bytes()))
    words = [str(second / "bundle.zip"), "--pubkey", str(signer[1])]
    assert main(words) == 1
    told = said(capsys)
    assert f"the bundle of the earlier run {first.name}, cannot be read" in told
    assert "The bundle itself is as it was signed; it is not shown which run it follows." in told
    assert "as recorded" not in told
    # Damage next to a bundle makes nothing of it better.
    broken = second / "bundle.zip"
    broken.write_bytes(broken.read_bytes().replace(b"started", b"stopped", 1))
    assert main(words) == 1
    assert "TAMPERED." in said(capsys)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("run", {"finished": "x"}),
        (None, {"sign_off": True}),
        (None, {"seal": {"previous": 7}}),
    ],
)
def test_a_record_of_another_maker_is_refused(tmp_path, table, change):
    signer, public = key(tmp_path)
    made = sample_run.run(documents=("evidence.json",))
    record = json.loads(json_file.render(made))
    (record[table] if table else record).update(change)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "evidence.json").write_text(json.dumps(record))
    assert Sealer(signer).seal(tmp_path / "run", made, lambda _: True).trouble is None
    assert verdict(tmp_path / "run" / "bundle.zip", public) == "TAMPERED"


@pytest.mark.parametrize(
    ("facts", "shown", "rules", "told"),
    [
        ({"command": "drillbook verify --mutant KeepsFolders"}, ("KEY-5",), RULES, "WARNED"),
        ({"selection": ("KEY-1",)}, ("KEY-5",), RULES, "WARNED"),
        ({}, ("KEY-5", "KEY-3"), RULES, "WARNED"),
        ({}, ("KEY-5", "KEY-3"), 2, "PASSED"),
        ({}, ("KEY-12",), RULES, "WARNED"),
        ({}, ("KEY-12",), 2, "PASSED"),
        ({}, ("KEY-5",), RULES, "PASSED"),
    ],
)
def test_the_signed_result_of_a_run_that_shows_less_than_its_exit_code(facts, shown, rules, told):
    """Such as a violated control that does not gate, or a gating one that does not apply."""
    made = sample_run.run()
    gate = {"nature": "safety", "severity": "critical", "gating": True}
    changes = {"KEY-3": {"severity": "minor", "gating": False}, "KEY-12": gate}
    controls = tuple(
        one.model_copy(update=changes.get(one.id, {})) for one in made.controls if one.id in shown
    )
    verdicts = [one.verdict for one in controls]
    counts = {verdict.value: verdicts.count(verdict) for verdict in Verdict}
    counts |= {"planned": len(controls), "waived": 0}
    run = made.model_copy(
        update={
            "run": made.run.model_copy(update=facts),
            "subject": made.subject.model_copy(update={"grade": "deployment"}),
            "rules": rules,
            "controls": controls,
            "counts": made.counts.model_copy(update=counts),
            "verdict": overall(one.verdict for one in controls if one.gating),
            "exit_code": 0,
        }
    )
    assert verify_bundle.results(json.loads(run.model_dump_json()))["result"] == told
    assert check_record(run)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "does not exist"),
        (b"", "empty"),
        (b"not a zip" * 9, "no zip file"),
    ],
)
def test_file_that_is_not_a_bundle_gives_one_sentence_and_exit_code_3(tmp_path, capsys, data, why):
    path = tmp_path / "b.zip"
    if data is not None:
        path.write_bytes(data)
    assert main([str(path), "--unsigned"]) == 3
    told = capsys.readouterr().err
    assert ("UNUSABLE." in told) == (data is not None)
    assert why in told


def test_zip_of_something_else_is_not_a_bundle(tmp_path, capsys):
    (tmp_path / "b.zip").write_bytes(pack({"holiday.jpg": b"x"}))
    assert main([str(tmp_path / "b.zip"), "--unsigned"]) == 3
    assert "not a bundle of a run" in capsys.readouterr().err


def test_folder_of_a_run_stands_for_its_bundle(folder, signer):
    assert main([str(folder), "--pubkey", str(signer[1])]) == 0


def test_folders_bad_keys_and_nothing_are_refused(folder, tmp_path, capsys):
    assert main([str(tmp_path)]) == 3
    assert "bundle.zip: No such file" in capsys.readouterr().err
    assert main([""]) == 3
    assert "BUNDLE: an empty value" in capsys.readouterr().err
    assert main([str(folder / "bundle.zip"), "--pubkey", str(tmp_path / "none")]) == 3
    assert "none does not exist" in capsys.readouterr().err


def test_words_of_a_stranger_cannot_steer_the_terminal(tmp_path, capsys):
    run = sample_run.run()
    facts = run.run.model_copy(update={"stopped": "\x1b]0;owned\x07 \u202eevil"})
    folder = sealed(tmp_path, run=facts, exit_code=3)
    assert main([str(folder / "bundle.zip"), "--unsigned"]) == 0
    told = capsys.readouterr().out
    assert "owned" in told
    assert {"\x1b", "\x07", "\u202e"}.isdisjoint(told)


@pytest.mark.parametrize("verdict", [Verdict.SATISFIED, Verdict.NOT_RUN])
def test_a_stopped_run_is_genuine_as_any_release_wrote_it(verdict):
    made = sample_run.run()
    controls = tuple(one for one in made.controls if one.verdict is Verdict.SATISFIED)
    counts = Counts(
        **dict.fromkeys(Counts.model_fields, 0) | {"planned": 1, "executed": 1, "satisfied": 1}
    )
    facts = made.run.model_copy(update={"stopped": "no disk", "interrupted": True})
    changed = {"controls": controls, "counts": counts, "run": facts}
    run = made.model_copy(update={**changed, "verdict": verdict, "exit_code": 3})
    check_consistency(run)
    with pytest.raises(Distrusted, match="its verdict or exit code"):
        check_consistency(run.model_copy(update={"verdict": Verdict.INCONCLUSIVE}))


def test_checks_are_asked_in_the_order_of_belief(tmp_path, signer):
    folder = sealed(tmp_path, signer[0], pdf=True)
    found = examined(folder / "bundle.zip", keys=signature.load_trusted_keys(signer[1]))
    assert " ".join(found) == "form files signature record report.pdf chain time-stamp sign-off"
    assert found["report.pdf"].state == "ok"


def altered(folder, change):
    record = json.loads((folder / "evidence.json").read_bytes())
    change(record)
    return json.dumps(record).encode()


def first(**changes):
    """A change of the violated control, with counts that fit its new verdict."""

    def change(record):
        control = record["controls"][0]
        record["counts"][control["verdict"]] -= 1
        control.update(changes)
        record["counts"][control["verdict"]] += 1

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda r: r.update(controls="none"), "cannot be read"),
        (lambda r: r.update(run=7), "cannot be read"),
        (lambda r: r.update(controls=[]), "counts are not those"),
        (lambda r: r["counts"].update(planned=7), "7 controls planned, 6 reported"),
        (lambda r: r.update(exit_code=0, verdict="satisfied"), "what its controls amount to"),
        (lambda r: r.update(exit_code=1, verdict="inconclusive"), "what its controls amount to"),
        (first(verdict="satisfied"), "KEY-3 has another verdict than its specs"),
        (first(gating=False), "KEY-3 gates, or does not, against the rule"),
        (first(waived=True), "KEY-3 is waived without a waiver in force"),
    ],
)
def test_contradictory_record_is_caught_even_when_sealed(tmp_path, change, told):
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


def recorded(tmp_path, change):
    """The state of the check of a record with a waiver, as earlier versions wrote it, changed."""
    run = sample_run.waived_run()
    parts = ("controls", "counts", "verdict", "exit_code")
    folder = sealed(tmp_path, **{name: getattr(run, name) for name in parts})

    def change_earlier(record):
        record["deviations"] = {"waivers": [dict(record["controls"][0]["waiver"])]}
        change(record)

    record = altered(folder, change_earlier)
    bundle = resealed(folder, tmp_path / "b.zip", **{"evidence.json": record})
    return examined(bundle, unsigned=True)["record"].state


@pytest.mark.parametrize(
    ("place", "fact"),
    [
        (("run", "finished"), "2026-11-24"),
        (("run", "finished"), "9999-12-31T23:59:59Z"),
        (("counts", "waived"), 0),
    ],
)
def test_a_fact_that_is_written_to_be_misread_is_refused(tmp_path, place, fact):
    def change(record):
        assert place[1] in record[place[0]]
        record[place[0]][place[1]] = fact

    assert recorded(tmp_path, lambda record: None) == "ok"
    (tmp_path / "other").mkdir()
    assert recorded(tmp_path / "other", change) == "bad"


def waive(**facts):
    """A change of the waiver, wherever the record has it."""

    def change(record):
        record["controls"][0]["waiver"].update(facts)
        record["deviations"]["waivers"][0].update(facts)

    return change


def hold(record):
    """The control that is waived holds."""
    for one in (record["controls"][0], record["controls"][0]["specs"][0]):
        one["verdict"] = "satisfied"
    record["counts"].update(violated=0, satisfied=2)


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (waive(expires="2026-11-24"), "ok"),
        (waive(expires="2026-11-23"), "bad"),
        (waive(expires="20261124"), "bad"),
        (waive(control="KEY-5"), "bad"),
        (waive(state="expired"), "bad"),
        (hold, "bad"),
        (lambda r: r["deviations"].update(waivers=[]), "bad"),
        (lambda r: r["deviations"]["waivers"][0].update(owner="Eve"), "bad"),
    ],
)
def test_a_waiver_excuses_its_own_control_in_its_own_time(tmp_path, change, state):
    assert recorded(tmp_path, change) == state


def test_record_that_says_a_thing_twice_is_refused(tmp_path):
    folder = sealed(tmp_path)
    text = (folder / "evidence.json").read_bytes()
    twice = text.replace(b'"exit_code": ', b'"exit_code": 0,\n  "exit_code": ', 1)
    bundle = resealed(folder, tmp_path / "b.zip", **{"evidence.json": twice})
    found = examined(bundle, unsigned=True)["record"]
    assert (found.state, "stands twice" in found.sentence) == ("bad", True)


@pytest.mark.parametrize("name", ["report.pdf", "report.html", "junit.xml"])
def test_bundle_without_a_document_that_was_written_is_refused(tmp_path, name):
    folder = sealed(tmp_path, pdf=True)
    assert examined(folder / "bundle.zip", unsigned=True)["record"].state == "ok"
    bundle = resealed(folder, tmp_path / "b.zip", **{name: None})
    found = examined(bundle, unsigned=True)["record"]
    assert (found.state, f"{name}'] was written" in found.sentence) == ("bad", True)


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


def test_huge_record_is_not_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr("reports.seal.verify_bundle.MOST_VALUES", 10)
    found = examined(sealed(tmp_path) / "bundle.zip", unsigned=True)
    assert "more values than is sane" in found["record"].sentence


def test_link_in_a_folder_is_not_followed_into_the_bundle(tmp_path):
    folder = sealed(tmp_path)
    (tmp_path / "elsewhere").write_text("not of this run")
    (folder / "logs" / "link.log").symlink_to(tmp_path / "elsewhere")
    assert "logs/link.log" not in contents(folder)


def test_manifest_of_another_run_is_caught(tmp_path):
    bundle = resealed(sealed(tmp_path), tmp_path / "b.zip", run="another")
    assert "is of run another" in examined(bundle, unsigned=True)["record"].sentence


def test_previous_bundle_of_a_record_that_names_none_is_refused(tmp_path):
    bundle = sealed(tmp_path) / "bundle.zip"
    found = examined(bundle, unsigned=True, previous=bundle)["chain"]
    assert "names no run before it" in found.sentence
    assert found.state == "bad"
    words = ("--unsigned", f"--previous={bundle}")
    assert answer(bundle, *words) == "UNDECIDED"


@pytest.mark.parametrize("signed", [sample_run.run(), sample_run.drill_run()])
@pytest.mark.parametrize("trusting", [True, False])
@pytest.mark.parametrize("fact", [{"name": "old.sql"}, {"sha256": "5b" * 32}])
def test_record_of_another_backup_than_was_signed_is_caught(
    tmp_path, monkeypatch, signed, trusting, fact
):
    made, public = key(tmp_path)
    other = sample_run.drill_run().subject
    other = other.model_copy(update={"backup": other.backup.model_copy(update=fact)})
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


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (b'"result":"FAILED"', b'"result":"PASSED"'),
        (b'"failedTests":["KEY-3"', b'"failedTests":["KEY-9"'),
        (b'"passedTests":["KEY-5"]', b'"passedTests":["KEY-5","KEY-3"]'),
        (b'"warnedTests":', b'"alerts":'),
    ],
)
def test_another_result_than_the_records_cannot_be_signed(tmp_path, monkeypatch, was, now):
    """A policy that admits a deployment reads what was signed and not the record."""
    made, public = key(tmp_path)

    def other(run, manifest):
        said = statement(run, manifest)
        assert was in said
        return said.replace(was, now)

    monkeypatch.setattr("reports.seal.sealer.statement", other)
    folder = sealed(tmp_path, made)
    found = examined(folder / "bundle.zip", keys=signature.load_trusted_keys(public))
    assert (found["signature"].state, found["record"].state) == ("ok", "bad")
    assert "another result" in found["record"].sentence


def test_statement_of_another_kind_does_not_vouch(tmp_path, monkeypatch):
    made, public = key(tmp_path)

    def other(run, manifest):
        return statement(run, manifest).replace(b"test-result/v0.1", b"link/v0.3")

    monkeypatch.setattr("reports.seal.sealer.statement", other)
    folder = sealed(tmp_path, made)
    monkeypatch.undo()
    found = examined(folder / "bundle.zip", keys=signature.load_trusted_keys(public))
    assert "about other files" in found["signature"].sentence


@pytest.fixture(scope="module")
def trusted(signer):
    return signature.load_trusted_keys(signer[1])


def test_who_says_nothing_trusts_nothing():
    assert not Trust().unsigned


@pytest.mark.parametrize(
    "payload",
    [b"no json", b"[]", b"{}", b'{"subject": 5}', b'{"subject": [{}]}', b"[" * 100_000],
)
def test_a_signed_statement_about_no_files_is_refused(folder, signer, trusted, tmp_path, payload):
    envelope = signer[0].sign(payload)
    bundle = repacked(folder, tmp_path / "b.zip", **{SIGNATURE: envelope})
    found = examined(bundle, keys=trusted)["signature"]
    assert found.state == "bad"
    assert found.sentence == "what was signed is not a statement about files"


def test_of_several_strange_or_missing_files_the_first_is_named(folder, tmp_path):
    more = {"logs/b.log": b"", "logs/a.log": b""}
    found = examined(repacked(folder, tmp_path / "b.zip", **more), unsigned=True)["files"]
    assert found.sentence.startswith("logs/a.log was added")
    fewer = {"logs/backend.log": None, "junit.xml": None}
    found = examined(repacked(folder, tmp_path / "b.zip", **fewer), unsigned=True)["files"]
    assert found.sentence.startswith("junit.xml was removed")


def test_a_missing_previous_bundle_is_reported(place, signer, folder, tmp_path):
    (place / "latest").symlink_to(folder.name)
    second = sealed(place, signer[0], name="second")
    absent = tmp_path / "absent.zip"
    found = examined(second / "bundle.zip", unsigned=True, previous=absent)["chain"]
    assert found.state == "bad"
    assert found.sentence.startswith(f"{absent}, the bundle of the earlier run ")
    assert found.sentence.endswith(" cannot be read: No such file or directory")


def test_a_key_that_cannot_be_read_is_not_the_bundles_fault(folder, tmp_path, capsys):
    broken = tmp_path / "broken.pub"
    broken.write_text("no key")
    assert main([str(folder / "bundle.zip"), "--pubkey", str(broken)]) == 3
    told = capsys.readouterr().err
    assert str(broken) in told
    assert "bundle.zip" not in told
