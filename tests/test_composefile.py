"""A compose file is read by compose where that can be, otherwise by us; never from afar."""

import json
import os

import pytest

from fixtures.errors import BadInput
from fixtures.preflight import composefile
from fixtures.preflight.composefile import plays, read

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
    monkeypatch.setattr(composefile.shutil, "which", lambda _: None)


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
        ("a", {"image": "redis-backup"}, "redis"),
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


def test_service_of_the_parts_name_goes_first_and_a_job_last(written, no_docker):
    text = "services:\n  old: {image: 'postgres:14'}\n  db: {image: 'postgres:14'}\n"
    assert read(written(text), {}).part("db") == "db"
    job = text.replace("db: {", "db: {command: dump, ") + "  new: {image: 'postgres:14'}\n"
    assert read(written(job), {}).part("db") == "old"
    assert read(written(text), {}).part("redis") is None


def test_what_compose_says_is_taken(written, docker):
    model = {
        "services": {"a": {"image": "redis"}, "b": None},
        "volumes": {"v": {}},
        "networks": None,
    }
    docker(stdout=json.dumps(model))
    found = read(written(), {})
    assert found.services == {"a": {"image": "redis"}, "b": {}}
    assert (found.volumes, found.networks) == ({"v": {}}, {})
    assert found.environment("a") == {}


def test_model_without_anything_has_no_services(written, docker):
    docker(stdout="{}")
    found = read(written(), {})
    assert (found.services, found.volumes, found.networks) == ({}, {}, {})


@pytest.mark.parametrize(
    "said", ["no such file or directory", "Required variable X", "unknown flag", "env file /x"]
)
def test_what_compose_cannot_say_yet_is_read_by_us(written, docker, said):
    docker(stderr=f"warning: x\n{said}\n", code=1)
    assert read(written(), {}).part("backend") == "backend"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("other\nyaml: line 3: did not find \"hunter2\" 'x'", "it: yaml: line 3: did not find"),
        ("yaml: bad 'hunter2'", "it: yaml: bad"),
        ("'hunter2' is bad", "it: it is invalid"),
        ("", "it: nothing was said"),
        ("x" * 161, "it: " + "x" * 160),
    ],
)
def test_what_compose_refuses_is_told_without_what_it_quotes(written, docker, said, told):
    docker(stderr=said, code=1)
    with pytest.raises(BadInput) as refused:
        read(written(), {})
    assert str(refused.value).endswith(told)
    assert "hunter2" not in str(refused.value)


def test_compose_that_hangs_or_cannot_be_asked_is_done_without(written, docker, monkeypatch):
    monkeypatch.setattr(composefile, "_PATIENCE_S", 0.2)
    docker(more="exec sleep 5")
    assert read(written(), {}).part("backend") == "backend"
    docker(stdout="{}")
    assert read(written(), {"A": "nul \0"}).part("backend") == "backend"
    monkeypatch.setattr(composefile, "host_environment", lambda: {"PATH": "/nowhere"})
    assert read(written(), {}).part("backend") == "backend"


def test_variables_that_steer_docker_are_not_handed_on(written, docker, tmp_path):
    docker(stdout="{}", more=f"env > '{tmp_path}/env'; echo $@ > '{tmp_path}/argv'")
    read(written(), {"MINE": "yes", "DOCKER_MINE": "no", "COMPOSE_MINE": "no"})
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert "MINE" in names
    assert {"DOCKER_MINE", "COMPOSE_MINE"}.isdisjoint(names)
    assert "--env-file /dev/null" in (tmp_path / "argv").read_text()


@pytest.mark.parametrize(
    "included",
    [
        "https://x/y.yml",
        "[a.yml, git@host:x]",
        "[{path: oci://x}]",
        "[{path: [a.yml, github.com/x]}]",
        "{path: 'ssh://x'}",
    ],
)
def test_remote_include_is_refused_before_anything_is_fetched(written, docker, tmp_path, included):
    docker(stdout="{}", more=f"touch '{tmp_path}/asked'")
    with pytest.raises(BadInput, match="includes a remote one"):
        read(written(f"include: {included}\n{PLAIN}"), {})
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize("included", ["a.yml", "[a.yml]", "[{path: a.yml}]", "{path: [a.yml]}"])
def test_include_from_beside_is_none_of_that(written, docker, included):
    docker(stdout='{"services": {"a": {"image": "redis"}}}')
    assert read(written(f"include: {included}\n{PLAIN}"), {}).part("redis") == "a"


def test_what_a_file_holds_is_in_no_representation(written, no_docker):
    text = PLAIN + "    environment:\n      AUTH_SECRET: hunter2\n"
    text += "volumes:\n  hunter2: {}\nnetworks:\n  hunter2: {}\n"
    found = read(written(text), {})
    assert found.environment("backend") == {"AUTH_SECRET": "hunter2"}
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize("text", ["services: {}\n", "services: []\n", "x: 1\n"])
def test_file_without_services_is_refused(written, no_docker, text):
    with pytest.raises(BadInput, match="has no services"):
        read(written(text), {})
