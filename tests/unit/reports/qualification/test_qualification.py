"""Whether a planted bug died is judged by who turned, how, and in which words."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from drillbook.core.application import ROOT
from drillbook.stack.driver_selection import Choice
from fixtures.mutants.__main__ import plantable
from fixtures.mutants.base import Mutant
from reports.errors import Unqualifiable
from reports.qualification import command
from reports.qualification import record as records
from reports.qualification.command import KnownBugs, PlantedBug, choose, judge, list_bugs
from reports.qualification.record import Qualification, code_digest
from reports.qualification.trial import REFERENCE, Outcome, Trial, run_trial, side_by_side
from reports.verdict import Verdict
from tests.support import sample_run

RUN = sample_run.run()
VIOLATED = next(control for control in RUN.controls if control.verdict is Verdict.VIOLATED)
WORDS = next(spec.message for spec in VIOLATED.specs if spec.message)[:20]
HEALTHY = {control.id: (Verdict.SATISFIED, None) for control in RUN.controls}


def bug(**changes):
    told = {
        "name": "ForgetsEverything",
        "control": VIOLATED.id,
        "where": "backend",
        "driver": "embedded",
        "turns": "violated",
        "says": WORDS,
    }
    return PlantedBug(**(told | changes))


def outcome(run=RUN, trouble=""):
    return Outcome(Trial("embedded", "ForgetsEverything"), run, trouble, 1.5)


def with_verdict(verdict):
    changed = VIOLATED.model_copy(update={"verdict": verdict})
    others = [control for control in RUN.controls if control.id != VIOLATED.id]
    return outcome(RUN.model_copy(update={"controls": (changed, *others)}))


@pytest.mark.parametrize(
    ("bug", "ended", "healthy", "state"),
    [
        (bug(), outcome(), HEALTHY, "killed"),
        (bug(turns="contradicted"), outcome(), HEALTHY, "wrong reason"),
        (bug(says="words that no one said"), outcome(), HEALTHY, "wrong reason"),
        (bug(), outcome(), outcome().results, "survived"),
        (bug(), outcome(None, "no evidence (exit code 3)"), HEALTHY, "stumbled"),
        (bug(), with_verdict(Verdict.INCONCLUSIVE), HEALTHY, "stumbled"),
        (bug(), with_verdict(Verdict.NOT_RUN), HEALTHY, "stumbled"),
    ],
)
def test_state_of_a_planted_bug(bug, ended, healthy, state):
    assert judge(bug, ended, healthy).state == state


def test_a_healthy_run_is_an_alarm_if_it_says_what_it_should_not():
    assert command.false_alarms(outcome(), outcome().results) == []
    sound = outcome().results | {VIOLATED.id: (Verdict.SATISFIED, None)}
    [alarm] = command.false_alarms(outcome(), sound)
    assert f"{VIOLATED.id} is violated" in alarm


def test_bugs_are_chosen_by_name_control_or_place():
    every = [bug(), bug(name="Other", control="KEY-1", where="file")]
    assert choose(every, [], "1/1") == every
    assert choose(every, ["none"], "1/1") == []
    for pattern in ("Oth*", "KEY-1", "file"):
        assert choose(every, [pattern], "1/1") == every[1:]
    with pytest.raises(Unqualifiable, match=r"--mutants Othr fits none; did you mean Other"):
        choose(every, ["Othr"], "1/1")


def test_parts_of_the_planted_bugs_have_each_bug_once():
    known = list_bugs(None).mutants
    parts = [choose(known, [], f"{number}/3") for number in (1, 2, 3)]
    assert sorted(bug.name for part in parts for bug in part) == sorted(bug.name for bug in known)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(
    ("where", "driver", "wanted", "placed"),
    [
        ("backend", "embedded", "auto", "embedded"),
        ("backend", "embedded", "containers", None),
        ("procedure", "embedded", "containers", "containers"),
        ("backend", "containers", "auto", "containers"),
        ("backend", "containers", "embedded", None),
        ("file", "embedded", "containers", None),
        ("remote", "remote", "embedded", "remote"),
        ("remote", "remote", "containers", None),
    ],
)
def test_bug_is_planted_where_it_can_be_seen(where, driver, wanted, placed):
    assert command.driver_for(bug(where=where, driver=driver), wanted) == placed


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


MIXED = [bug(), bug(name="Leaks", control="DEP-2", driver="containers")]


@pytest.mark.parametrize(
    ("bugs", "wanted", "runs", "asked"),
    [
        (MIXED, "auto", 1, [("embedded", (), 2), ("containers", ("DEP-2",), 1)]),
        (MIXED, "containers", 1, [("containers", ("DEP-2",), 1)]),
        (MIXED, "embedded", 2, [("embedded", (), 1)] * 2),
        (MIXED, "embedded", 0, []),
        ([], "auto", 2, [("embedded", (), 1)] * 2),
        ([], "containers", 1, [("containers", (), 1)]),
    ],
)
def test_healthy_runs_are_of_the_stacks_that_bugs_are_planted_on(bugs, wanted, runs, asked):
    trials = command.healthy_trials(bugs, wanted, runs, "image")
    assert [(trial.driver, trial.controls, trial.workers) for trial in trials] == asked


def test_a_bug_meets_the_control_meant_for_it_up_to_the_failure_that_it_must_cause():
    trial = command.bug_trial(bug(control="KEY-3"), "embedded", None)
    assert (trial.controls, trial.to_first) == (("KEY-3",), True)
    assert "suites" not in trial.command
    assert not command.bug_trial(bug(turns="contradicted"), "embedded", None).to_first
    assert command.bug_trial(bug(driver="remote"), "auto", None).controls == ()


def test_a_product_that_is_not_ours_is_waited_for_longer():
    assert {Trial("embedded").limit_s, Trial("containers", image=REFERENCE).limit_s} == {900}
    assert Trial("containers", image="infisical/infisical:v0.160.0").limit_s == 7200


def test_a_run_without_evidence_reports_its_last_lines(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ended = asyncio.run(run_trial(Trial("embedded", "NoSuchBug", ("HLT-1",))))
    assert ended.run is None
    assert "no evidence (exit code 3)" in ended.trouble
    assert "NoSuchBug" in ended.trouble
    assert list(tmp_path.iterdir()) == []


def test_a_trial_that_takes_too_long_is_ended(monkeypatch):
    monkeypatch.setattr(Trial, "limit_s", 0.1)
    waits = "import time; time.sleep(60)"
    monkeypatch.setattr(Trial, "command", [sys.executable, "-c", waits])
    ended = asyncio.run(run_trial(Trial("embedded")))
    assert (ended.timed_out, ended.trouble) == (True, "it did not end within 0.1 s")


def test_at_most_as_many_trials_as_workers_run_at_once():
    running, most = [], []

    async def attempt(number):
        running.append(number)
        most.append(len(running))
        await asyncio.sleep(0.01)
        running.remove(number)
        return number * 2

    assert side_by_side([1, 2, 3, 4], attempt, 2) == [2, 4, 6, 8]
    assert max(most) == 2


def test_ctrl_c_waits_for_each_trial_that_runs():
    ended = []

    async def attempt(number):
        try:
            await asyncio.sleep(0)
            if number == 2:
                signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            ended.append(number)

    with pytest.raises(KeyboardInterrupt):
        side_by_side([1, 2, 3], attempt, 2)
    assert sorted(ended) == [1, 2], "the third had not begun"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_trials_and_leaves_nothing(number, tmp_path):
    asked = ["--stack=embedded", "--mutants=KEY-3", "--healthy=0"]
    with subprocess.Popen(
        [sys.executable, "-m", "drillbook.cli", "qualify", *asked],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
    ) as process:
        while not list(tmp_path.glob("drillbook-qualify-*/output")):
            time.sleep(0.1)
        time.sleep(5)
        process.send_signal(number)
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert printed.endswith(b"interrupted; nothing was recorded\n")
    assert [path for path in tmp_path.iterdir() if "cache" not in path.name] == []


def record(*rows, **changes):
    fields = {
        "commit": "0" * 40,
        "code": "1" * 64,
        "started": RUN.run.started,
        "duration_s": 12.0,
        "healthy_runs": 30,
        "bugs": rows,
    }
    return Qualification.model_validate(fields | changes)


CAUGHT = judge(bug(), outcome(), HEALTHY)
ESCAPED = judge(bug(name="Escapes"), outcome(), outcome().results)
ABSENT = CAUGHT.model_copy(update={"name": "NotHere", "state": "not run"})


def test_qualified_means_every_bug_was_caught_without_a_false_alarm():
    assert record(CAUGHT).passed
    assert not record(CAUGHT, ESCAPED).passed
    assert not record(CAUGHT, ABSENT).passed
    assert not record(CAUGHT, alarms=("healthy embedded run 1: KEY-1 is violated",)).passed
    assert not record(healthy_runs=0).passed
    assert record().passed, "healthy runs alone can be without an alarm"


def test_record_reads_back(tmp_path):
    kept = record(CAUGHT, ESCAPED)
    records.write(kept, tmp_path / "runs" / "record.json")
    assert records.load(tmp_path / "runs" / "record.json") == kept


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
    records.write(record(CAUGHT), places[1])
    assert "This is about other code than that of this run" in attached(places)["qualification.txt"]
    records.write(record(CAUGHT, code=code_digest()), places[0])
    assert "This is about the code of this run" in attached(places)["qualification.txt"]


def test_a_part_or_a_qualification_that_lacks_bugs_is_not_attached(places):
    for part in (record(CAUGHT, selection=("SEC-*",)), record(CAUGHT, ABSENT)):
        records.write(part, places[0])
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


def test_what_is_kept_goes_into_the_readme(tmp_path, monkeypatch):
    page = tmp_path / "README.md"
    page.write_text("a\n<!-- qualification -->\nold\n<!-- end of qualification -->\nb\n")
    monkeypatch.setattr(records, "README", page)
    monkeypatch.setattr(records, "KEPT", tmp_path / "kept.json")
    records.keep(record(CAUGHT))
    assert "old" not in page.read_text()
    assert records.wrap(record(CAUGHT)) in page.read_text()
    assert records.load(tmp_path / "kept.json") == record(CAUGHT)


LEAKS = bug(name="Leaks", driver="containers")
GIVEN = {"stack": "auto", "mutants": None, "shard": None, "image": None, "healthy": "1"}
GIVEN |= {"workers": "2", "generated": "0", "seed": "1", "keep": False}


@pytest.fixture
def on_sigterm():
    """The command changes what the process does at SIGTERM."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("bugs", "options", "code", "states"),
    [
        ([bug()], {}, 0, ["killed"]),
        ([bug(says="words of later")], {}, 1, ["wrong reason"]),
        ([bug(), LEAKS], {}, 2, ["killed", "not run"]),
        ([bug(), LEAKS], {"stack": "embedded"}, 0, ["killed"]),
        ([bug()], {"mutants": "none"}, 0, []),
        ([bug()], {"mutants": "none", "healthy": "0"}, 2, []),
    ],
)
def test_a_qualification_from_the_bugs_to_the_record(
    bugs, options, code, states, tmp_path, monkeypatch, on_sigterm
):
    trials = []

    async def run_trial(trial):
        trials.append(trial)
        return Outcome(trial, RUN, "", 1.0)

    known = {"workers": {"embedded": 2}, "absent": {"containers": "no engine"}, "mutants": bugs}
    monkeypatch.setattr(command, "list_bugs", lambda _: KnownBugs.model_validate(known))
    monkeypatch.setattr(command, "run_trial", run_trial)
    monkeypatch.setattr(command, "predicted_results", lambda _: HEALTHY)
    monkeypatch.setattr(command, "false_alarms", lambda *_: [])
    monkeypatch.setattr(records, "LATEST", tmp_path / "runs" / "record.json")
    assert command.main(SimpleNamespace(**GIVEN | options)) == code
    result = records.load(records.LATEST)
    assert [row.state for row in result.bugs] == states
    # Another failure than the one that is meant ends no trial.
    planted = [trial.to_first for trial in trials if trial.mutant]
    assert planted == [True, False][: 2 if "wrong reason" in states else len(states[:1])]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"keep": True, "shard": "1/2"}, "--keep keeps whole qualifications"),
        ({"keep": True, "healthy": "0"}, "--keep keeps whole qualifications"),
        ({"stack": "containers", "healthy": "0"}, "nothing to compare containers with"),
        ({"stack": "containers", "generated": "3"}, "--generated changes the reference backend"),
    ],
)
def test_a_qualification_that_cannot_say_what_it_is_asked_is_refused(options, words, on_sigterm):
    with pytest.raises(Unqualifiable, match=words):
        command.main(SimpleNamespace(**GIVEN | options))


@pytest.mark.parametrize(
    ("result", "advice"),
    [
        (record(CAUGHT), "Every control can fail"),
        (record(CAUGHT, ESCAPED), "A control that let its bug live"),
        (record(CAUGHT, ABSENT), "Some bugs need an engine"),
        (record(CAUGHT, selection=("KEY-3",)), "The controls that these bugs are meant for"),
        (record(), "No planted bug was tried"),
    ],
)
def test_the_next_step_claims_no_more_than_was_tried(result, advice):
    assert command.next_step(result).startswith(advice)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, []),
        ({"stack": "embedded"}, ["stack embedded"]),
        ({"mutants": "KEY-3, SEC-*", "shard": "1/2"}, ["KEY-3", "SEC-*", "part 1/2"]),
        ({"stack": "containers", "image": "a:1"}, ["stack containers", "image a:1"]),
    ],
)
def test_a_stack_or_an_image_that_was_named_makes_a_part(options, words):
    given = {"mutants": None, "shard": None, "stack": "auto", "image": None}
    assert command.narrowed(SimpleNamespace(**given | options)) == words
