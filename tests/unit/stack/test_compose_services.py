"""A compose file is read by compose where that can be, otherwise by us; never from afar."""

import json
import os
import shutil

import pytest

from drillbook.core import docker_cli
from drillbook.core.errors import BadInput
from drillbook.preflight import compose_checks
from drillbook.stack import compose_file
from drillbook.stack.compose_file import load
from drillbook.stack.compose_services import plays, service_of
from drillbook.stack.containers import compose

PLAIN = "services:\n  backend:\n    image: infisical/infisical:v1\n"


@pytest.fixture
def written(tmp_path):
    def write(text=PLAIN):
        path = tmp_path / "docker-compose.yml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A program in docker's place that says what a test wants compose to say."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def saying(stdout="", stderr="", code=0, more=""):
        program = folder / "docker"
        (tmp_path / "out").write_text(stdout)
        (tmp_path / "err").write_text(stderr)
        program.write_text(
            f"#!/bin/sh\n{more}\ncat '{tmp_path}/out'\ncat '{tmp_path}/err' >&2\nexit {code}\n"
        )
        program.chmod(0o755)

    return saying


@pytest.fixture
def no_docker(monkeypatch):
    monkeypatch.setattr(compose_file.shutil, "which", lambda _: None)


@pytest.mark.parametrize(
    ("name", "service", "role"),
    [
        ("a", {"image": "postgres:14"}, "db"),
        ("a", {"image": "registry:5000/library/postgres@sha256:0"}, "db"),
        ("a", {"image": "pgvector/pgvector"}, "db"),
        ("a", {"image": "timescale/timescaledb"}, "db"),
        ("a", {"image": "postgres-exporter"}, None),
        ("a", {"image": "postgres-backup-s3"}, None),
        ("a", {"image": "redis:7"}, "redis"),
        ("a", {"image": "valkey/valkey"}, "redis"),
        ("a", {"image": "redis_exporter"}, None),
        ("a", {"image": "redis-backup"}, None),
        ("a", {"image": "oliver006/redis_exporter"}, None),
        ("a", {"image": "postgrest/postgrest"}, None),
        ("a", {"image": "postgis/postgis:14"}, "db"),
        ("a", {"image": "infisical/infisical:v1"}, "backend"),
        ("a", {"image": "ours", "environment": {"ENCRYPTION_KEY": None}}, "backend"),
        ("a", {"image": "ours", "environment": {"AUTH_SECRET": None}}, None),
        ("a", {"image": None}, None),
        ("a", {}, None),
        ("db", {"build": "."}, "db"),
        ("database", {"build": "."}, "db"),
        ("postgres", {"build": "."}, "db"),
        ("redis", {"build": "."}, "redis"),
        ("cache", {"build": "."}, "redis"),
        ("web", {"build": "."}, None),
        ("db", {"image": "ours"}, None),
    ],
)
def test_part_is_known_by_image_variables_or_name(name, service, role):
    assert plays(name, service) == role


def test_service_of_the_parts_name_goes_first():
    old, new = {"image": "postgres:14"}, {"image": "postgres:14", "command": ["postgres"]}
    assert service_of("db", {"old": old, "db": new}) == "db"
    assert service_of("redis", {"old": old}) is None


def test_exporter_beside_a_database_with_a_command_is_not_taken_for_it():
    services = {
        "exporter": {"image": "prometheuscommunity/postgres-exporter"},
        "postgres-exporter": {"image": "quay.io/prometheuscommunity/postgres-exporter:v1"},
        "db": {"image": "postgres:14", "command": ["postgres", "-c", "max_connections=50"]},
    }
    assert service_of("db", services) == "db"


@pytest.mark.parametrize(
    ("address", "database"),
    [
        ({"DB_CONNECTION_URI": "postgres://infisical:@store:5432/infisical"}, "store"),
        ({"DB_CONNECTION_URI": "postgres://infisical:p%2Fw@vault-db/infisical?x"}, "store"),
        ({"DB_CONNECTION_URI": "postgresql://pg.internal:5432,other/db"}, "store"),
        ({"DB_HOST": "store"}, "store"),
        ({"DB_CONNECTION_URI": "postgres://u:p@elsewhere/db"}, "db"),
        ({}, "db"),
    ],
)
def test_database_is_the_one_whose_host_the_backend_is_given(address, database):
    services = {
        "backend": {"image": "infisical/infisical:v1", "environment": address},
        "db": {"image": "postgres:16"},
        "store": {
            "image": "postgres:14",
            "container_name": "vault-db",
            "networks": {"inner": {"aliases": ["pg.internal"]}, "outer": None},
        },
    }
    assert service_of("db", services) == database


