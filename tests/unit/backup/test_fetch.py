"""A backup is brought from a file, a folder or a URL, privately, and its place shown bare."""

import gzip
import io
import os
import sys
import tarfile
import time
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pytest

from drillbook.backup import fetch, integrity, location
from drillbook.backup.fetch import fetch_backup
from drillbook.backup.location import parse
from drillbook.core.application import install_extra
from drillbook.core.errors import BadInput
from drillbook.preflight import backupfile
from reports.record import run_metadata
from tests.support.backups import SAMPLES, dump
from tests.unit.keys.test_proof import PACKINGS

OLD = time.time() - 7200
ARCHIVES = SAMPLES / "archives"
ARCHIVE_NAMES = sorted(one.name for one in ARCHIVES.iterdir())


def said():
    heard = []
    return heard, heard.append


def refused(given):
    with pytest.raises(BadInput) as told, fetch_backup(given, lambda _: None):
        pass
    return str(told.value)


def newest(folder):
    found = location.pick_from(folder)
    return found.member.item, found.said


@pytest.fixture
def backup(tmp_path):
    place = tmp_path / "backups"
    place.mkdir()
    file = place / "good.sql"
    file.write_bytes(dump("2024-10").encode())
    os.utime(file, (OLD, OLD))
    return file


@pytest.mark.parametrize(
    ("given", "kind", "shown"),
    [
        ("backup.sql", "path", "backup.sql"),
        ("file:///srv/my%20backup.sql", "path", "/srv/my backup.sql"),
        ("sftp://ada:pw@host:22/b.sql", "url", "sftp://host:22/b.sql"),
        ("SFTP://ada:p@pw@host/b.sql", "url", "sftp://host/b.sql"),
        ("https://[1:2:3:4:5:6:7:8]:8/b@2", "url", "https://[1:2:3:4:5:6:7:8]:8/b@2"),
        ("https://host:8443/b@2.sql", "url", "https://host:8443/b@2.sql"),
        ("https://host/b.sql?X-Amz-Signature=abc", "url", "https://host/b.sql?…"),
        ("s3://bucket/backups/", "url", "s3://bucket/backups/"),
    ],
)
def test_a_place_is_told_and_shown_bare(given, kind, shown):
    found = parse(given)
    assert (found.kind, found.shown) == (kind, shown)
    assert "pw" not in repr(found)
    assert "abc" not in repr(found)


@pytest.mark.parametrize(
    "given",
    [
        "docker:infisical-db",
        *("-", "zip://x::s3://b/a.zip", "a\0b", "x" * 9999),
    ],
)
def test_what_can_be_no_place_is_refused(given):
    with pytest.raises(BadInput):
        parse(given)


@pytest.mark.parametrize("given", ["rest:https://ada:pw@host/r", "s3:https://ada:pw@host/r"])
def test_a_repository_without_its_program_is_no_path_whose_password_is_shown(given):
    with pytest.raises(BadInput, match="restic:rest:") as refused:
        parse(given)
    assert "pw" not in str(refused.value)


@pytest.mark.parametrize("given", ["sftp://ada:a/pw@host/b.sql", "restic:rest:https://a:b/pw@h/"])
def test_a_password_that_the_url_does_not_encode_is_not_shown(given):
    with pytest.raises(BadInput, match="%2F") as refused:
        parse(given)
    assert "pw" not in str(refused.value)


def test_no_record_of_a_command_line_holds_a_credential():
    assert "sig" not in run_metadata.command(["--backup=https://host/b.sql?token=sig"])
    assert "sig" not in run_metadata.command(["--backup=sftp://ada:pw@sig@host/b.sql"])


def test_a_file_is_read_where_it_lies(backup):
    heard, say = said()
    with fetch_backup(str(backup), say) as found:
        assert (found.path, found.home, heard) == (backup, None, [])
    assert backup.exists()


