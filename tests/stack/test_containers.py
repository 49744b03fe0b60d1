"""The containers driver, on a real engine with the images that `drillbook images` makes."""

import time

import psycopg
import pytest

from drillbook.core.errors import DrillbookError
from drillbook.core.run_directory import Home, new_run_id
from drillbook.infisical.crypto import openssl_rand_hex
from drillbook.infisical.settings import Settings
from drillbook.stack.containers import docker_engine as engine
from drillbook.stack.containers.compose import check
from drillbook.stack.containers.container_driver import Containers
from drillbook.stack.driver_selection import COMPOSE_FILE
from drillbook.stack.waiting import log_mark, outcome
from tests.support.recorder import SecretRecorder

IMAGE = "drillbook/reference:latest"
ROW = "SELECT note FROM history"


def missing():
    try:
        check(COMPOSE_FILE, IMAGE)
    except DrillbookError as reason:
        return str(reason)
    return ""


@pytest.fixture(scope="module", autouse=True)
def _engine():
    if reason := missing():
        pytest.skip(reason)


pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def shared():
    """A stack for tests that leave it unchanged."""
    place = Home(new_run_id())
    made = Containers(place.run_id, SecretRecorder(), COMPOSE_FILE, IMAGE, place.path)
    made.up(Settings.generate())
    yield made
    made.down()
    place.close()


@pytest.fixture
def stack(living, recorder):
    made = Containers(living.run_id, recorder, COMPOSE_FILE, IMAGE, living.path)
    # A first process that has just started ignores SIGTERM, so wait until it serves.
    assert settled(made, recorder, lambda: made.up(Settings.generate())).serves
    yield made
    made.down()
    assert ours(living.run_id) == []


def ours(run_id):
    return [one for one in engine.resources() if one.run == run_id]


def settled(stack, recorder, act):
    since = log_mark(stack)
    act()
    return outcome(stack, recorder, since, within_s=240)


def environment(stack):
    found = engine.container(stack.name, "backend")
    return dict(one.split("=", 1) for one in found.attrs["Config"]["Env"] if "=" in one)


def test_versions_are_asked_of_the_servers(shared):
    told = shared.versions()
    assert (told.backend, told.database[:3], told.cache[:2]) == (IMAGE, "14.", "7.")
    assert told.backend_digest.startswith("sha256:")


def test_network_asks_for_the_password_and_the_socket_does_not(shared):
    assert shared.sql("SELECT 1") == [(1,)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        shared.sql("SELECT 1", as_password="wrong")
    assert shared.exec("db", ["psql", "-U", "infisical", "-c", "SELECT 1"]).exit_code == 0


def test_exec_feeds_and_catches_streams(shared, tmp_path):
    told = shared.exec("db", ["sh", "-c", "cat; echo no >&2; exit 3"], stdin=b"in\n")
    assert (told.exit_code, told.stdout, told.stderr) == (3, b"in\n", b"no\n")
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(b"file")
    assert shared.exec("db", ["cat"], stdin=source, stdout=target).stdout == b""
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"file", 0o600)


def test_restart_keeps_the_environment_and_redeploy_brings_the_new_one(stack, recorder):
    before = engine.container(stack.name, "backend").id
    changed = stack.settings.but(SITE_URL="https://new.example.com", SMTP_HOST="mail.example.com")
    assert settled(stack, recorder, lambda: stack.restart("backend")).serves
    assert engine.container(stack.name, "backend").id == before
    assert "SMTP_HOST" not in environment(stack)
    first = stack.logs("backend")
    assert settled(stack, recorder, lambda: stack.redeploy(changed)).serves
    assert environment(stack)["SITE_URL"] == "https://new.example.com"
    assert environment(stack)["SMTP_HOST"] == "mail.example.com"
    assert engine.container(stack.name, "backend").id != before
    assert stack.logs("backend").startswith(first)


def test_redeploy_of_the_same_settings_replaces_nothing(shared):
    before = {one: engine.container(shared.name, one).id for one in ("backend", "db", "redis")}
    shared.redeploy(shared.settings)
    assert before == {one: engine.container(shared.name, one).id for one in before}


def test_a_changed_password_replaces_backend_and_database_and_keeps_the_data(stack, recorder):
    stack.sql("CREATE TABLE history AS SELECT 'monday' AS note")
    stack.exec("db", ["psql", "-U", "infisical"], stdin=b"ALTER USER infisical PASSWORD 'n/w#?%'")
    renewed = stack.settings.but(POSTGRES_PASSWORD="n/w#?%")
    assert settled(stack, recorder, lambda: stack.redeploy(renewed)).serves
    assert stack.sql(ROW) == [("monday",)]


