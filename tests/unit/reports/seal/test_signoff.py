"""A sign-off covers one bundle, says whether a key vouches for it, and is given once."""

import json

import pytest

from reports.evidence.context import SignOff
from reports.evidence.model import Counts
from reports.seal import verify_bundle
from reports.verdict import Verdict
from tests.support import sample_run
from tests.support.bundles import key, sealed
from tests.support.commands import seal, verify
from tests.support.commands import sign_off as call_sign_off


@pytest.fixture
def bundle(tmp_path):
    run = sample_run.run(sign_off=SignOff(executed_by="Ada Lovelace"))
    return sealed(tmp_path / "runs", sign_off=run.sign_off) / "bundle.zip"


def signed(bundle, *more, act="approved", name="Grace Hopper"):
    given = [str(bundle), f"--act={act}", f"--name={name}", "--anyway", *map(str, more)]
    return call_sign_off(given)


def told(bundle, capsys, *more):
    capsys.readouterr()
    code = verify([str(bundle), *map(str, more or ["--unsigned"])])
    return code, " ".join(capsys.readouterr().out.split())


def test_missing_sign_off_is_printed_as_none(bundle, capsys):
    assert "-- sign-off none" in told(bundle, capsys)[1]


def test_note_without_a_key_is_not_proof(bundle, capsys):
    assert signed(bundle, "--role=head of platform", "--remark=with a smile") == 0
    code, said = told(bundle, capsys)
    assert code == 0
    assert "-- sign-off approved by Grace Hopper (head of platform) on" in said
    assert "anyone could have written it; executed by Ada Lovelace" in said
    record = json.loads(bundle.with_name("bundle.zip.approved.json").read_text())
    assert record["predicate"]["remark"] == "with a smile"
    assert "separated" not in record["predicate"]


def test_name_stands_in_a_note_as_it_is_written(bundle, capsys):
    assert signed(bundle, name="Jürgen Groß") == 0
    assert "Jürgen Groß" in bundle.with_name("bundle.zip.approved.json").read_text("utf-8")
    assert "approved by Jürgen Groß on" in told(bundle, capsys)[1]


def test_a_folder_with_another_document_than_its_bundle_is_not_signed_off(bundle, capsys):
    (bundle.parent / "report.html").write_text("nicer")
    assert signed(bundle.parent) == 3
    assert "report.html next to the bundle is not the one in it" in capsys.readouterr().err
    assert not bundle.with_name("bundle.zip.approved.json").exists()
    assert signed(bundle) == 0


def test_signature_of_a_trusted_key_counts_and_of_another_does_not(tmp_path, bundle, capsys):
    _, public = key(tmp_path, "grace.key")
    _, other = key(tmp_path, "other.key")
    assert signed(bundle, f"--signing-key={tmp_path / 'grace.key'}", act="reviewed") == 0
    assert "which is not in --pubkey" in told(bundle, capsys)[1]
    found = list(verify_bundle.sign_offs(bundle, _keys(public), None))
    assert [vouched for vouched, _ in found] == [True]
    assert "by the trusted key" in found[0][1]
    assert [vouched for vouched, _ in verify_bundle.sign_offs(bundle, _keys(other), None)] == [
        False
    ]


@pytest.mark.parametrize("executor", ["Ada Lovelace", "Bo; Ada Lovelace"])
def test_executor_who_approves_is_not_independent(tmp_path, capsys, executor):
    """Whichever part of the run it was, and although a trusted key signed it."""
    _, public = key(tmp_path, "grace.key")
    facts = SignOff(executed_by=executor)
    bundle = sealed(tmp_path / "runs", sign_off=facts) / "bundle.zip"
    signed(bundle, f"--signing-key={tmp_path / 'grace.key'}", name="ada lovelace ")
    found = list(verify_bundle.sign_offs(bundle, _keys(public), executor))
    assert [vouched for vouched, _ in found] == [False]
    assert "executed it: not independent" in told(bundle, capsys)[1]
    given = [str(bundle), "--unsigned", f"--pubkey={public}"]
    capsys.readouterr()
    verify_bundle.main(given)
    assert "-- sign-off" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ada lovelace ", "executed it: not independent"),
        ("Grace Hopper", "executed by Ada Lovelace"),
    ],
)
def test_the_file_for_auditors_says_who_executed_what_was_approved(bundle, capsys, name, said):
    signed(bundle, name=name)
    signed(bundle, act="prepared", name="Ada Lovelace")
    capsys.readouterr()
    assert verify_bundle.main([str(bundle), "--unsigned"]) == 0
    assert capsys.readouterr().out.count("execut") == 1
    verify_bundle.main([str(bundle), "--unsigned"])
    assert said in capsys.readouterr().out