def test_job_of_the_backends_image_is_not_the_backend():
    job = {"image": "infisical/infisical:v1", "command": "npm run migration:latest"}
    other = {"image": "nginx:1", "environment": {"ENCRYPTION_KEY": None}}
    services = {"backend": other, "migrate": job, "vault": {"image": "infisical/infisical:v1"}}
    assert service_of("backend", services) == "vault"


OVERRIDE = """services:
  db:
    environment: {POSTGRES_USER: infisical}
    ports:
      - "127.0.0.1:5433:5432"
      - "5432:5432"
"""
PAIRS = [
    ("compose.yaml", "docker-compose.override.yml"),
    ("docker-compose.yml", "docker-compose.override.yml"),
    ("docker-compose.yaml", "compose.override.yaml"),
]


@pytest.mark.skipif(not shutil.which("docker"), reason="there is no docker program")
@pytest.mark.parametrize(("name", "other"), PAIRS)
def test_override_that_compose_reads_by_itself_is_read(tmp_path, name, other):
    file, override = tmp_path / name, tmp_path / other
    file.write_text(f"{PLAIN}  db:\n    image: postgres:14\n    ports: ['127.0.0.1:1:5432']\n")
    assert compose_checks.find_exposure(load(file, {})) == []
    override.write_text(OVERRIDE)
    (found,) = compose_checks.find_exposure(load(file, {}))
    assert (found.file, found.line) == (str(override), 6)
    assert "db can be reached from outside: port 5432" in found.sentence
    override.write_text(f"{OVERRIDE}    networks: [{{driver: 1}}]\n")
    with pytest.raises(BadInput, match=f"{name} with .*{other}: compose cannot read it"):
        load(file, {})


@pytest.mark.parametrize(("name", "other"), PAIRS)
def test_override_is_not_passed_over_where_it_cannot_be_read(tmp_path, no_docker, name, other):
    file = tmp_path / name
    file.write_text(PLAIN)
    (tmp_path / other).write_text(OVERRIDE)
    with pytest.raises(BadInput, match=f"{other} together with .*{name}: only the docker"):
        load(file, {})


def test_files_that_compose_file_lists_are_not_passed_over(tmp_path, no_docker):
    file = tmp_path / "docker-compose.yml"
    file.write_text(PLAIN)
    (tmp_path / "public.yml").write_text(OVERRIDE)
    for listed in ({}, {"COMPOSE_FILE": "./docker-compose.yml"}, {"COMPOSE_FILE": "public.yml"}):
        assert load(file, listed).part("db") is None
    for separator in (":", ","):
        listed = {"COMPOSE_FILE": f"docker-compose.yml{separator}public.yml"}
        listed |= {"COMPOSE_PATH_SEPARATOR": separator} if separator == "," else {}
        with pytest.raises(BadInput, match=r"public\.yml together with .*: only the docker"):
            load(file, listed)


@pytest.mark.skipif(not shutil.which("docker"), reason="there is no docker program")
def test_files_that_compose_file_lists_are_read(tmp_path):
    file, other = tmp_path / "docker-compose.yml", tmp_path / "public.yml"
    file.write_text(f"{PLAIN}  db:\n    image: postgres:14\n    ports: ['127.0.0.1:1:5432']\n")
    other.write_text(OVERRIDE)
    (found,) = compose_checks.find_exposure(
        load(file, {"COMPOSE_FILE": "docker-compose.yml:public.yml"})
    )
    assert (found.file, found.line) == (str(other), 6)


def test_override_that_compose_would_not_read_is_none(tmp_path, no_docker):
    (tmp_path / "docker-compose.override.yml").write_text(OVERRIDE)
    for name in ("docker-compose.coolify.yml", "compose.yml", "docker-compose.yml"):
        (tmp_path / name).write_text(PLAIN)
    for name in ("docker-compose.coolify.yml", "docker-compose.yml"):
        assert load(tmp_path / name, {}).part("db") is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (PLAIN + "  db: {extends: {service: backend}}\n", "db extends another"),
        (f"include: [a.yml]\n{PLAIN}", "includes another"),
        (f"include: {{path: 'https://x/y.yml'}}\n{PLAIN}", "includes another"),
    ],
)
def test_a_file_that_is_not_the_whole_is_refused_before_anything_is_fetched(
    written, docker, tmp_path, text, sentence
):
    docker(stdout="{}", more=f"touch '{tmp_path}/asked'")
    with pytest.raises(BadInput, match=f"{sentence}, which is not followed: give the whole in one"):
        load(written(text), {})
    assert not (tmp_path / "asked").exists()


