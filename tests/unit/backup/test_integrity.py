"""A backup is judged by its file alone, and damage is named with its line."""

import gzip
import subprocess

import pytest

from drillbook.backup import integrity
from drillbook.core.errors import Unsupported
from drillbook.runbook import procedures
from fixtures.data import coolify_names, corruptions
from tests.support.backups import whole

HEAD = "--\n-- PostgreSQL database dump\n--\n\n\\restrict aaaa\n\nSET lock_timeout = 0;\n"
TAIL = "--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict aaaa\n\n"


@pytest.fixture
def backup(tmp_path):
    path = tmp_path / "backup.sql"
    declared = "SET lock_timeout = 0;\nSET client_encoding = 'UTF8';\n"
    path.write_text(whole("2024-10").replace("SET lock_timeout = 0;\n", declared, 1))
    return path


def test_a_whole_backup_is_sound(backup):
    assert integrity.examine(backup) is None


def test_a_backup_of_an_older_pg_dump_is_sound(backup):
    kept = [line for line in backup.read_text().splitlines(True) if "restrict " not in line]
    backup.write_text("".join(kept))
    assert integrity.examine(backup) is None


def packed(backup):
    copy = backup.with_name("backup.sql.gz")
    copy.write_bytes(gzip.compress(backup.read_bytes()))
    return copy


def packed_with_a_table_that_nothing_reads(backup):
    rows = "COPY public.pki_alerts (id, name) FROM stdin;\n1\tsoon\n\\.\n\n"
    backup.write_text(backup.read_text().replace(TAIL[:4], f"{rows}{TAIL[:4]}"))
    return packed(backup)


@pytest.mark.parametrize(
    "changed", [corruptions.through_a_terminal, packed, packed_with_a_table_that_nothing_reads]
)
def test_carriage_returns_and_compression_do_no_harm(backup, changed):
    assert integrity.examine(changed(backup)) is None


@pytest.mark.parametrize("name", ["stdin", "backup.sql.gz.1"])
def test_a_drill_does_not_judge_the_name_of_a_packed_backup(backup, name):
    copy = packed(backup).rename(backup.with_name(name))
    assert "compressed by gzip" in str(integrity.examine(copy))
    assert integrity.examine(copy, by_name=False) is None


def test_tables_of_another_schema_count(backup):
    backup.write_text(backup.read_text().replace("public.", "vault."))
    assert integrity.examine(backup) is None


EXPECTED = {
    "empty": "is empty",
    "cut at 50 %": "cut short or damaged",
    "cut inside a row": "ends inside the rows of secrets_v2",
    "cut at a row boundary": "ends inside the rows of secrets_v2",
    "cut after the data": "something is missing",
    "last line gone": "lacks its last line",
    "trailer gone": "without pg_dump's last words",
    "a byte that is not text": "not UTF-8",
    "a separator flipped": "has a row of secrets_v2 with 13 values where its heading names 14",
    "gzip named .sql": "compressed by gzip",
}


@pytest.mark.parametrize("kind", corruptions.KINDS)
def test_each_damage_is_named(backup, kind):
    found = {kind: str(integrity.examine(copy)) for kind, copy in corruptions.copies(backup)}
    assert EXPECTED[kind] in found[kind]


def test_every_cut_is_noticed(backup):
    whole = backup.read_bytes()
    last = len(whole.rstrip(b"\n"))
    for at in range(0, last, 211):
        backup.write_bytes(whole[:at])
        assert integrity.examine(backup), at


def test_another_database_is_noticed(backup):
    table = "CREATE TABLE public.posts (\n    id integer\n);\n\n"
    backup.write_text(HEAD + table + "COPY public.posts (id) FROM stdin;\n1\n\\.\n" + TAIL)
    assert "not a backup of Infisical" in str(integrity.examine(backup))


def test_a_dump_without_rows_is_of_no_instance_and_one_of_statements_is_not_read(backup):
    table = "CREATE TABLE public.posts (\n    id integer\n);\n\n"
    backup.write_text(HEAD + table + TAIL)
    assert "not a backup of Infisical" in str(integrity.examine(backup))
    backup.write_text(HEAD + table + "INSERT INTO public.posts VALUES (1);\n\n" + TAIL)
    with pytest.raises(Unsupported, match="its rows are statements"):
        integrity.examine(backup)


def test_an_altered_digit_takes_a_checksum(backup):
    sealed = integrity.write_checksum(backup)
    check = ["sha256sum", "--check", "--status", sealed.name]
    assert subprocess.run(check, cwd=backup.parent, check=False).returncode == 0
    corruptions.flip_a_byte(backup).replace(backup)
    assert "checksum" in str(integrity.examine(backup))
    sealed.unlink()
    assert integrity.examine(backup) is None, "nothing else can see it"


@pytest.mark.parametrize("form", ["{}\n", "{}  other.sql\n", "SHA256 (backup.sql) = {}\n"])
@pytest.mark.parametrize("letters", [str.lower, str.upper])
def test_a_checksum_may_have_any_usual_form(backup, form, letters):
    sealed = integrity.write_checksum(backup)
    digest = sealed.read_text().split()[0]
    sealed.write_text(form.format(letters(digest)))
    assert integrity.compare_checksum(backup) is None
    sealed.write_text(form.format(letters("0" * 64)))
    assert integrity.compare_checksum(backup)


def test_selectors_of_the_runbook_miss_what_coolify_names_and_hit_bystanders():
    selection = procedures.wipe_selection(
        [*coolify_names.deployment("1"), *coolify_names.bystanders()], "1"
    )
    assert selection.hit == ()
    assert len(selection.missed) == len(coolify_names.deployment("1"))
    assert len(selection.bystanders) == len(coolify_names.bystanders())
