"""A waiver lets the gate pass until its day, and never hides a verdict."""

from datetime import date
from xml.etree import ElementTree

import pytest

from reports.config import declarations
from reports.errors import BadDeclaration
from reports.render import junit, phrases
from reports.render.terminal import summary
from reports.verdict import Verdict
from tests.support import sample_run
from tests.support.own_suite import catalogue

CATALOGUE = catalogue("KEY-1", "DBP-1")
FULL = {
    "control": "'KEY-1'",
    "reason": "'the vendor repairs it in 0.2'",
    "owner": "'Ada'",
    "approved_by": "'Grace'",
    "expires": "2027-01-31",
}


def entry(**changes):
    lines = (f"{name} = {value}" for name, value in (FULL | changes).items() if value)
    return "\n".join(["[[waiver]]", *lines, ""])


@pytest.fixture
def loaded(tmp_path):
    def load(text):
        path = tmp_path / "waivers.toml"
        path.write_text(text, encoding="utf-8")
        return declarations.load_waivers(path, CATALOGUE)

    return load


def state(verdict, today):
    one = declarations.WaiverEntry(
        control="KEY-1", reason="r", owner="o", approved_by="a", expires=date(2027, 1, 31)
    )
    return declarations.apply_waiver(one, verdict, today)


def test_complete_waivers_are_read_in_order(loaded):
    found = loaded(entry() + entry(control="'DBP-1'"))
    assert [(one.control, one.owner, one.expires) for one in found] == [
        ("KEY-1", "Ada", date(2027, 1, 31)),
        ("DBP-1", "Ada", date(2027, 1, 31)),
    ]
    assert loaded("") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        *((entry(**{name: None}), f"waiver\\[1\\].{name}: is missing") for name in FULL),
        *((entry(**{name: "''"}), f"waiver\\[1\\].{name}: is missing") for name in FULL),
        (entry(owner="'  '"), r"waiver\[1\].owner: "),
        (entry(owner="7"), r"waiver\[1\].owner: is not a text"),
        (entry(control="'KEY-9'"), "no control KEY-9; did you mean KEY-1"),
        (entry(control="'key-1'"), "no control key-1; did you mean KEY-1"),
        (entry() + entry(), "KEY-1 is waived twice; keep one"),
        (entry(expires="'2027-01-31'"), "write a date without quotes"),
        (entry(expires="20270131"), "write a date without quotes"),
        (entry(expires="2027-01-31T00:00:00"), "write a date without quotes"),
        (entry(expires="2027-02-30"), "correct the file"),
        (entry(note="'x'"), r"waiver\[1\].note is unknown"),
        ("[[waivers]]\n", "waivers is unknown; did you mean waiver"),
        ("waiver = 1\n", "waiver: is not a list"),
        ("waiver = ['x']\n", r"waiver\[1\]: "),
    ],
)
def test_malformed_waiver_is_refused_in_one_sentence(loaded, text, said):
    with pytest.raises(BadDeclaration, match=said) as refused:
        loaded(text)
    assert "waivers.toml: " in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("verdict", "today", "expected"),
    [
        (Verdict.VIOLATED, date(2027, 1, 30), ("in_force", 1)),
        (Verdict.VIOLATED, date(2027, 1, 31), ("in_force", 0)),
        (Verdict.VIOLATED, date(2027, 2, 1), ("expired", -1)),
        (Verdict.INCONCLUSIVE, date(2027, 1, 1), ("in_force", 30)),
        (Verdict.NOT_RUN, date(2027, 1, 1), ("in_force", 30)),
        (Verdict.CONTRADICTED, date(2027, 1, 1), ("in_force", 30)),
        (Verdict.SATISFIED, date(2027, 1, 1), ("not_needed", 30)),
        (Verdict.NOT_APPLICABLE, date(2027, 1, 1), ("not_needed", 30)),
        (Verdict.SATISFIED, date(2027, 3, 1), ("expired", -29)),
    ],
)
def test_waiver_counts_through_its_last_day_and_only_where_something_is_amiss(
    verdict, today, expected
):
    found = state(verdict, today)
    assert (found.state, found.days_left) == expected


def test_junit_lets_a_waived_control_pass_and_says_so():
    run = sample_run.waived_run()
    root = ElementTree.fromstring(junit.render(run))
    case = next(one for one in root.iter("testcase") if one.get("name").startswith("KEY-3"))
    properties = {one.get("name"): one.get("value") for one in case.iter("property")}
    assert case.find("failure") is None
    assert (properties["verdict"], properties["waived"]) == ("violated", "true")
    assert "Waived until 2026-12-08 by Ada Lovelace" in case.findtext("system-out")
    assert root.get("failures") == "0"


def test_summary_shows_the_verdict_the_waiver_and_its_end():
    lines = summary(sample_run.waived_run(), "report.html")
    text = " ".join(" ".join(line.text for line in lines).split())
    assert "Violated: 1 KEY-3" in text
    assert "KEY-3 violated: " in text
    assert "Waived until 2026-12-08 by Ada Lovelace, approved by Grace Hopper." in text
    assert "Expires in 14 days." in text


def test_outcome_never_says_that_every_control_holds_when_one_is_waived():
    run = sample_run.waived_run(exit_code=0)
    assert "the gate lets KEY-3 pass because of a waiver" in phrases.outcome(run).sentence
    assert "Every" not in phrases.outcome(run).sentence


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("expired", "expired on 2026-12-08 and no longer counts"),
        ("not_needed", "needs no waiver"),
    ],
)
def test_waiver_that_does_not_count_says_why(state, said):
    one = sample_run.waived_run().controls[0].waiver.model_copy(update={"state": state})
    assert said in phrases.waiver(one)


@pytest.mark.parametrize(
    ("left", "said"), [(0, "today."), (1, "in 1 day."), (30, "in 30 days."), (31, None)]
)
def test_waiver_that_expires_soon_says_so(left, said):
    one = sample_run.waived_run().controls[0].waiver.model_copy(update={"days_left": left})
    assert ("Expires" in phrases.waiver(one)) is (said is not None)
    assert said is None or said in phrases.waiver(one)


def test_a_failure_with_a_waiver_is_never_called_none():
    waived = sample_run.waived_run()
    said = phrases.outcome(waived).sentence
    assert "No gating control failed without a waiver (KEY-3 did with one)" in said