@pytest.mark.skipif(not shutil.which("docker"), reason="there is no docker program")
def test_a_required_variable_without_value_is_a_cause_that_compose_merges_nothing(tmp_path):
    file = tmp_path / "docker-compose.yml"
    file.write_text(PLAIN + "  db: {image: 'postgres:${PG:?}'}\n")
    (tmp_path / "docker-compose.override.yml").write_text(OVERRIDE)
    with pytest.raises(
        BadInput, match=r"give --env-file where a variable that the file requires .* has no"
    ):
        load(file, {})
    assert load(file, {"PG": "14"}).services["db"]["image"] == "postgres:14"


@pytest.mark.skipif(not shutil.which("docker"), reason="there is no docker program")
def test_verify_and_preflight_take_the_same_services(written):
    text = (
        "services:\n"
        "  exporter: {image: 'prometheuscommunity/postgres-exporter:v1'}\n"
        "  postgres-exporter: {image: 'prometheuscommunity/postgres-exporter:v1'}\n"
        "  db: {image: 'pgvector/pgvector:14', command: [postgres, -c, fsync=on]}\n"
        "  redis: {image: 'eqalpha/keydb:6', command: [keydb-server]}\n"
        "  backend: {image: 'infisical/infisical:v1'}\n"
    )
    file = written(text)
    roles = compose.load(file, {}).roles
    assert roles == {role: load(file, {}).part(role) for role in roles}
    assert roles["db"] == "db"


def test_what_compose_says_is_taken(written, docker):
    model = {
        "services": {"a": {"image": "redis"}, "b": None},
        "volumes": {"v": {}},
        "networks": None,
    }
    docker(stdout=json.dumps(model))
    found = load(written(), {})
    assert found.services == {"a": {"image": "redis"}, "b": {}}
    assert (found.volumes, found.networks) == ({"v": {}}, {})
    assert found.environment("a") == {}


def test_model_without_anything_has_no_services(written, docker):
    docker(stdout="{}")
    found = load(written(), {})
    assert (found.services, found.volumes, found.networks) == ({}, {}, {})


@pytest.mark.parametrize(
    "said", ["no such file or directory", "Required variable X", "unknown flag", "env file /x"]
)
def test_what_compose_cannot_say_yet_is_read_by_us(written, docker, said):
    docker(stderr=f"warning: x\n{said}\n", code=1)
    assert load(written(), {}).part("backend") == "backend"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("other\nyaml: line 3: did not find \"hunter2\" 'x'", "it: yaml: line 3: did not find …"),
        (
            'line 3: key "hunter2" already defined at line 2',
            "line 3: key … already defined at line 2",
        ),
        ("yaml: bad 'hunter2'", "it: yaml: bad …"),
        ("yaml: bad 'hunter2", "it: yaml: bad …"),
        ("'hunter2' is bad", "it: … is bad"),
        ("", "it: it printed nothing"),
        ("x" * 161, "it: " + "x" * 160),
    ],
)
def test_what_compose_refuses_is_told_without_what_it_quotes(written, docker, said, told):
    docker(stderr=said, code=1)
    with pytest.raises(BadInput) as refused:
        load(written(), {})
    assert str(refused.value).endswith(told)
    assert "hunter2" not in str(refused.value)


def test_compose_that_hangs_or_cannot_be_asked_is_done_without(written, docker, monkeypatch):
    monkeypatch.setattr(compose_file, "_PATIENCE_S", 0.2)
    docker(more="exec sleep 5")
    assert load(written(), {}).part("backend") == "backend"
    docker(stdout="{}")
    assert load(written(f"{PLAIN}# A\n"), {"A": "nul \0"}).part("backend") == "backend"
    monkeypatch.setattr(docker_cli, "host_environment", lambda: {"PATH": "/nowhere"})
    assert load(written(), {}).part("backend") == "backend"


def test_variables_that_steer_docker_are_not_handed_on(written, docker, tmp_path):
    docker(stdout="{}", more=f"env > '{tmp_path}/env'; echo $@ > '{tmp_path}/argv'")
    text = f"{PLAIN}# MINE DOCKER_MINE COMPOSE_MINE\n"
    load(written(text), {"MINE": "yes", "DOCKER_MINE": "no", "COMPOSE_MINE": "no"})
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert "MINE" in names
    assert {"DOCKER_MINE", "COMPOSE_MINE"}.isdisjoint(names)
    assert "--env-file /dev/null" in (tmp_path / "argv").read_text()


def test_what_a_file_holds_is_in_no_representation(written, no_docker):
    text = PLAIN + "    environment:\n      AUTH_SECRET: hunter2\n"
    text += "volumes:\n  hunter2: {}\nnetworks:\n  hunter2: {}\n"
    found = load(written(text), {})
    assert found.environment("backend") == {"AUTH_SECRET": "hunter2"}
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize("text", ["services: {}\n", "services: []\n", "x: 1\n"])
def test_file_without_services_is_refused(written, no_docker, text):
    with pytest.raises(BadInput, match="has no services"):
        load(written(text), {})
