"""Compose files as people write them are understood, by compose and without it, alike."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from drillbook.core.errors import BadInput, Unsupported
from drillbook.preflight import compose_checks
from drillbook.stack import compose_file

OFFICIAL = """
name: vault
services:
  backend:
    container_name: vault-backend
    restart: unless-stopped
    depends_on:
      db: {condition: service_healthy}
      redis: {condition: service_started}
    image: infisical/infisical:latest # pin this
    pull_policy: always
    env_file: .env
    ports: ["80:8080"]
    environment: [NODE_ENV=production]
    networks: [vault]
  redis:
    image: redis
    restart: always
    environment: [ALLOW_EMPTY_PASSWORD=yes]
    ports: ["6379:6379"]
    networks: [vault]
    volumes: ["redis_data:/data"]
  db:
    image: postgres:14-alpine
    restart: always
    env_file: .env
    volumes: ["pg_data:/var/lib/postgresql/data"]
    networks: [vault]
    healthcheck:
      test: "pg_isready --username=${POSTGRES_USER} && psql --username=${POSTGRES_USER} --list"
volumes:
  pg_data: {driver: local}
  redis_data: {driver: local}
networks:
  vault:
"""

COOLIFY = """
# slogan: keeps secrets
services:
  backend:
    image: infisical/infisical:v0.154.6
    depends_on:
      db: {condition: service_healthy}
      redis: {condition: service_healthy}
    environment:
      - SERVICE_URL_BACKEND_8080
      - ENCRYPTION_KEY=${SERVICE_PASSWORD_ENCRYPTIONKEY}
      - AUTH_SECRET=${SERVICE_REALBASE64_64_AUTHSECRET}
      - SITE_URL=${SERVICE_URL_BACKEND_8080}
      - DB_CONNECTION_URI=postgres://${SERVICE_USER_POSTGRES}:${SERVICE_PASSWORD_POSTGRES}@db:5432/${POSTGRES_DB:-infisical}
      - REDIS_URL=redis://redis:6379
      - SMTP_PASSWORD=${SMTP_PASSWORD}
    healthcheck: {test: ["CMD-SHELL", "wget --spider http://127.0.0.1:8080/api/status"]}
  redis:
    image: redis:7
    environment: [ALLOW_EMPTY_PASSWORD=yes]
    volumes: ["redis-data:/data"]
    healthcheck: {test: ["CMD", "redis-cli", "ping"]}
  db:
    image: postgres:14-alpine
    environment:
      - POSTGRES_PASSWORD=${SERVICE_PASSWORD_POSTGRES}
      - POSTGRES_USER=${SERVICE_USER_POSTGRES}
    volumes: ["pg_data:/var/lib/postgresql/data"]
    healthcheck: {test: ["CMD-SHELL", "pg_isready -d $${POSTGRES_DB}"]}
volumes: {redis-data: , pg_data: }
"""

CUNNING = """
x-life: &life
  restart: unless-stopped
  healthcheck: {test: ["CMD", "probe"]}
x-base: &base
  <<: *life
  networks: [inner]
services:
  backend:
    <<: *base
    image: ghcr.io/acme/infisical:v1
    depends_on: {db: {condition: service_healthy}, redis: {condition: service_healthy}}
    env_file:
      - path: one.env
        required: false
    environment:
      ENCRYPTION_KEY:
      AUTH_SECRET:
      SITE_URL: "https://vault.example.com"
      TELEMETRY_ENABLED: "false"
      REDIS_URL: redis://redis:6379
      DB_CONNECTION_URI: postgres://infisical:${POSTGRES_PASSWORD:?needed}@db/infisical
  db:
    <<: *base
    image: postgres:16
    volumes: [{type: volume, source: pg, target: /var/lib/postgresql/data}]
    ports:
      - "127.0.0.1:5432:5432"
      - target: 5432
        published: "15432"
        host_ip: "::1"
  redis:
    <<: *base
    image: valkey/valkey:8.0
    volumes: ["cache:/data"]
    ports: ["[::]:6379-6380:6379-6380"]
  migrate:
    image: infisical/infisical:v1@sha256:%s
    profiles: [job]
    command: npm run migration:latest
    environment: {ENCRYPTION_KEY: }