def test_the_newest_of_a_folder_is_taken_and_named(backup):
    older = backup.with_name("older.sql")
    older.write_bytes(backup.read_bytes())
    os.utime(older, (OLD - 9999, OLD - 9999))
    heard, say = said()
    with fetch_backup(str(backup.parent), say) as found:
        assert found.path == backup
    assert f"the newest of folder {backup.parent} is good.sql" in heard[0]
    assert "NOT TAKEN" not in heard[0]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("cut.sql", b"-- PostgreSQL database dump\n", "cut short"),
        ("no.sql.gz", b"", "empty"),
        ("no.dump.gz", b"", "empty"),
        ("tonight.sql.bz2", b"BZh9", "holds what bzip2 has packed or sealed"),
        ("tonight.sql", b"Salted__", "holds what OpenSSL has packed or sealed"),
        (
            "tonight.sql.gz",
            gzip.compress(gzip.compress(b"x", mtime=0), mtime=0),
            "holds what gzip has packed",
        ),
        ("tonight.sql.gz.gpg", b"\x8c\r\x04", "holds what GnuPG has packed or sealed"),
    ],
)
def test_newer_ones_that_are_not_done_are_passed_over_aloud(backup, name, content, why):
    backup.with_name(name).write_bytes(content)
    heard, say = said()
    with fetch_backup(str(backup.parent), say) as found:
        assert found.path == backup
    assert f"NEWER BUT NOT TAKEN: {name} ({why}" in heard[0]


def packed(way):
    return PACKINGS[way](dump("2024-10").encode())


@pytest.mark.parametrize("way", PACKINGS)
def test_a_newer_one_that_is_packed_and_cut_is_passed_over_aloud(backup, way):
    whole, cut = (backup.with_name(f"{name}.sql.{way}") for name in ("whole", "cut"))
    whole.write_bytes(packed(way))
    os.utime(whole, (OLD + 600, OLD + 600))
    assert newest(backup.parent)[0] == whole
    cut.write_bytes(packed(way)[:-1000])
    os.utime(cut, (OLD + 1200, OLD + 1200))
    heard, say = said()
    with fetch_backup(str(backup.parent), say) as found:
        assert found.path == whole
    assert f"NEWER BUT NOT TAKEN: cut.sql.{way} (" in heard[0]
    assert "ends inside its" in heard[0]


