"""The recorder keeps what it is told, redacted, in the right place, from any thread."""

import threading

import pytest

from reports.errors import ReportError
from reports.record.recorder import Recorder
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


def test_everything_is_redacted_on_the_way_in(recorder):
    with recorder.step(f"use {KEY}"), recorder.span(f"boot {KEY}", "boot"):
        recorder.exchange("GET", f"/{KEY}", 200, 0.1)
        recorder.note(f"note {KEY}")
        recorder.log("db", f"log {KEY}")
    recorder.judge(Verdict.VIOLATED, f"assert {KEY}")
    kept = f"{steps(recorder)} {recorder.spans} {recorder.specs[-1].messages}"
    assert KEY not in kept + (recorder.logs / "db.log").read_text()
    assert kept.count("«KEY»") == 7


def test_equal_exchanges_in_a_row_become_one(recorder):
    with recorder.step("wait"):
        for status in (502, 502, 502, 200, 502):
            recorder.exchange("GET", "/", status, 0.5)
    seen = [(e.status, e.count, e.duration_s) for e in steps(recorder)[0].exchanges]
    assert seen == [(502, 3, 1.5), (200, 1, 0.5), (502, 1, 0.5)]


def test_what_is_seen_outside_steps_is_named_after_the_phase(recorder):
    for phase in ("setup", "call", "teardown"):
        recorder.phase(phase)
        recorder.note(phase)
    assert [(step.title, step.notes) for step in steps(recorder)] == [
        ("set up", ("setup",)),
        ("between the steps", ("call",)),
        ("tear down", ("teardown",)),
    ]


def test_failed_step_has_the_verdict_of_its_spec(recorder):
    with recorder.step("holds"):
        pass
    with pytest.raises(pytest.fail.Exception), recorder.step("fails"):
        pytest.fail("no")
    with pytest.raises(KeyboardInterrupt), recorder.step("is cut short"):
        raise KeyboardInterrupt
    verdicts = [step.verdict for step in steps(recorder, Verdict.INCONCLUSIVE)]
    assert verdicts == [Verdict.SATISFIED, Verdict.INCONCLUSIVE, Verdict.NOT_RUN]


def test_threads_lose_nothing(recorder):
    def work(number):
        for _ in range(100):
            with recorder.span(f"s{number}", "boot"):
                recorder.exchange("GET", f"/{number}", 200, 0.001)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    with recorder.step("side by side"):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len([span for span in recorder.spans if span.kind == "boot"]) == 800
    assert sum(exchange.count for exchange in steps(recorder)[0].exchanges) == 800


def test_log_goes_to_the_bundle_whole_and_to_the_step_in_part(recorder):
    text = "\n".join(f"line {number}" for number in range(500))
    with recorder.step("read the log"):
        recorder.log("backend", text)
    excerpt = steps(recorder)[0].logs[0]
    assert text in (recorder.logs / "backend.log").read_text()
    assert excerpt.text.endswith("line 499")
    assert excerpt.truncated
    assert len(excerpt.text.splitlines()) == 40


def test_full_disk_is_remembered_not_raised(recorder, tmp_path):
    (tmp_path / "logs").write_text("in the way")
    recorder.log("backend", "text")
    assert isinstance(recorder.trouble, OSError)


@pytest.mark.parametrize(
    "act",
    [
        lambda recorder: recorder.subject(drivr="embedded"),
        lambda recorder: recorder.objectives(rto=3),
        lambda recorder: recorder.span("x", "bot").__enter__(),
    ],
)
def test_unknown_word_is_refused(recorder, act):
    with pytest.raises(ReportError, match=r"did you mean|known are"):
        act(recorder)


def test_nothing_is_kept_outside_a_spec(recorder):
    recorder.end()
    recorder.note("no one hears this")
    recorder.exchange("GET", "/", 200, 0.1)
    assert recorder.specs[-1].steps == []
    assert recorder.under_way is None
