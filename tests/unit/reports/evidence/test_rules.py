"""Whoever changes the rules of findings is reminded of their version."""

from datetime import UTC, date, datetime

from drillbook.core.application import ROOT
from reports.evidence.context import (
    Acknowledgement,
    Action,
    BusinessFunction,
    DataSet,
    Deviations,
    Exercise,
    Moment,
    RegisteredKey,
    Report,
    Runbook,
    ThirdParty,
)
from reports.evidence.findings import RULES, judge, match_keys
from reports.evidence.model import Key
from tests.support import sample_run

DAY, LATER = date(2026, 11, 24), date(2026, 11, 25)
EARLY, AFTER = datetime(2026, 8, 1, tzinfo=UTC), datetime(2026, 11, 25, tzinfo=UTC)
FOUND = ROOT / "tests" / f"findings-{RULES}.txt"


def exercises():
    """Runs in whose exercise all is wrong that can be."""
    run = sample_run.drill_run()
    subject = run.subject.model_copy(update={"data_set": DataSet(kind="production copy")})
    dates = ({"due": EARLY.date()}, {"closed": DAY}, {"closed": LATER, "retest_run": "x"})
    actions = tuple(Action(control="KEY-3", **one) for one in dates)
    said = Exercise(
        timeline=(Moment(what="decided", who="Ada", at=AFTER), Moment(what="b", who="c", at=EARLY)),
        third_parties=(ThirdParty(name="Hoster"),),
        functions=(BusinessFunction(name="payments", critical=True),),
        reported=(Report(to="the board", at=AFTER),),
    )
    allowed = {"by": "Ada", "at": AFTER}
    for book in (None, Runbook(file="a"), Runbook(file="a", followed_by=("Eve",))):
        told = said.model_copy(update={"runbook": book})
        if book:
            told = Exercise.model_validate(told.model_dump() | {"authorisation": allowed})
        whole = {"subject": subject, "deviations": Deviations(actions=actions), "exercise": told}
        yield run.model_copy(update=whole)


def keys():
    """A register in which all is wrong that can be."""
    answers = tuple(
        Acknowledgement(name=name, signed=at, challenge="q", key_id="1", held=held)
        for name, at, held in (("Ada", EARLY, False), ("Grace", AFTER, None))
    )
    facts = {"created": LATER, "activated": LATER, "custodians": ("Joan",), "challenge": "q"}
    days = {"expires": EARLY.date(), "escrow_last_opened": EARLY.date(), "acknowledged": answers}
    opened = {"stored_in": ("safe",), "escrow_last_opened": LATER}
    for at, one in enumerate((facts | days, opened, {}, {"retired": DAY})):
        yield RegisteredKey(label=f"{at}" * 16, purpose="x", **one)


def test_another_rule_or_sentence_takes_another_version():
    """After a change: RULES + 1 in reports/evidence/findings.py, then
    `python -m tests.unit.reports.evidence.test_rules`.
    """
    assert FOUND.read_text() == found(), test_another_rule_or_sentence_takes_another_version.__doc__


def found():
    """All that the rules find, line by line."""
    seen = [Key(name=f"KEY_{at}", label=f"{at}" * 16, bytes=32) for at in (0, 1, 2, 3, 4)]
    lines = [line for run in exercises() for line in judge(run).exercise.findings]
    lines += [line for key in match_keys(keys(), seen, DAY) for line in key.findings]
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    FOUND.write_text(found())
