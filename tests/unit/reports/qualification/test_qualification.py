"""Whether a planted bug died is judged by who turned, how, and in which words."""

import pytest

from drillbook.core.application import ROOT
from drillbook.stack.driver_selection import Choice
from fixtures.mutants.__main__ import plantable
from fixtures.mutants.base import Mutant
from reports.controls import load
from reports.errors import Unqualifiable
from reports.qualification import command, trial
from reports.qualification import record as records
from reports.qualification.record import Qualification, Seen, code_digest, text
from reports.qualification.trial import (
    REFERENCE,
    Outcome,
    PlantedBug,
    Trial,
    Trials,
    choose,
    limit_s,
    list_bugs,
    results,
    row,
)
from reports.verdict import Verdict
from tests.support import sample_run

RUN = sample_run.run()
VIOLATED = next(one for one in RUN.controls if one.verdict is Verdict.VIOLATED)
WORDS = next(spec.message for spec in VIOLATED.specs if spec.message)[:20]


def bug(**changes):
    told = {
        "name": "ForgetsEverything",
        "control": VIOLATED.id,
        "where": "backend",
        "driver": "embedded",
        "sentence": "it forgets <everything>",
        "turns": "violated",
        "says": WORDS,
    }
    return PlantedBug(**(told | changes))


def outcome(run=RUN, trouble=""):
    return Outcome(Trial("embedded", "ForgetsEverything"), run, trouble, 1.5)


@pytest.fixture
def catalogue():
    return load(ROOT / "suites" / "controls.toml")


HEALTHY = {one.id: Seen(verdict=Verdict.SATISFIED) for one in RUN.controls}


@pytest.mark.parametrize(
    ("bug", "ended", "healthy", "state"),
    [
        (bug(), outcome(), HEALTHY, "killed"),
        (bug(turns="contradicted"), outcome(), HEALTHY, "wrong reason"),
        (bug(says="words that no one said"), outcome(), HEALTHY, "wrong reason"),
        (bug(), outcome(), results(RUN), "survived"),
        (bug(), outcome(None, "no evidence (exit code 3)"), HEALTHY, "stumbled"),
        (bug(), None, HEALTHY, "not run"),
    ],
)
def test_state_of_a_planted_bug(bug, ended, healthy, state):
    assert row(bug, ended, healthy).state == state


@pytest.mark.parametrize("verdict", [Verdict.INCONCLUSIVE, Verdict.NOT_RUN])
def test_bug_that_only_stops_the_check_is_not_caught(verdict):
    stopped = VIOLATED.model_copy(update={"verdict": verdict})
    others = [one for one in RUN.controls if one.id != VIOLATED.id]
    run = RUN.model_copy(update={"controls": (stopped, *others)})
    assert row(bug(), outcome(run), HEALTHY).state == "stumbled"


def test_bugs_are_chosen_by_name_control_or_place():
    every = [bug(), bug(name="Other", control="KEY-1", where="file")]
    assert [one.name for one in choose(every, [])] == ["ForgetsEverything", "Other"]
    for pattern in ("Oth*", "KEY-1", "file"):
        assert [one.name for one in choose(every, [pattern])] == ["Other"]
    with pytest.raises(Unqualifiable, match=r"--mutants Othr fits none; did you mean Other"):
        choose(every, ["Othr"])


@pytest.mark.parametrize(
    ("where", "driver", "wanted", "placed"),
    [
        ("backend", "embedded", "auto", "embedded"),
        ("backend", "embedded", "containers", None),
        ("procedure", "embedded", "containers", "containers"),
        ("backend", "containers", "auto", "containers"),
        ("backend", "containers", "embedded", None),
        ("file", "embedded", "auto", "files"),
        ("file", "embedded", "containers", None),
        ("remote", "remote", "embedded", "remote"),
        ("remote", "remote", "containers", None),
    ],
)
def test_bug_is_planted_where_it_can_be_seen(where, driver, wanted, placed):
    assert trial.driver_for(bug(where=where, driver=driver), wanted) == placed


