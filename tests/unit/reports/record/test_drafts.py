"""What is recorded is timed, counted and cut as documented, by a clock that a test sets."""

from datetime import UTC, datetime

import pytest

from reports.evidence.model import Exchange
from reports.record.recorder import (
    Clock,
    Recorder,
    SpecDraft,
    StepDraft,
    add,
    excerpt,
    wall_clock_s,
)
from reports.verdict import Verdict

KEY = "0f1e2d3c4b5a69788796a5b4c3d2e1f9"


@pytest.fixture
def recorder(tmp_path):
    made = Recorder()
    made.logs = tmp_path / "logs"
    made.secret("KEY", KEY)
    made.begin("test_x", ("KEY-1",))
    return made


def steps(recorder, verdict=Verdict.SATISFIED):
    return [step.freeze(recorder.clock, verdict) for step in recorder.specs[-1].steps]


class Set(Clock):
    """A clock that a test sets."""

    now = 0.0

    def seconds(self):
        return self.now


WALL = datetime(2026, 11, 24, 16, 5, 12, 999_600, tzinfo=UTC)


@pytest.fixture
def timed(tmp_path):
    made = Recorder(clock=Set(WALL, 0.0))
    made.logs = tmp_path / "logs"
    made.clock.now = 100.0
    return made


def test_moments_are_told_to_the_millisecond_and_times_as_differences(timed):
    timed.begin("test_x", ("KEY-1",))
    timed.clock.now = 101.0
    with timed.step("first"):
        assert timed.under_way == ("first", 0.0)
        timed.clock.now = 103.5004
        assert timed.under_way == ("first", pytest.approx(2.5004))
    timed.clock.now = 104.0
    assert timed.under_way == ("set up", 4.0)
    timed.end()
    (step,) = steps(timed)
    assert (step.started, step.duration_s) == (
        WALL.replace(second=53, minute=6, microsecond=999_000),
        2.5,
    )
    assert (timed.spans[0].started, timed.spans[0].duration_s) == (step.started, 2.5)
    assert timed.specs[0].duration == 4.0


def test_innermost_of_nested_steps_is_under_way_and_gets_what_is_seen(timed):
    timed.begin("test_x", ("KEY-1",))
    with timed.step("outer"):
        timed.clock.now = 101.0
        with timed.step("middle"), timed.step("inner"):
            timed.clock.now = 103.0
            assert timed.under_way == ("inner", 2.0)
            timed.note("deep")
        timed.note("shallow")
        assert timed.under_way == ("outer", 3.0)
    told = [(step.title, step.notes) for step in steps(timed)]
    assert told == [("outer", ("shallow",)), ("middle", ()), ("inner", ("deep",))]


def test_progress_is_said_with_the_step_under_way_and_stays_in_no_record(timed):
    told = []
    timed.tell_progress = told.append
    timed.begin("test_x", ("KEY-1",))
    timed.progress("filling")
    assert timed.under_way == ("set up: filling", 0.0)
    with timed.step("write"):
        timed.progress("100 of 2,000 written")
        assert timed.under_way == ("write: 100 of 2,000 written", 0.0)
    assert told == ["test_x", "test_x"]
    assert "100 of" not in repr(steps(timed))


def test_times_are_told_to_the_millisecond(timed):
    timed.begin("test_x", ("KEY-1",))
    with timed.span("boot", "boot"):
        timed.clock.now += 0.1236
    timed.exchange("GET", "/", 200, 0.1236)
    timed.exchange("PUT", "/", 200, 0.12349)
    assert timed.spans[0].duration_s == 0.124
    assert [one.duration_s for one in steps(timed)[0].exchanges] == [0.124, 0.123]


def test_step_under_way_lasts_until_now(timed):
    timed.begin("test_x", ("KEY-1",))
    with timed.step("never ends"):
        timed.clock.now = 101.2346
        (step,) = steps(timed, Verdict.VIOLATED)
    assert (step.verdict, step.duration_s) == (Verdict.NOT_RUN, 1.235)


def test_clock_starts_now_and_hands_itself_on():
    first = Clock()
    second = Clock(*first.origin)
    assert second.origin == first.origin
    assert 0 <= first.seconds() <= second.seconds() < 60
    assert abs((first.at(0) - datetime.now(UTC)).total_seconds()) < 60
    assert (first.at(1.5) - first.at(0)).total_seconds() == pytest.approx(1.5, abs=0.0011)


def test_acts_are_kept_and_equal_ones_become_one(recorder):
    with recorder.step("act"):
        for status, taken in ((0, 0.1234), (0, 0.2), (1, 0.3), (0, 0.4)):
            recorder.command("db", "exec", f"psql {KEY}", status, taken)
        recorder.command(None, "up", None, None, 1.0006)
        for taken in (0.1, 0.15):
            recorder.command("db", "exec", f"psql {KEY}", 0, taken)
    kept = [
        (c.service, c.line, c.exit_code, c.duration_s, c.count) for c in steps(recorder)[0].commands
    ]
    assert kept == [
        ("db", "psql «KEY»", 0, 0.323, 2),
        ("db", "psql «KEY»", 1, 0.3, 1),
        ("db", "psql «KEY»", 0, 0.4, 1),
        (None, None, None, 1.001, 1),
        ("db", "psql «KEY»", 0, 0.25, 2),
    ]


