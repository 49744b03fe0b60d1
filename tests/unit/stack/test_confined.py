"""A database that takes a stranger's statements reaches nothing of this machine, and stops."""

import os
import shutil
import tempfile
from pathlib import Path

import psycopg
import pytest

from drillbook.stack.embedded.servers import Postgres
from drillbook.stack.processes import why_unavailable

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(why_unavailable()), reason=why_unavailable()),
]


@pytest.fixture
def database():
    place = Path(tempfile.mkdtemp())
    # The server's user has to come through.
    place.chmod(0o711)
    made = Postgres(place, {"PATH": os.environ["PATH"]})
    made.confined = True
    made.start("secret")
    yield made
    made.stop()
    shutil.rmtree(place)


@pytest.mark.parametrize(
    "statement",
    [
        "COPY (SELECT 1) TO PROGRAM 'touch /tmp/planted; kill -9 -1'",
        "COPY (SELECT 1) TO '/tmp/planted'",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY (SELECT 1) TO PROGRAM 'cat /etc/shadow'",
    ],
)
def test_a_hostile_statement_reaches_nothing(database, statement):
    try:
        found = database.inside(statement)
    except psycopg.Error:
        found = []
    assert "root:" not in str(found)
    assert not Path("/tmp/planted").exists()


def test_it_stops_and_starts_with_its_data(database):
    database.inside("CREATE TABLE kept AS SELECT 1 AS one")
    database.stop()
    assert not database.running
    database.start("secret")
    assert database.outside("SELECT one FROM kept", "secret") == [(1,)]
