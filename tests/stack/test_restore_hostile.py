"""A hostile backup cannot run a program, open a file, connect, or fill a disk.

Each attack is first shown to work the documented way (psql, as the superuser that the official
image makes of the deployment's role). Then it is refused with its line. Then, with the list of
allowed statements switched off, the role that runs it cannot do it either.
"""

import tempfile
from pathlib import Path

import psycopg
import pytest

from drillbook.backup import restore as restoring
from drillbook.backup.plain_dump import Hostile
from drillbook.backup.restore import Refused
from drillbook.core.run_directory import Home, new_run_id
from drillbook.infisical.settings import Settings
from drillbook.stack.embedded.embedded_driver import Embedded
from drillbook.stack.waiting import wait_until
from reports.record.recorder import Recorder
from tests.support.attacks import COMMANDS, FIRST, HEAD, IN_DISGUISE, OTHERS, STATEMENTS, TABLE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def documented():
    place = Home(new_run_id())
    stack = Embedded(place.run_id, Recorder(), place.path)
    stack.database.start(Settings.generate()["POSTGRES_PASSWORD"])
    yield stack
    stack.down()
    place.close()


@pytest.fixture
def mark():
    # The database's user must be able to write here, or the attack would show nothing. pytest's
    # folders are closed to other users.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder) / "mark"


def attack(body, mark):
    return HEAD + TABLE + body.replace("{mark}", str(mark)) + "\n"


def by_psql(documented, text):
    psql = ["psql", "-U", "infisical"]
    begin = b"DROP DATABASE IF EXISTS hostile;\nCREATE DATABASE hostile;\n"
    documented.exec("db", [*psql, "postgres"], stdin=begin)
    documented.exec("db", [*psql, "hostile"], stdin=text.encode())


def appears(mark):
    return wait_until(mark.exists, 3)


@pytest.mark.parametrize("body", COMMANDS.values(), ids=COMMANDS)
def test_command_of_psql_is_refused_with_its_line(documented, restored, mark, body):
    text = attack(body, mark)
    by_psql(documented, text)
    assert appears(mark), "the attack itself does not work: this test shows nothing"
    mark.unlink()
    with pytest.raises(Hostile) as refused:
        restored(text)
    commands = (n for n, line in enumerate(text.split("\n"), 1) if "\\" in line and line != "\\.")
    assert refused.value.line == next(commands)
    assert not mark.exists()


@pytest.mark.parametrize("body", STATEMENTS.values(), ids=STATEMENTS)
def test_statement_is_refused_and_would_be_powerless(
    documented, isolated, restored, mark, body, monkeypatch
):
    text = attack(body, mark)
    by_psql(documented, text)
    assert appears(mark), "the attack itself does not work: this test shows nothing"
    mark.unlink()
    with pytest.raises(Hostile, match=f"^line {FIRST}: "):
        restored(text)
    monkeypatch.setattr(restoring, "judge", lambda _: "run")
    isolated.empty_database()
    with pytest.raises(Refused, match=r"permission denied"):
        restored(text)
    assert not mark.exists()


@pytest.mark.parametrize("body", IN_DISGUISE.values(), ids=IN_DISGUISE)
def test_order_hidden_in_honest_words_is_powerless(documented, restored, mark, body):
    text = attack(body, mark)
    by_psql(documented, text)
    assert appears(mark), "the attack itself does not work: this test shows nothing"
    mark.unlink()
    with pytest.raises(Refused, match=r"^line \d+: permission denied"):
        restored(text)
    assert not mark.exists()


@pytest.mark.parametrize("body", OTHERS.values(), ids=OTHERS)
def test_what_no_backup_says_is_refused_with_its_line(restored, body):
    with pytest.raises(Hostile, match=f"^line {FIRST}: "):
        restored(HEAD + TABLE + body + "\n")


def test_role_of_the_restored_data_has_no_powers(isolated, restored):
    restored(HEAD + TABLE)
    with isolated.connect() as connection:
        powers = connection.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls "
            "FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        memberships = connection.execute(
            "SELECT count(*) FROM pg_auth_members WHERE member = current_user::regrole"
        ).fetchone()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET ROLE drillbook_warden")
    assert powers == (False,) * 5
    assert memberships == (0,)
