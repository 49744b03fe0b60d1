"""The restore beside the proof: its order, its end, and the time of two things at once."""

import threading
from types import SimpleNamespace

import pytest

from fixtures.drill import phases
from fixtures.drill.beside import Beside, NotBegun, refusal, shared_processor
from fixtures.keyproof import Proof

OPENS = Proof(root_keys=1, roots_opened=1)


def test_the_stack_is_there_before_the_restore_has_ended():
    done = threading.Event()
    beside = Beside(lambda: "stack", lambda stack: (done.wait(10), f"copy in {stack}")[1])
    assert beside.stack() == "stack"
    done.set()
    assert beside.copy() == "copy in stack"
    beside.end()


def test_a_restore_that_runs_loses_its_database_at_the_end():
    gone, begun = threading.Event(), threading.Event()
    killed = []

    def kill(service):
        killed.append(service)
        gone.set()

    def fill(_stack):
        begun.set()
        assert gone.wait(10)

    beside = Beside(lambda: SimpleNamespace(kill=kill), fill)
    assert begun.wait(10)
    beside.end()
    assert killed == ["db"]


def test_what_is_over_is_not_killed_and_may_end_twice():
    killed = []
    beside = Beside(lambda: SimpleNamespace(kill=killed.append), lambda _stack: "copy")
    assert beside.copy() == "copy"
    beside.end()
    beside.end()
    assert killed == []


def test_what_went_wrong_is_told_to_whoever_asks():
    def stand():
        raise NotBegun("no")

    beside = Beside(stand, lambda _stack: "copy")
    for ask in (beside.stack, beside.copy, beside.stack):
        with pytest.raises(NotBegun, match="no"):
            ask()
    beside.end()


@pytest.mark.parametrize(
    ("proof", "why"),
    [
        (Proof(root_keys=1), "these keys do not open this backup"),
        (Proof(root_keys=1, roots_opened=1, damage="breaks off"), "the backup breaks off"),
        (Proof(projects=1, projects_opened=1), ""),
        (OPENS, ""),
    ],
)
def test_nothing_is_started_on_a_proof_that_failed(proof, why):
    assert refusal(proof) == why


def test_threads_share_the_processor_only_while_they_must():
    import sys

    before = sys.getswitchinterval()
    with shared_processor():
        assert sys.getswitchinterval() < before
    assert sys.getswitchinterval() == before


def test_time_in_which_two_phases_were_under_way_counts_once(monkeypatch):
    times = iter([0.0, 1.0, 5.0, 7.0])
    monkeypatch.setattr(phases, "clock", lambda: next(times))
    found = phases.Phases()
    proof, restore = found.under_way("proof"), found.under_way("restore")
    proof.__enter__()
    restore.__enter__()
    proof.__exit__(None, None, None)
    restore.__exit__(None, None, None)
    assert found.seconds == {"proof": 5.0, "restore": 6.0}
    assert found.total == 7.0
    found.add("boot", 2.0)
    assert found.total == 9.0
