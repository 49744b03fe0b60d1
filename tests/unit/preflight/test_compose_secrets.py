"""A secret that is written into a compose file is told, wherever it stands and however."""

import pytest

from tests.support.compose_documents import PINNED, about, linter, service


@pytest.fixture
def linted(tmp_path, monkeypatch):
    return linter(tmp_path, monkeypatch)


WRITTEN = [
    ("environment: [AUTH_SECRET=autumn]", "AUTH_SECRET is written into the file"),
    ("environment:\n  AUTH_SECRET: autumn", "AUTH_SECRET is written into the file"),
    ("environment: {pin: 4711}", "pin is written into the file"),
    ("environment: {API_TOKEN: '${X:-autumn}'}", "API_TOKEN is written into the file"),
    ("environment: {A_KEY: '${X:-${Y:-autumn}}'}", "A_KEY is written into the file"),
    ("environment: {A: 'redis://:autumn@x'}", "a password is written into a connection string"),
    ("environment: {A: 'pg://u:${X:-autumn}@x'}", "a password is written into a connection string"),
    ("command: redis-server --requirepass=autumn", "a password is written into a command"),
    ("command: redis-server -masterauth autumn", "a password is written into a command"),
    ("command: [redis-server, --password, autumn]", "a password is written into a command"),
    ("command: [a, password, autumn]", "a password is written into a command"),
    ("command: 'redis-server --requirepass \"autumn\"'", "a password is written into a command"),
    ("environment: {PGPASSWORD: autumn, PGHOST: db}", "PGPASSWORD is written into the file"),
    ("environment: [REDISCLI_AUTH=autumn]", "REDISCLI_AUTH is written into the file"),
    ('command: sh -c "PGPASSWORD=autumn pg_dump"', "a password is written into a command"),
    ("command: [sh, -c, 'PGPASSWORD=autumn pg_dump']", "PGPASSWORD is written into the file"),
    ("command: [sh, -c, 'export PGPASSWORD=autumn; x']", "a password is written into a command"),
    ("healthcheck: {test: redis-cli -a autumn ping}", "a password is written into a command"),
    (
        "healthcheck: {test: [CMD, redis-cli, --pass, autumn, ping]}",
        "a password is written into a command",
    ),
    (
        "healthcheck: {test: [CMD-SHELL, 'redis-cli -h redis -a \"autumn\" ping | grep PONG']}",
        "a password is written into a command",
    ),
]
CLEAN = [
    "environment: [AUTH_SECRET=]",
    "environment: ['AUTH_SECRET=${AUTH_SECRET}']",
    "environment: ['AUTH_SECRET=${AUTH_SECRET:?needed}']",
    "environment: {AUTH_SECRET: '$AUTH_SECRET'}",
    "environment: {AUTH_SECRET: 'true', A_KEY: no, B_KEY: ' ~ ', PIN: 0}",
    "environment: {SECRETARY: autumn, KEYBOARD: autumn}",
    "environment: ['not a name KEY=autumn']",
    "labels: ['router.sort_key=host']",
    "x-of_key: {a: b}",
    "x-of_key: [a, b]",
    "environment: {A: 'postgres://infisical@db/x'}",
    "environment: {A: 'postgres://u:${X}@db/x'}",
    "environment: {A: 'http://x:80/a'}",
    "command: redis-server --requirepass $X",
    "command: [redis-server, --requirepass, '${X}']",
    "command: redis-server --norequirepass autumn",
    "command: [redis-server, --requirepass]",
    "command: 'redis-server --requirepass \"${REDIS_PASSWORD}\"'",
    "command: [sh, -c, 'redis-server --requirepass \"$$REDIS_PASSWORD\" --appendonly yes']",
    "command: [sh, -c, \"redis-server --requirepass '$${REDIS_PASSWORD}'\"]",
    "command: [sh, -c, 'redis-server --requirepass \"$$(cat /run/secrets/redis_password)\"']",
    "command: [sh, -c, 'redis-server --requirepass `cat /run/secrets/redis_password`']",
    "command: [sh, -c, 'PGPASSWORD=\"$$POSTGRES_PASSWORD\" pg_dump -h db']",
    "command: [sh, -c, 'PGPASSWORD=${POSTGRES_PASSWORD} pg_dump -h db']",
    "command: [sh, -c, 'PGPASSWORD=$$(cat /run/secrets/x) pg_dump']",
    "command: sh -c 'PGPASSWORD=$$POSTGRES_PASSWORD pg_dump'",
    "command: sh -c 'PGPASSWORD= pg_dump'",
    "healthcheck: {test: [CMD-SHELL, 'redis-cli -a $$REDIS_PASSWORD ping']}",
    "healthcheck: {test: [CMD, redis-cli, -a, '${REDIS_PASSWORD}', ping]}",
    "healthcheck: {test: [CMD-SHELL, 'redis-cli ping && test -a x']}",
    "command: [tar, -a, autumn]",
]


@pytest.mark.parametrize(("text", "sentence"), WRITTEN)
def test_secret_in_the_file_is_told_with_its_line(linted, text, sentence):
    secrets = about(linted(service(f"image: {PINNED}\n{text}")), "written into")
    assert secrets == [(3 + len(text.splitlines()), sentence)]


@pytest.mark.parametrize("text", CLEAN)
def test_what_is_no_secret_is_not_told(linted, text):
    assert about(linted(service(f"image: {PINNED}\n{text}")), "written into") == []


def test_secret_behind_an_anchor_is_told_once(linted):
    text = f"x-all: &all\n  environment: {{A_KEY: autumn}}\n{service('<<: *all')}"
    assert about(linted(text), "written into") == [(2, "A_KEY is written into the file")]


def test_anchor_met_twice_hides_no_later_secret(linted):
    text = f"x-all: &all {{a: b}}\n{service('x-one: *all')}    x-two: {{A_KEY: autumn}}\n"
    text = f"x-none: &none {{a: b}}\nx-x: *none\n{text}x-z: *none\nx-last: {{B_PIN: autumn}}\n"
    text = f"x-first: {{C_PIN: autumn}}\n{text}"
    said = [said for _, said in about(linted(text), "written into")]
    assert said == [f"{name} is written into the file" for name in ("C_PIN", "A_KEY", "B_PIN")]
