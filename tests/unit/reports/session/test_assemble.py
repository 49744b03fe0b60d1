"""From what was recorded to verdicts, counts and the exit code, without pytest in between."""

from datetime import date, timedelta

import pytest

from reports.config import declarations
from reports.config.declarations import Setting, WaiverEntry
from reports.controls import Catalogue, Entry
from reports.evidence.model import INTERRUPTED, LEFT_OUT, NO_SPEC, Leak, Redaction, gate
from reports.record.recorder import Recorder
from reports.render import html
from reports.session.evidence_run import assemble
from reports.session.spec_selection import Plan
from reports.verdict import Verdict
from tests.support import sample_run
from tests.unit.reports.record.test_drafts import Set


def control(name, nature="safety", severity="critical", **more):
    claim = f"{name} holds."
    fixed = {"id": name, "title": name, "claim": claim, "nature": nature, "severity": severity}
    return fixed | {"chapter": "keys"} | more


SEEN = {"sentence": "Say this.", "commands": "ls", "because": "Because it lists."}
CATALOGUE = Catalogue.model_validate(
    {
        "observations": {"seen": "it was seen", "also": "that, too"},
        "control": [
            control("KEY-1", corrections={"seen": SEEN, "own": {"sentence": "And this."}}),
            control("KEY-2", nature="claim", corrections={"seen": {"sentence": "Claim this."}}),
            control("KEY-3", severity="minor", parts={"live": "A part of KEY-3 holds."}),
        ],
    }
)
CLEAN = Redaction(secrets_known=0)
LEAKY = Redaction(secrets_known=1, leaks=(Leak(file="x", secret="K", encoding="plain"),))


@pytest.fixture
def recorder():
    return Recorder(clock=Set())


def seen(recorder, name, controls, *verdicts, words=(), messages=(), taken=1.0):
    """One spec, over and done."""
    recorder.begin(name, controls)
    for verdict in verdicts:
        recorder.judge(verdict, None)
    for word in words:
        recorder.observe(word)
    if messages:
        recorder.judge(verdicts[-1], "\n".join(messages))
    recorder.clock.now += taken
    recorder.end()


def made(recorder, plan=None, setting=None, redaction=CLEAN, catalogue=CATALOGUE, **facts):
    facts = sample_run.run().run.model_copy(update=facts)
    setting = setting or Setting(declarations.Declared())
    return assemble(catalogue, plan or Plan(), recorder, facts, redaction, setting)


def by_id(run):
    return {one.id: one for one in run.controls}


@pytest.mark.parametrize(
    ("specs", "claim"),
    [
        (("suites/live/a",), "A part of KEY-3 holds."),
        (("suites/live/a", "suites/keys/b"), "KEY-3 holds."),
        (("suites/keys/b",), "KEY-3 holds."),
        ((), "KEY-3 holds."),
    ],
)
def test_claim_is_no_wider_than_what_the_suite_of_the_run_tries(recorder, specs, claim):
    for spec in specs:
        seen(recorder, spec, ("KEY-3",), Verdict.SATISFIED)
    assert by_id(made(recorder))["KEY-3"].claim == claim


def test_control_takes_the_worst_verdict_of_its_specs(recorder):
    seen(recorder, "a", ("KEY-1",), Verdict.SATISFIED)
    seen(recorder, "b", ("KEY-1", "KEY-2"), Verdict.VIOLATED, taken=2.5)
    found = by_id(made(recorder))
    assert found["KEY-1"].verdict is Verdict.VIOLATED
    assert [spec.verdict for spec in found["KEY-1"].specs] == [Verdict.SATISFIED, Verdict.VIOLATED]
    assert found["KEY-1"].duration_s == 3.5
    assert found["KEY-2"].verdict is Verdict.CONTRADICTED
    assert found["KEY-2"].specs[0].verdict is Verdict.CONTRADICTED
    assert found["KEY-3"].verdict is Verdict.NOT_RUN


