"""`drillbook drill` as a command: damaged backups never pass, and many secrets fit in memory."""

import json
import random
import re
import sys

import pytest

from tests.stack.test_damages import SEED, VERSION, schema
from tests.support.backups import KEYS, rows
from tests.support.damage_kinds import PLAIN
from tests.support.many_secrets import backup_with_secrets
from tests.support.own_suite import run_specs

pytestmark = pytest.mark.slow

# All rows of secrets except the first.
SECRETS = re.compile(rb"(COPY public\.secrets(?:_v2)? [^\n]*\n[^\\\n][^\n]*\n)(?:[^\\\n][^\n]*\n)*")
NOTICED = {"violated", "inconclusive"}
# The reference backend is not started on a backup that records a migration of the product.
FOREIGN = """
CREATE TABLE public.infisical_migrations (id integer PRIMARY KEY, name text);
INSERT INTO public.infisical_migrations VALUES (1, '20240101000000_of-the-product.mjs');
"""


@pytest.fixture(scope="module")
def original(isolated, tmp_path_factory):
    """A real backup's rows, as pg_dump writes them, and its key."""
    made, after = schema()
    isolated.empty_database()
    psql = ["psql", "-v", "ON_ERROR_STOP=1", "-q", "-U", "infisical", "infisical"]
    done = isolated.exec("db", psql, stdin=f"{made}\n{rows(VERSION)}\n{after}\n{FOREIGN}".encode())
    assert done.exit_code == 0, done.stderr
    folder = tmp_path_factory.mktemp("original")
    isolated.exec("db", ["pg_dump", "-U", "infisical", "infisical"], stdout=folder / "plain")
    (folder / "keys.env").write_text(f"ENCRYPTION_KEY={KEYS[VERSION]}\n")
    return folder


def drilled(backup, keys, runs, *options, under=()):
    """The exit code of a drill, its verdicts by control, and its output."""
    words = ["suites/drill", "--only-evidence", "--one-question", "--drill", "--stack=embedded"]
    words += [f"--backup={backup}", f"--env-file={keys}", *options]
    done, record = run_specs(runs, *words, under=under)
    found = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {"controls": []}
    verdicts = {one["id"]: one["verdict"] for one in found["controls"]}
    return done.returncode, verdicts, done.stdout + done.stderr


def test_another_postgresql_takes_it_as_well(original, tmp_path):
    runs = tmp_path / "runs"
    given = (original / "plain", original / "keys.env", runs)
    code, verdicts, printed = drilled(*given, "--to-database=18")
    assert code == 2, printed
    assert {verdicts[name] for name in ("DRL-1", "DRL-4", "BKP-4")} == {"satisfied"}
    assert verdicts["DRL-2"] == "inconclusive"
    record = json.loads((runs / "latest" / "evidence.json").read_text(encoding="utf-8"))
    assert record["subject"]["database"]["version"].startswith("18.")


def test_a_postgresql_that_is_not_here_is_refused(original, tmp_path):
    given = (original / "plain", original / "keys.env", tmp_path / "runs")
    code, _, printed = drilled(*given, "--to-database=16")
    assert code == 3
    assert "no programs of PostgreSQL 16 without containers" in " ".join(printed.split())


def test_an_undamaged_one_is_restored_and_nothing_is_said_against_it(original, tmp_path):
    code, verdicts, printed = drilled(original / "plain", original / "keys.env", tmp_path / "runs")
    assert code == 2, printed
    assert {verdicts[name] for name in ("DRL-1", "DRL-4", "BKP-4")} == {"satisfied"}
    # Proved and restored, but not started: that is more than not run, and the report says so.
    assert verdicts.pop("DRL-2") == verdicts.pop("BKP-6") == "inconclusive"
    assert not NOTICED & {*verdicts.values()}
    said = " ".join(printed.split())
    assert re.search(
        r"\d+ rows of \d+ tables came back, and the keys open (\d+) of \1 secrets", said
    )
    assert "every row came back in" in said