def test_the_file_for_auditors_accuses_no_bundle_on_a_python_that_is_too_old(
    bundle, capsys, monkeypatch
):
    monkeypatch.setattr(verify_bundle, "PYTHON", (3, 10))
    assert verify_bundle.main([str(bundle), "--unsigned"]) == 3
    assert "take Python 3.11 or newer" in capsys.readouterr().err


def test_signature_cannot_declare_itself_independent(tmp_path, bundle, capsys):
    grace, public = key(tmp_path, "ada.key")
    signed(bundle, name="Ada Lovelace")
    path = bundle.with_name("bundle.zip.approved.json")
    said = json.loads(path.read_text())
    said["predicate"] |= {"separated": True, "executedBy": "Someone Else"}
    path.write_bytes(grace.sign(json.dumps(said).encode()))
    _, text = told(bundle, capsys, "--pubkey", public)
    assert "by the trusted key" in text
    assert "executed it: not independent" in text


def test_what_is_signed_is_shown_and_what_proves_little_is_refused(tmp_path, capsys):
    rehearsal = sample_run.run().subject.model_copy(update={"grade": "rehearsal"})
    run = sample_run.run(subject=rehearsal)
    place = sealed(tmp_path / "runs", subject=rehearsal)
    assert call_sign_off([str(place), "--act=reviewed", "--name=Grace"]) == 3
    refused = " ".join(capsys.readouterr().err.split())
    assert "it is a rehearsal, no evidence about a deployment; the bundle is unsigned" in refused
    assert "--anyway" in refused
    assert signed(place / "bundle.zip", act="reviewed") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"Run {run.run.id}: {run.run.command}" in shown
    assert "grade rehearsal, bundle unsigned" in shown
    assert "FAILED IN REHEARSAL." in shown


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stopped": "the disk is full"}, "the run is stopped"),
        ({}, "the run is undecided"),
        ({"command": "drillbook verify --mutant X"}, "a bug was planted on purpose"),
    ],
)
def test_what_is_undecided_is_signed_off_only_in_so_many_words(tmp_path, capsys, changes, said):
    signer, public = key(tmp_path)
    made = sample_run.run()
    controls = tuple(one for one in made.controls if one.verdict is not Verdict.VIOLATED)
    place = sealed(
        tmp_path / "runs",
        signer,
        run=made.run.model_copy(update=changes),
        controls=controls,
        counts=made.counts.model_copy(update={"violated": 0, "planned": len(controls)}),
        verdict=Verdict.INCONCLUSIVE,
        exit_code=3 if "stopped" in changes else 2,
    )
    words = [str(place), "--act=approved", "--name=Grace", f"--pubkey={public}"]
    assert call_sign_off(words) == 3
    assert said in capsys.readouterr().err
    assert list(place.glob("bundle.zip.*")) == []
    assert call_sign_off([*words, "--anyway"]) == 0


def test_a_run_that_judged_nothing_is_signed_off_only_in_so_many_words(tmp_path, capsys):
    signer, public = key(tmp_path)
    made = sample_run.run()
    away = {"verdict": Verdict.NOT_APPLICABLE, "gating": True}
    [spec] = made.controls[0].specs
    specs = (spec.model_copy(update={"verdict": Verdict.NOT_APPLICABLE}),)
    counts = Counts(**dict.fromkeys(Counts.model_fields, 0) | {"planned": 1, "not_applicable": 1})
    place = sealed(
        tmp_path / "runs",
        signer,
        controls=(made.controls[0].model_copy(update={**away, "specs": specs}),),
        counts=counts,
        verdict=Verdict.NOT_APPLICABLE,
        exit_code=0,
    )
    words = [str(place), "--act=approved", "--name=Grace", f"--pubkey={public}"]
    assert call_sign_off(words) == 3
    assert "the run judged no gating control" in " ".join(capsys.readouterr().err.split())
    assert call_sign_off([*words, "--anyway"]) == 0
    assert "NOTHING SHOWN. No gating control was judged; 1 does not" in capsys.readouterr().out


