"""Each kind of damage to a backup is noticed, before the restore or by the server with its line."""

import random
import re
import shutil

import pytest

from drillbook.backup import integrity
from drillbook.core.errors import BadInput
from drillbook.core.run_directory import Home, new_run_id
from drillbook.drill.comparison import compare_counts, restore_copy
from drillbook.drill.drill import Drill, Order, Targets
from tests.support.backups import KEYS, rows
from tests.support.damage_kinds import (
    FOLDER,
    HARMLESS,
    PACKINGS,
    PLAIN,
    SILENT,
    cut_packed,
    flipped_packed,
)
from tests.support.recorder import SecretRecorder

pytestmark = pytest.mark.slow

VERSION = "2024-10"
SEED = 20261125
_BLOCK = re.compile(r"COPY public\.(\w+) \(([^\n]*)\) FROM stdin;\n(.*?)^\\\.$", re.DOTALL | re.M)
_TYPES = {
    "uuid": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "timestamp with time zone": re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d.*"),
    "boolean": re.compile("[tf]"),
    "integer": re.compile(r"\d{1,9}"),
    "bytea": re.compile(r"\\\\x[0-9a-f]*"),
}
_REFERENCES = {
    "project_environments": ("projectId", "projects"),
    "secret_folders": ("envId", "project_environments"),
    "secrets_v2": ("folderId", "secret_folders"),
    "projects": ("orgId", "organizations"),
}


def schema():
    """Tables like the product's: types guessed from the rows, primary keys and references."""
    made, after = [], []
    for name, columns, block in _BLOCK.findall(rows(VERSION)):
        values = [line.split("\t") for line in block.split("\n") if line]
        types = [typed([one[at] for one in values]) for at in range(len(columns.split(", ")))]
        columns = [f"{c} {t}" for c, t in zip(columns.split(", "), types, strict=True)]
        made.append(f"CREATE TABLE public.{name} ({', '.join(columns)}, PRIMARY KEY (id));")
    for name, (column, other) in _REFERENCES.items():
        after.append(f'ALTER TABLE {name} ADD FOREIGN KEY ("{column}") REFERENCES {other} (id);')
    return "\n".join(made), "\n".join(after)


def typed(values):
    known = [one for one in values if one != "\\N"]
    return next((t for t, p in _TYPES.items() if known and all(map(p.fullmatch, known))), "text")


@pytest.fixture(scope="module")
def originals(isolated, tmp_path_factory):
    """One database in every form of pg_dump: plain, custom, tar, directory."""
    made, after = schema()
    isolated.empty_database()
    psql = ["psql", "-v", "ON_ERROR_STOP=1", "-q", "-U", "infisical", "infisical"]
    done = isolated.exec("db", psql, stdin=f"{made}\n{rows(VERSION)}\n{after}\n".encode())
    assert done.exit_code == 0, done.stderr
    folder = tmp_path_factory.mktemp("originals")
    for form, options in {"plain": [], "custom": ["-Fc"], "tar": ["-Ft"]}.items():
        argv = ["pg_dump", "-U", "infisical", *options, "infisical"]
        assert isolated.exec("db", argv, stdout=folder / form).exit_code == 0
    argv = ["pg_dump", "-U", "infisical", "-Fd", "-f", str(folder / "directory"), "infisical"]
    done = isolated.exec("db", argv)
    assert done.exit_code == 0, done.stderr
    return folder


def noticed(backup):
    """What the drill objects to in a backup before it starts anything; empty if nothing."""
    place = Home(new_run_id())
    order = Order(backup, {"ENCRYPTION_KEY": KEYS[VERSION]}, Targets())
    drill = Drill(order, lambda: None, SecretRecorder(), place, SEED, rehearsal=True)
    try:
        # Like the specs, stop at the first problem.
        return next(filter(None, _said(drill)), "")
    except BadInput as reason:
        return str(reason)
    finally:
        drill.close()


def _said(drill):
    """The checks of suites/drill/test_proof.py."""
    proof, facts = drill.try_keys().proof, drill.facts
    yield facts.damage
    if not proof.opens_everything:
        yield f"opens {proof.roots_opened}, {proof.projects_opened}, {proof.secrets_opened}"
    yield str(drill.problem or "")
    yield str(integrity.compare_checksum(drill.order.backup) or "")
    yield drill.facts.orders


