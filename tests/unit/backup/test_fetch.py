"""A backup is brought from a file or a URL, privately, and its place shown bare."""

import gzip
import io
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pytest

from drillbook.backup import integrity, stores
from drillbook.backup.fetch import fetch_backup
from drillbook.backup.location import parse
from drillbook.core.application import install_extra
from drillbook.core.errors import BadInput
from drillbook.preflight import backupfile
from reports.record import run_metadata
from tests.support.backups import dump

OLD = time.time() - 7200
WHOLE = dump("2024-10").encode()


def refused(given):
    with pytest.raises(BadInput) as told, fetch_backup(given, lambda _: None):
        pass
    return str(told.value)


@pytest.mark.parametrize(
    ("given", "kind", "shown"),
    [
        ("backup.sql", "path", "backup.sql"),
        ("file:///srv/my%20backup.sql", "path", "/srv/my backup.sql"),
        ("sftp://ada:pw@host:22/b.sql", "url", "sftp://…@host:22/b.sql"),
        ("SFTP://ada:p@pw@host/b.sql", "url", "sftp://…@host/b.sql"),
        ("https://[1:2:3:4:5:6:7:8]:8/b@2", "url", "https://[1:2:3:4:5:6:7:8]:8/b@2"),
        ("https://host:8443/b@2.sql", "url", "https://host:8443/b@2.sql"),
        ("https://host/b.sql?X-Amz-Signature=abc", "url", "https://host/b.sql?…"),
        ("s3://bucket/backups/", "url", "s3://bucket/backups/"),
        ("restic:rest:https://u:pw?@h/r#a", "repository", "restic:rest:https://…@h/r#a"),
        ("borg:ssh://u:pw@h/./r", "repository", "borg:ssh://…@h/./r"),
        ("restic:/srv/r#latest:/b.sql", "repository", "restic:/srv/r#latest:/b.sql"),
    ],
)
def test_a_place_is_told_and_shown_bare(given, kind, shown):
    found = parse(given)
    assert (found.kind, found.shown) == (kind, shown)
    assert "pw" not in repr(found)
    assert "abc" not in repr(found)
    assert found.credential is ("pw" in given or "abc" in given)


@pytest.mark.parametrize(
    ("given", "cure"),
    [
        ("-", "save it"),
        ("zip://x::s3://b/a.zip", "give one"),
        ("a\0b", "control characters"),
        ("x" * 9999, "too long"),
        ("rest:https://ada:pw@host/r", "restic:rest:"),
        ("sftp://ada:a/pw@host/b.sql", "%2F"),
        ("restic:rest:https://a:b/pw@h/", "%2F"),
    ],
)
def test_what_can_be_no_place_is_refused(given, cure):
    with pytest.raises(BadInput, match=cure) as refusal:
        parse(given)
    assert "pw" not in str(refusal.value)


def test_no_record_of_a_command_line_holds_a_credential():
    assert "sig" not in run_metadata.command(["--backup=https://host/b.sql?token=sig"])
    assert "sig" not in run_metadata.command(["--backup=sftp://ada:pw@sig@host/b.sql"])


def test_a_file_is_read_where_it_lies(tmp_path):
    backup, heard = tmp_path / "good.sql", []
    backup.write_bytes(WHOLE)
    with fetch_backup(str(backup), heard.append) as found:
        assert (found.path, found.home, heard) == (backup, None, [])
    assert backup.exists()


@pytest.fixture
def remote(tmp_path):
    """A folder in a storage with one whole backup; a function adds a file to it."""
    storage = fsspec.filesystem("memory")
    folder = f"/{tmp_path.name}/backups"

    def add(name, content):
        storage.pipe_file(f"{folder}/{name}", content)

    add("b.sql", WHOLE)
    return SimpleNamespace(url=f"memory:/{folder}", storage=storage, add=add)


def test_a_copy_is_private_and_gone_afterwards(remote):
    with fetch_backup(f"{remote.url}/b.sql", lambda _: None) as found:
        assert found.path.read_bytes() == WHOLE
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
def test_the_checksum_next_to_a_remote_file_counts(remote, content, differs, name):
    if content:
        remote.add("b.sql.sha256", content.encode())
    with fetch_backup(f"{remote.url}{name}", lambda _: None) as found:
        assert bool(integrity.compare_checksum(found.path)) is differs