def test_only_what_a_trusted_key_sealed_is_signed_off(tmp_path, capsys):
    first, public = key(tmp_path)
    _, other = key(tmp_path, "other.key")
    place = sealed(tmp_path / "runs", first)
    assert signed(place, f"--pubkey={other}") == 3
    assert "it is not signed off" in " ".join(capsys.readouterr().err.split())
    assert signed(place, f"--pubkey={other}", f"--pubkey={public}") == 0
    assert f"signed by key {first.id[:16]} (trusted)" in " ".join(capsys.readouterr().out.split())


def test_a_bundle_that_was_signed_again_is_shown_with_that_signature(tmp_path, capsys):
    """Its record names no key, or the one of before."""
    second, public = key(tmp_path, "second.key")
    for at, signer in enumerate((None, key(tmp_path)[0])):
        place = sealed(tmp_path / f"{at}", signer)
        assert seal(["seal", str(place), f"--signing-key={tmp_path / 'second.key'}"]) == 0
        assert signed(place, f"--pubkey={public}") == 0
        said = " ".join(capsys.readouterr().out.split())
        assert f"bundle signed by key {second.id[:16]} (trusted)" in said


@pytest.mark.parametrize("act", ["prepared", "reviewed", "approved"])
def test_what_was_signed_off_is_not_sealed_again(tmp_path, bundle, capsys, act):
    """The sign-off covers the bundle's bytes: a new seal would make it look TAMPERED."""
    key(tmp_path)
    words = ["seal", str(bundle.parent), f"--signing-key={tmp_path / 'drill.key'}"]
    assert signed(bundle, act=act) == 0
    before = bundle.read_bytes()
    assert seal(words) == 3
    said = " ".join(capsys.readouterr().err.split())
    assert f"was {act} as it is, see bundle.zip.{act}.json; keep that file elsewhere" in said
    assert bundle.read_bytes() == before
    assert told(bundle, capsys)[0] == 0
    bundle.with_name(f"bundle.zip.{act}.json").rename(tmp_path / "note")
    assert seal(words) == 0


def test_changed_bundle_is_not_signed_off(bundle, capsys):
    data = bundle.read_bytes()
    bundle.write_bytes(data.replace(b"KEY-1", b"KEY-9", 1))
    assert signed(bundle) == 3
    assert "it is not signed off" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace('"sha256": "', '"sha256": "0'), "another bundle than this"),
        (lambda text: text.replace('"approved"', '"reviewed"'), "another bundle than this"),
        (lambda text: text.replace("sign-off:1", "sign-off:2"), "another bundle than this"),
        (lambda text: text[:40], "UNDECIDED."),
        (lambda text: "[" * 9000, "UNDECIDED."),
        (lambda text: text.replace('"Grace Hopper"', "7"), "it is not a sign-off"),
        (lambda text: "[]", "bundle.zip.approved.json cannot be read: it is not a sign-off"),
        (lambda text: '{"payload": 1}', "cannot be read: the signature's envelope cannot be read"),
        (lambda text: " " * (9 << 20), "bundle.zip.approved.json cannot be read: "),
        (lambda text: text.replace("Grace", "\\u001b[31mGrace"), "\ufffd[31mGrace"),
    ],
)
def test_changed_sign_off_is_caught(bundle, capsys, change, said):
    signed(bundle)
    path = bundle.with_name("bundle.zip.approved.json")
    path.write_text(change(path.read_text()))
    code, text = told(bundle, capsys)
    assert said in text
    assert code == (0 if "\ufffd" in said else 1)
    assert ("TAMPERED." in text) == ("another bundle" in said)
    assert ("UNDECIDED." in text) == (code == 1 and "another bundle" not in said)


def test_an_unreadable_sign_off_hides_no_other_one(bundle, capsys):
    """TAMPERED for a sign-off of another bundle stays so when an earlier act's file is damaged."""
    signed(bundle)
    path = bundle.with_name("bundle.zip.approved.json")
    path.write_text(path.read_text().replace('"sha256": "', '"sha256": "0'))
    bundle.with_name("bundle.zip.prepared.json").write_text("{")
    code, text = told(bundle, capsys)
    assert (code, "TAMPERED." in text) == (1, True)


def test_what_has_an_unreadable_sign_off_is_not_signed_off_and_counts_nowhere(bundle, capsys):
    bundle.with_name("bundle.zip.prepared.json").write_text("{")
    assert signed(bundle) == 3
    assert "bundle.zip.prepared.json cannot be read" in " ".join(capsys.readouterr().err.split())


