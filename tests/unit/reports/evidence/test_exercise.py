"""What people declare of an exercise stands apart from what was measured, and gaps are found."""

from datetime import UTC, date, datetime, timedelta

import pytest

from reports.config import declarations
from reports.config.declarations import Setting, build_context, compare_runbook
from reports.errors import BadDeclaration, Distrusted
from reports.evidence.context import Action, DataSet, Deviations, Environment, Exercise, Person
from reports.evidence.findings import judge
from reports.render import html, pdf
from reports.render.context_sections import sections
from tests.support import sample_run
from tests.support.bundles import check_record

CATALOGUE = declarations.Catalogue.model_validate({"control": []})
TEXT = """
[[people]]
name = "Ada"
[exercise.runbook]
file = "runbook.md"
version = "7"
followed_by = ["Ada"]
[[exercise.timeline]]
what = "decided"
who = "Grace"
at = 2026-11-24T16:00:00+01:00
[[exercise.timeline]]
what = "key fetched"
who = "Ada"
at = 2026-11-24T16:00:00Z
[[exercise.references]]
kind = "bia"
id = "BIA-7"
[[exercise.third_parties]]
name = "Hoster"
involved = true
[[exercise.functions]]
name = "payments"
critical = true
[exercise.authorisation]
by = "Grace"
at = 2026-11-24T16:01:00Z
[exercise.production]
data = "no other data show that the backup is whole"
keys = "the escrowed ones are what is tried"
disposal = "the copy is removed with its volumes"
[[exercise.reported]]
to = "the board"
at = 2026-11-24T08:00:00Z
run = "20261101T000000Z-000000"
"""


def declared(folder, text=TEXT, runbook=b"Then: redeploy."):
    (folder / "drillbook.toml").write_text(text)
    (folder / "runbook.md").write_bytes(runbook)
    return declarations.load(folder, None, None, CATALOGUE)


def recorded(folder, **given):
    """A drill as it is recorded with these declarations."""
    run, said = sample_run.drill_run(), declared(folder, **given)
    subject = run.subject.model_copy(update={"data_set": DataSet(kind="production copy")})
    controls = tuple(compare_runbook(run.controls, said))
    framed = build_context(Setting(said), run.run, controls)
    return judge(run.model_copy(update={**framed, "controls": controls, "subject": subject}))


def later(moment, **by):
    return moment + timedelta(**by)


def with_action(**facts):
    action = Action(control="KEY-3", **facts)
    return lambda run: run.model_copy(update={"deviations": Deviations(actions=(action,))})


def changed(**facts):
    return lambda run: run.model_copy(update={"exercise": run.exercise.model_copy(update=facts)})


def first(name, **facts):
    """The first of a list, or the only one, with other facts."""

    def change(run):
        held = getattr(run.exercise, name)
        one = held[0] if isinstance(held, tuple) else held
        other = one.model_copy(update=facts)
        return changed(**{name: (other, *held[1:]) if isinstance(held, tuple) else other})(run)

    return change


AFTER = datetime(2026, 11, 25, tzinfo=UTC)
TAMPERED = {
    "no runbook is named": changed(runbook=None),
    "no one is named who worked": first("runbook", followed_by=()),
    "Eve worked from the runbook, and is not": first("runbook", followed_by=("Eve",)),
    "key fetched stands after decided, and is": first("timeline", at=later(AFTER, hours=-7.9)),
    "the report to the board is later": first("reported", at=AFTER),
    "no authorisation is declared": changed(authorisation=None),
    "authorised after it had begun": first("authorisation", at=later(AFTER, hours=-7.5)),
    "payments: critical, and no business": changed(references=()),
    "Hoster: a third party, and not involved": first("third_parties", involved=False),
    "production keys were used, and no reason": first("production", keys=None),
    "and no disposal is declared": first("production", disposal=None),
    "was due on 2026-11-23, and is open": with_action(due=date(2026, 11, 23)),
    "is closed without a re-test": with_action(closed=date(2026, 11, 24)),
    "the action about KEY-3 is closed without": with_action(
        closed=date(2026, 11, 24), retest_of="x", retest_run="x"
    ),
    "is closed on 2026-11-25, after": with_action(closed=date(2026, 11, 25), retest_run="x"),
}


def test_a_whole_exercise_has_no_findings(tmp_path):
    run = recorded(tmp_path)
    assert run.exercise.findings == ()
    early = {"due": date(2026, 11, 24), "closed": date(2026, 11, 20), "retest_run": "x"}
    for action in ({"due": date(2026, 11, 24)}, early):
        assert with_action(**action)(run) == judge(with_action(**action)(run))


@pytest.mark.parametrize("finding", TAMPERED)
def test_each_gap_is_found(tmp_path, finding):
    tampered = TAMPERED[finding](recorded(tmp_path))
    (found,) = judge(tampered).exercise.findings
    assert finding in found


