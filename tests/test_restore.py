"""What comes out of a restore is what pg_dump put into the backup, whatever its form."""

import gzip

import pytest

from fixtures.errors import BadInput
from fixtures.infisical.settings import Settings
from fixtures.restore import opening, warden
from fixtures.restore.feed import restore
from fixtures.restore.opening import opened
from fixtures.stack.home import Home, new_run_id
from fixtures.stack.isolated import IsolatedEmbedded
from reports.record import Recorder

# Everything a splitter of statements could trip over, and a row for each escape of COPY.
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


@pytest.fixture(scope="module")
def stack():
    place = Home(new_run_id())
    made = IsolatedEmbedded(place.run_id, Recorder(), place.path)
    made.stand_by(Settings.generate())
    yield made
    made.down()
    place.close()


@pytest.fixture
def backup(stack, tmp_path):
    warden.run(stack, "infisical", "SELECT 1")
    stack.emptied()
    stack.exec("db", ["psql", "-U", "infisical", "infisical"], stdin=SCHEMA.encode())

    def dump(options):
        target = tmp_path / "backup"
        to_folder = ["-f", str(target)] if "-Fd" in options else []
        argv = ["pg_dump", "-U", "infisical", *options.split(), *to_folder, "infisical"]
        done = stack.exec("db", argv, stdout=None if to_folder else target)
        assert done.exit_code == 0, done.stderr
        return target

    return dump


def restored(stack, path):
    stack.emptied()
    with opened(path) as stream:
        return restore(stream, stack.connect, lambda: stack.kill("db"))


def content(stack):
    options = ["--no-owner", "--no-privileges", "--restrict-key=same", "infisical"]
    done = stack.exec("db", ["pg_dump", "-U", "infisical", *options])
    assert done.exit_code == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("options", FORMS.values(), ids=FORMS)
def test_everything_comes_back(stack, backup, options):
    before = content(stack)
    found = restored(stack, backup(options))
    assert content(stack) == before
    assert found.complete
    if options != "--inserts":
        assert found.rows == {"odd; name": 4, "logs_1": 30000}


def test_packed_backup_comes_back(stack, backup):
    path = backup("-Fp")
    before = content(stack)
    path.write_bytes(gzip.compress(path.read_bytes()))
    restored(stack, path)
    assert content(stack) == before


@pytest.mark.parametrize("options", ["-Fp", "-Fc", "-Ft"])
def test_half_a_backup_is_an_error(stack, backup, options, monkeypatch):
    monkeypatch.setattr(opening, "PATIENCE_S", 2.0)
    path = backup(options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadInput):
        restored(stack, path)


def test_half_a_packed_backup_is_an_error(stack, backup):
    path = backup("-Fp")
    packed = gzip.compress(path.read_bytes())
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(BadInput):
        restored(stack, path)


def test_bomb_is_refused(stack, tmp_path):
    bomb = tmp_path / "backup.sql.gz"
    with gzip.open(bomb, "wb", compresslevel=9) as file:
        file.write(b"CREATE TABLE t (a text);\nCOPY t (a) FROM stdin;\n")
        for _ in range(300):
            file.write(b"x" * (1 << 20))
    with pytest.raises(BadInput, match="unpacks to more than"):
        restored(stack, bomb)