def test_a_checksum_that_cannot_be_read_is_said(remote, monkeypatch):
    opened = type(remote.storage).open

    def refuse_checksum(self, path, *given, **options):
        if path.endswith(".sha256"):
            raise PermissionError(path)
        return opened(self, path, *given, **options)

    unsaid, heard = [], []
    with fetch_backup(f"{remote.url}/b.sql", unsaid.append):
        pass
    monkeypatch.setattr(type(remote.storage), "open", refuse_checksum)
    with fetch_backup(f"{remote.url}/b.sql", heard.append) as found:
        assert not integrity.compare_checksum(found.path)
    assert "b.sql.sha256 could not be read" in " ".join(heard)
    assert "sha256" not in " ".join(unsaid), "where there is none, nothing is missing"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("later.sql", b"-- PostgreSQL database dump\n", "it ends without"),
        ("later.sql.gz", gzip.compress(WHOLE, mtime=0)[:-1000], "it ends inside its"),
    ],
    ids=["plain", "packed"],
)
def test_the_newest_whole_one_of_a_remote_folder_is_taken(remote, name, content, why):
    remote.add(name, content)
    heard = []
    with fetch_backup(remote.url, heard.append) as found:
        assert found.path.name == "b.sql"
        assert [file.name for file in found.path.parent.iterdir()] == ["b.sql"]
    assert f"NEWER BUT NOT TAKEN: {name} (cut short or damaged: {why}" in heard[-1]


def test_the_signature_of_a_url_is_in_no_name(monkeypatch):
    url = "https://host/backups/b.sql?X-Amz-Signature=geheim/nis"
    entry = {"name": url, "type": "file", "size": 4}
    storage = SimpleNamespace(info=lambda _: dict(entry), open=lambda *_: io.BytesIO(b"rows"))
    monkeypatch.setattr("fsspec.core.url_to_fs", lambda *_, **__: (storage, url))
    heard = []
    with fetch_backup(url, heard.append) as found:
        assert found.path.name == "b.sql"
        assert heard[0] == "fetching b.sql from https://host/backups/b.sql?…"
        assert "nis" not in " ".join([*heard, found.said])


def test_an_undated_copy_is_no_older_than_its_newest_row(remote, monkeypatch):
    monkeypatch.setattr(stores, "_TIMES", ())
    with fetch_backup(f"{remote.url}/b.sql", lambda _: None) as found:
        seen = backupfile.load(found.path, now=2e9)
    expected_s = 2e9 - seen.facts.newest.timestamp()
    assert seen.age.most_s == pytest.approx(expected_s, abs=0.01)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("memory://nowhere/b.sql", "there is no file at memory://nowhere/b.sql"),
        ("teleport://host/b.sql", "cannot be read: Protocol not known: teleport; check the"),
        ("sftp://ada:geheimnis@127.0.0.1:1/b.sql", "check the address, and the credential"),
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


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, remote, monkeypatch):
    remote.add("large.sql", WHOLE + bytes(65 << 20))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    usage = type("Usage", (), {"free": 1 << 20})
    monkeypatch.setattr("drillbook.backup.stream.shutil.disk_usage", lambda _: usage)
    assert "does not fit" in refused(f"{remote.url}/large.sql")
    assert [path for path in Path(tmp_path).iterdir() if path.name.startswith("drillbook")] == []


@pytest.mark.parametrize("stated", [1e30, 253_402_300_800, -1, "soon"])
def test_a_time_that_no_calendar_has_is_unknown(stated):
    assert stores._time({"mtime": stated}) == 0.0


def test_a_secret_where_a_long_message_is_cut_is_hidden(monkeypatch):
    def fail(*_given, **_options):
        raise RuntimeError(f"{'x' * 220} geheimnis is wrong")

    monkeypatch.setattr("fsspec.core.url_to_fs", fail)
    told = refused("s3://ada:geheimnis@127.0.0.1:1/b.sql")
    assert "x ***" in told
    assert "geh" not in told
