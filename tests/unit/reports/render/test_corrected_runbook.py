"""The corrected runbook says what holds, corrects what was contradicted, and admits the rest."""

from reports.evidence.context import PartOfRun
from reports.render import markdown
from reports.verdict.verdicts import Verdict
from tests.support import sample_run

RUN = sample_run.run()
PAGE = markdown.corrected_runbook(RUN)


def sectioned(verdict):
    return [one for one in RUN.controls if one.verdict is verdict and one.runbook]


def test_every_correction_stands_in_it():
    corrected = sectioned(Verdict.CONTRADICTED)
    assert corrected
    assert [one.id for one in corrected if one.correction and one.correction not in PAGE] == []


def test_what_was_not_judged_is_open_and_nothing_else():
    judged = (Verdict.SATISFIED, Verdict.CONTRADICTED, Verdict.VIOLATED)
    unjudged = {one.id for one in RUN.controls if one.verdict not in judged and one.runbook}
    lines = [line for line in PAGE.splitlines() if "*Open*" in line]
    missing = [one for one in unjudged if not any(f"({one})" in line for line in lines)]
    assert missing == []
    assert [line for line in lines if not any(f"({control})" in line for control in unjudged)] == []


def test_a_joined_run_is_repeated_shard_by_shard_and_without_a_seed():
    def commands(**facts):
        facts = {"command": "drillbook evidence merge a b"} | facts
        run = RUN.model_copy(update={"run": RUN.run.model_copy(update=facts)})
        return markdown.reproduce(run).partition("## What may differ")[0]

    assert "merge a b --seed=" in commands()
    shard = PartOfRun(
        id="a",
        shard="1/2",
        seed=1,
        host="here",
        secrets_known=0,
        started=RUN.run.started,
        finished=RUN.run.finished,
    )
    assert "--seed" not in commands(parts=(shard,))
    assert "each shard" in commands(parts=(shard,))


def test_a_rehearsal_says_so_first():
    rehearsal = RUN.model_copy(
        update={"subject": RUN.subject.model_copy(update={"grade": "rehearsal"})}
    )
    assert "rehearsal" in markdown.corrected_runbook(rehearsal).split("##")[0]