def test_what_is_unsafe_violates_a_claim_as_well_and_then_the_claim_gates(recorder):
    recorder.begin("a", ("KEY-2", "KEY-3"))
    recorder.judge(Verdict.VIOLATED, None)
    recorder.mark_unsafe()
    recorder.end()
    seen(recorder, "b", ("KEY-2",), Verdict.VIOLATED)
    found = by_id(made(recorder))
    assert found["KEY-2"].verdict is Verdict.VIOLATED
    assert [one.verdict.value for one in found["KEY-2"].specs] == ["violated", "contradicted"]
    assert found["KEY-2"].gating
    assert not found["KEY-3"].gating, "one of minor severity never does"


def test_unsafe_is_no_verdict_of_its_own(recorder):
    recorder.begin("a", ("KEY-2",))
    recorder.mark_unsafe()
    recorder.judge(Verdict.INCONCLUSIVE, None)
    recorder.end()
    found = by_id(made(recorder))["KEY-2"]
    assert (found.verdict, found.gating) == (Verdict.INCONCLUSIVE, False)


def test_observations_are_those_of_the_worst_specs_and_corrections_only_where_amiss(recorder):
    seen(recorder, "a", ("KEY-1",), Verdict.SATISFIED, words=["also"])
    seen(recorder, "b", ("KEY-1",), Verdict.VIOLATED, words=["seen", "own", "strange"])
    seen(recorder, "c", ("KEY-2",), Verdict.SATISFIED, words=["seen"])
    found = by_id(made(recorder))
    assert found["KEY-1"].observed == "it was seen; own"
    assert found["KEY-1"].correction == "Say this. And this."
    first, second = found["KEY-1"].corrections
    assert (first.commands, first.because, second.sentence) == ("ls", SEEN["because"], "And this.")
    assert (found["KEY-2"].observed, found["KEY-2"].correction) == ("it was seen", None)
    assert (found["KEY-2"].corrections, found["KEY-3"].corrections) == ((), ())
    assert (found["KEY-3"].observed, found["KEY-3"].correction) == (None, None)


def test_contradicted_claim_without_a_known_word_has_no_correction(recorder):
    seen(recorder, "a", ("KEY-2",), Verdict.VIOLATED, words=["also"])
    assert by_id(made(recorder))["KEY-2"].correction is None


def test_spec_that_was_cut_short_is_told_so_with_its_time_up_to_now(recorder):
    recorder.clock.now = 10.0
    recorder.begin("a", ("KEY-1",))
    recorder.clock.now += 4.25
    (spec,) = by_id(made(recorder))["KEY-1"].specs
    assert (spec.verdict, spec.message) == (Verdict.NOT_RUN, "interrupted before it ended")
    assert spec.duration_s == 4.25


def test_durations_are_told_to_the_millisecond(recorder):
    seen(recorder, "a", ("KEY-1",), Verdict.SATISFIED, taken=1.00049)
    seen(recorder, "b", ("KEY-1",), Verdict.SATISFIED, taken=0.0016)
    found = by_id(made(recorder))["KEY-1"]
    assert [spec.duration_s for spec in found.specs] == [1.0, 0.002]
    assert found.duration_s == 1.002


def test_messages_are_joined_and_an_ended_spec_without_any_has_none(recorder):
    seen(recorder, "a", ("KEY-1",), Verdict.VIOLATED, messages=["one"])
    recorder.specs[-1].messages.append("two")
    seen(recorder, "b", ("KEY-1",), Verdict.SATISFIED)
    first, second = by_id(made(recorder))["KEY-1"].specs
    assert first.message == "one\ntwo"
    assert second.message is None


def test_change_of_release_is_in_the_record_where_one_was_rehearsed_and_only_there(recorder):
    assert made(recorder).change is None
    recorder.change(older="a:1", newer="a:2", migrations=7)
    change = made(recorder).change
    assert (change.older, change.newer, change.migrations) == ("a:1", "a:2", 7)