@pytest.mark.parametrize("state", [None, True])
def test_a_correction_cannot_pass_for_taken_over(tmp_path, state):
    run = recorded(tmp_path)
    corrections = {one.id: one.taken_over for one in run.controls}
    assert corrections == {**dict.fromkeys(corrections), "DBP-1": False}
    name = "DBP-1" if state is None else "KEY-5"
    controls = tuple(
        one.model_copy(update={"taken_over": state}) if one.id == name else one
        for one in run.controls
    )
    with pytest.raises(Distrusted, match=f"{name} says of its correction"):
        check_record(run.model_copy(update={"controls": controls}))


def test_a_correction_is_found_whatever_its_markup(tmp_path):
    text = b"* Redeploy,\n  **instead** of restarting the `container`.\n"
    run = recorded(tmp_path, runbook=text)
    assert next(one for one in run.controls if one.id == "DBP-1").taken_over is True
    (shown,) = pdf.pdf_document(run, "")["corrections"]
    assert shown["taken_over"] == "yes, in its words"
    assert "<dt>Taken over</dt><dd>yes, in its words</dd>" in html.render(run)


def test_an_undeclared_exercise_has_no_findings_and_is_a_gap_of_a_drill():
    run = with_action(due=date(2026, 1, 1))(sample_run.drill_run())
    assert judge(run).exercise == Exercise()
    shown = dict(sections(run))
    assert not any(value for _, value in shown["The exercise, as declared"])
    assert "The exercise, as checked" not in shown
    assert "restore authorised by" in html.render(run)
    assert "The exercise, as declared" not in dict(sections(sample_run.run()))


def test_a_summary_names_findings_that_are_about_no_control(tmp_path):
    run = recorded(tmp_path)
    said = "finding about the exercise and the register of keys, under Circumstances"
    assert said not in html.render(run)
    found = judge(changed(authorisation=None)(run))
    assert f"1 {said}" in html.render(found)
    assert ("Besides", f"1 {said}") in pdf.pdf_document(found, "")["summary"]["follows"]


def test_declared_and_measured_stand_apart(tmp_path):
    run = first("third_parties", involved=None)(recorded(tmp_path))
    shown = dict(sections(judge(run)))
    said, seen = (dict(shown[f"The exercise, as {how}"]) for how in ("declared", "checked"))
    assert said["Runbook"] == "runbook.md, version 7"
    assert said["Decided"] == "Grace, 24 November 2026, 15:00:00 UTC"
    assert said["References"] == "BIA BIA-7"
    assert seen["Runbook, SHA-256"] == run.exercise.runbook_sha256
    assert seen["It lacks the corrections of"] == "DBP-1"
    assert seen["Findings"] == "Hoster: a third party, and not involved"
    assert said.keys().isdisjoint(seen)


def test_what_is_declared_of_place_and_data_stands_apart(tmp_path):
    run = recorded(tmp_path)
    place = Environment(isolated=True, differences=("one node",))
    scope = run.scope.model_copy(update={"data_set": DataSet(kind="synthetic")})
    run = run.model_copy(update={"environment": place, "scope": scope})
    shown = {title: dict(rows) for title, rows in sections(run)}
    assert shown["Where it ran, as declared"]["Isolated"] == "yes"
    assert shown["Where it ran"].keys().isdisjoint(shown["Where it ran, as declared"])
    examined = shown["What was examined"]
    assert (examined["Data"], examined["Data, as declared"]) == ("production copy", "synthetic")
    by_people = [title for title in shown if title.endswith("as declared")]
    assert len(by_people) == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[exercise.runbook]\nfile = "gone.md"', "exercise.runbook.file: gone.md: No such file"),
        ('[exercise]\nrunbook_sha256 = "ab"', "exercise.runbook_sha256 is unknown"),
        ('[exercise.authorisation]\nby = "Ada"\nat = 20261124', "write a moment with its zone"),
        ('[exercise.authorisation]\nby = "Ada"\nat = "20261124"', "write a moment with its zone"),
        ('[exercise.authorisation]\nby = "Ada"\nat = 2026-11-24', "write a moment with its zone"),
        ("[exercise.authorisation]\nby = 'A'\nat = 2026-11-24T09:00:00", "timezone"),
        ('[[exercise.references]]\nkind = "x"\nid = "1"', "exercise.references"),
    ],
)
def test_what_cannot_be_declared_is_refused(tmp_path, text, said):
    with pytest.raises(BadDeclaration, match=r"drillbook\.toml") as refused:
        declared(tmp_path, text)
    assert said in str(refused.value)


def test_people_are_part_of_the_check(tmp_path):
    run = recorded(tmp_path).model_copy(update={"people": (Person(name="Eve"),)})
    assert judge(run).exercise.findings == (
        "Ada worked from the runbook, and is not among the people",
    )