def test_fewer_secrets_than_in_the_last_drill_are_named(original, tmp_path):
    runs, emptied = tmp_path / "runs", tmp_path / "emptied.sql"
    content = (original / "plain").read_bytes()
    emptied.write_bytes(re.sub(SECRETS, rb"\1", content))
    wanted = ("--controls=DRL-1,DRL-5",)
    given = (original / "keys.env", runs, *wanted)
    _, verdicts, printed = drilled(original / "plain", *given)
    assert verdicts["DRL-5"] == "not_applicable", printed
    assert "nothing to compare with" in " ".join(said(runs).split())
    code, verdicts, printed = drilled(emptied, *given)
    assert (code, verdicts["DRL-1"], verdicts["DRL-5"]) == (1, "satisfied", "violated"), printed
    assert re.search(
        r"secrets: \d+ in the backup of 20\d\d-\d\d-\d\d \(run .*\), 1 now", said(runs)
    )
    # Once accepted, it is what the next drill is compared with.
    for options in (("--drop=100%",), ()):
        _, verdicts, printed = drilled(emptied, *given, *options)
        assert verdicts["DRL-5"] == "satisfied", printed


def test_a_cut_file_accuses_no_key(original, tmp_path):
    cut = tmp_path / "backup.sql"
    for mark in (b"COPY public.kms_root_config", b"COPY public.secrets_v2"):
        cut.write_bytes((original / "plain").read_bytes().partition(mark)[0])
        given = (cut, original / "keys.env", tmp_path / "runs", "--controls=DRL-1,BKP-4")
        code, verdicts, printed = drilled(*given)
        assert (code, verdicts["DRL-1"], verdicts["BKP-4"]) == (1, "inconclusive", "violated")
        assert "do not open" not in printed


# tests/unit/backup/test_opening.py has more of them.
def test_a_file_that_is_no_backup_ends_the_run(tmp_path):
    (tmp_path / "backup.sql").write_bytes(bytes(4000))
    (tmp_path / "keys.env").write_text(f"ENCRYPTION_KEY={KEYS[VERSION]}\n")
    given = (tmp_path / "backup.sql", tmp_path / "keys.env", tmp_path / "runs")
    code, verdicts, printed = drilled(*given)
    assert (code, verdicts) == (3, {})
    assert "is not a backup made by pg_dump; check the backup given" in " ".join(printed.split())
    assert "Traceback" not in printed


def said(runs):
    """The evidence of the last run as text."""
    return (runs / "latest" / "evidence.json").read_text(encoding="utf-8")


# tests/stack/test_damages.py has every kind before the same checks.
@pytest.mark.mutant
@pytest.mark.parametrize("kind", [*PLAIN][::16])
def test_a_damaged_one_is_told_by_the_whole_command(original, tmp_path, kind):
    content = (original / "plain").read_bytes()
    damaged = PLAIN[kind](content, random.Random(f"{SEED} {kind}"))
    assert damaged != content
    backup = tmp_path / "backup.sql"
    backup.write_bytes(damaged)
    code, verdicts, printed = drilled(backup, original / "keys.env", tmp_path / "runs")
    assert code == 3 or NOTICED & {*verdicts.values()}, printed
    assert code in (1, 2, 3)
    assert "Traceback" not in printed


# Runs a command, and then prints the most memory in KiB that one of its processes took. This
# process has other children, and a child counts the memory of the process that forked it.
MEASURE = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.mutant
def test_of_many_secrets_little_is_in_memory(tmp_path_factory):
    place = tmp_path_factory.mktemp("many")
    for folder in (place, *place.parents[:2]):
        folder.chmod(0o711)
    made = backup_with_secrets(place, 100_000)
    code, _, printed = drilled(*made, place / "runs", under=(sys.executable, "-c", MEASURE))
    assert code == 0, printed
    largest_kib = int(printed.split()[-1])
    assert largest_kib < 500 << 10
