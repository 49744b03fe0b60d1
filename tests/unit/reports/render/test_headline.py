"""The first lines of a run say whether this may be deployed, why, and what to do now."""

import pytest

from reports.evidence.model import Correction, Exposure, Subject
from reports.export import ctrf
from reports.render import html, junit, pdf, phrases
from reports.render.markdown import corrected_runbook
from reports.render.terminal import summary
from reports.verdict import Verdict
from tests.unit.reports.render.test_documents import BAD, GOOD, run_of, text_of

AVOID = "Never put a raw slash there."
BECAUSE = "the address is a valid URL"


def deployed(run, **update):
    """The run as one of `drillbook verify` on containers."""
    subject = Subject(driver="containers", grade="deployment")
    return run.model_copy(update={"subject": subject, **update})


def weak(state):
    """A run whose fourth control is a weakness that was seen, for a deployment in this state."""
    run = deployed(run_of(GOOD, GOOD, GOOD, BAD, GOOD, GOOD))
    exposure = Exposure(state=state, because=BECAUSE, avoid=AVOID)
    cure = Correction(sentence="Encode the password.")
    changes = {"exposure": exposure, "gating": state == "exposed", "corrections": (cure,)}
    name = next(one.id for one in run.controls if one.verdict is BAD)
    controls = tuple(
        one.model_copy(update=changes) if one.id == name else one for one in run.controls
    )
    return run.model_copy(update={"controls": controls, "exit_code": int(state == "exposed")})


def first_lines(run, number=3):
    return [line.text for line in summary(run, "report.html") if line.text][:number]


def test_a_sound_deployment_may_be_deployed_though_the_release_has_a_weakness():
    run = weak("not_exposed")
    answer, why, now = first_lines(run)
    assert answer == "Yes: you may deploy this."
    assert why == "PASSED. 3 of 3 gating controls hold. Advisory: 1 known weakness."
    assert now == "Next: Keep the folder of this run with your audit records."
    assert phrases.findings(run) == []
    assert dict(phrases.tally(run.controls))[BAD] == 0
    assert phrases.cover_code(run) == 0
    said = text_of(run)
    for words in (phrases.KNOWN_WEAKNESSES, AVOID, f"Not exposed: {BECAUSE}."):
        assert words in said
        assert words in html.render(run)
        assert words in str(pdf.pdf_document(run, ""))
    assert "Violated:" not in said
    assert "<h1>Yes: you may deploy this</h1>" in html.render(run)
    assert 'class="pill violated"' not in html.render(run).split('id="controls"')[0]
    assert "<failure" not in junit.render(run)
    assert "failed" not in {test["status"] for test in ctrf.render(run)["results"]["tests"]}
    book = corrected_runbook(run)
    assert AVOID in book
    assert "Encode the password." not in book


def test_without_the_files_the_answer_names_what_is_open_and_which_to_give():
    run = weak("not_judged")
    answer, _, now = first_lines(run)
    name = phrases.known_weaknesses(run)[0].id
    assert answer == f"Yes, unless your deployment is exposed to {name}."
    assert "both files of your deployment, --compose FILE" in now
    hints = [line for line in text_of(run).splitlines() if "was not judged: give both" in line]
    assert len(hints) == 1


def test_an_exposed_deployment_is_refused_with_the_cure():
    run = weak("exposed")
    said = " ".join(text_of(run).split())
    bad = phrases.failures(run)[0]
    assert said.startswith("No: do not deploy this. FAILED. 1 of 4 gating controls failed: ")
    assert f"Next: Do not deploy. Begin with {bad.id}: Encode the password." in said
    assert f"Exposed: {BECAUSE}." in said
    assert phrases.known_weaknesses(run) == []


def test_a_new_leak_stands_before_a_known_one():
    run = weak("exposed")
    last = run.controls[-1].model_copy(
        update={"verdict": Verdict.VIOLATED, "gating": True, "severity": "major"}
    )
    run = run.model_copy(update={"controls": (*run.controls[:-1], last)})
    assert phrases.failures(run)[0].id == last.id


@pytest.mark.parametrize(
    ("changes", "command", "answer"),
    [
        ({"subject": Subject(driver="embedded", grade="rehearsal")}, "", "No answer about your d"),
        ({}, "drillbook verify --mutant LogsValues", "No answer about your deployment: a bug"),
        ({"exit_code": 2}, "", "Not decided: this run does not show"),
    ],
)
def test_what_shows_nothing_about_a_deployment_says_so_first(changes, command, answer):
    run = deployed(run_of(*[GOOD] * 6, command=command or "drillbook verify"), **changes)
    assert first_lines(run, 1)[0].startswith(answer)


def test_another_question_keeps_its_own_answer():
    end = phrases.outcome(deployed(run_of(*[GOOD] * 6, asked=("DRL-1",))))
    assert end.answer == f"{end.word}."