def test_what_was_not_executed_is_named_with_its_reason(recorder):
    seen(recorder, "a", ("KEY-1",), Verdict.SATISFIED)
    plan = Plan(
        specs={"a": ("KEY-1",), "b": ("KEY-1", "KEY-2")}, left_out={"c": ("KEY-2",), "a": ()}
    )
    found = by_id(made(recorder, plan))
    told = [(spec.id, spec.verdict, spec.message) for spec in found["KEY-1"].specs]
    assert told == [("a", Verdict.SATISFIED, None), ("b", Verdict.NOT_RUN, INTERRUPTED)]
    assert found["KEY-1"].verdict is Verdict.NOT_RUN
    assert found["KEY-1"].note is None
    assert [spec.message for spec in found["KEY-2"].specs] == [INTERRUPTED, LEFT_OUT]
    assert [spec.duration_s for spec in found["KEY-2"].specs] == [0, 0]
    assert found["KEY-2"].note == INTERRUPTED
    assert found["KEY-3"].note == NO_SPEC
    assert found["KEY-3"].specs == ()


def test_counts_are_those_of_controls_and_specs(recorder):
    seen(recorder, "a", ("KEY-1",), Verdict.SATISFIED)
    seen(recorder, "b", ("KEY-2",), Verdict.VIOLATED)
    seen(recorder, "c", ("KEY-3",), Verdict.NOT_APPLICABLE)
    seen(recorder, "d", ("KEY-3",), Verdict.NOT_RUN)
    plan = Plan(specs=dict.fromkeys("abcd", ()), left_out=dict.fromkeys("ef", ()))
    counts = made(recorder, plan).counts
    assert counts.model_dump(exclude_defaults=True) == {
        "planned": 3,
        "executed": 2,
        "satisfied": 1,
        "contradicted": 1,
        "violated": 0,
        "inconclusive": 0,
        "not_run": 1,
        "not_applicable": 0,
        "specs_planned": 6,
        "specs_executed": 2,
    }


def test_what_gates_depends_on_nature_strictness_and_the_question(recorder):
    def gating(**facts):
        return [name for name, one in by_id(made(recorder, **facts)).items() if one.gating]

    assert gating() == ["KEY-1"]
    assert gating(strict_claims=True) == ["KEY-1", "KEY-2"]
    assert gating(asked=("KEY-2",)) == []
    assert gating(asked=("KEY-2",), strict_claims=True) == ["KEY-2"]
    assert gating(asked=("KEY-1",)) == ["KEY-1"]


@pytest.mark.parametrize(
    ("verdict", "facts", "redaction", "expected"),
    [
        (Verdict.SATISFIED, {}, CLEAN, (Verdict.SATISFIED, 0)),
        (Verdict.VIOLATED, {}, CLEAN, (Verdict.VIOLATED, 1)),
        (Verdict.INCONCLUSIVE, {}, CLEAN, (Verdict.INCONCLUSIVE, 2)),
        (Verdict.SATISFIED, {}, LEAKY, (Verdict.VIOLATED, 1)),
        (Verdict.SATISFIED, {"stopped": "no disk"}, LEAKY, (Verdict.VIOLATED, 1)),
        (Verdict.SATISFIED, {"stopped": "no disk"}, CLEAN, (Verdict.NOT_RUN, 3)),
        (Verdict.VIOLATED, {"stopped": "no disk"}, CLEAN, (Verdict.VIOLATED, 3)),
        (Verdict.SATISFIED, {"interrupted": True}, CLEAN, (Verdict.NOT_RUN, 2)),
        (Verdict.VIOLATED, {"interrupted": True}, CLEAN, (Verdict.VIOLATED, 1)),
        (Verdict.INCONCLUSIVE, {"interrupted": True}, CLEAN, (Verdict.INCONCLUSIVE, 2)),
    ],
)
def test_gate(verdict, facts, redaction, expected):
    controls = [
        sample_run.run().controls[0].model_copy(update={"verdict": verdict, "gating": True})
    ]
    assert gate(controls, sample_run.run().run.model_copy(update=facts), redaction) == expected


def test_gate_looks_at_gating_controls_that_are_not_waived():
    bad = sample_run.run().controls[0]
    good = bad.model_copy(update={"verdict": Verdict.SATISFIED})
    facts = sample_run.run().run
    assert gate([good, bad], facts, CLEAN)[1] == 1
    assert gate([good, bad.model_copy(update={"waived": True})], facts, CLEAN)[1] == 0
    assert gate([good, bad.model_copy(update={"gating": False})], facts, CLEAN)[1] == 0
    assert gate([bad.model_copy(update={"waived": True})], facts, CLEAN)[1] == 2


