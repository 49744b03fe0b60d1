"""A backup is opened by what it is, tells what is wrong with it, and can be read again."""

import gzip
import itertools
import re
import tarfile
from datetime import datetime

import pytest

from drillbook.backup import integrity
from drillbook.backup.tables import _spool, open_dump
from drillbook.core.errors import BadInput
from tests.support.backups import HEAD, SAMPLES, TAIL
from tests.support.made_backups import block

ARCHIVES = SAMPLES / "archives"
ROWS = [{"id": str(number), "name": "n" * 30} for number in range(40_000)]
LARGE = HEAD + block("t", *ROWS) + block("u", {"id": "1"}) + TAIL


@pytest.fixture
def backup(tmp_path):
    def written(text):
        path = tmp_path / "backup.sql"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return written


def about(path, **how):
    with open_dump(path, {"t", "u"}, **how) as dump:
        return dump


def ids(dump, table="t"):
    return [row[0] for row in dump.rows(table, ("id",))]


def test_rows_of_one_table_are_all_its_blocks_in_order(backup):
    first, second = block("t", {"id": "1"}, {"id": "2"}), block("t", {"id": "3"})
    with open_dump(backup(HEAD + first + block("u", {"id": "9"}) + second + TAIL), {"t"}) as dump:
        assert ids(dump) == [b"1", b"2", b"3"]
        assert ids(dump, "u") == [b"9"]
        assert ids(dump, "v") == []
        assert dump.tables == {"t", "u"}


def test_table_that_lacks_what_is_needed_is_another_products(backup):
    ours, foreign = block("t", {"id": "1", "name": "a"}), block("t", {"id": "2"})
    with open_dump(backup(HEAD + ours + foreign + TAIL), {"t"}) as dump:
        assert list(dump.rows("t", ("id", "name"), 2)) == [[b"1", b"a"]]
        assert list(dump.rows("t", ("id", "name"))) == [[b"1", b"a"], [b"2", None]]
        assert list(dump.rows("t", ("name",))) == [[b"a"]]


def test_first_damage_that_is_met_is_told_and_what_came_before_is_given(backup):
    broken = "COPY public.t (id) FROM stdin;\n1\n2\t3\n\\.\n\n"
    other = "COPY public.t (id, name) FROM stdin;\n4\n\\.\n\n"
    with open_dump(backup(HEAD + broken + other + TAIL), {"t"}) as dump:
        assert dump.damage == ""
        assert ids(dump) == [b"1"]
        assert dump.damage == "has a row of t with 2 values where its heading names 1"


@pytest.mark.parametrize(
    ("text", "damage"),
    [
        (HEAD + block("t", {"id": "1"}) + TAIL, ""),
        (HEAD + block("t", {"id": "1"}), "ends without pg_dump's last words"),
        (HEAD + "COPY public.t (id) FROM stdin;\n1\n", "ends inside the rows of t"),
        (HEAD + TAIL.replace("database dump", "database cluster dump"), ""),
        (HEAD + block("t", {"id": "1"}) + TAIL.replace("\n", "\r\n"), ""),
    ],
)
def test_what_a_plain_dump_lacks_is_told(backup, text, damage):
    assert about(backup(text)).damage.startswith(damage)
    assert bool(about(backup(text)).damage) == bool(damage)


def test_heading_of_a_plain_dump_is_told(backup):
    heading = HEAD.replace("\nSET", "\n-- Started on 2026-11-24 10:00:05 UTC\n\nSET", 1)
    dump = about(backup(heading.replace("\n", "\r\n") + TAIL))
    assert (dump.form, dump.packed, dump.counts) == ("plain", "", {})
    assert (dump.server, dump.dumped_by) == ("14.23", "14.23")
    assert dump.dumped_at == datetime(2026, 11, 24, 10, 0, 5)
    bare = about(backup("-- PostgreSQL database dump\n" + TAIL))
    assert (bare.server, bare.dumped_by, bare.dumped_at) == (None, None, None)
    odd = about(backup(heading.replace("11-24", "02-30") + TAIL))
    assert odd.dumped_at is None


def test_dump_without_any_block_was_made_with_inserts_or_for_its_schema(backup):
    assert about(backup(HEAD + "INSERT INTO public.t VALUES ('1');\n" + TAIL)).inserts
    assert not about(backup(HEAD + block("t", {"id": "1"}) + TAIL)).inserts


