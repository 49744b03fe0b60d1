"""One of several backups: the newest that is whole."""

import gzip
import os
import tarfile
from datetime import UTC, datetime, timedelta

import pytest

from drillbook.backup import integrity
from drillbook.backup.fetch import fetch_backup
from drillbook.backup.location import candidates
from drillbook.core.errors import BadInput
from tests.support.backups import SAMPLES, dump
from tests.unit.keys.test_proof import PACKINGS

TODAY = datetime.now(UTC) - timedelta(hours=12)
ARCHIVES = SAMPLES / "archives"
WHOLE = dump("2024-10").encode()


def nightly(folder, days):
    """Whole backups by the names of their days, all copied just now."""
    for ago in days:
        (folder / named(ago)).write_text(dump("2024-07"))
    return folder


def named(ago):
    return f"db-{TODAY - timedelta(days=ago):%Y%m%dT%H%MZ}.sql"


def taken(folder):
    with fetch_backup(str(folder), lambda _: None) as backup:
        return backup


@pytest.fixture
def newer(tmp_path):
    """A function that writes a newer file next to a whole backup, and says which one is taken."""
    nightly(tmp_path, [1])

    def write(name, content):
        (tmp_path / name).write_bytes(content)
        return taken(tmp_path)

    return write


def test_order_follows_names_of_copies(tmp_path):
    nightly(tmp_path, [3, 1, 2])
    os.utime(tmp_path / named(3))
    listed = sorted(candidates(tmp_path))
    assert [candidate.name for candidate in listed] == [named(3), named(2), named(1)]
    assert taken(tmp_path).candidate.name == named(1)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_second_name_of_a_file_is_no_second_backup(tmp_path, link):
    nightly(tmp_path, [1, 2])
    link(tmp_path / named(1), tmp_path / "latest.sql")
    listed = taken(tmp_path).candidates
    assert [candidate.name for candidate in listed] == [named(1), named(2)]


def test_what_is_cut_is_passed_over(tmp_path):
    nightly(tmp_path, [1, 2, 3])
    for ago in (1, 2):
        file = tmp_path / named(ago)
        file.write_text(file.read_text()[:-100])
    found = taken(tmp_path)
    assert found.candidate.name == named(3)
    assert [words.partition(" (")[0] for words in found.skipped] == [named(1), named(2)]


def test_a_backup_that_coolify_made_is_found_by_its_name(tmp_path):
    names = ["pg-dump-infisical-1764300000.dmp", "pg-dump-all-1764300000.gz", "x.pgdump"]
    for name in (*names, "notes.gz", "infisical.txt", "compose.yml.bak"):
        (tmp_path / name).write_text("x")
    assert sorted(candidate.name for candidate in candidates(tmp_path)) == sorted(names)


NOT_WHOLE = {
    "cut.sql": (b"-- PostgreSQL database dump\n", "cut short"),
    "no.dump.gz": (b"", "empty"),
    "tonight.sql.bz2": (b"BZh9", "holds what bzip2 has packed or sealed"),
    "tonight.sql.gz.gpg": (b"\x8c\r\x04", "holds what GnuPG has packed or sealed"),
    "uploads.sql.gz": (gzip.compress(b"no backup"), "is not a backup made by pg_dump"),
    "folder.tar": (b"data".ljust(257, b"\0") + b"ustar".ljust(255, b"\0"), "is a tar file that"),
    **{f"cut.sql.{way}": (pack(WHOLE)[:-1000], "") for way, pack in PACKINGS.items()},
    **{
        f"cut-{path.name}.dump": (path.read_bytes()[:-9000], "")
        for path in ARCHIVES.iterdir()
        if "folder" not in path.name
    },
}


@pytest.mark.parametrize("name", sorted(NOT_WHOLE))
def test_newer_ones_that_are_not_whole_are_passed_over_aloud(newer, name):
    content, why = NOT_WHOLE[name]
    choice = newer(name, content)
    assert choice.candidate.name == named(1)
    assert f"NEWER BUT NOT TAKEN: {name} ({why}" in choice.said


def test_a_newer_folder_of_pg_dump_that_is_cut_is_passed_over_aloud(tmp_path):
    nightly(tmp_path, [1])
    with tarfile.open(ARCHIVES / "pg17-lz4-2024-10-folder.tar.gz") as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    [contents] = (tmp_path / "unpacked").rglob("toc.dat")
    made = contents.parent.rename(tmp_path / "tonight")
    (made / "toc.dat").touch()
    assert taken(tmp_path).candidate.name == "tonight"
    rows = max(made.glob("*.dat*"), key=lambda file: file.stat().st_size * (file.stem != "toc"))
    rows.write_bytes(rows.read_bytes()[:-20])
    assert "NEWER BUT NOT TAKEN: tonight (cut short or damaged: it " in taken(tmp_path).said


def test_an_archive_that_is_called_sql_is_taken(newer):
    archive = next(ARCHIVES.glob("*.dump")).read_bytes()
    assert newer("newer.sql", archive).candidate.name == "newer.sql"


def test_a_backup_that_still_grows_is_not_taken(tmp_path, newer, monkeypatch):
    growing = tmp_path / "growing.dump"
    monkeypatch.setattr(integrity.time, "sleep", lambda _: growing.write_bytes(b"PGDMP and more"))
    assert "growing.dump (still being written)" in newer(growing.name, b"PGDMP").said


def test_a_folder_without_any_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(BadInput, match=r"no toc\.dat of pg_dump -Fd; check the backup given"):
        taken(tmp_path)
    (tmp_path / "cut.sql").write_bytes(b"SELECT 1;")
    with pytest.raises(BadInput, match=r"no backup that is complete: cut\.sql"):
        taken(tmp_path)
