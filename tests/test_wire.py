"""The relay before a database hands everything on, and meddles only when it is armed."""

import contextlib

import psycopg
import pytest

from fixtures.mutants.wire import DropsTheLastRow, LosesCommits, Meddler, Relay
from tests.backends import running

ROWS = "SELECT n FROM generate_series(1, %s) AS n"


@pytest.fixture(scope="module")
def services():
    with running() as made:
        yield made


@contextlib.contextmanager
def through(services, meddler, armed=True):
    relay = Relay(lambda: services.postgres.port, meddler)
    relay.armed = armed
    where = {"host": "127.0.0.1", "port": relay.port, "sslmode": "disable"}
    who = {"user": "infisical", "password": services.settings["POSTGRES_PASSWORD"]}
    with contextlib.closing(relay), psycopg.connect(**where, **who, dbname="postgres") as open_:
        yield open_


@pytest.mark.parametrize(("meddler", "armed"), [(Meddler, True), (DropsTheLastRow, False)])
def test_it_is_honest(services, meddler, armed):
    with through(services, meddler, armed) as connection:
        assert len(connection.execute(ROWS, [1000]).fetchall()) == 1000
        assert connection.execute("SELECT repeat('x', 100000)").fetchone() == ("x" * 100_000,)
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT * FROM nowhere")


def test_last_row_of_a_longer_result_is_missing(services):
    with through(services, DropsTheLastRow) as connection:
        for rows, seen in ((0, 0), (1, 1), (3, 3), (4, 3), (50, 49)):
            found = connection.execute(ROWS, [rows]).fetchall()
            assert [row[0] for row in found] == list(range(1, seen + 1))


def test_rows_that_are_written_and_told_are_all_there(services):
    with through(services, DropsTheLastRow) as connection:
        connection.execute("CREATE TEMPORARY TABLE told (n int)")
        done = connection.execute(f"INSERT INTO told {ROWS} RETURNING n", [50])
        assert len(done.fetchall()) == 50


def test_commits_are_lost_and_acknowledged(services):
    with through(services, LosesCommits) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.commit()
        connection.execute("SELECT 1")
    assert services.postgres.inside("SELECT to_regclass('kept')", database="postgres") == [(None,)]


def test_a_wrong_password_is_refused_through_it(services):
    relay = Relay(lambda: services.postgres.port, Meddler)
    with contextlib.closing(relay), pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host="127.0.0.1", port=relay.port, user="infisical", password="x")