def test_rows_are_counted(backup):
    path = backup(HEAD + block("t", {"id": "1"}, {"id": "2"}) + block("other", {"id": "3"}) + TAIL)
    assert about(path).counts == {"t": 2, "other": 1}
    archive = ARCHIVES / "pg18-gzip-2024-07.dump"
    assert about(archive).counts["secrets"] == 10


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "backup.sql is empty; run it again and look at its exit status"),
        (HEAD.encode("utf-16"), "is not a backup made by pg_dump"),
        (b"pg_dump: warning: x\nPGDMP\x01\x0e\0", "is not a backup made by pg_dump"),
        (b"pg_dump: error: no such role\n", "is not a backup made by pg_dump"),
        (b"SELECT 1;\n", "is not a backup made by pg_dump; check the backup given"),
        (
            gzip.compress(HEAD.encode() * 9, mtime=0)[:20],
            "ends inside its gzip stream",
        ),
    ],
)
def test_what_is_no_backup_is_told_in_one_sentence(backup, content, said):
    with pytest.raises(BadInput, match=said.replace("'", ".")), open_dump(backup(content), {"t"}):
        pass


def test_rows_without_any_heading_of_pg_dump_are_a_backup_all_the_same(backup):
    with open_dump(backup(block("t", {"id": "1"})), {"t"}) as dump:
        assert ids(dump) == [b"1"]


@pytest.mark.parametrize("packed", [False, True])
def test_tables_are_read_side_by_side_and_again(backup, packed):
    text = LARGE.encode()
    path = backup(gzip.compress(text, 1) if packed else text)
    with open_dump(path, {"t", "u"}) as dump:
        assert (dump.packed, dump.size) == ("gzip" * packed, path.stat().st_size)
        pairs = zip(dump.rows("t", ("id",)), dump.rows("t", ("id",)), strict=True)
        assert all(one == other for one, other in itertools.islice(pairs, 30_000))
        assert ids(dump, "u") == [b"1"]
        assert ids(dump) == [row["id"].encode() for row in ROWS]


def test_a_table_without_rows_is_lost_unless_it_is_left_out_or_has_parts(backup):
    made = "CREATE TABLE public.{} (\n    id text\n);\n"
    tables = "".join(map(made.format, ("t", "lost", "audit_logs", "more")))
    spread = "CREATE TABLE public.p (\n    id text\n) PARTITION BY RANGE (id);\n"
    whole = about(backup(HEAD + tables + spread + block("t", {"id": "1"}) + TAIL))
    said = "lacks rows: line 15 makes lost and 1 more, of which none follow"
    assert whole.orders().startswith(said)
    other = about(backup((HEAD + tables + block("t", {"id": "1"}) + TAIL).replace("public", "own")))
    assert set(other.lost) == {"own.lost", "own.more"}
    assert about(backup(HEAD + tables + TAIL)).orders() == ""
    assert about(backup(HEAD + block("t", {"id": "1"}) + TAIL)).orders() == ""


def test_tables_of_another_schema_are_none_of_the_products(backup):
    ours, theirs = block("t", {"id": "1"}), block("t", {"id": "2"}, {"id": "3"})
    path = backup(HEAD + ours + theirs.replace("public.", "old2024.") + TAIL)
    with open_dump(path, {"t"}) as dump:
        assert (ids(dump), dump.counts) == ([b"1"], {"t": 1, "old2024.t": 2})


def test_the_product_may_have_all_its_tables_in_another_schema(backup):
    ours, more = block("t", {"id": "1"}), block("more", {"id": "2"})
    path = backup(HEAD + ours.replace("public.", "infisical.") + more + TAIL)
    with open_dump(path, {"t"}) as dump:
        assert (ids(dump), dump.counts) == ([b"1"], {"t": 1, "more": 1})


def test_what_no_restore_may_follow_hides_no_rows(backup):
    harm = "ALTER SYSTEM SET a = 1;\n\\connect other\n\n"
    first, second = block("t", {"id": "1"}), block("u", {"id": "2"})
    with open_dump(backup(HEAD + first + harm + second + TAIL), {"t", "u"}) as dump:
        assert (ids(dump), ids(dump, "u"), dump.damage) == ([b"1"], [b"2"], "")
        assert "changes the server's own settings" in dump.orders()
        with pytest.raises(BadInput, match=r"^backup it is more than data.*: line \d+: changes"):
            dump.refuse_harm("it")