def test_nothing_is_done_outside_a_spec(recorder):
    recorder.end()
    recorder.command("db", "stop", None, None, 0.1)
    recorder.log("db", "text")
    recorder.judge(Verdict.VIOLATED, "nobody")
    recorder.observe("nothing")
    recorder.phase("call")
    recorder.end()
    assert recorder.specs[-1].steps == []
    assert recorder.specs[-1].verdicts == []
    assert "the run\ntext" in (recorder.logs / "db.log").read_text()


def test_log_is_headed_by_its_moment_and_spec_and_a_blank_one_is_no_part_of_a_step(timed):
    timed.begin("test_x", ("KEY-1",))
    timed.log("db", "hello")
    timed.log("db", "  \n")
    text = (timed.logs / "db.log").read_text()
    assert text.startswith("=== 2026-11-24 16:06:52.999000+00:00, test_x\nhello\n=== ")
    assert text.endswith(", the run\n  \n\n")
    assert [log.text for log in steps(timed)[0].logs] == ["hello"]


def test_log_without_a_bundle_is_kept_by_the_step_alone(recorder):
    recorder.logs = None
    recorder.log("db", "hello")
    assert [log.text for log in steps(recorder)[0].logs] == ["hello"]
    assert recorder.trouble is None


def test_excerpt_is_the_end_and_says_whether_it_is_whole():
    assert excerpt("db", "a\nb\n").model_dump() == {
        "service": "db",
        "text": "a\nb",
        "truncated": False,
    }
    lines = [f"{number}" for number in range(41)]
    assert excerpt("db", "\n".join(lines)).text == "\n".join(lines[1:])
    assert excerpt("db", "\n".join(lines[:40])).truncated is False
    assert excerpt("db", "x" * 4000).truncated is False
    assert (len(excerpt("db", "x" * 4001).text), excerpt("db", "x" * 4001).truncated) == (
        4000,
        True,
    )


def test_other_clocks_are_kept_in_microseconds(recorder):
    recorder.compare_clock("PostgreSQL", 0.12345678, 0.00001249, same_machine=True)
    (seen,) = recorder.clocks
    assert (seen.source, seen.offset_s, seen.uncertainty_s) == ("PostgreSQL", 0.123457, 0.000012)
    assert seen.same_machine is True


def test_facts_and_objectives_add_up_and_the_newest_counts(recorder):
    recorder.subject(driver="embedded", grade="rehearsal")
    recorder.subject(driver="containers")
    recorder.objectives(rto_s=1.0)
    recorder.objectives(rto_s=2.0, rpo_s=3.0)
    assert recorder.facts == {"driver": "containers", "grade": "rehearsal"}
    assert recorder.measured == {"rto_s": 2.0, "rpo_s": 3.0}
    with pytest.raises(ValueError, match="grade"):
        recorder.subject(grade="gold")


def test_observation_is_kept_once_and_only_messages_that_say_something(recorder):
    recorder.observe("seen")
    recorder.observe("seen")
    recorder.judge(Verdict.SATISFIED, "")
    recorder.judge(Verdict.VIOLATED, "bad")
    assert recorder.specs[-1].words == ["seen"]
    assert recorder.specs[-1].messages == ["bad"]
    assert recorder.specs[-1].verdicts == [Verdict.SATISFIED, Verdict.VIOLATED]
    assert recorder.specs[-1].verdict is Verdict.VIOLATED
    assert SpecDraft("a", (), 0.0).verdict is Verdict.NOT_RUN


def test_specs_side_by_side_take_the_time_of_the_wall_clock():
    intervals = [(0.0, 10.0), (5.0, 10.0), (6.0, 2.0), (40.0, 5.0), (50.0, None)]
    drafts = [SpecDraft("a", (), began, duration=lasted) for began, lasted in intervals]
    assert wall_clock_s(drafts, now=60.0) == 15.0 + 5.0 + 10.0
    assert wall_clock_s([], now=60.0) == 0.0


def test_work_is_the_worker_s_and_the_main_process_s_otherwise(monkeypatch):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    assert (Recorder()._worker, Recorder().seed, Recorder(7).seed) == ("main", 0, 7)
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw1")
    made = Recorder()
    with made.span("x", "boot"):
        pass
    assert made.spans[0].worker == "gw1"


def test_what_is_seen_between_steps_gathers_in_one_with_its_time(timed):
    timed.begin("test_x", ("KEY-1",))
    timed.note("one")
    timed.clock.now = 102.0
    timed.note("two")
    with timed.step("a step"):
        timed.note("inside")
    timed.clock.now = 103.0
    timed.note("three")
    told = [(s.title, s.notes, s.duration_s, s.verdict) for s in steps(timed)]
    assert told == [
        ("set up", ("one", "two"), 2.0, Verdict.SATISFIED),
        ("a step", ("inside",), 0.0, Verdict.SATISFIED),
        ("set up", ("three",), 0.0, Verdict.SATISFIED),
    ]


def test_exchange_is_told_to_the_millisecond_and_differs_by_each_of_its_parts():
    draft = StepDraft("wait", 0.0)
    plain = {"method": "GET", "url": "/", "status": 200, "duration_s": 0.0014}
    for change in ({}, {}, {"url": "/x"}, {"method": "PUT"}, {"status": None}, {}):
        add(draft.exchanges, Exchange(**plain | change))
    assert [(e.count, e.duration_s) for e in draft.exchanges] == [
        (2, 0.003),
        *[(1, 0.0014)] * 4,
    ]
