"""The restore beside the proof: its order, its end, and the time of two things at once."""

import threading
from types import SimpleNamespace

import pytest

from fixtures.drill import phases
from fixtures.drill.beside import Beside, NotBegun, refusal, shared_processor
from fixtures.drill.drill import Drill
from fixtures.drill.order import Order
from fixtures.drill.targets import Targets
from fixtures.errors import BadInput
from fixtures.keyproof import Proof
from fixtures.stack.home import Home, new_run_id
from tests.backups import KEYS, dump
from tests.conftest import Deaf

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


class Stack:
    """Stands by, cannot be reached, and counts how often it is taken down."""

    def __init__(self):
        self.stood, self.downs = threading.Event(), 0

    def stand_by(self, _settings):
        self.stood.set()

    def connect(self):
        raise BadInput("nobody is there")

    def kill(self, _service):
        pass

    def down(self):
        self.downs += 1


@pytest.fixture
def drilled(tmp_path):
    """A drill of a backup that was changed, and the stack that it would use."""
    made = []

    def of(change=lambda dumped: dumped, key=KEYS["2026-07"]):
        backup = tmp_path / "backup.sql"
        backup.write_text(change(dump("2026-07")))
        order = Order(backup, {"ENCRYPTION_KEY": key}, Targets())
        stack, place = Stack(), Home(new_run_id())
        made.append(Drill(order, lambda: stack, Deaf(), place, 1, rehearsal=True))
        return made[-1], stack

    yield of
    for one in made:
        one.close()


def broken(dumped):
    """A row of a secret that has a value too many: seen only where the secrets are read."""
    head, mark, rows = dumped.partition("COPY public.secrets_v2 ")
    return head + mark + rows.replace("\t", "\tmore\t", 1)


def test_what_breaks_among_the_secrets_throws_the_database_away(drilled):
    drill, stack = drilled(broken)
    assert "values where its heading" in drill.proof.damage
    assert stack.stood.is_set()
    assert stack.downs == 1
    with pytest.raises(NotBegun, match="nothing was started: the backup has a row"):
        _ = drill.stack


@pytest.mark.parametrize(
    "change",
    [
        lambda dumped: dumped.rpartition("-- PostgreSQL database dump complete")[0],
        lambda dumped: dumped.replace("COPY", "\\! id\nCOPY", 1),
    ],
    ids=["cut", "hostile"],
)
def test_what_is_seen_before_the_secrets_starts_nothing(drilled, change):
    drill, stack = drilled(change)
    with pytest.raises(NotBegun, match="nothing was started"):
        _ = drill.stack
    assert not stack.stood.is_set()


def test_a_wrong_key_starts_nothing(drilled):
    drill, stack = drilled(key=KEYS["2026-07"][::-1])
    assert drill.proof.opens_nothing
    with pytest.raises(NotBegun, match="these keys do not open"):
        _ = drill.stack
    assert not stack.stood.is_set()
    assert drill.made is None