def test_sign_off_of_one_bundle_says_nothing_of_another(tmp_path, bundle, capsys):
    signed(bundle)
    other = sealed(tmp_path / "runs", name="other", seal=sample_run.run().seal) / "bundle.zip"
    other.write_bytes(bundle.read_bytes() + b"")
    note = bundle.with_name("bundle.zip.approved.json").read_bytes()
    other.with_name("bundle.zip.approved.json").write_bytes(note)
    assert told(other, capsys)[0] == 0
    again = sealed(tmp_path / "more", operator=None) / "bundle.zip"
    again.with_name("bundle.zip.approved.json").write_bytes(note)
    assert "another bundle than this one" in told(again, capsys)[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["", "--act=approved", "--name=x"], "BUNDLE: an empty value"),
        (["{}", "--name=x"], "--act is missing; for example"),
        (["{}", "--act=liked", "--name=x"], "--act: liked is none of prepared"),
        (["{}", "--act=approved"], "--name is missing"),
        (["{}", "--act=approved", "--name= "], "--name: an empty value"),
        (["{}", "--act=approved", "--name=a\nb"], "--name: a value with a line break"),
        (["{}", "--act=approved", "--name=a", "--remark=" + "x" * 301], "--remark: give one line"),
        (["gone.zip", "--act=approved", "--name=x"], "gone.zip does not exist"),
        (["{}", "--act=approved", "--name=x", "--signing-key=gone"], "gone does not exist"),
    ],
)
def test_incomplete_sign_off_is_refused_in_one_sentence(bundle, capsys, arguments, said):
    given = [one.format(bundle) if one == "{}" else one for one in arguments]
    assert call_sign_off(given) == 3
    assert said in " ".join(capsys.readouterr().err.split())
    assert list(bundle.parent.glob("bundle.zip.*")) == []


def test_what_was_signed_is_not_overwritten(bundle, capsys):
    signed(bundle)
    before = bundle.with_name("bundle.zip.approved.json").read_bytes()
    assert signed(bundle, name="Someone Else") == 3
    said = capsys.readouterr().err
    assert "it was approved before; to sign again, keep that file elsewhere" in said
    assert bundle.with_name("bundle.zip.approved.json").read_bytes() == before


def _keys(public):
    from reports.seal.signature import load_trusted_keys

    return load_trusted_keys(public)


@pytest.mark.parametrize("executor", ["Ada Lovelace", None])
def test_the_key_of_the_bundle_does_not_vouch_for_its_approval(tmp_path, capsys, executor):
    signer, public = key(tmp_path)
    given = {"sign_off": SignOff(executed_by=executor)}
    bundle = sealed(tmp_path / "runs", signer, **given) / "bundle.zip"
    assert signed(bundle, f"--signing-key={tmp_path}/drill.key", f"--pubkey={public}") == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "its approval is not independent, and does not count." in said
    for check in (verify, verify_bundle.main):
        capsys.readouterr()
        assert check([str(bundle), "--pubkey", str(public)]) == 0
        text = " ".join(capsys.readouterr().out.split())
        assert "-- sign-off approved by" in text
        assert "which sealed the bundle: not independent" in text


@pytest.mark.parametrize(("second", "mark"), [("ada lovelace ", "ok"), ("Grace Hopper", "--")])
def test_two_people_with_one_key_are_not_independent(tmp_path, capsys, second, mark):
    _, public = key(tmp_path, "ada.key")
    bundle = sealed(tmp_path / "runs", sign_off=SignOff(executed_by="Bob")) / "bundle.zip"
    for act, name in (("prepared", "Ada Lovelace"), ("reviewed", second)):
        assert signed(bundle, f"--signing-key={tmp_path}/ada.key", act=act, name=name) == 0
    for check in (verify, verify_bundle.main):
        capsys.readouterr()
        check([str(bundle), "--pubkey", str(public)])
        text = " ".join(capsys.readouterr().out.split())
        assert f"{mark} sign-off prepared by Ada Lovelace" in text
        assert ("; the key of Ada Lovelace as well: not independent" in text) is (mark == "--")


def test_an_approval_of_a_run_without_an_executor_says_so(tmp_path, capsys):
    _, public = key(tmp_path, "grace.key")
    bundle = sealed(tmp_path / "runs", sign_off=SignOff()) / "bundle.zip"
    for act in ("reviewed", "approved"):
        assert signed(bundle, f"--signing-key={tmp_path}/grace.key", act=act) == 0
    for check in (verify, verify_bundle.main):
        capsys.readouterr()
        check([str(bundle), "--pubkey", str(public)])
        text = " ".join(capsys.readouterr().out.split())
        assert text.count("; who executed it is not recorded") == 1