@pytest.mark.parametrize(
    ("where", "driver", "rehearsal", "can"),
    [
        ("backend", "containers", True, True),
        ("backend", "containers", False, False),
        ("backend", "embedded", False, True),
        ("procedure", "embedded", False, True),
    ],
)
def test_nothing_is_planted_inside_a_product_that_is_not_ours(where, driver, rehearsal, can):
    bug = Mutant("Forgets", "backend", "KEY-3", where, "it forgets", "violated", "gone", driver)
    assert plantable(bug, Choice("containers", "asked for", rehearsal=rehearsal)) is can
    assert plantable(bug, None)


def asked_of_healthy(stack, runs, **options):
    bugs = [bug(), bug(name="Leaks", control="DEP-2", driver="containers")]
    trials = trial.healthy_trials(bugs, stack, runs, "image", **options)
    return [(one.driver, one.number, one.controls) for one in trials]


def test_healthy_runs_are_asked_what_the_planted_bugs_are_about():
    every = [("embedded", number, ()) for number in (1, 2, 3)]
    few = [("containers", number, ("DEP-2",)) for number in (1, 2)]
    assert asked_of_healthy("auto", 3) == every + few
    assert asked_of_healthy("containers", 1) == [("containers", 1, ())]
    assert asked_of_healthy("containers", 1, some=True) == [("containers", 1, ("DEP-2",))]
    assert asked_of_healthy("embedded", 0) == []


@pytest.mark.parametrize(("runs", "workers"), [(1, [2]), (2, [1, 1])])
def test_a_single_healthy_run_is_shared_by_two_processes(runs, workers):
    trials = trial.healthy_trials([bug()], "embedded", runs, None)
    assert [one.workers for one in trials] == workers


@pytest.mark.parametrize(
    ("where", "driver"),
    [("auto", "embedded"), ("embedded", "embedded"), ("containers", "containers")],
)
def test_healthy_runs_are_made_without_bugs_too(where, driver):
    trials = trial.healthy_trials([], where, 2, "image", some=True)
    assert [(one.driver, one.controls) for one in trials] == [(driver, ())] * 2


def test_a_product_that_is_not_ours_is_waited_for_longer():
    ours = [Trial("embedded"), Trial("containers", image=REFERENCE)]
    assert {limit_s(one) for one in ours} == {900}
    assert limit_s(Trial("containers", image="infisical/infisical:v0.160.0")) == 7200


def test_the_bug_whose_controls_take_longest_is_tried_first():
    bugs = [bug(name="Quick", control="KEY-3"), bug(name="Slow", control="BKP-1")]
    planned = trial.bug_trials(bugs, {"KEY-3": 1.0, "BKP-1": 9.0}, "embedded", None)
    assert [one.mutant for one in planned] == ["Slow", "Quick"]


def test_before_a_bug_stands_the_control_meant_for_it():
    took = {"KEY-3": 1.0, "KEY-4": 3.0, "KEY-5": 2.0, "HLT-1": 0.1}
    planned = trial.bug_trials([bug(control="KEY-3")], took, "embedded", None)
    assert [one.controls for one in planned] == [("KEY-3",)]


@pytest.mark.parametrize(
    ("says", "first", "runs"),
    [
        (WORDS, RUN, [True]),
        ("words that no one said", RUN, [True, False]),
        (WORDS, None, [True]),
        ("", RUN, [False]),
    ],
)
def test_a_bug_ends_its_run_by_the_failure_that_is_meant_for_it(
    catalogue, tmp_path, says, first, runs
):
    asked = []

    class Given(Trials):
        def execute(self, trial):
            asked.append(trial.to_first)
            return Outcome(trial, first, "", 1.5)

    wanted = Trial("embedded", "ForgetsEverything", (VIOLATED.id,), says=says)
    ended = Given(catalogue, tmp_path).attempt(wanted)
    assert asked == runs
    assert ended.duration_s == 1.5 * len(runs)


def test_a_run_without_evidence_reports_its_last_lines(catalogue, tmp_path):
    ended = Trials(catalogue, tmp_path).run(
        [Trial("embedded", "NoSuchBug", ("HLT-1",))], 1, lambda _: None
    )
    assert ended[0].run is None
    assert "no evidence (exit code 3)" in ended[0].trouble
    assert "NoSuchBug" in ended[0].trouble
    assert list(tmp_path.iterdir()) == []


