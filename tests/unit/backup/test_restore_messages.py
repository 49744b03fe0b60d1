"""Messages of PostgreSQL about a user's backup hold its code, and nothing of a row."""

import io
import json
from types import SimpleNamespace

import pytest

from drillbook.backup.plain_dump import Hostile, Script, Statement, judge, part_for_others
from drillbook.backup.restore import (
    LEFT_OUT,
    Refused,
    clean_backend_log,
    clean_log,
    inquiry,
    restore,
)
from drillbook.core.errors import StackTrouble
from drillbook.drill import release_snapshot
from fixtures.session import drill_fixtures
from tests.support.attacks import HEAD, OTHERS

CELL = "a-cell-of-the-users-backup"
TABLE = "CREATE TABLE public.t (a uuid, b text UNIQUE);\n"
RAISES = f"$$ BEGIN RAISE EXCEPTION '{CELL}' USING DETAIL = '{CELL}'; END $$"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            f"COPY public.t (a) FROM stdin;\n{CELL}\n\\.\n",
            r"line \d+: invalid text representation \(22P02\)",
        ),
        (f"INSERT INTO public.t VALUES ('{CELL}');\n", r"invalid text representation \(22P02\)"),
        (
            f"COPY public.t (b) FROM stdin;\n{CELL}\n{CELL}\n\\.\n",
            r"unique violation \(23505\), table t, constraint t_b_key",
        ),
        (f"INSERT INTO public.t {CELL};\n", r"syntax error \(42601\)"),
        (
            f"CREATE FUNCTION public.f() RETURNS text LANGUAGE plpgsql AS {RAISES};\n"
            "INSERT INTO public.t (b) VALUES (public.f());\n",
            r"code of the backup raised an error \(P0001\)",
        ),
    ],
)
def test_refusal_names_the_code_and_not_the_cell(isolated, body, said):
    isolated.empty_database()
    stream = io.BytesIO((HEAD + TABLE + body).encode())
    with pytest.raises(Refused, match=said) as refusal:
        restore(stream, isolated.connect, lambda: None)
    assert CELL not in str(refusal.value)
    assert CELL in isolated.logs("db"), "the server's own log quotes it: clean_log is needed"
    assert CELL not in clean_log(isolated.logs("db"))


def test_question_of_ours_that_fails_is_told_by_its_code(isolated):
    isolated.empty_database()
    with (
        pytest.raises(StackTrouble, match=r"invalid text representation \(22P02\)") as trouble,
        inquiry(isolated.connect) as connection,
    ):
        connection.execute(f"SELECT '{CELL}'::uuid".encode())
    assert CELL not in str(trouble.value)


def test_row_that_stands_where_a_statement_should_is_not_quoted():
    with pytest.raises(Hostile) as hostile:
        judge(Statement(7, b"", f"{CELL} value"))
    assert str(hostile.value) == "line 7: begins as no statement of pg_dump's does"
    with pytest.raises(Hostile, match="begins with VACUUM, as no statement"):
        judge(Statement(7, b"", f"VACUUM {CELL}"))


def test_statistics_of_pg_dump_18_are_left_out_and_nothing_in_their_guise():
    shown = "SELECT * FROM pg_catalog.pg_restore_relation_stats( '', ''::integer )"
    assert judge(Statement(7, b"", shown)) == "leave out"
    with pytest.raises(Hostile, match="runs code"):
        judge(Statement(7, b"", f"{shown}, lo_export(1, '')"))


@pytest.mark.parametrize(
    ("shown", "what"),
    [
        (
            "CREATE EXTENSION IF NOT EXISTS pg_stat_statements WITH SCHEMA public",
            "the extension pg_stat_statements",
        ),
        ('CREATE EXTENSION "pgaudit"', "the extension pgaudit"),
        ("CREATE PUBLICATION cdc FOR ALL TABLES WITH (publish = '')", "publications"),
        ("ALTER PUBLICATION cdc ADD TABLE ONLY public.users", "publications"),
        ("COMMENT ON PUBLICATION cdc IS ''", "publications"),
        ("SECURITY LABEL FOR anon ON COLUMN public.users.email IS ''", "security labels"),
    ],
)
def test_what_pg_dump_writes_for_other_programs_is_left_out(shown, what):
    statement = Statement(7, b"", shown)
    assert (judge(statement), part_for_others(statement)) == ("leave out", what)


