"""The migration of an empty database by a command runs once; its result is restored later."""

import pytest

from drillbook.core.errors import StackTrouble
from drillbook.runbook import procedures
from drillbook.stack.base import Command
from drillbook.stack.containers import docker_engine
from drillbook.stack.containers.container_driver import Migrator
from tests.stack.test_containers import IMAGE, _engine, shared

__all__ = ["_engine", "shared"]

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

MIGRATIONS = "CREATE TABLE infisical_migrations (name text); INSERT INTO infisical_migrations "
NAMES = "SELECT name FROM infisical_migrations"


@pytest.fixture
def stack(shared, monkeypatch):
    """A stack with an empty database, whose image migrates by a command; `ran` has its runs."""
    procedures.empty_database(shared)
    shared.ran = []

    def command(*words):
        shared.ran.append(words)
        shared.sql(f"{MIGRATIONS} VALUES ('number {len(shared.ran)}')")

    monkeypatch.setattr(shared._project, "call", command)
    monkeypatch.setattr(Migrator, "made", {})
    return shared


def migrated(stack):
    """Migrate the database, which was not migrated before, and return its migrations."""
    assert not stack._migrator.is_migrated()
    stack._migrator.migrate()
    assert stack._migrator.is_migrated()
    return stack.sql(NAMES)


def test_the_command_runs_once_and_the_next_empty_database_holds_the_same(stack):
    first = migrated(stack)
    procedures.empty_database(stack)
    assert migrated(stack) == first == [("number 1",)]
    assert len(stack.ran) == 1
    (kept,) = Migrator.made.values()
    assert kept.startswith("--\n-- PostgreSQL database dump")


def test_a_database_that_holds_something_is_migrated_by_the_command_and_not_kept(stack):
    stack.sql("CREATE TABLE bookings (amount int)")
    migrated(stack)
    assert Migrator.made == {}
    procedures.empty_database(stack)
    migrated(stack)
    procedures.empty_database(stack)
    stack.sql("CREATE TABLE bookings (amount int)")
    assert migrated(stack) == [("number 3",)]


@pytest.mark.parametrize("dump", ["CREATE TABLE half (); nonsense;", "CREATE TABLE half ("])
def test_what_cannot_be_poured_leaves_nothing_and_the_command_runs(stack, dump):
    Migrator.made[IMAGE] = dump
    assert migrated(stack) == [("number 1",)]
    assert stack.sql("SELECT to_regclass('half')") == [(None,)]


def test_a_dump_that_was_cut_off_is_not_kept(stack, monkeypatch):
    def cut_off(found, argv, *files):
        if argv[0] != "pg_dump":
            return real(found, argv, *files)
        return Command(tuple(argv), 1, b"CREATE TABLE half ();")

    with monkeypatch.context() as patched:
        real = docker_engine.execute
        patched.setattr(docker_engine, "execute", cut_off)
        stack._migrator.migrate()
    assert Migrator.made == {}


def test_a_password_that_is_not_the_database_s_does_not_hide_the_answer(stack):
    migrated(stack)
    stack.sql("ALTER ROLE CURRENT_USER PASSWORD 'another'")
    assert stack._migrator.is_migrated()
    stack.inside(f"ALTER ROLE CURRENT_USER PASSWORD '{stack.settings['POSTGRES_PASSWORD']}'")
    assert stack._migrator.is_migrated()


def test_a_database_that_is_down_is_trouble_and_no_answer(stack):
    stack.stop("db")
    with pytest.raises(StackTrouble):
        stack._migrator.is_migrated()
    stack.start("db")
