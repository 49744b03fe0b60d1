"""A backup is hostile input: nothing in it runs a program, opens a file, connects or fills a disk.

Each attack is first shown to work on the documented way (psql, as the superuser the official image
makes of the deployment's role); then it is refused with its line; then, with the list of statements
switched off, the role it would run under cannot do it either.
"""

import io
import time

import psycopg
import pytest

from fixtures.infisical.settings import Settings
from fixtures.restore import feed, warden
from fixtures.restore.feed import Refused, restore
from fixtures.restore.script import Script
from fixtures.restore.statement import Cut, Hostile
from fixtures.restore.watch import Limits, Overrun
from fixtures.stack.embedded import Embedded
from fixtures.stack.home import Home, new_run_id
from fixtures.stack.isolated import IsolatedEmbedded
from reports.record import Recorder

HEAD = "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n"
TABLE = "CREATE TABLE public.t (a text);\n"
FIRST = HEAD.count("\n") + TABLE.count("\n") + 1

# Commands of psql; each begins on line FIRST and leaves a file where {mark} says.
COMMANDS = {
    "shell": r"\! touch {mark}",
    "shell after sql": r"SELECT 1; \! touch {mark}",
    "shell after a string": "SELECT 'it''s \\'; \\! touch {mark}",
    "shell after an escaped string": r"SELECT E'it\'s'; \! touch {mark}",
    "shell after a comment": r"SELECT /* ' /* $$ */ */ 1; \! touch {mark}",
    "shell after a body": r"SELECT $a$ ' $$ \! $a$; \! touch {mark}",
    "copy from a program": r"\copy public.t from program 'touch {mark}'",
    "output into a program": "\\o |touch {mark}\nSELECT 1;",
    "query into a program": r"SELECT 1 \g |touch {mark}",
    "write into a file": "SELECT 1\n\\g {mark}",
    "buffer into a file": r"SELECT 1 \w {mark}",
    "result as commands": "SELECT 'touch {mark}'\n\\g (tuples_only=on format=unaligned) |sh",
    "back-ticks": r"\set x `touch {mark}`",
    "after the data": "COPY public.t (a) FROM stdin;\nrow\n\\.\n\\! touch {mark}",
}
# Statements that make the server do it; those of the second group stand in any honest dump's words.
STATEMENTS = {
    "copy from a program": "COPY public.t FROM PROGRAM 'touch {mark}';",
    "copy to a program": "COPY (SELECT 1) TO PROGRAM 'touch {mark}';",
    "copy to a file": "COPY (SELECT 1) TO '{mark}';",
    "copy in disguise": "copy/**/public.t\n from -- x\n Program 'touch {mark}';",
    "large object": "SELECT lo_create(4711);\nSELECT lo_export(4711, '{mark}');",
    "anonymous block": "DO $$ BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch {mark}'''; END $$;",
}
_BODY = "$$ BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch {mark}'''; RETURN NEW; END $$"
_FUNCTION = f"CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS {_BODY};\n"
_CALLED = _FUNCTION.replace("trigger", "text").replace("RETURN NEW", "RETURN ''")
IN_DISGUISE = {
    "trigger": _FUNCTION
    + "CREATE TRIGGER g BEFORE INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION public.f();\n"
    + "COPY public.t (a) FROM stdin;\nrow\n\\.\n",
    "default": _CALLED
    + "ALTER TABLE public.t ADD b text DEFAULT public.f();\n"
    + "COPY public.t (a) FROM stdin;\nrow\n\\.\n",
    "view": _CALLED + "CREATE MATERIALIZED VIEW public.v AS SELECT public.f();\n",
    "insert": _CALLED + "INSERT INTO public.t VALUES (public.f());\n",
}
# What nobody may do in a backup, without a file to show for it.
OTHERS = {
    "role": "CREATE ROLE friend SUPERUSER LOGIN;",
    "power": "ALTER ROLE infisical SUPERUSER;",
    "password": "ALTER USER infisical PASSWORD 'mine';",
    "server settings": "ALTER SYSTEM SET archive_command = 'true';",
    "another database": "CREATE DATABASE other;",
    "foreign server": "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;",
    "subscription": "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1' PUBLICATION p;",
    "dblink": "CREATE EXTENSION dblink;",
    "file wrapper": "CREATE EXTENSION IF NOT EXISTS file_fdw WITH SCHEMA public;",
    "untrusted language": "CREATE EXTENSION plpython3u;",
    "function in C": "CREATE FUNCTION f(text) RETURNS int AS 'libc.so.6', 'system' LANGUAGE c;",
    "internal function": "CREATE FUNCTION f() RETURNS int AS 'pg_backend_pid' LANGUAGE internal;",
    "language in quotes": "CREATE FUNCTION f() RETURNS int AS '' LANGUAGE 'c';",
    "event trigger": "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f();",
    "library": "LOAD 'adminpack';",
    "meaning of quotes": "SET standard_conforming_strings = off;",
    "any setting": "SET session_preload_libraries = 'x';",
    "call": "SELECT pg_read_file('PG_VERSION');",
    "two at once": "SET client_encoding = 'UTF8'; CREATE ROLE friend;",
    "connect": "\\connect postgres",
    "environment": "\\setenv PATH here",
    "include": "\\i other.sql",
}


@pytest.fixture(scope="module")
def documented():
    yield from started(Embedded)


@pytest.fixture(scope="module")
def isolated():
    yield from started(IsolatedEmbedded)