def refused(isolated, backup):
    """The restore's error, or the rows missing after it; empty if it succeeded."""
    place = Home(new_run_id())
    order = Order(backup, {"ENCRYPTION_KEY": KEYS[VERSION]}, Targets())
    drill = Drill(order, lambda: None, SecretRecorder(), place, SEED, rehearsal=True)
    isolated.empty_database()
    copy = compare_counts(isolated, restore_copy(isolated, backup), drill.facts.rows)
    drill.close()
    return copy.trouble or str(copy.miscounted or "")


def check(isolated, backup):
    said = noticed(backup) or refused(isolated, backup)
    assert said, "restored in silence"
    assert len(said) < 1000


def test_there_are_fifty_kinds_and_more():
    assert len(PLAIN) >= 50


@pytest.mark.parametrize("form", ["plain", "custom", "tar", "directory"])
def test_an_undamaged_one_is_restored_in_peace(isolated, originals, form):
    assert noticed(originals / form) == ""
    assert refused(isolated, originals / form) == ""


@pytest.mark.parametrize("kind", PLAIN)
def test_a_damaged_plain_backup_is_noticed(isolated, originals, tmp_path, kind):
    content = (originals / "plain").read_bytes()
    damaged = PLAIN[kind](content, random.Random(f"{SEED} {kind}"))
    assert damaged != content
    backup = tmp_path / "backup.sql"
    backup.write_bytes(damaged)
    check(isolated, backup)


@pytest.mark.parametrize("damage", [cut_packed, flipped_packed])
@pytest.mark.parametrize("way", PACKINGS)
@pytest.mark.parametrize("number", range(3))
def test_a_damaged_packed_backup_is_noticed(isolated, originals, tmp_path, way, damage, number):
    packed = PACKINGS[way]((originals / "plain").read_bytes())
    backup = tmp_path / f"backup.sql.{way}"
    backup.write_bytes(damage(packed, random.Random(f"{SEED} {way} {number}")))
    check(isolated, backup)


@pytest.mark.parametrize("form", ["custom", "tar"])
@pytest.mark.parametrize("number", range(8))
def test_a_cut_archive_is_noticed(isolated, originals, tmp_path, form, number):
    chosen, content = random.Random(f"{SEED} {number}"), (originals / form).read_bytes()
    backup = tmp_path / "backup.dump"
    backup.write_bytes(content[: chosen.randrange(1, len(content) - 1100)])
    check(isolated, backup)


@pytest.mark.parametrize("kind", FOLDER)
def test_a_damaged_folder_is_noticed(isolated, originals, tmp_path, kind):
    folder = tmp_path / "backup"
    shutil.copytree(originals / "directory", folder)
    FOLDER[kind](folder, random.Random(f"{SEED} {kind}"))
    check(isolated, folder)


def dumped(isolated):
    argv = ["pg_dump", "-U", "infisical", "--restrict-key=same", "infisical"]
    return isolated.exec("db", argv).stdout


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_does_no_harm_brings_the_same_back(isolated, originals, tmp_path, kind):
    content = (originals / "plain").read_bytes()
    assert refused(isolated, originals / "plain") == ""
    before = dumped(isolated)
    backup = tmp_path / "backup.sql"
    backup.write_bytes(HARMLESS[kind](content, random.Random(SEED)))
    assert (noticed(backup), refused(isolated, backup)) == ("", "")
    assert dumped(isolated) == before


@pytest.mark.parametrize("kind", SILENT)
def test_what_only_a_checksum_tells_is_told_by_it(isolated, originals, tmp_path, kind):
    content = (originals / "plain").read_bytes()
    backup = tmp_path / "backup.sql"
    backup.write_bytes(content)
    integrity.write_checksum(backup)
    damaged = SILENT[kind](content, random.Random(f"{SEED} {kind}"))
    assert damaged != content
    backup.write_bytes(damaged)
    assert "differs from the checksum" in noticed(backup)
    integrity.checksum_file(backup).unlink()
    assert (noticed(backup), refused(isolated, backup)) == ("", "")
