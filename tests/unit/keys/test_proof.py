"""Which key opens a backup, proven on rows that real versions of the product wrote."""

import gzip
import lzma
import random
from datetime import datetime

import lz4.frame
import pytest
from backports import zstd

from drillbook.backup.facts import examine
from drillbook.backup.tables import Block, blob, text
from drillbook.core.errors import BadInput
from drillbook.keys.key_check import prove
from tests.support.backups import HEAD, KEYS, ROWS, SECRETS, TAIL, VERSIONS, dump

OTHER_KEYS = [str.upper, lambda key: key[::-1], lambda key: key[:-1], lambda _key: ""]


@pytest.mark.parametrize("version", VERSIONS)
def test_its_own_key_opens_a_backup(sample, version):
    proof = prove(sample(version), KEYS[version])
    assert proof.opens_everything
    assert (proof.secrets, proof.projects) == (SECRETS[version], 1)
    assert proof.secrets + proof.empty == ROWS[version]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("change", OTHER_KEYS)
def test_any_other_key_opens_nothing(sample, version, change):
    proof = prove(sample(version), change(KEYS[version]))
    assert proof.opens_nothing
    assert not proof.opens_everything
    assert proof.secrets == SECRETS[version]


@pytest.mark.parametrize("key", ["{}\n", "  {} "])
def test_white_space_around_a_key_does_not_count(sample, key):
    assert prove(sample("2024-10"), key.format(KEYS["2024-10"])).opens_everything


@pytest.mark.parametrize("version", VERSIONS)
def test_one_altered_value_is_one_that_does_not_open(sample, version):
    table, mark = ("secrets", "==\t") if version == "2024-07" else ("secrets_v2", "\\\\x")

    def altered(whole):
        row = whole.index("\n", whole.index(f"COPY public.{table} ")) + 1
        at = whole.index(mark, row) + (len(mark) if version == "2024-07" else 40)
        return whole[:at] + ("b" if whole[at] != "b" else "a") + whole[at + 1 :]

    proof = prove(sample(version, altered), KEYS[version])
    assert proof.secrets_opened == proof.secrets - 1
    assert not proof.opens_everything
    assert not proof.opens_nothing


PACKINGS = {"gz": gzip.compress, "xz": lzma.compress, "zst": zstd.compress}
PACKINGS["lz4"] = lz4.frame.compress


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_packed_backup_is_known_by_its_first_bytes(tmp_path, packing):
    backup = tmp_path / "backup.sql"
    backup.write_bytes(PACKINGS[packing](dump("2024-07").encode()))
    assert prove(backup, KEYS["2024-07"]).opens_everything
    assert examine(backup).complete


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_packed_backup_that_is_cut_is_noticed(tmp_path, packing):
    backup = tmp_path / "backup.sql"
    padding = "".join(f"-- {random.random()}\n" for _ in range(20000))
    backup.write_bytes(PACKINGS[packing]((dump("2024-07") + padding).encode())[:-1000])
    assert examine(backup).damage.startswith("ends inside its ")
    assert not prove(backup, KEYS["2024-07"]).opens_everything
    backup.write_bytes(backup.read_bytes()[:30])
    with pytest.raises(BadInput, match="ends inside its"):
        examine(backup)


def test_carriage_returns_of_a_terminal_do_no_harm(sample):
    backup = sample("2024-10", lambda whole: whole.replace("\n", "\r\n"))
    assert prove(backup, KEYS["2024-10"]).opens_everything
    assert examine(backup).rows["secrets_v2"] == ROWS["2024-10"]


def test_an_empty_backup_is_none(tmp_path):
    backup = tmp_path / "empty.sql"
    backup.touch()
    with pytest.raises(BadInput, match="is empty"):
        prove(backup, KEYS["2024-10"])


def test_utf_16_of_a_shell_of_windows_is_no_backup(sample):
    backup = sample("2024-10")
    backup.write_text(dump("2024-10"), encoding="utf-16")
    with pytest.raises(BadInput, match="is not a backup made by pg_dump"):
        prove(backup, KEYS["2024-10"])
    backup.write_text(dump("2024-10"), encoding="utf-8-sig")
    assert prove(backup, KEYS["2024-10"]).opens_everything


def test_a_dump_of_all_databases_is_searched_for_ours(sample):
    other = "COPY public.projects (id, name) FROM stdin;\n1\tanother product's\n\\.\n"
    head = "--\n-- PostgreSQL database cluster dump\n--\n\nCREATE ROLE infisical;\n"
    tail = "--\n-- PostgreSQL database cluster dump complete\n--\n"
    backup = sample("2024-10", lambda text: f"{head}{HEAD}{other}{TAIL}{text}{tail}")
    assert prove(backup, KEYS["2024-10"]).opens_everything


def test_a_proof_shows_no_value_and_no_key(sample):
    shown = repr(prove(sample("2024-10"), KEYS["2024-10"]))
    assert KEYS["2024-10"] not in shown
    assert "secret" in shown


def test_a_cut_backup_never_opens_everything(sample):
    whole = dump("2024-10")
    last = len(whole.rstrip("\n")) - len("\\unrestrict aaaa") - 6
    for end in (*range(len(HEAD) + 300, last, 211), last):
        backup = sample("2024-10", lambda text, end=end: text[:end])
        assert not prove(backup, KEYS["2024-10"]).opens_everything, end


def test_facts_are_what_the_backup_says(sample):
    found = examine(sample("2024-10"))
    assert (found.form, found.server, found.dumped_by) == ("plain", "14.23", "14.23")
    assert found.instance == "5a68c59e-2ed7-4287-86ca-c8e3c308c483"
    assert found.rows["secrets_v2"] == ROWS["2024-10"]
    assert found.rows["secrets"] == 0


@pytest.mark.parametrize(
    ("said", "known"),
    [("2026-11-24 10:00:05", datetime(2026, 11, 24, 10, 0, 5)), ("2026-02-30 10:00:00", None)],
)
def test_day_a_backup_names_is_told_and_one_that_never_was_is_not(sample, said, known):
    heading = f"\n-- Started on {said} UTC\n\nSET"
    backup = sample("2024-10", lambda text: text.replace("\nSET", heading, 1))
    assert examine(backup).dumped_at == known


def test_rows_are_read_as_they_were_written():
    chunks = [b"1\t\\N\tx\\", b"ty\\\\z\n", b"\\.\n"]
    block = Block("t", ("id", "a b", "c"), lambda: iter(chunks))
    [(c, absent, later)] = block.rows(["c", "a b", "later"])
    assert (text(c), absent, later) == ("x\ty\\z", None, None)


@pytest.mark.parametrize("written", [rb"\\x00ff5c", rb"\\000\\377\\\\"])
def test_bytes_are_read_in_both_ways_of_writing(written):
    assert blob(written) == b"\x00\xff\\"
