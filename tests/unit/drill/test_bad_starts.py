"""A start is over when it is, and not when the one before it was; where it is killed is told."""

import threading
from contextlib import nullcontext, suppress
from types import SimpleNamespace
from unittest.mock import Mock

import psycopg
import pytest

from drillbook.core.errors import NotGiven, StackTrouble
from drillbook.drill import upgrade
from drillbook.stack.base import BackendState

pytestmark = pytest.mark.slow

DEAD = BackendState("exited", 1, restarts=3)
TABLES = """
    CREATE TABLE infisical_migrations (name text);
    CREATE TABLE infisical_migrations_lock (is_locked integer);
    INSERT INTO infisical_migrations_lock VALUES (0)"""


class Held:
    """A connection that sees no one wait to write a record, and counts how often it is asked."""

    def __init__(self, launch):
        self.asked = 0
        self.launch = launch

    def execute(self, _statement):
        self.asked += 1
        if self.asked == 3:
            self.launch()
        return []


def test_deaths_of_the_start_before_are_not_taken_for_the_end_of_this_one():
    launch = threading.Event()
    starting = threading.Thread(target=launch.wait, daemon=True)
    starting.start()

    def launched():
        launch.set()
        starting.join()

    held = Held(launched)
    stack = SimpleNamespace(backend=lambda: DEAD, base_url="http://127.0.0.1:1", name="stack")
    assert upgrade.find_waiting(stack, held, starting) == []
    assert held.asked == 4


@pytest.mark.parametrize(
    ("restarts", "kind", "words"),
    [
        (1, StackTrouble, "ended by itself before its first migration"),
        (0, NotGiven, "brings no migration"),
    ],
)
def test_a_start_that_crashes_does_not_show_that_no_migration_is_slow(
    monkeypatch, restarts, kind, words
):
    state = BackendState("running", restarts=restarts)
    stack = SimpleNamespace(backend=lambda: state, name="stack", driver="embedded", connect=None)
    monkeypatch.setattr(upgrade, "inquiry", lambda *_: nullcontext(Mock()))
    monkeypatch.setattr(upgrade, "find_waiting", lambda *_: [])
    with pytest.raises(kind, match=words):
        upgrade.hold(stack, lambda: None)


class Migrating:
    """Twelve migrations as knex does them: each in a transaction, or all in a single one.

    The last of them takes longer than anybody waits. Those before it take a moment each: on a busy
    machine several shorter ones would be recorded between two locks.
    """

    many = 12
    each_s = 0.05

    name, base_url = "stack", "http://127.0.0.1:1"

    def __init__(self, connect, together):
        self.connect = connect
        self.together = together
        self.pids = []

    def backend(self):
        return BackendState("running")

    def stop(self, _service):
        pass

    def begin(self):
        with suppress(psycopg.OperationalError), self.connect() as own:
            self.pids.append(own.info.backend_pid)
            own.execute("UPDATE infisical_migrations_lock SET is_locked = 1")
            for number in range(self.many):
                if not self.together:
                    own.commit()
                last = number == self.many - 1
                own.execute("SELECT pg_sleep(%s)", (300 if last else self.each_s,))
                own.execute("INSERT INTO infisical_migrations VALUES (%s)", (str(number),))

    def kill_start(self):
        with self.connect() as other:
            other.execute("SELECT pg_terminate_backend(%s)", (self.pids[0],))

    def locked(self):
        with self.connect() as own:
            return own.execute("SELECT is_locked FROM infisical_migrations_lock").fetchone()[0]


@pytest.mark.parametrize(
    ("together", "applied", "moment", "locked"),
    [
        # The record that was let go was written before the kill, or was not.
        (False, range(6, 12), "between two migrations", 1),
        (True, {0}, "in the one transaction of all migrations", 0),
    ],
)
def test_killed_between_migrations_or_in_the_one_transaction(
    isolated, together, applied, moment, locked
):
    isolated.empty_database()
    with isolated.connect() as own:
        own.execute(TABLES)
    stack = Migrating(isolated.connect, together)
    killed = upgrade.kill_midway(stack, stack.begin, stack.many)
    assert killed.applied in applied
    assert killed.moment == moment
    assert stack.locked() == locked
