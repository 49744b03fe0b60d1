"""A backup is brought from a file or a URL, privately, and its place shown bare."""

import gzip
import re
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pytest

from drillbook.backup import fetch
from drillbook.backup.fetch import fetch_backup
from drillbook.backup.location import CREDENTIAL
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
    ("given", "cure"),
    [
        ("-", "save it"),
        ("zip://x::s3://b/a.zip", "give one"),
        ("a\0b", "control characters"),
        ("rest:https://host/r", "restic:rest:"),
        ("borg:", "names no repository"),
        ("restic:/srv/r#latest:/b.sql", "give the repository, or a file taken from it"),
        *(
            (address, "set it in the environment, or fetch")
            for address in (
                "sftp://ada:pw@host:22/b.sql",
                "SFTP://ada:p@pw@host/b.sql",
                "sftp://ada:a/pw@host/b.sql",
                "https://pw@host/b.sql",
                "https://host/b.sql?X-Amz-Signature=pw",
                "restic:rest:https://u:pw?@h/r",
                "restic:rest:https://a:b/pw@h/",
                "borg:ssh://u:pw@h/./r",
            )
        ),
    ],
)
def test_what_can_be_no_place_is_refused(given, cure):
    told = refused(given)
    assert cure in told
    assert "pw" not in told


@pytest.mark.parametrize(
    "given",
    ["sftp://ada@host/b.sql", "s3://bucket/b@2.sql", "https://host/b@2.sql", "borg:u@h:./r", "a?b"],
)
def test_an_address_without_a_credential_is_none(given):
    assert not re.search(CREDENTIAL, given)


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


def test_an_undated_copy_is_no_older_than_its_newest_row(remote, monkeypatch):
    monkeypatch.setattr(fetch, "_TIMES", ())
    with fetch_backup(f"{remote.url}/b.sql", lambda _: None) as found:
        seen = backupfile.load(found.path, now=2e9)
    expected_s = 2e9 - seen.facts.newest.timestamp()
    assert seen.age.most_s == pytest.approx(expected_s, abs=0.01)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            "memory://nowhere/b.sql",
            "memory://nowhere/b.sql cannot be read: no file was found; check the",
        ),
        ("teleport://host/b.sql", "cannot be read: ValueError; check the"),
        ("sftp://ada@127.0.0.1:1/b.sql", "127.0.0.1; check the address, and the credential"),
    ],
)
def test_what_cannot_be_had_is_told_in_one_sentence(given, words):
    told = refused(given)
    assert words in told
    assert "\n" not in told


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
