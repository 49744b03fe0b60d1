"""A dump is taken from a database in a container without changing the database."""

import subprocess
import time
import uuid

import pytest

from drillbook.backup.fetch import fetch_backup
from drillbook.core.errors import BadInput, StackTrouble
from drillbook.stack.containers import docker_engine

IMAGE, OTHER = "drillbook/postgres:14", "drillbook/redis:7"
PASSWORD = "a-password-for-tests-only"


def docker(*words, check=True, stdin=None):
    command = ["docker", *words]
    return subprocess.run(command, check=check, capture_output=True, text=True, input=stdin)


def started(image, *options):
    name = f"drillbook-test-{uuid.uuid4().hex[:10]}"
    labels = [f"--label={key}={value}" for key, value in docker_engine.labels(name).items()]
    docker("run", "-d", "--name", name, "--network=none", *labels, *options, image)
    return name


@pytest.fixture(scope="module")
def database():
    env = [f"POSTGRES_PASSWORD={PASSWORD}", "POSTGRES_USER=ada", "POSTGRES_DB=ledger"]
    name = started(IMAGE, *[f"--env={one}" for one in env])
    try:
        sql = "CREATE TABLE accounts (id int); INSERT INTO accounts SELECT generate_series(1, 1000)"
        for _ in range(120):
            done = docker("exec", name, "psql", "-U", "ada", "-d", "ledger", "-c", sql, check=False)
            if not done.returncode:
                break
            time.sleep(0.5)
        assert not done.returncode, done.stderr
        yield name
    finally:
        docker("rm", "-fv", name)


pytestmark = pytest.mark.engine


def test_a_dump_is_taken_by_the_documented_command(database):
    heard = []
    with fetch_backup(f"docker:{database}", heard.append) as found:
        text = found.path.read_text()
        assert text.count("\n", text.index("COPY public.accounts")) > 1000
        assert "-- PostgreSQL database dump complete" in text
        assert found.path.stat().st_mode & 0o777 == 0o600
        assert found.changes() == []
        assert abs(found.modified - time.time()) < 60
        kept = found.home.path
    assert not kept.exists()
    assert heard[0] == f"dumping database ledger of container {database} as ada, only reading"
    assert PASSWORD not in "".join(heard)


def test_its_password_is_in_no_command_line(database, monkeypatch):
    called = []
    honest = subprocess.Popen

    def seen(argv, **options):
        called.append(list(argv))
        return honest(argv, **options)

    monkeypatch.setattr("drillbook.backup.stream.subprocess.Popen", seen)
    with fetch_backup(f"docker:{database}", print):
        pass
    [dumping] = [argv for argv in called if "pg_dump" in argv]
    assert dumping[-5:] == ["pg_dump", "--lock-wait-timeout=60000", "-U", "ada", "ledger"]
    assert PASSWORD not in str(called)
    assert "PGOPTIONS=-c default_transaction_read_only=on" in dumping


def test_a_container_that_is_none_of_a_database_is_refused():
    name = started(OTHER)
    try:
        with (
            pytest.raises(BadInput, match="has no pg_dump: it is not the database's"),
            fetch_backup(f"docker:{name}", print),
        ):
            pass
        docker("stop", "-t", "1", name)
        with pytest.raises(BadInput, match="does not run"), fetch_backup(f"docker:{name}", print):
            pass
    finally:
        docker("rm", "-fv", name)


def test_a_container_that_is_not_there_is_refused():
    with (
        pytest.raises(BadInput, match="this engine has no container drillbook-nowhere"),
        fetch_backup("docker:drillbook-nowhere", print),
    ):
        pass


def test_what_pg_dump_says_is_told_without_the_password(database):
    with (
        pytest.raises(BadInput, match=r"pg_dump in container .* failed: .*nowhere") as told,
        fetch_backup(f"docker:{database}", print, {"database": "nowhere"}),
    ):
        pass
    assert PASSWORD not in str(told.value)


def test_a_container_that_was_started_anew_is_told(database):
    with fetch_backup(f"docker:{database}", print) as found:
        docker("restart", "-t", "5", database)
        with pytest.raises(StackTrouble, match=f"container {database} was restarted or replaced"):
            found.changes()
