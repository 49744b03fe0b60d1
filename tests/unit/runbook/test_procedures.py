"""What a documented procedure says when a service refuses its part, and whose database it uses."""

from types import SimpleNamespace

import pytest

from drillbook.core.errors import StackTrouble
from drillbook.runbook import procedures
from drillbook.stack import database_access
from drillbook.stack.base import Command


@pytest.mark.parametrize(
    ("printed", "words"),
    [
        (b"NOAUTH Authentication required.\n", "could not be emptied; it wants a password: set"),
        (b"READONLY You can't write against a read only replica.\n", "could not be emptied$"),
    ],
)
def test_a_cache_that_is_not_emptied_ends_the_restore_before_the_database_goes(printed, words):
    asked = []

    def exec(service, argv, **_):
        asked.append(service)
        return Command(tuple(argv), 0, printed)

    stack = SimpleNamespace(name="drill", stop=lambda _: None, exec=exec)
    with pytest.raises(StackTrouble, match=words):
        procedures.empty_database(stack)
    assert asked == ["redis"]


def test_each_command_uses_the_user_and_the_database_of_the_deployment(tmp_path):
    asked = []

    def exec(service, argv, *, stdin=None, **_):
        fed = stdin if isinstance(stdin, bytes) else b""
        asked.append((service, " ".join(argv), fed.decode()))
        return Command(tuple(argv), 0, b"OK")

    stack = SimpleNamespace(
        name="drill", owner=("ada", "led-ger"), stop=lambda _: None, start=lambda _: None, exec=exec
    )
    procedures.alter_password(stack, "new")
    procedures.back_up(stack, tmp_path / "backup.sql")
    procedures.restore(stack, tmp_path / "backup.sql")
    procedures.restore_without_input(stack)
    procedures.restore_live(stack, tmp_path / "backup.sql")
    strict = "-v ON_ERROR_STOP=1 -q"
    assert [(command, fed) for service, command, fed in asked if service == "db"] == [
        (f"psql -U ada -d led-ger {strict}", """ALTER USER "ada" WITH PASSWORD 'new';"""),
        ("pg_dump -U ada led-ger", ""),
        ("psql -U ada led-ger", ""),
        ("psql -U ada led-ger", ""),
        (
            f"psql -U ada -d postgres {strict}",
            'DROP DATABASE IF EXISTS "led-ger" WITH (FORCE);\n'
            'CREATE DATABASE "led-ger" OWNER "ada";',
        ),
        (f"psql -U ada -d led-ger {strict}", ""),
    ]


def test_the_golden_state_is_that_of_the_deployments_database():
    owner, asked = ("ada", "led-ger"), []

    def ask(statement):
        asked.append(statement)
        if "'DROP ROLE" in statement:
            return [('DROP OWNED BY "spare"', 'DROP ROLE "spare"')]
        return [('DROP DATABASE "left"',)] if "format(" in statement else [("golden",)]

    database_access.keep_golden(ask, owner)
    assert asked.pop().endswith('TEMPLATE "led-ger" OWNER "ada"')
    database_access.rewind_golden(ask, owner)
    left, reset, unlimited, drop, copy, roles, *dropped = asked[-8:]
    assert dropped == ['DROP OWNED BY "spare"', 'DROP ROLE "spare"']
    assert left == 'DROP DATABASE "left"'
    assert reset == 'ALTER ROLE "ada" RESET ALL'
    assert "SET rolvaliduntil = NULL, rolconnlimit = -1 WHERE rolname = 'ada'" in unlimited
    assert drop == 'DROP DATABASE IF EXISTS "led-ger" WITH (FORCE)'
    assert copy.startswith('CREATE DATABASE "led-ger" TEMPLATE')
    assert copy.endswith('OWNER "ada"')
    script = database_access.rewind_script(owner, "it's")
    others = next(one for one in asked if "format(" in one)
    assert f"{others} \\gexec\n{reset};" in script
    assert f"{drop};\n{copy};\n{roles} \\gexec\nALTER ROLE \"ada\" PASSWORD 'it''s';" in script
