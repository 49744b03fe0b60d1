"""A restore returns what pg_dump put into the backup, in every form."""

import gzip

import pytest

from drillbook.backup import archive
from drillbook.backup.archive import open_sql
from drillbook.backup.facts import examine
from drillbook.backup.plain_dump import Script
from drillbook.backup.restore import restore_file
from drillbook.core.application import ROOT
from drillbook.core.errors import BadInput
from drillbook.drill import comparison
from drillbook.stack.isolated import execute_as_warden

pytestmark = pytest.mark.slow

SAMPLES = ROOT / "tests" / "samples" / "archives"

# Everything that could confuse a parser of statements, and a row for each escape of COPY.
SCHEMA = r"""
CREATE EXTENSION pgcrypto;
CREATE TYPE mood AS ENUM ('a;b', 'it''s');
CREATE TABLE "odd; name" (id serial PRIMARY KEY, "E'x" text DEFAULT E'tab\t\\''"',
  plain text DEFAULT '\', feeling mood, CHECK (plain <> '$$;'));
COMMENT ON TABLE "odd; name" IS 'first;
\! second';
CREATE FUNCTION on_update() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN -- $$ ' ;
  NEW.plain = 'x\'; /* */ RETURN NEW;
END $body$;
CREATE TRIGGER t BEFORE UPDATE ON "odd; name" FOR EACH ROW EXECUTE FUNCTION on_update();
CREATE VIEW v AS SELECT '--' AS "/*", U&'\0041' AS b FROM "odd; name";
CREATE TABLE logs (at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE logs_1 PARTITION OF logs DEFAULT;
INSERT INTO "odd; name" ("E'x", plain) VALUES (E'\\.', E'\\N'), (NULL, ''), (E'a\nb\tc\\', E'\r'),
  (E'\\.\n\\.', 'x');
INSERT INTO logs SELECT now() FROM generate_series(1, 30000);
GRANT SELECT ON "odd; name" TO PUBLIC;
"""
FORMS = {"plain": "-Fp", "inserts": "--inserts", "clean": "--clean --if-exists", "custom": "-Fc"}
FORMS |= {"tar": "-Ft", "directory": "-Fd"}


@pytest.fixture
def backup(isolated, tmp_path):
    isolated.empty_database()
    isolated.exec("db", ["psql", "-U", "infisical", "infisical"], stdin=SCHEMA.encode())

    def dump(options):
        target = tmp_path / "backup"
        to_folder = ["-f", str(target)] if "-Fd" in options else []
        argv = ["pg_dump", "-U", "infisical", *options.split(), *to_folder, "infisical"]
        done = isolated.exec("db", argv, stdout=None if to_folder else target)
        assert done.exit_code == 0, done.stderr
        return target

    return dump


def restored(isolated, path):
    isolated.empty_database()
    return restore_file(path, isolated.connect, lambda: isolated.kill("db"))


def test_a_role_that_may_run_programs_is_a_way_out(isolated):
    isolated.empty_database()
    assert isolated.ways_out() == []
    act = "{} pg_execute_server_program {} infisical"
    execute_as_warden(isolated, "postgres", act.format("GRANT", "TO"))
    try:
        (way,) = isolated.ways_out()
    finally:
        execute_as_warden(isolated, "postgres", act.format("REVOKE", "FROM"))
    assert "pg_execute_server_program" in way


def content(isolated):
    options = ["--no-owner", "--no-privileges", "--restrict-key=same", "infisical"]
    done = isolated.exec("db", ["pg_dump", "-U", "infisical", *options])
    assert done.exit_code == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("options", FORMS.values(), ids=FORMS)
def test_everything_comes_back(isolated, backup, options):
    before = content(isolated)
    restored(isolated, backup(options))
    assert content(isolated) == before


@pytest.mark.parametrize(
    ("options", "todo"), [("--schema=public", "without --schema"), ("--clean", "without --clean")]
)
def test_what_stops_psql_is_said_with_the_option_to_leave_out(isolated, backup, options, todo):
    path = backup(options)
    with pytest.raises(BadInput, match=f"psql stops there, too: dump {todo}"):
        restored(isolated, path)


def test_rows_of_another_schema_are_counted_there(isolated, backup):
    psql = ["psql", "-U", "infisical", "infisical"]
    isolated.exec("db", psql, stdin=b'CREATE SCHEMA boss; CREATE TABLE boss."Job" AS SELECT 1;')
    path = backup("-Fp")
    copy = comparison.Copy(restored(isolated, path))
    rows = dict(examine(path).rows)
    assert rows["boss.Job"] == 1
    assert comparison.compare_counts(isolated, copy, rows).miscounted == {}
    missing = comparison.compare_counts(isolated, copy, {"boss.none": 1, "none.x": 1}).miscounted
    assert missing == {"boss.none": (1, comparison.MISSING), "none.x": (1, comparison.MISSING)}


ARCHIVES = ["-Fc -Z0", "-Fc --inserts", "-Fc --clean --create", "-Fd -Z0"]


@pytest.mark.parametrize("options", ARCHIVES)
def test_an_archive_comes_back(isolated, backup, options):
    before = content(isolated)
    restored(isolated, backup(options))
    assert content(isolated) == before


@pytest.mark.parametrize("name", sorted(one.name for one in SAMPLES.glob("*.dump")))
def test_an_archive_of_any_release_is_written_out(name):
    backup = SAMPLES / name
    with open_sql(backup) as stream:
        script = Script(stream)
        rows = {one.table: b"".join(script.rows()).count(b"\n") for one in script if one.table}
    assert script.complete
    assert rows == dict(examine(backup).rows)


def test_large_objects_are_left_out_and_named(isolated, backup):
    before = content(isolated)
    psql = ["psql", "-U", "infisical", "infisical"]
    isolated.exec("db", psql, stdin=b"SELECT lo_from_bytea(0, 'a');")
    path = backup("-Fc")
    assert "large objects" in examine(path).not_restored
    restored(isolated, path)
    assert content(isolated) == before


def test_packed_backup_comes_back(isolated, backup):
    path = backup("-Fp")
    before = content(isolated)
    path.write_bytes(gzip.compress(path.read_bytes()))
    restored(isolated, path)
    assert content(isolated) == before


@pytest.mark.parametrize("options", ["-Fp", "-Fc", "-Ft"])
def test_half_a_backup_is_an_error(isolated, backup, options, monkeypatch):
    monkeypatch.setattr(archive, "PATIENCE_S", 2.0)
    path = backup(options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadInput):
        restored(isolated, path)


def test_half_a_packed_backup_is_an_error(isolated, backup):
    path = backup("-Fp")
    packed = gzip.compress(path.read_bytes())
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(BadInput):
        restored(isolated, path)


def test_bomb_is_refused(isolated, tmp_path):
    bomb = tmp_path / "backup.sql.gz"
    with gzip.open(bomb, "wb", compresslevel=9) as file:
        file.write(b"CREATE TABLE t (a text);\nCOPY t (a) FROM stdin;\n")
        for _ in range(300):
            file.write(b"x" * (1 << 20))
    with pytest.raises(BadInput, match="unpacks to more than"):
        restored(isolated, bomb)