def test_what_cannot_be_read_as_sql_is_refused_unless_it_is_damaged_anyway(backup):
    broken = HEAD + block("t", {"id": "1"}) + "SELECT '\n"
    with open_dump(backup(broken + TAIL), {"t"}) as dump:
        assert ids(dump) == [b"1"]
        with pytest.raises(BadInput, match=r"^backup it cannot be read as SQL: line \d+: ends in"):
            dump.refuse_harm("it")
    with open_dump(backup(broken), {"t"}) as dump:
        dump.refuse_harm("it")


def test_a_packed_backup_can_be_read_whole(backup):
    text = LARGE.encode()
    with open_dump(backup(gzip.compress(text, 1)), (), whole=True) as dump:
        assert dump.length == len(text)
        for one in dump.blocks:
            dump.file.seek(one.end)
            assert dump.file.read(3) == b"\\.\n"
        assert [len(list(dump.rows(name, ("id",)))) for name in "tu"] == [40_000, 1]


def test_copy_of_many_rows_is_a_file_and_of_few_is_none():
    with _spool() as copy:
        copy.write(b"1\tautumn\n")
        assert copy.name is None
        copy.write(bytes(64 << 20))
        assert copy.name is not None


@pytest.mark.parametrize("name", ["pg15-gzip-2024-07.dump", "pg18-2024-10.tar.gz"])
def test_archive_is_known_by_its_first_bytes_and_told_as_it_lies_there(name):
    dump = about(ARCHIVES / name)
    assert (dump.form, dump.packed) == (("tar", "gzip") if "tar" in name else ("custom", ""))
    assert dump.size == (ARCHIVES / name).stat().st_size
    assert dump.server.startswith(name[2:4])
    assert (dump.damage, dump.inserts) == ("", False)
    assert dump.dumped_at.year == 2026


def test_folder_is_as_large_as_its_files_and_lacks_what_is_gone(tmp_path):
    with tarfile.open(ARCHIVES / "pg18-zstd-2024-10-folder.tar.gz") as packed:
        packed.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    files = [path for path in folder.iterdir() if path.is_file()]
    (folder / "below").mkdir()
    with open_dump(folder, {"kms_root_config"}) as dump:
        assert (dump.form, dump.size) == ("directory", sum(path.stat().st_size for path in files))
        assert ids(dump, "kms_root_config") == [b"00000000-0000-0000-0000-000000000000"]
        assert dump.damage == ""
    (folder / "toc.dat").write_bytes((folder / "toc.dat").read_bytes()[:300])
    cut = about(folder)
    assert "pg_restore: could not read from input file: end of file" in cut.damage
    assert cut.size > 300
    assert not cut.inserts


def test_archive_cut_in_its_packing_tells_so_first(tmp_path):
    path = tmp_path / "cut.dump.gz"
    content = gzip.compress((ARCHIVES / "pg18-gzip-2024-07.dump").read_bytes())
    path.write_bytes(content[:-200])
    assert about(path).damage == "ends inside its gzip stream"


SAID = "pg_dump: warning: there are circular foreign-key constraints on this table:\n"
QUOTING = 'time="2026-11-30T03:00:00Z" level=warning msg="The \\"PW\\" variable is not set."\n'
MADE = "CREATE TABLE public.t (id text);\n"
SQL = HEAD + MADE + block("t", {"id": "1"}) + TAIL
HARM = "COPY (SELECT '') TO PROGRAM 'id';\n"


@pytest.mark.parametrize(
    "said",
    [
        SAID,
        QUOTING,
        "WARN[0000] the attribute is obsolete\n",
        "Warning: Permanently added '10.0.0.4' (ED25519) to the list of known hosts.\n",
        "Password: \r\n",
        "[sudo] password for ada: ",
        "Welcome to Ubuntu 22.04 LTS\n\n * Documentation: https://x\n",
    ],
)
def test_a_line_that_is_no_sql_is_no_attack_and_hides_none(backup, said):
    for sql in (
        said + SQL,
        SQL.replace(MADE, said.rstrip() + "\n" + MADE),
        SQL + said.rstrip() + "\n",
    ):
        path = backup(sql)
        with open_dump(path) as dump:
            assert "is not SQL, as a message that 2>&1 puts there" in dump.orders()
            assert dump.counts == {"t": 1}
            with pytest.raises(BadInput, match="cannot be read as SQL: line"):
                dump.refuse_harm("b.sql")
        assert "is not SQL" in str(integrity.examine(path))
    for attack in (said + HARM + SQL, HARM + said + SQL, said + SQL.replace(MADE, MADE + HARM)):
        with (
            open_dump(backup(attack)) as dump,
            pytest.raises(BadInput, match="may be made to do harm: line"),
        ):
            dump.refuse_harm("b.sql")


