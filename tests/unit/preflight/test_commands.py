"""A password in the cache's command line is found in either form of a command, and judged."""

import pytest

from drillbook.core.dotenv import EnvFile
from drillbook.core.errors import Unsupported
from drillbook.preflight import compose_checks, key_strength
from drillbook.stack import compose_file


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


STRONG = "kT9xQ2vMb7Zr4LwYc8Hd5Js1Ng6PfXa3"
OTHER = "Wq3nEy7Rb2Tm9Kz5Vc8Xj4Lh6Gd1Sf0P"
ELSEWHERE = "password is in a file or a variable of the server"


@pytest.fixture
def judged(read):
    """What is found wrong with the passwords of these variables, and of a compose file."""

    def made(command="redis-server", backend="[]", db="[]", **variables):
        compose = read(
            "services:\n"
            f"  app: {{image: 'infisical/infisical:v1', environment: {backend}}}\n"
            f"  db: {{image: 'postgres:16', environment: {db}}}\n"
            f"  redis: {{image: 'redis:7', command: {command}, "
            "environment: ['REDIS_PASSWORD_OF_IT=autumn']}\n"
        )
        deployed = key_strength.Deployed(EnvFile("x.env", variables, {}), compose)
        return [one.sentence for one in key_strength.passwords(deployed)]

    return made


@pytest.mark.parametrize(
    "variables",
    [
        {"POSTGRES_PASSWORD": STRONG, "REDIS_URL": "redis://:${P}@redis:6379", "P": OTHER},
        {"POSTGRES_PASSWORD": STRONG, "REDIS_URL": "redis://:$P@redis:6379", "P": OTHER},
        {"POSTGRES_PASSWORD": STRONG, "REDIS_URL": "redis://:${P:-x}@redis:6379", "P": OTHER},
        {"DB_CONNECTION_URI": "postgres://u:${P}@db/x", "P": STRONG},
        {"POSTGRES_PASSWORD": "$P", "P": STRONG},
        {"POSTGRES_PASSWORD": STRONG, "DB_CONNECTION_URI": f"postgres://u:{STRONG}@db/x"},
        {"POSTGRES_PASSWORD": STRONG, "DB_CONNECTION_URI": f"postgres://u:{OTHER}@db/x"},
        {"POSTGRES_PASSWORD": f"a@b/{STRONG}", "DB_CONNECTION_URI": f"postgres://u:a@b/{STRONG}@d"},
        {"POSTGRES_PASSWORD": f"%{STRONG}", "DB_CONNECTION_URI": f"postgres://u:%25{STRONG}@db/x"},
        # The address is what counts.
        {
            "POSTGRES_PASSWORD": STRONG,
            "DB_CONNECTION_URI": f"postgres://u:{STRONG}@db/x",
            "DB_PASSWORD": "autumn",
        },
        {"DB_HOST": "db", "DB_USER": "u", "DB_PASSWORD": STRONG},
        {"backend": f"[DB_HOST=db, DB_PASSWORD={STRONG}]"},
    ],
)
def test_a_strong_password_is_not_accused_wherever_it_stands(judged, variables):
    assert judged(**variables) == []


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"DB_CONNECTION_URI": "postgres://u:${P}@db/x", "P": "autumn"}, "POSTGRES_PASSWORD can"),
        ({"DB_HOST": "db", "DB_PASSWORD": "autumn"}, "DB_PASSWORD can be guessed"),
        ({"POSTGRES_PASSWORD": "${OF_THE_SERVER}"}, "POSTGRES_PASSWORD is not set"),
        # The volume has kept its first password, and the backend uses that one.
        (
            {"POSTGRES_PASSWORD": STRONG, "DB_CONNECTION_URI": "postgres://u:infisical@db/x"},
            "DB_CONNECTION_URI has a password that is a default",
        ),
        (
            {
                "POSTGRES_PASSWORD": STRONG,
                "backend": "['DB_CONNECTION_URI=postgres://u:autumn@db']",
            },
            "DB_CONNECTION_URI has a password that can be guessed",
        ),
        ({"POSTGRES_PASSWORD": STRONG, "DB_PASSWORD": "autumn"}, "DB_PASSWORD can be guessed"),
        (
            {"POSTGRES_PASSWORD": STRONG, "REDIS_PASSWORD": OTHER, "REDIS_URL": "redis://:a@r"},
            "REDIS_URL has a password that can be guessed",
        ),
        (
            {
                "POSTGRES_PASSWORD": STRONG,
                "command": "redis-server --requirepass '$$REDIS_PASSWORD_OF_IT'",
            },
            "REDIS_PASSWORD can be guessed",
        ),
        ({"POSTGRES_PASSWORD": STRONG, "REDIS_URL": "redis://:${P:-autumn}@r"}, "REDIS_PASSWORD"),
    ],
)
def test_a_weak_password_is_told_wherever_it_stands(judged, variables, said):
    (found,) = judged(**variables)
    assert found.startswith(said)


@pytest.mark.parametrize(
    "variables",
    [
        {"db": "[POSTGRES_PASSWORD_FILE=/run/secrets/x]"},
        {"DB_CONNECTION_URI": "postgres://u:${OF_THE_SERVER}@db/x"},
        {"POSTGRES_PASSWORD": STRONG, "REDIS_URL": "redis://:${OF_THE_SERVER}@redis:6379"},
        {"POSTGRES_PASSWORD": STRONG, "command": "redis-server --requirepass '$$PASSWORD'"},
        {"POSTGRES_PASSWORD": STRONG, "command": "redis-server --requirepass '$$(cat /run/x)'"},
    ],
)
def test_a_password_that_is_only_on_the_server_is_not_judged(judged, variables):
    with pytest.raises(Unsupported, match=ELSEWHERE):
        judged(**variables)
    (found,) = judged(**{**variables, "REDIS_PASSWORD": "autumn"})
    assert found.startswith("REDIS_PASSWORD can be guessed")