def record(*rows, **changes):
    fields = {
        "commit": "0" * 40,
        "code": "1" * 64,
        "started": RUN.run.started,
        "duration_s": 12.0,
        "stack": "auto",
        "healthy_runs": 30,
        "bugs": rows,
    }
    return Qualification.model_validate(fields | changes)


CAUGHT = row(bug(), outcome(), HEALTHY)
ESCAPED = row(bug(name="Escapes"), outcome(), results(RUN))
ABSENT = row(bug(name="NotHere"), None, HEALTHY)


def test_qualified_means_every_bug_was_caught_without_a_false_alarm():
    assert record(CAUGHT).passed
    assert not record(CAUGHT, ESCAPED).passed
    assert not record(CAUGHT, ABSENT).passed
    assert not record(CAUGHT, alarms=("healthy embedded run 1: KEY-1 is violated",)).passed
    assert not record(healthy_runs=0).passed
    assert record().passed, "healthy runs alone can be without an alarm"


def test_record_reads_back_with_a_line_for_each_bug(tmp_path):
    kept = record(CAUGHT, ESCAPED)
    (tmp_path / "record.json").write_text(text(kept))
    assert records.load(tmp_path / "record.json") == kept
    assert sum(line.startswith('  {"name"') for line in text(kept).splitlines()) == 2


def test_the_sentence_counts_what_was_caught_and_what_was_not():
    words = record(CAUGHT, ESCAPED, ABSENT).sentence
    assert words.startswith("1 of 2 planted bugs were caught")
    assert "1 were not run. 0 verdicts of 30 healthy runs were false alarms." in words


@pytest.fixture
def places(tmp_path):
    return tmp_path / "latest.json", tmp_path / "kept.json"


def attached(places):
    return {name: data.decode() for name, data in records.bundle_files(places).items()}


def test_a_bundle_says_of_which_code_the_qualification_was(places):
    assert attached(places) == {}
    places[1].write_text(text(record(CAUGHT)))
    assert "This is about other code than that of this run" in attached(places)["qualification.txt"]
    places[0].write_text(text(record(CAUGHT, code=code_digest())))
    assert "This is about the code of this run" in attached(places)["qualification.txt"]


def test_a_part_or_a_qualification_that_lacks_bugs_is_not_attached(places):
    for part in (record(CAUGHT, selection=("SEC-*",)), record(CAUGHT, ABSENT)):
        places[0].write_text(text(part))
        assert attached(places) == {}


@pytest.mark.parametrize("broken", ["", "{}", "[" * 9999, "\0"])
def test_broken_record_costs_no_evidence(places, broken):
    places[0].write_text(broken)
    assert "no record of a qualification" in attached(places)["qualification.txt"]


def test_figures_in_the_readme_are_those_of_the_kept_record():
    kept = records.load()
    _, _, rest = records.README.read_text().partition("<!-- qualification -->\n")
    current = rest.partition("<!-- end of qualification -->")[0]
    assert current == (records.wrap(kept) if kept else ""), "drillbook qualify --keep"


def test_parts_of_the_planted_bugs_have_each_bug_once():
    known = list_bugs(None)
    parts = [
        command.choose_bugs(command.Request(part=f"{number}/3"), known) for number in (1, 2, 3)
    ]
    names = [one.name for part in parts for one in part]
    assert sorted(names) == sorted(one.name for one in known.mutants)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_part_of_the_bugs_says_nothing_of_the_other_controls():
    assert command.next_step(record(CAUGHT)).startswith("Every control can fail")
    part = command.next_step(record(CAUGHT, selection=("KEY-3",)))
    assert part == "The controls that these bugs are meant for can fail; the others were not tried."


def test_a_stack_or_an_image_that_was_named_makes_a_part():
    assert not command.Request().selection
    assert command.Request(stack="embedded").selection == ("stack embedded",)
    named = command.Request(stack="containers", image="infisical:1").selection
    assert named == ("stack containers", "image infisical:1")


def test_without_a_planted_bug_nothing_is_said_of_controls():
    assert command.next_step(record()) == (
        "No planted bug was tried, so nothing is said of the controls."
    )