def test_wrong_key_is_a_visible_crash_loop(stack, recorder):
    assert stack.backend().state == "running"
    wrong = stack.settings.but(ENCRYPTION_KEY="0123456789abcdef0123456789abcdef")
    start = settled(stack, recorder, lambda: stack.redeploy(wrong))
    assert (start.serves, start.exit_code) == (False, 1)
    assert start.says("Unsupported state or unable to authenticate data")
    deadline = time.monotonic() + 120
    while stack.backend().restarts < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    state = stack.backend()
    assert state.restarts >= 2
    assert state.exit_code == 1


def test_a_killed_backend_is_brought_back_by_its_policy(stack, recorder):
    stack.kill("backend")
    assert outcome(stack, recorder, 0, within_s=240).exit_code in (None, 137)
    deadline = time.monotonic() + 120
    while stack.backend().state != "running" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert (stack.backend().restarts, stack.backend().exit_code) == (1, 137)


def test_a_stopped_database_refuses_and_comes_back(shared):
    shared.stop("db")
    with pytest.raises(psycopg.OperationalError):
        shared.sql("SELECT 1")
    shared.start("db")
    assert shared.sql("SELECT 1") == [(1,)]


def test_rewind_brings_back_data_and_password_after_a_wipe_as_well(stack, living, recorder):
    golden = stack.settings
    stack.sql("CREATE TABLE history AS SELECT 'golden' AS note")
    assert settled(stack, recorder, stack.keep).serves
    stack.sql("UPDATE history SET note = 'spoilt'")
    stack.exec("db", ["psql", "-U", "infisical"], stdin=b"ALTER USER infisical PASSWORD 'other'")
    stack.exec("redis", ["redis-cli", "SET", "left", "over"])
    stack.rewind()
    assert stack.settings == golden
    assert stack.backend().state == "exited"
    assert stack.exec("redis", ["redis-cli", "DBSIZE"]).stdout.strip() == b"0"
    assert settled(stack, recorder, lambda: stack.up(golden)).serves
    assert stack.sql(ROW) == [("golden",)]
    stack.destroy(one for one in ours(living.run_id) if one.kind != "network")
    stack.rewind()
    assert "database system is ready" in stack.logs("db")
    assert settled(stack, recorder, lambda: stack.up(golden)).serves
    assert stack.sql(ROW) == [("golden",)]


def test_a_database_that_was_removed_starts_anew_without_the_backend(stack, living):
    stack.destroy(one for one in ours(living.run_id) if one.kind != "network")
    stack.start("db")
    assert stack.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    assert stack.backend().state == "absent"


@pytest.mark.parametrize("spoil", ["VALID UNTIL '2026-01-01'", "NOLOGIN"])
def test_rewind_brings_back_the_role_and_drops_other_databases_and_roles(stack, recorder, spoil):
    assert settled(stack, recorder, stack.keep).serves
    stack.inside(
        "CREATE ROLE spare LOGIN; CREATE DATABASE left_over OWNER spare;\n"
        f"ALTER ROLE infisical {spoil}; GRANT CONNECT ON DATABASE postgres TO spare"
    )
    stack.rewind()
    assert settled(stack, recorder, lambda: stack.up(stack.settings)).serves
    assert stack.sql("SELECT 1 FROM pg_database WHERE datname = 'left_over'") == []
    assert stack.sql("SELECT 1 FROM pg_roles WHERE rolname = 'spare'") == []


def test_what_was_rewound_starts_under_its_golden_settings(stack, recorder):
    golden = stack.settings
    assert settled(stack, recorder, stack.keep).serves
    for begin in (stack.start, stack.restart):
        other = golden.but(AUTH_SECRET=openssl_rand_hex(64))
        assert settled(stack, recorder, lambda other=other: stack.redeploy(other)).serves
        since = log_mark(stack)
        stack.rewind()
        assert settled(stack, recorder, lambda begin=begin: begin("backend")).serves
        deployed = stack._container("backend").attrs["Config"]["Env"]
        assert f"AUTH_SECRET={golden['AUTH_SECRET']}" in deployed
        assert len(stack.logs("backend")) > since, "what it had printed before is not lost"
