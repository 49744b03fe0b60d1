"""A restore of a backup that never ends, or grows without bounds, is stopped."""

import io

import pytest

from drillbook.backup.plain_dump import Cut, Hostile, Script
from drillbook.backup.restore import Limits, Overrun, Refused, allowed_s
from drillbook.core.errors import StackTrouble
from drillbook.drill.comparison import Copy, compare_counts
from drillbook.stack.isolated import execute_as_warden
from tests.support.attacks import FIRST, HEAD, TABLE

pytestmark = pytest.mark.slow


SLEEPS = "PERFORM pg_sleep(0.01);"
DEAF = f"BEGIN {SLEEPS} EXCEPTION WHEN query_canceled THEN NULL; END;"


@pytest.mark.parametrize("inner", [SLEEPS, DEAF], ids=["that can be cancelled", "that cannot"])
def test_endless_loop_is_stopped(isolated, restored, inner):
    body = f"$$ BEGIN LOOP {inner} END LOOP; END $$"
    text = f"{HEAD}{TABLE}CREATE FUNCTION public.f() RETURNS text LANGUAGE plpgsql AS {body};\n"
    text += "INSERT INTO public.t VALUES (public.f());\n"
    with pytest.raises(Overrun, match=rf"^line {FIRST + 1}: .*not done after 5 s"):
        restored(text, Limits(seconds=5))
    if not isolated.database.running:
        isolated.start("db")


@pytest.mark.parametrize("inner", [SLEEPS, DEAF], ids=["that can be cancelled", "that cannot"])
def test_statement_that_does_no_work_is_stopped_long_before_the_restore(isolated, restored, inner):
    body = f"$$ BEGIN LOOP {inner} END LOOP; END $$"
    text = f"{HEAD}{TABLE}CREATE FUNCTION public.f() RETURNS bigint LANGUAGE plpgsql AS {body};\n"
    text += "CREATE SEQUENCE public.s;\nSELECT pg_catalog.setval('public.s', public.f(), true);\n"
    with pytest.raises(Overrun, match=r"one statement was not done after 1 s \(--statement-limit "):
        restored(text, Limits(idle_s=1))
    if not isolated.database.running:
        isolated.start("db")


def test_trigger_that_sleeps_for_each_row_is_stopped(restored):
    body = "$$ BEGIN PERFORM pg_sleep(600); RETURN NEW; END $$"
    text = f"{HEAD}{TABLE}CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS {body};\n"
    text += "CREATE TRIGGER g BEFORE INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION public.f();\n"
    text += "COPY public.t (a) FROM stdin;\nrow\n\\.\n"
    with pytest.raises(Overrun, match="one statement was not done after 1 s"):
        restored(text, Limits(idle_s=1))


def test_many_short_statements_do_not_stand_still(restored):
    slow = "CREATE MATERIALIZED VIEW public.v{} AS SELECT pg_sleep(0.4)::text AS x;\n"
    text = HEAD + TABLE + "".join(slow.format(at) for at in range(12))
    assert restored(text, Limits(idle_s=4)) == len(text)


def test_limit_of_a_statement_grows_with_the_backup_unless_it_is_set():
    assert (allowed_s(0), allowed_s(100 << 20), allowed_s(100 << 20, 5.0)) == (120, 220, 5)


ENDLESS = f"$$ BEGIN LOOP {DEAF} END LOOP; END $$"
HANGS = f"CREATE FUNCTION public.f() RETURNS boolean LANGUAGE plpgsql AS {ENDLESS};\n"


def test_policy_that_sleeps_does_not_hold_our_count(isolated, restored):
    text = HEAD + TABLE + HANGS + "COPY public.t (a) FROM stdin;\nrow\n\\.\n"
    text += "CREATE POLICY p ON public.t USING (public.f());\n"
    text += "ALTER TABLE public.t ENABLE ROW LEVEL SECURITY;\n"
    text += "ALTER TABLE ONLY public.t FORCE ROW LEVEL SECURITY;\n"
    said = (
        "the count of the rows of t: the copy does not answer: permission denied: it needs powers"
    )
    with pytest.raises(StackTrouble, match=f"^{said}"):
        compare_counts(isolated, Copy(restored(text)), {"t": 1})


def test_view_that_sleeps_does_not_hold_our_count(isolated, restored):
    done = restored(HEAD + TABLE + HANGS + "CREATE VIEW public.v AS SELECT public.f();\n")
    said = r"the count of the rows of v: the copy did not answer within 1 s \(--statement-limit "
    with pytest.raises(StackTrouble, match=f"^{said}"):
        compare_counts(isolated, Copy(done), {"v": 1}, limit_s=1)
    isolated.kill("db")
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
    execute_as_warden(isolated, "postgres", limit.format(1))
    sort = "CREATE MATERIALIZED VIEW public.v AS SELECT n FROM generate_series(1, 999999) n;"
    with pytest.raises(StackTrouble, match=f"^line {FIRST}: this machine.*temp_file_limit"):
        restored(HEAD + TABLE + sort + "\n")
    execute_as_warden(isolated, "postgres", limit.format(2048))


class Endless(io.RawIOBase):
    """A dump whose data never ends; it counts the bytes that were read."""

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
    with pytest.raises(Refused, match=r"^line 7: invalid parameter value \(22023\)"):
        restored(HEAD + TABLE + "SET client_encoding = 'nonsense';\n")
