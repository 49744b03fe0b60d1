"""How two databases differ, besides their release and their rows."""

import os
from functools import partial
from types import SimpleNamespace

import psycopg
import pytest

from drillbook.core.errors import StackTrouble
from drillbook.drill import database_move
from drillbook.drill.database_move import DatabaseMove, describe, differences
from drillbook.stack.embedded.servers import Postgres

SAME = {"collation": "C, C", "extensions": ["pg_trgm", "plpgsql"], "triggers": None}


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (SAME, []),
        (SAME | {"collation": "C, en"}, ["collation: C, C became C, en"]),
        (SAME | {"extensions": ["plpgsql"]}, ["extensions: gone: pg_trgm; new: nothing"]),
        (SAME | {"triggers": ["users spy"]}, ["triggers: gone: nothing; new: users spy"]),
        ({}, ["collation", "extensions"]),
    ],
)
def test_differences_between_two_databases(after, says):
    found = differences(SAME, after)
    assert len(found) == len(says)
    assert all(one.startswith(word) for word, one in zip(says, found, strict=True))


PARTITIONED = """
    CREATE TABLE events (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
    CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    CREATE TABLE remarks (event int, day date, FOREIGN KEY (event, day) REFERENCES events);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER noted BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION note()"""


@pytest.mark.slow
def test_what_follows_from_partitions_is_no_difference(living):
    described = []
    for release in ("14", "17", "18"):
        place = living.path / release
        place.mkdir(mode=0o711)
        server = Postgres(place, {"PATH": os.environ["PATH"]}, release=release)
        server.start("secret")
        where = {"host": "127.0.0.1", "port": server.port, "user": "infisical"}
        connect = partial(psycopg.connect, dbname="infisical", password="secret", **where)
        try:
            with connect() as connection:
                connection.execute(PARTITIONED)
            described.append(describe(SimpleNamespace(connect=connect)))
        finally:
            server.stop()
    assert described[0]["constraints"] == ["events events_pkey", "remarks remarks_event_day_fkey"]
    assert described[0]["triggers"] == ["events noted"]
    for later in described[1:]:
        assert differences(described[0], later) == []


def test_steps_of_a_move_start_the_database_alone():
    # A backend that starts with an empty database makes its tables, which the restore then meets.
    move = SimpleNamespace(
        move=lambda: SimpleNamespace(serves=True, seconds=28.0, dump_s=2.2),
        releases=lambda: ("14.23", "17.10"),
        old=SimpleNamespace(stack=SimpleNamespace(owner=("infisical", "infisical"))),
    )
    steps = DatabaseMove.steps(move)
    started = [one.partition("docker compose up ")[2] for one in steps if "compose up" in one]
    assert [one.partition(" (")[0] for one in started] == ["-d --wait <service of the database>"]
    # Coolify has no way to start the database alone.
    (by_coolify,) = (one.partition(" (")[2] for one in started)
    assert by_coolify.index("close the public address first") < by_coolify.index("drop and create")
    assert [one[:3] for one in steps if one.startswith("(")] == [f"({n})" for n in range(1, 8)]
    assert "(umask 077; docker compose exec " in steps[2]
    assert steps[2].endswith(" > move.sql)")
    # The role and database of a copy need not be those of the deployment.
    assert "your POSTGRES_USER and POSTGRES_DB" in steps[2]
    assert steps[7].endswith("delete move.sql")
    # The old database is older than what the cache holds by then.
    assert "empty the cache" in steps[-1]


def test_the_copy_of_a_move_that_failed_is_closed_before_another_is_made(monkeypatch, tmp_path):
    def fail(drill):
        raise StackTrouble(f"{drill.number} fails")

    def begin(_order):
        made.append(SimpleNamespace(number=len(made), close=lambda: closed.append(len(made))))
        return made[-1]

    made, closed = [], []
    monkeypatch.setattr(database_move, "restore_new", fail)
    monkeypatch.setattr(database_move, "describe", lambda _: {})
    monkeypatch.setattr(database_move, "replace", lambda order, **_: order)
    done = SimpleNamespace(exit_code=0)
    monkeypatch.setattr(database_move.procedures, "back_up", lambda *_: done)
    old = SimpleNamespace(
        stack=SimpleNamespace(stop=lambda _: None),
        place=SimpleNamespace(path=tmp_path),
        order=None,
        bring_up=lambda: SimpleNamespace(serves=True),
        compare_first=lambda: SimpleNamespace(faults=[]),
    )
    move = DatabaseMove(old, begin)
    for number in range(2):
        with pytest.raises(StackTrouble, match=f"{number} fails"):
            move.move()
    assert (len(made), closed) == (2, [1])
    move.close()
    assert closed == [1, 2]