@pytest.mark.parametrize("name", [n for n in ARCHIVE_NAMES if "folder" not in n])
def test_a_newer_archive_that_is_cut_is_passed_over_aloud(backup, name):
    whole = (ARCHIVES / name).read_bytes()
    archive = backup.with_name(name).with_suffix(".dump")
    archive.write_bytes(whole)
    os.utime(archive, (OLD + 600, OLD + 600))
    assert newest(backup.parent)[0] == archive
    archive.write_bytes(whole[: len(whole) // 2])
    os.utime(archive, (OLD + 600, OLD + 600))
    path, said = newest(backup.parent)
    assert path == backup
    assert f"NEWER BUT NOT TAKEN: {archive.name} (" in said


def test_a_tar_file_of_a_folder_is_to_be_unpacked_first(backup):
    archive = backup.with_name("folder.tar")
    packed_at = slice(4, 8)
    content = bytearray((ARCHIVES / "pg17-lz4-2024-10-folder.tar.gz").read_bytes())
    content[packed_at] = bytes(4)
    archive.write_bytes(content)
    os.utime(archive, (OLD + 600, OLD + 600))
    path, said = newest(backup.parent)
    assert path == backup
    assert "is a tar file that pg_dump -Ft did not write" in said


def test_a_newer_folder_of_pg_dump_that_is_cut_is_passed_over_aloud(backup):
    with tarfile.open(ARCHIVES / "pg17-lz4-2024-10-folder.tar.gz") as tar:
        tar.extractall(backup.parent / "unpacked", filter="data")
    [contents] = (backup.parent / "unpacked").rglob("toc.dat")
    made = contents.parent.rename(backup.parent / "tonight")
    (made / "toc.dat").touch()
    assert newest(backup.parent)[0] == made
    rows = max(made.glob("*.dat*"), key=lambda one: one.stat().st_size * (one.name != "toc.dat"))
    rows.write_bytes(rows.read_bytes()[:-20])
    path, said = newest(backup.parent)
    assert path == backup
    assert "NEWER BUT NOT TAKEN: tonight (cut short or damaged: it " in said


def test_a_newer_file_that_is_no_backup_is_passed_over_aloud(backup):
    backup.with_name("uploads.sql.gz").write_bytes(gzip.compress(b"no backup at all"))
    path, said = newest(backup.parent)
    assert path == backup
    assert "uploads.sql.gz (is not a backup made by pg_dump)" in said


def test_an_archive_that_is_called_sql_is_taken(backup):
    archive = backup.with_name("newer.sql")
    archive.write_bytes(next(one for one in ARCHIVES.glob("*.dump")).read_bytes())
    os.utime(archive, (OLD + 600, OLD + 600))
    assert newest(backup.parent)[0] == archive


def test_a_backup_that_still_grows_is_not_taken(backup, monkeypatch):
    growing = backup.with_name("growing.dump")
    growing.write_bytes(b"PGDMP")
    monkeypatch.setattr(integrity.time, "sleep", lambda _: growing.write_bytes(b"PGDMP and more"))
    assert newest(backup.parent)[0] == backup
    assert integrity.reason_incomplete(backup) == ""


def test_a_folder_without_any_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(BadInput, match=r"no toc\.dat of pg_dump -Fd; check the backup given"):
        newest(tmp_path)
    (tmp_path / "cut.sql").write_bytes(b"SELECT 1;")
    with pytest.raises(BadInput, match=r"no backup that is complete: cut\.sql"):
        newest(tmp_path)


def remote(tmp_path, content):
    storage = fsspec.filesystem("memory")
    where = f"/{tmp_path.name}/backups"
    storage.pipe_file(f"{where}/b.sql", content)
    return f"memory:/{where}", storage


def test_a_copy_is_private_and_gone_afterwards(tmp_path):
    url, _ = remote(tmp_path, dump("2024-10").encode())
    with fetch_backup(f"{url}/b.sql", lambda _: None) as found:
        assert found.path.read_bytes() == dump("2024-10").encode()
        assert found.path.stat().st_mode & 0o777 == 0o600
        assert found.path.parent.stat().st_mode & 0o777 == 0o700
        kept = found.home.path
    assert not kept.exists()


@pytest.mark.parametrize(
    ("content", "differs"),
    [
        (f"{'0' * 64}  b.sql\n", True),
        (f"<html>{'0' * 64}</html>", False),
        (f"-- PostgreSQL database dump\n{'0' * 64}\n" * 99, False),
        (None, False),
    ],
)
@pytest.mark.parametrize("name", ["", "/b.sql"], ids=["newest", "named"])
def test_the_checksum_next_to_a_remote_file_counts(tmp_path, content, differs, name):
    url, storage = remote(tmp_path, dump("2024-10").encode())
    if content:
        storage.pipe_file(f"/{tmp_path.name}/backups/b.sql.sha256", content.encode())
    with fetch_backup(f"{url}{name}", lambda _: None) as found:
        assert bool(integrity.compare_checksum(found.path)) is differs


def test_a_checksum_that_cannot_be_read_is_said(tmp_path, monkeypatch):
    url, storage = remote(tmp_path, dump("2024-10").encode())
    opened = type(storage).open

    def refuse_checksum(self, path, *given, **options):
        if path.endswith(".sha256"):
            raise PermissionError(path)
        return opened(self, path, *given, **options)

    unsaid, say_nothing = said()
    with fetch_backup(f"{url}/b.sql", say_nothing):
        pass
    monkeypatch.setattr(type(storage), "open", refuse_checksum)
    heard, say = said()
    with fetch_backup(f"{url}/b.sql", say) as found:
        assert not integrity.compare_checksum(found.path)
    assert "b.sql.sha256 could not be read" in " ".join(heard)
    assert "sha256" not in " ".join(unsaid), "where there is none, nothing is missing"


def test_the_newest_of_a_remote_folder_is_taken(tmp_path):
    url, storage = remote(tmp_path, dump("2024-10").encode())
    storage.pipe_file(f"/{tmp_path.name}/backups/later.sql", b"-- PostgreSQL database dump\n")
    heard, say = said()
    with fetch_backup(url, say) as found:
        assert found.path.name == "b.sql"
    assert "NEWER BUT NOT TAKEN: later.sql (cut short or damaged: it ends without" in heard[-1]


def test_a_local_file_of_the_same_name_does_not_date_a_remote_one(tmp_path, monkeypatch):
    url, storage = remote(tmp_path, dump("2024-10").encode())
    storage.pipe_file(f"/{tmp_path.name}/backups/later.sql.gz", packed("gz"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "later.sql.gz").write_bytes(gzip.compress(b"x", mtime=OLD))
    with fetch_backup(url, lambda _: None) as found:
        assert found.path.name == "later.sql.gz"


def test_a_remote_one_that_is_packed_and_cut_is_passed_over_once_it_is_fetched(tmp_path):
    url, storage = remote(tmp_path, dump("2024-10").encode())
    storage.pipe_file(f"/{tmp_path.name}/backups/later.sql.gz", packed("gz")[:-1000])
    heard, say = said()
    with fetch_backup(url, say) as found:
        assert found.path.name == "b.sql"
        assert [one.name for one in found.path.parent.iterdir()] == ["b.sql"]
    assert (
        "NEWER BUT NOT TAKEN: later.sql.gz (cut short or damaged: it ends inside its" in heard[-1]
    )


def test_the_signature_of_a_url_is_in_no_name(monkeypatch):
    url = "https://host/backups/b.sql?X-Amz-Signature=geheim/nis"
    entry = {"name": url, "type": "file", "size": 4}
    storage = SimpleNamespace(
        info=lambda _: dict(entry),
        open=lambda *_: io.BytesIO(b"rows"),
        invalidate_cache=lambda: None,
    )
    monkeypatch.setattr("fsspec.core.url_to_fs", lambda *_, **__: (storage, url))
    heard, say = said()
    with fetch_backup(url, say) as found:
        assert found.path.name == "b.sql"
        assert heard[0] == "fetching b.sql from https://host/backups/b.sql?…"
        assert "nis" not in " ".join([*heard, found.said])


def test_an_undated_copy_is_no_older_than_its_newest_row(tmp_path, monkeypatch):
    monkeypatch.setattr("drillbook.backup.fetch._TIMES", ())
    url, _ = remote(tmp_path, dump("2024-10").encode())
    with fetch_backup(f"{url}/b.sql", lambda _: None) as found:
        assert found.modified is None
        seen = backupfile.load(found.path, now=2e9)
    expected_s = 2e9 - seen.facts.newest.timestamp()
    assert seen.age.most_s == pytest.approx(expected_s, abs=0.01)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("memory://nowhere/b.sql", "there is no file at memory://nowhere/b.sql"),
        (
            "teleport://host/b.sql",
            "cannot be read: Protocol not known: teleport; check the address",
        ),
        ("sftp://ada:geheimnis@127.0.0.1:1/b.sql", "check the address and --backup-options"),
    ],
)
def test_what_cannot_be_had_is_told_in_one_sentence(given, words):
    told = refused(given)
    assert words in told
    assert "\n" not in told
    assert "geheimnis" not in told


def test_a_missing_extra_is_told_with_its_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    assert install_extra("remote") in refused("s3://bucket/b.sql")


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    url, _ = remote(tmp_path, bytes(65 << 20))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    usage = type("Usage", (), {"free": 1 << 20})
    monkeypatch.setattr("drillbook.backup.stream.shutil.disk_usage", lambda _: usage)
    with (
        pytest.raises(BadInput, match="does not fit"),
        fetch_backup(f"{url}/b.sql", lambda _: None),
    ):
        pass
    assert [one for one in Path(tmp_path).iterdir() if one.name.startswith("drillbook")] == []


@pytest.mark.parametrize("stated", [1e30, 253_402_300_800, -1])
def test_a_time_that_no_calendar_has_is_unknown(stated):
    assert fetch._time({"mtime": stated}) is None


def test_a_secret_where_a_long_message_is_cut_is_hidden(monkeypatch):
    def fail(_order):
        raise RuntimeError(f"{'x' * 220} geheimnis is wrong")

    monkeypatch.setattr("drillbook.backup.fetch._choose_from", fail)
    told = refused("sftp://ada:geheimnis@127.0.0.1:1/b.sql")
    assert "x ***" in told
    assert "geh" not in told
