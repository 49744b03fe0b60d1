"""Documents of a run that asked one question answer it; other controls are on no page."""

import pytest

from reports.evidence.model import LEFT_OUT, OUTSIDE
from reports.render import html, pdf, phrases, terminal
from reports.verdict import IDLE, UNDECIDED, Verdict
from tests.support import sample_run


@pytest.fixture
def run():
    whole = sample_run.run()
    asked = {whole.controls[0].id, whole.controls[1].id}
    controls = tuple(
        one if one.id in asked else one.model_copy(update={"note": OUTSIDE})
        for one in whole.controls
    )
    return whole.model_copy(update={"controls": controls})


def test_controls_that_were_not_asked_for_are_on_no_page(run):
    asked = [one.id for one in run.controls[:2]]
    aside = run.controls[-1]
    assert [row["id"] for row in pdf.pdf_document(run, "")["controls"]] == asked
    page = html.render(run)
    assert all(f'id="{one}"' in page for one in asked)
    assert f'id="{aside.id}"' not in page
    table = "\n".join(line.text for line in terminal.summary(run, "here"))
    assert f"\n{aside.chapter[:16]:<17}" not in table


def test_counts_are_of_what_was_asked(run):
    aside = len(run.controls) - 2
    judged = [one for one in phrases.asked_controls(run) if one.verdict not in IDLE]
    assert phrases.judged_count(run) == f"{len(judged)} of {run.counts.planned - aside}"
    assert sum(pdf.pdf_document(run, "")["summary"]["all"]) == 2


def test_of_a_whole_run_every_control_is_shown():
    whole = sample_run.run()
    assert phrases.asked_controls(whole) == list(whole.controls)
    counts = whole.counts
    judged = counts.satisfied + counts.contradicted + counts.violated + counts.inconclusive
    assert phrases.judged_count(whole) == f"{judged} of {counts.planned}"


def test_what_was_left_aside_is_one_row():
    whole = sample_run.run()
    idle = whole.controls[-1].model_copy(update={"specs": (), "note": "there is none"})
    aside = [idle.model_copy(update={"id": f"KEY-{n}", "note": OUTSIDE}) for n in range(3)]
    rows = phrases.exclusions(whole.model_copy(update={"controls": (idle, *aside)}))
    assert [row["what"] for row in rows] == [idle.id, "3 controls"]


@pytest.mark.parametrize(
    ("control", "asked", "advice"),
    [
        ("DRL-1", ("DRL-1",), "Look for the key that opens it: drillbook key check"),
        ("DRL-3", ("DRL-3",), "Do not rely on this backup for a recovery in time"),
        ("DRL-5", ("DRL-5",), "Find out what was lost"),
        ("BKP-4", ("BKP-4", "DRL-1"), "Take the one before it"),
        ("DRL-4", ("DRL-1", "DRL-4"), "remove what the drill left behind"),
        ("KEY-5", ("DRL-1", "KEY-5"), "Do not rely on a recovery from this backup"),
        ("UPG-1", ("UPG-1",), "Do not deploy"),
        ("DRL-1", (), "Do not deploy"),
    ],
)
def test_a_failed_drill_speaks_of_the_backup_and_not_of_a_deploy(control, asked, advice):
    whole = sample_run.run()
    bad = next(one for one in whole.controls if one.gating and one.verdict.value == "violated")
    run = whole.model_copy(
        update={
            "controls": (bad.model_copy(update={"id": control}),),
            "run": whole.run.model_copy(update={"asked": asked}),
        }
    )
    assert advice in phrases.outcome(run).next


def test_advice_for_a_running_instance_is_not_about_deploying():
    whole = sample_run.run()
    subject = whole.subject.model_copy(update={"driver": "remote"})
    said = phrases.outcome(whole.model_copy(update={"subject": subject})).next
    assert said.startswith("Do not rely on this instance before it is put right")


def test_a_rehearsed_live_check_leads_to_the_running_instance():
    whole = sample_run.run()
    subject = whole.subject.model_copy(update={"driver": "remote", "grade": "rehearsal"})
    run = whole.model_copy(update={"subject": subject, "exit_code": 0})
    assert phrases.outcome(run).next.endswith("Run it against the instance you run.")


def test_a_question_that_gates_nothing_has_no_verdict_and_says_what_was_seen():
    whole = sample_run.run()
    advisory = tuple(one.model_copy(update={"gating": False}) for one in whole.controls)
    run = whole.model_copy(
        update={"controls": advisory, "verdict": Verdict.NOT_RUN, "exit_code": UNDECIDED}
    )
    said = phrases.outcome(run)
    assert said.word.startswith("Undecided")
    assert said.sentence.startswith("None of the controls that were asked decides")
    assert " violated" in said.sentence
    assert "drillbook verify" in said.next


@pytest.mark.parametrize(
    ("verdict", "note", "advice"),
    [
        (Verdict.INCONCLUSIVE, None, "Remove the causes"),
        (Verdict.NOT_RUN, LEFT_OUT, "Controls left out count as not run"),
    ],
)
def test_next_step_fits_what_left_a_question_open(verdict, note, advice):
    whole = sample_run.run()
    unknown = next(one for one in whole.controls if one.gating)
    facts = whole.run.model_copy(update={"asked": (unknown.id,), "selection": (unknown.id,)})
    seen = unknown.model_copy(update={"verdict": verdict, "note": note, "specs": ()})
    changed = {"controls": (seen,), "run": facts, "verdict": verdict, "exit_code": UNDECIDED}
    assert advice in phrases.outcome(whole.model_copy(update=changed)).next