def started(kind):
    place = Home(new_run_id())
    stack = kind(place.run_id, Recorder(), place.path)
    settings = Settings.generate()
    if kind is IsolatedEmbedded:
        stack.stand_by(settings)
    else:
        stack.database.start(settings["POSTGRES_PASSWORD"])
    yield stack
    stack.down()
    place.close()


@pytest.fixture
def mark(tmp_path):
    # The database's own user must be able to write there, or nothing would be shown.
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o777)
    return tmp_path / "mark"


@pytest.fixture
def restored(isolated):
    isolated.emptied()

    def run(text, limits=None):
        stream = text if hasattr(text, "read") else io.BytesIO(text.encode())
        return restore(stream, isolated.connect, lambda: isolated.kill("db"), limits)

    return run


def attack(body, mark):
    return HEAD + TABLE + body.replace("{mark}", str(mark)) + "\n"


def by_psql(documented, text):
    psql = ["psql", "-U", "infisical"]
    begin = b"DROP DATABASE IF EXISTS hostile;\nCREATE DATABASE hostile;\n"
    documented.exec("db", [*psql, "postgres"], stdin=begin)
    documented.exec("db", [*psql, "hostile"], stdin=text.encode())


def appears(mark):
    deadline = time.monotonic() + 3
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return mark.exists()


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
    monkeypatch.setattr(feed, "judge", lambda _: "run")
    isolated.emptied()
    with pytest.raises(Refused, match=r"permission denied|must be superuser"):
        restored(text)
    assert not mark.exists()


@pytest.mark.parametrize("body", IN_DISGUISE.values(), ids=IN_DISGUISE)
def test_order_hidden_in_honest_words_is_powerless(documented, restored, mark, body):
    text = attack(body, mark)
    by_psql(documented, text)
    assert appears(mark), "the attack itself does not work: this test shows nothing"
    mark.unlink()
    with pytest.raises(Refused, match=r"^line \d+: .*superuser"):
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


SLEEPS = "PERFORM pg_sleep(0.01);"
DEAF = f"BEGIN {SLEEPS} EXCEPTION WHEN query_canceled THEN NULL; END;"


@pytest.mark.parametrize("inner", [SLEEPS, DEAF], ids=["that can be cancelled", "that cannot"])
def test_endless_loop_is_stopped(isolated, restored, inner):
    body = f"$$ BEGIN LOOP {inner} END LOOP; END $$"
    text = f"{HEAD}{TABLE}CREATE FUNCTION public.f() RETURNS text LANGUAGE plpgsql AS {body};\n"
    text += "INSERT INTO public.t VALUES (public.f());\n"
    with pytest.raises(Overrun, match=rf"^line {FIRST + 1}: .*not done after 1 s"):
        restored(text, Limits(seconds=1))
    if not isolated.database.running:
        isolated.start("db")


def test_database_that_grows_beyond_its_backup_is_stopped(restored):
    grow = (
        "CREATE MATERIALIZED VIEW public.v AS "
        "SELECT repeat('x', 1000) FROM generate_series(1, 9999) a, generate_series(1, 9999) b;"
    )
    with pytest.raises(Overrun, match=rf"^line {FIRST}: .*grew beyond 32 MiB"):
        restored(HEAD + TABLE + grow + "\n", Limits(bytes=32 << 20))


def test_temporary_files_are_limited(isolated, restored):
    limit = "ALTER ROLE infisical SET temp_file_limit = '{}MB'"
    warden.run(isolated, "postgres", limit.format(1))
    sort = "CREATE MATERIALIZED VIEW public.v AS SELECT n FROM generate_series(1, 999999) n;"
    with pytest.raises(Refused, match=f"^line {FIRST}: .*temp_file_limit"):
        restored(HEAD + TABLE + sort + "\n")
    warden.run(isolated, "postgres", limit.format(2048))


class Endless(io.RawIOBase):
    """A dump whose data never ends; it counts what was asked for."""

    def __init__(self, unit):
        self.unit, self.read_so_far = unit, 0
        self.begin = (HEAD + TABLE + "COPY public.t (a) FROM stdin;\n").encode()

    def read(self, size=-1):
        begin, self.begin = self.begin, b""
        self.read_so_far += 1 << 20
        return begin or self.unit * ((1 << 20) // len(self.unit))


@pytest.mark.parametrize("unit", [b"a row\n", b"no end of a row"], ids=["rows", "one row"])
def test_ending_that_never_comes_is_stopped(restored, unit):
    with pytest.raises((Overrun, Refused)):
        restored(Endless(unit), Limits(seconds=2, growth=1, bytes=64 << 20))


def test_endless_statement_is_refused_within_bounded_memory():
    endless = Endless(b"SELECT 1,")
    endless.begin = b""
    with pytest.raises(Hostile, match="line 1: is longer"):
        list(Script(endless))
    assert endless.read_so_far < 64 << 20


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (HEAD + TABLE + "COPY public.t (a) FROM stdin;\nrow", "line 7: the data of t has no end"),
        (HEAD + TABLE + "CREATE TABLE public.u (\n  a", "ends inside the statement of line 7"),
        (HEAD + TABLE + "INSERT INTO public.t VALUES ('\n", "ends inside the statement of line 7"),
    ],
)
def test_dump_that_breaks_off_is_noticed(restored, text, where):
    with pytest.raises(Cut, match=where):
        restored(text)


def test_statement_the_server_refuses_is_named(restored):
    with pytest.raises(Refused, match=r"^line 7: ERROR:  invalid value for parameter"):
        restored(HEAD + TABLE + "SET client_encoding = 'nonsense';\n")