volumes: {pg: , cache: }
networks: {inner: }
""" % ("0123456789abcdef" * 4)

WAYS = [
    pytest.param(
        "docker", marks=pytest.mark.skipif(not shutil.which("docker"), reason="no docker")
    ),
    "plain",
]


@pytest.fixture(params=WAYS)
def read(request, tmp_path, monkeypatch):
    if request.param == "plain":
        monkeypatch.setattr(compose_file.shutil, "which", lambda _: None)

    def made(text, **variables):
        file = tmp_path / "compose.yml"
        file.write_text(text)
        return compose_file.load(file, variables)

    return made


def sentences(found):
    return [one.sentence for one in found]


def test_official_file_survives_without_its_env_file(read):
    compose = read(OFFICIAL)
    assert [compose.part(role) for role in ("backend", "db", "redis")] == ["backend", "db", "redis"]
    found = compose_checks.find_exposure(compose)
    assert [(one.line, one.sentence) for one in found] == [
        (20, "redis can be reached from outside: port 6379 is published on 0.0.0.0")
    ]
    said = sentences(compose_checks.lint(compose, {}))
    assert "backend does not wait until redis is healthy" in said
    assert len([one for one in said if "not pinned" in one]) == 2
    assert len([one for one in said if "health check" in one]) == 2
    assert not any("does not reach" in one for one in said)


def test_template_of_coolify_gets_its_keys_from_magic_variables(read):
    compose = read(COOLIFY, SERVICE_PASSWORD_ENCRYPTIONKEY="Ab1" * 10 + "xY")
    assert compose.environment("backend")["ENCRYPTION_KEY"] == "Ab1" * 10 + "xY"
    assert compose_checks.find_exposure(compose) == []


@pytest.mark.parametrize("volumes", ["volumes: {redis-data: , pg_data: }\n", ""])
def test_what_coolify_adds_to_its_template_is_not_missed(read, volumes):
    """Volumes, restart policies, and its own .env for every service."""
    compose = read(COOLIFY.replace("volumes: {redis-data: , pg_data: }\n", volumes))
    assert sentences(compose_checks.lint(compose, {})) == []
    without = COOLIFY.replace("      - AUTH_SECRET=${SERVICE_REALBASE64_64_AUTHSECRET}\n", "")
    said = sentences(compose_checks.lint(read(without), {}))
    assert said == ["AUTH_SECRET is neither in the env_file nor in the environment of backend"]
    assert compose_checks.lint(read(without), {"AUTH_SECRET": "typed into Coolify"}) == []


def test_anchors_profiles_ranges_and_loopback(read):
    compose = read(CUNNING, POSTGRES_PASSWORD="p")
    assert compose.part("backend") == "backend"
    said = sentences(compose_checks.find_exposure(compose))
    assert len(said) == 2
    assert all(one.startswith("redis") and "::" in one for one in said)
    assert compose_checks.lint(compose, {}) == []


@pytest.mark.parametrize("value", ["hunter2${X", "${X:-${Y}", "${hunter2!}", "${}", "${1X}"])
def test_a_variable_that_is_not_closed_is_no_secret_and_is_not_repeated(read, value):
    text = f"services: {{db: {{image: postgres, environment: {{POSTGRES_PASSWORD: '{value}'}}}}}}\n"
    with pytest.raises(BadInput, match=r"\$|interpolation") as refused:
        read(text)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "value", ["pa$1x", "pa$!x", "a$", "$é", "$${X", "${X:-a}b}", "${A:-${B:-${C}}}"]
)
def test_a_dollar_that_begins_no_variable_is_one(read, value):
    text = f"services: {{db: {{image: postgres, environment: {{POSTGRES_PASSWORD: '{value}'}}}}}}\n"
    expected = {"$${X": "${X", "${X:-a}b}": "ab}", "${A:-${B:-${C}}}": ""}.get(value, value)
    assert read(text).environment("db")["POSTGRES_PASSWORD"] == expected


def test_both_ways_agree(tmp_path, monkeypatch):
    if not shutil.which("docker"):
        pytest.skip("no docker")
    file = tmp_path / "compose.yml"
    for text in (COOLIFY, CUNNING):
        file.write_text(text)
        by_compose = compose_file.load(file, {"POSTGRES_PASSWORD": "p"})
        with monkeypatch.context() as without:
            without.setattr(compose_file.shutil, "which", lambda _: None)
            plain = compose_file.load(file, {"POSTGRES_PASSWORD": "p"})
        assert compose_checks.find_exposure(by_compose) == compose_checks.find_exposure(plain)
        assert compose_checks.lint(by_compose, {}) == compose_checks.lint(plain, {})


@pytest.mark.parametrize(
    "port",
    ["5432", "5432:5432", "0.0.0.0:5432:5432", "[::]:5432:5432", "::5432", "5430-5440:5430-5440"],
)
def test_port_in_any_short_form_is_found(port):
    found = [one for one in compose_file._ports(Path("x"), [port]) if one["target"] == 5432]
    assert len(found) == 1


BAD = {
    "nothing": b"",
    "blank": b"\n\n",
    "binary": b"\x00\x01\xff\xfe",
    "no utf-8": b"services: \xff",
    "a list": b"- a\n- b\n",
    "a word": b"hello",
    "no services": b"volumes: {a: }\n",
    "services as list": b"services: [a, b]\n",
    "service as text": b"services: {a: hello}\n",
    "broken yaml": b"services:\n  a: [\n",
    "tabs": b"services:\n\ta: b\n",
    "two documents": b"services: {a: {image: b}}\n---\nservices: {}\n",
    "itself": b"services: &s\n  a: *s\n",
    "bomb": b"a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    + b"".join(
        b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 10)) for c in range(98, 106)
    )
    + b"services: {a: {image: b, command: *i}}\n",
    "deep": b"services: " + b"[" * 5000,
    "python": b"services: !!python/object/apply:os.system ['true']\n",
    "huge": b"# " + b"x" * (1 << 20),
    "include": b"include: [none.yml]\nservices: {a: {image: b}}\n",
    "extends": b"services: {a: {extends: {file: none.yml, service: b}}}\n",
    "services twice": b"services: {a: {image: b}}\nservices: {}\n",
    "variable twice": b"services: {a: {image: b, environment: {A: b, A: c}}}\n",
    "port": b"services: {db: {image: 'postgres:14', ports: ['a:b:c:d']}}\n",
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
@pytest.mark.parametrize("way", WAYS)
def test_bad_compose_file_is_refused_in_one_sentence(tmp_path, monkeypatch, way, content):
    if way == "plain":
        monkeypatch.setattr(compose_file.shutil, "which", lambda _: None)
    file = tmp_path / "compose.yml"
    file.write_bytes(content)
    with pytest.raises(BadInput) as refused:
        compose_file.load(file, {})
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("services twice", "line 2: 'services' is there twice"),
        ("variable twice", "line 1: 'A' is there twice"),
    ],
)
def test_what_compose_refuses_is_named(tmp_path, name, sentence):
    file = tmp_path / "compose.yml"
    file.write_bytes(BAD[name])
    with pytest.raises(BadInput, match=sentence):
        compose_file.load(file, {})


def test_missing_file_and_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.yml", tmp_path):
        with pytest.raises(BadInput, match=r"compose file"):
            compose_file.load(path, {})


IMAGES = {
    "postgres:14-alpine": "PostgreSQL 14, which has got no fixes since 2026-11-12",
    "docker.io/library/postgres:14.20@sha256:" + "a" * 64: "PostgreSQL 14",
    "bitnami/postgresql:13": "PostgreSQL 13, which has got no fixes since 2025-11-13",
    "postgres:15-alpine": None,
    "postgres:18.1": None,
    "postgres:140": None,
    "postgres:9.6": "PostgreSQL 9, which has got no fixes since 2021-11-11",
    "pgvector/pgvector:pg14": "PostgreSQL 14",
    "pgvector/pgvector:0.8.0-pg17": None,
    "timescale/timescaledb:2.14.2-pg14": "PostgreSQL 14",
    "timescale/timescaledb-ha:pg14.11-ts2.14": "PostgreSQL 14",
    "postgis/postgis:14-3.4-alpine": "PostgreSQL 14",
    "pgautoupgrade/pgautoupgrade:17-alpine": None,
}
UNDECIDED = {
    "postgres:latest": "the image of db does not show",
    "postgres@sha256:" + "b" * 64: "the image of db does not show",
    "ankane/pgvector:v0.5.1": "the image of db does not show",
    "prom/postgres-exporter:14": "no service is the database",
    "prodrigestivill/postgres-backup-local:pg14": "no service is the database",
}


@pytest.mark.parametrize("image", UNDECIDED)
def test_a_database_whose_release_is_not_shown_is_not_judged(tmp_path, image):
    file = tmp_path / "compose.yml"
    file.write_text(f"services:\n  db:\n    image: {image}\n")
    read = compose_file.load(file, {})
    with pytest.raises(Unsupported, match=UNDECIDED[image]):
        compose_checks.find_end_of_life(read, date(2026, 11, 26))


@pytest.mark.parametrize("image", IMAGES)
def test_a_database_without_fixes_is_found_with_its_date_and_the_way_out(tmp_path, image):
    file = tmp_path / "compose.yml"
    file.write_text(f"services:\n  db:\n    image: {image}\n")
    read = compose_file.load(file, {})
    found = compose_checks.find_end_of_life(read, date(2026, 11, 26))
    assert bool(found) == bool(IMAGES[image])
    for one in found:
        assert one.line == 3
        assert str(IMAGES[image]) in one.sentence
        assert (
            one.cure.index("key check") < one.cure.index("restore") < one.cure.index("drill once")
        )
    # On its last day a release is still fixed.
    assert "PostgreSQL 14" not in str(compose_checks.find_end_of_life(read, date(2026, 11, 12)))
