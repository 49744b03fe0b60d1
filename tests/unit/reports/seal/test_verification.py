"""A genuine bundle passes; a changed one, or a record that contradicts itself, is caught."""

import base64
import contextlib
import io
import json
import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors import Distrusted
from reports.evidence import json_file
from reports.evidence.context import Acknowledgement, Action, RegisteredKey
from reports.evidence.findings import RULES, match_keys
from reports.evidence.model import Counts
from reports.seal import signature
from reports.seal.manifest import SIGNATURE, result, statement
from reports.seal.sealer import Sealer, contents
from reports.seal.verification import Trust, check_consistency
from reports.seal.zip_file import pack
from reports.verdict import Verdict, overall
from tests.support import sample_run
from tests.support.bundles import (
    check_record,
    examined,
    key,
    latest,
    repacked,
    resealed,
    script,
    sealed,
    verdicts,
)
from tests.support.commands import verify as main

DRILL = settings(max_examples=150, deadline=None)


def said(capsys):
    return " ".join(capsys.readouterr().out.split())


def answers(bundle, *words):
    """The answers of Drillbook and of the auditors' script, one word each."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        for check in (main, script.main):
            check([str(bundle), *map(str, words)])
    return tuple(re.findall(r"^[A-Z]{6,}", printed.getvalue(), re.MULTILINE))


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
    assert answers(bundle, *(f"--pubkey={one}" for one in public)) == (expected, expected)


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
    assert answers(tmp_path / "alone.zip", *words) == ("UNDECIDED", "UNDECIDED")


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
    assert script.main(words) == 1
    assert capsys.readouterr().out.endswith("UNDECIDED.\n")
    # Damage next to a bundle makes nothing of it better.
    broken = second / "bundle.zip"
    broken.write_bytes(broken.read_bytes().replace(b"started", b"stopped", 1))
    assert main(words) == 1
    assert "TAMPERED." in said(capsys)
    assert script.main(words) == 1
    assert capsys.readouterr().out.endswith("TAMPERED.\n")


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("exercise", {"production": {}}),
        ("run", {"finished": "x"}),
        (None, {"sign_off": True}),
        (None, {"seal": {"previous": 7}}),
    ],
)
def test_the_script_refuses_what_we_refuse_in_a_record_of_another_maker(tmp_path, table, change):
    signer, public = key(tmp_path)
    made = sample_run.run(documents=("evidence.json",))
    record = json.loads(json_file.render(made))
    (record[table] if table else record).update(change)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "evidence.json").write_text(json.dumps(record))
    assert Sealer(signer).seal(tmp_path / "run", made, lambda _: True).trouble is None
    assert verdicts(tmp_path / "run" / "bundle.zip", [public]) == ("TAMPERED", "TAMPERED")


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
def test_the_script_agrees_on_a_run_that_shows_less_than_its_exit_code(facts, shown, rules, told):
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
            "deviations": made.deviations.model_copy(update={"waivers": ()}),
            "verdict": overall(one.verdict for one in controls if one.gating),
            "exit_code": 0,
        }
    )
    assert result(run) == told
    assert script.results(json.loads(run.model_dump_json()))["result"] == told
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
    (tmp_path / "x").write_text("x")
    target = io.BytesIO()
    pack({"holiday.jpg": tmp_path / "x"}, target)
    (tmp_path / "b.zip").write_bytes(target.getvalue())
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
def test_a_stopped_run_is_genuine_as_any_release_wrote_it(tmp_path, verdict):
    made = sample_run.run()
    controls = tuple(one for one in made.controls if one.verdict is Verdict.SATISFIED)
    counts = Counts(
        **dict.fromkeys(Counts.model_fields, 0) | {"planned": 1, "executed": 1, "satisfied": 1}
    )
    facts = made.run.model_copy(update={"stopped": "no disk", "interrupted": True})
    changed = {"controls": controls, "counts": counts, "run": facts}
    run = made.model_copy(update={**changed, "verdict": verdict, "exit_code": 3})
    check_consistency(run)
    script.check_verdicts(json.loads(run.model_dump_json()))
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


LATER = {"rules": RULES + 1}
NEW = ("of a rule that this release does not know",)


def recorded(tmp_path, change):
    """The check of a record with findings and keys that was changed, and that of its findings."""
    run = declared_run()
    parts = ("key_register", "deviations", "controls", "counts", "verdict", "exit_code")
    folder = sealed(tmp_path, **{name: getattr(run, name) for name in parts})
    bundle = resealed(folder, tmp_path / "b.zip", **{"evidence.json": altered(folder, change)})
    found = examined(bundle, unsigned=True)
    return found["record"].state, found.get("findings")


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
    assert recorded(tmp_path, change)[0] == state


@pytest.mark.parametrize("rules", [1, RULES + 1, 9999])
def test_findings_of_other_rules_are_not_computed_again(tmp_path, capsys, rules):
    def change(record):
        record["rules"] = rules
        record["run"]["tool"]["version"] = "9.1"
        record["exercise"]["findings"] = record["key_register"][0]["findings"] = [*NEW]

    state, findings = recorded(tmp_path, change)
    assert (state, findings.state) == ("ok", "open")
    assert findings.sentence == (
        f"not computed again: they follow version {rules} of the rules, and this release has "
        f"version {RULES}; check them with Drillbook 9.1, which made the record"
    )
    assert main([str(tmp_path / "b.zip"), "--unsigned"]) == 0
    assert "--  findings    not computed again" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.update(exit_code=0, verdict="satisfied"),
        lambda r: r["counts"].update(waived=0),
        lambda r: r["controls"][0].update(gating=False),
        lambda r: r["controls"][0].update(taken_over=True),
        lambda r: r["key_register"][0].update(seen_as=[]),
        lambda r: r["key_register"][0].update(created="20261124"),
        lambda r: r["key_register"][0].update(label="X"),
        lambda r: r["deviations"]["actions"][0].update(due="20261124"),
    ],
)
def test_other_rules_of_findings_excuse_nothing_else(tmp_path, change):
    assert recorded(tmp_path, lambda r: r.update(LATER) or change(r))[0] == "bad"


def test_findings_of_our_rules_are_computed_again(tmp_path):
    def change(record):
        record["key_register"][0]["findings"] = [*NEW]

    assert recorded(tmp_path, change) == ("bad", None)


def test_a_record_that_names_no_rules_follows_the_first(tmp_path):
    state, findings = recorded(tmp_path, lambda r: r.pop("rules"))
    assert state == "ok"
    assert "they follow version 1 of the rules" in findings.sentence


@pytest.mark.parametrize("rules", [0, -1, 10_000, 1.5, True, "1", None, [2], 1e999])
def test_a_version_of_rules_that_cannot_be_is_refused(tmp_path, rules):
    assert recorded(tmp_path, lambda r: r.update(rules=rules)) == ("bad", None)


@pytest.mark.parametrize(
    ("finished", "state"),
    [("2026-11-25T01:00:00+14:00", "ok"), ("2026-11-24T12:00:00-12:00", "bad")],
)
def test_the_day_on_which_a_run_ended_is_one_of_utc(tmp_path, finished, state):
    """The last day of its key, and of its action, is the 24th."""

    def change(record):
        record["run"]["finished"] = finished
        record["key_register"][0]["expires"] = "2026-11-24"

    assert recorded(tmp_path, change) == (state, None)


def test_both_verifiers_have_the_same_rules():
    assert script.RULES == RULES


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


def test_previous_bundle_of_a_record_that_names_none_is_refused(tmp_path):
    bundle = sealed(tmp_path) / "bundle.zip"
    found = examined(bundle, unsigned=True, previous=bundle)["chain"]
    assert "names no run before it" in found.sentence
    assert found.state == "bad"
    words = ("--unsigned", f"--previous={bundle}")
    assert answers(bundle, *words) == ("UNDECIDED", "UNDECIDED")


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


def test_a_key_is_named_by_sixteen_digits(folder, trusted, tmp_path):
    (whole,) = trusted
    named = f"key {whole[:16]}"
    bundle = folder / "bundle.zip"
    found = examined(bundle, keys=trusted)["signature"].sentence
    assert found == f"Ed25519, by the trusted {named}, over every file"
    found = examined(bundle, unsigned=True)["signature"].sentence
    assert found == f"by {named}, not checked: no --pubkey was given"
    stripped = repacked(folder, tmp_path / "b.zip", **{SIGNATURE: None})
    found = examined(stripped, unsigned=True)["record"].sentence
    assert found == f"it says {named} signs it: the signature is gone"


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