def test_a_message_in_rows_that_are_not_read_is_damage(backup):
    rows = block("other", {"id": "1", "n": "2"}, {"id": "3", "n": "4"})
    for broken in (rows.replace("3\t4", f"{SAID}3\t4"), rows.replace("3\t4", "3")):
        dump = about(backup(HEAD + MADE + broken + TAIL))
        assert dump.damage == "has a row of other that does not fit its heading"
    assert about(backup(HEAD + MADE + rows + TAIL)).damage == ""


def test_what_comes_out_of_a_damaged_gzip_stream_is_called_damage(backup):
    # Of a small one nothing comes out.
    sql = HEAD + MADE + "SELECT harm();\n\n" + block("t", *ROWS) + TAIL
    packed = gzip.compress(sql.encode())
    path = backup(packed[:-8] + b"\0" * 8)
    with (
        open_dump(path) as dump,
        pytest.raises(BadInput, match="Fetch it again, or take another") as refused,
    ):
        dump.refuse_harm("b.sql")
    assert "find out who made it" not in str(refused.value)
    assert "has a gzip stream that cannot be unpacked" in str(refused.value)


@pytest.mark.parametrize(
    "line",
    [
        SAID.replace("\n", " \\! touch x\n"),
        QUOTING.replace("\n", " \\! touch x\n"),
        SAID.replace("\n", "; DROP ROLE x;\n"),
        'CREATE ROLE "pg_dump: warning";\n',
        "CREATE ROLE x; -- pg_dump: warning\n",
        f"CREATE ROLE x;\n{SAID}",
        f"{SAID}CREATE ROLE x;\n",
    ],
)
def test_what_looks_like_a_message_hides_no_attack(backup, line):
    path = backup(HEAD + line + MADE + block("t", {"id": "1"}) + TAIL)
    with open_dump(path) as dump, pytest.raises(BadInput, match="is more than data"):
        dump.refuse_harm("b.sql")


def test_a_message_of_a_dump_that_failed_is_not_called_whole(backup):
    with open_dump(backup(HEAD + MADE + block("t", {"id": "1"}) + "pg_dump: error: lost\n")) as it:
        assert "ends without pg_dump's last words" in it.damage
        assert "ran to its end" not in it.orders()


@pytest.mark.parametrize(
    ("declared", "written", "is_damage"),
    [
        ("UTF8", b"M\xfcnchen", True),
        ("UTF8", "München".encode(), False),
        ("UTF8", b"x" * ((1 << 18) - 400) + "ü€".encode() * 400, False),
        ("LATIN1", b"M\xfcnchen", False),
        ("SQL_ASCII", b"M\xfcnchen", False),
    ],
)
def test_text_that_is_not_what_the_dump_declares_is_damage(backup, declared, written, is_damage):
    sql = f"{HEAD}SET client_encoding = '{declared}';\n\n{MADE}{block('t', {'id': 'NAME'})}{TAIL}"
    dump = about(backup(sql.encode().replace(b"NAME", written)))
    assert ("holds text that is not UTF-8 near line " in dump.damage) == is_damage


@pytest.mark.parametrize("at", ["CREATE", "row"])
def test_a_block_of_zero_bytes_is_damage(backup, at):
    # Further on than the beginning, which tells what a file is.
    sql = HEAD + "--\n" * 200 + MADE + block("t", {"id": "a row of it"}) + TAIL
    dump = about(backup(sql.replace(at, "\0" * len(at), 1)))
    assert re.match("holds a zero byte near line [0-9]+, as no dump does", dump.damage)


def test_an_archive_that_went_through_a_terminal_is_not_taken_for_harm(tmp_path):
    """As with `docker exec -t`: each line end is another one, also in the packed rows."""
    backup = tmp_path / "backup.dump"
    archive = ARCHIVES / "pg16-gzip-2024-07.dump"
    backup.write_bytes(archive.read_bytes().replace(b"\n", b"\r\n"))
    with (
        pytest.raises(BadInput, match=r"went through a terminal.*: dump again without -t"),
        open_dump(backup),
    ):
        pass
    # One CRLF is in the rows of a whole archive, by chance.
    backup.write_bytes(archive.read_bytes())
    with open_dump(backup) as opened:
        assert not opened.damage
