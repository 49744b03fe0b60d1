"""A password in the cache's command line is found in either form of a command, and judged."""

import pytest

from drillbook.core.dotenv import EnvFile
from drillbook.preflight import compose_checks, compose_file, key_strength


@pytest.fixture
def read(tmp_path):
    def made(text):
        file = tmp_path / "compose.yml"
        file.write_text(text)
        return compose_file.load(file, {})

    return made


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        ('["redis-server", "--requirepass", "autumn-leaves-1987"]', [4]),
        ("\n      - redis-server\n      - --requirepass\n      - autumn-leaves-1987", [7]),
        ("redis-server --requirepass autumn-leaves-1987", [4]),
        ('["redis-server", "--requirepass", "${REDIS_PASSWORD:-autumn-leaves-1987}"]', [4]),
        ('["redis-server", "--requirepass", "${REDIS_PASSWORD}"]', []),
        ("redis-server --requirepass $REDIS_PASSWORD", []),
        ('["redis-server", "--appendonly", "yes"]', []),
    ],
)
def test_password_of_the_cache_in_its_command_is_found_in_any_form(read, command, lines):
    text = f"services:\n  redis:\n    image: redis:7\n    command: {command}\n"
    found = [
        one
        for one in compose_checks.lint(read(text), {})
        if "written into a command" in one.sentence
    ]
    assert [one.line for one in found] == lines


def test_password_of_the_cache_in_its_command_is_judged(read):
    command = '["redis-server", "--requirepass", "autumn"]'
    compose = read(f"services:\n  redis:\n    image: redis:7\n    command: {command}\n")
    env = EnvFile("x.env", {"POSTGRES_PASSWORD": "kT9xQ2vMb7Zr4LwYc8Hd5Js1Ng6PfXa3"}, {})
    (found,) = key_strength.passwords(key_strength.Deployed(env, compose))
    assert found.sentence.startswith("REDIS_PASSWORD can be guessed")