@pytest.mark.parametrize("body", OTHERS.values(), ids=OTHERS)
def test_an_attack_is_not_taken_for_what_another_program_needs(body):
    def read():
        for statement in Script(io.BytesIO((HEAD + body + "\n").encode())):
            assert part_for_others(statement) == ""
            judge(statement)

    with pytest.raises(Hostile):
        read()


def test_log_keeps_what_the_server_says_of_itself():
    log = (
        '12:00 [1] LOG:  database system is ready\n12:01 [2] ERROR:  bad "x"\n'
        "12:01 [2] CONTEXT:  COPY t, line 1\n\tgoes on\n12:02 [1] FATAL:  shut down\n"
    )
    assert clean_log(log) == (
        "12:00 [1] LOG:  database system is ready\n"
        f"12:01 [2] ERROR:  {LEFT_OUT}\n12:01 [2] CONTEXT:  {LEFT_OUT}\n"
        "12:02 [1] FATAL:  shut down\n"
    )


# Messages of PostgreSQL, as node-postgres gives them to the backend.
QUOTING = [
    f'invalid input syntax for type uuid: "{CELL}"',
    f'invalid input value for enum role: "{CELL}"',
    f'malformed array literal: "{CELL}"',
    f'value "{CELL}" is out of range for type integer',
    f'date/time field value out of range: "{CELL}"',
    f"Key (email)=({CELL}) already exists.",
    f"Failing row contains (1, {CELL}).",
]


FIELDS = [
    *(f"detail: '{CELL}'", f"DETAIL:  {CELL}", f"detail = {CELL}", f"detail\t{CELL}"),
    *(
        f"bindings: [ '{CELL}' ]",
        f"detail '{CELL}'",
        f"detail ({CELL})",
        f"err.detail.email={CELL}",
        f"detail\\n{CELL}",
    ),
    *(json.dumps({"detail": CELL}), json.dumps({"err": json.dumps({"detail": CELL})})),
    *(json.dumps({"bindings": [1, CELL]}), json.dumps(["detail", CELL])),
]
SENTENCES = [
    *("the request is kept in detail", "kept in detail.", "more detail, and why", "(in detail)"),
    *('{"msg":"shown in detail"}', '{"msg":"Detail of every key; its bindings."}', "Details: 3"),
]


def test_a_line_is_cut_where_a_value_may_follow_a_field():
    for line in FIELDS:
        assert CELL not in clean_backend_log(f"{line}\n"), line
    for line in SENTENCES:
        assert clean_backend_log(f"{line}\r\n{line}") == f"{line}\r\n{line}"


@pytest.mark.parametrize("message", QUOTING)
def test_logs_of_a_drill_keep_no_cell_of_the_backup(message):
    error = {"level": 50, "msg": f"DatabaseError: select 1 - {message}", "detail": CELL}
    printed = {
        "db": f"12:01 [2] ERROR:  {message}\n\t{CELL}\n12:02 [1] LOG:  ready\n",
        "backend": f'{json.dumps(error)}\nError: {message}\n{{"level":30,"msg":"ready"}}\n',
    }
    drill = SimpleNamespace(made=SimpleNamespace(logs=printed.get))
    for service in ("db", "backend"):
        kept = drill_fixtures._new_log(drill, service, 0)
        assert CELL not in kept
        assert "ready" in kept
    [warning] = release_snapshot.warnings(json.dumps(error))
    assert CELL not in warning
    assert warning.startswith("DatabaseError: select #")