def test_waivers_are_judged_on_the_day_the_run_started(recorder):
    seen(recorder, "a", ("KEY-1",), Verdict.VIOLATED)
    started = sample_run.run().run.started
    entry = WaiverEntry(
        control="KEY-1", reason="r", owner="o", approved_by="a", expires=date(2026, 11, 24)
    )
    setting = Setting(declarations.Declared(waivers=(entry,)))
    assert by_id(made(recorder, setting=setting))["KEY-1"].waived is True
    run = made(recorder, setting=setting, started=started + timedelta(days=1))
    assert by_id(run)["KEY-1"].waived is False
    assert (run.counts.waived, run.exit_code) == (0, 1)


def test_everything_is_redacted_once_more(recorder):
    seen(recorder, "a", ("KEY-1",), Verdict.VIOLATED, messages=["corner-office-opal-42"])
    recorder.secret("PW", "corner-office-opal-42")
    run = made(recorder, reason="corner-office-opal-42")
    assert "corner-office" not in run.model_dump_json()
    assert run.run.reason == "«PW»"


def test_timeline_is_in_the_order_of_time(recorder):
    with recorder.span("later", "boot"):
        recorder.clock.now = 5.0
        with recorder.span("inner", "dump"):
            recorder.clock.now = 6.0
    recorder.objectives(rto_s=3.0)
    recorder.subject(driver="containers")
    run = made(recorder)
    assert [(span.name, span.duration_s) for span in run.timeline] == [("later", 6), ("inner", 1)]
    assert run.objectives.rto_s == 3
    assert run.subject.driver == "containers"


@pytest.mark.parametrize(
    ("state", "code"), [("exposed", 1), ("not_exposed", 0), ("not_judged", 0), (None, 0)]
)
def test_a_conditional_control_gates_only_where_the_deployment_is_exposed(recorder, state, code):
    seen(recorder, "a", ("KEY-1",), Verdict.SATISFIED)
    recorder.begin("b", ("SEC-1",))
    if state:
        recorder.exposure(state, "the file says so")
    recorder.judge(Verdict.VIOLATED, "it was printed")
    recorder.end()
    entries = [*CATALOGUE.control, Entry.model_validate(control("SEC-1", avoid="Never do this."))]
    run = made(recorder, catalogue=CATALOGUE.model_copy(update={"control": tuple(entries)}))
    found = by_id(run)["SEC-1"]
    assert found.verdict is Verdict.VIOLATED
    assert (found.gating, run.exit_code) == (code == 1, code)
    assert found.known_weakness is (code == 0)
    assert found.exposure.state == (state or "not_judged")
    assert found.exposure.avoid == "Never do this."


def test_declared_table_is_copied_without_secrets_and_printed(recorder, tmp_path):
    password = "corner-office-opal-42"
    recorder.secret("PW", password)
    (tmp_path / "drillbook.toml").write_text(
        f'[declared]\nlead = "Ada, {password}"\nshare = inf\ntold = false\n'
        'references = ["BIA-7", "CHG-1042"]\n'
        '[[declared.actions]]\ncontrol = "KEY-3"\ndue = 2026-12-24\nwhen = {at = 09:30:00}\n'
    )
    said = declarations.load(tmp_path, None, None, CATALOGUE)
    run = made(recorder, setting=Setting(said))
    lead = run.declared["lead"]
    assert lead.startswith("Ada, «PW")
    assert run.declared == {
        "lead": lead,
        "share": "inf",
        "told": False,
        "references": ["BIA-7", "CHG-1042"],
        "actions": [{"control": "KEY-3", "due": "2026-12-24", "when": {"at": "09:30:00"}}],
    }
    page = html.render(run)
    assert password not in page
    assert "What else is declared" in page
    for words in ("BIA-7; CHG-1042", "actions 1.due", "2026-12-24", "actions 1.when.at"):
        assert words in page
