"""A start is killed when its migrations have begun, and it is told how far it came."""

import time
from contextlib import suppress

import psycopg
import pytest

from drillbook.drill import upgrade
from drillbook.stack.base import BackendState

pytestmark = pytest.mark.slow

TABLES = """
    CREATE TABLE infisical_migrations (name text);
    CREATE TABLE infisical_migrations_lock (is_locked integer);
    INSERT INTO infisical_migrations VALUES ('earlier');
"""


class Migrating:
    """Migrations as knex does them, each in a transaction; the second never ends by itself."""

    name, base_url = "stack", "http://127.0.0.1:1"

    def __init__(self, connect):
        self.connect = connect
        self.pids = []

    def backend(self):
        return BackendState("running")

    def stop(self, _service):
        pass

    def begin(self):
        with suppress(psycopg.OperationalError), self.connect() as own:
            self.pids.append(own.info.backend_pid)
            own.execute("INSERT INTO infisical_migrations VALUES ('first')")
            own.commit()
            own.execute("SELECT pg_sleep(300)")

    def kill_start(self):
        with self.connect() as other:
            for pid in self.pids:
                other.execute("SELECT pg_terminate_backend(%s)", (pid,))


def test_a_start_is_killed_at_its_first_migration(isolated):
    isolated.empty_database()
    with isolated.connect() as own:
        own.execute(TABLES)
    stack = Migrating(isolated.connect)
    killed = upgrade.kill_start(stack, stack.begin, 12)
    assert str(killed) == "killed after 1 of 12 migrations"


def test_a_start_without_migrations_is_killed_as_soon_as_it_runs(isolated):
    isolated.empty_database()
    with isolated.connect() as own:
        own.execute(TABLES)
    stack = Migrating(isolated.connect)
    killed = upgrade.kill_start(stack, lambda: time.sleep(0.1), 0)
    assert (killed.applied, killed.pending) == (0, 0)
