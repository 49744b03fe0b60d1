"""A backup comes by SFTP from a real server on loopback, if it is the one it is known to be."""

import os
import time

import fsspec
import pytest

from drillbook.backup import fetch
from drillbook.backup.fetch import fetch_backup
from drillbook.core.errors import BadInput
from tests.support import sftp
from tests.support.backups import KEYS, dump
from tests.support.commands import check_key as main

OLD = time.time() - 7200


@pytest.fixture
def backup(tmp_path):
    place = tmp_path / "backups"
    place.mkdir()
    file = place / "good.sql"
    file.write_text(dump("2024-10"))
    os.utime(file, (OLD, OLD))
    return file


@pytest.fixture
def key_file(tmp_path):
    file = tmp_path / "keys.env"
    file.write_text(f"ENCRYPTION_KEY={KEYS['2024-10']}\n")
    return file


@pytest.fixture
def server(backup, tmp_path, monkeypatch):
    """A server that this user knows, with its credential where the environment puts it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    configured = {"username": sftp.USER, "password": sftp.PASSWORD}
    monkeypatch.setitem(fsspec.config.conf, "sftp", configured)
    with sftp.serving(backup.parent) as served:
        served.hosts = tmp_path / ".ssh" / "known_hosts"
        served.hosts.parent.mkdir()
        served.hosts.write_text(served.known)
        served.url, served.configured = f"sftp://127.0.0.1:{served.port}", configured
        yield served


def test_sftp_brings_it_from_a_real_server(server, backup, key_file, capsys):
    for place in ("/good.sql", "/"):
        assert main([server.url + place, "--env-file", str(key_file)]) == 0
        shown = capsys.readouterr()
        assert shown.out.startswith("OPENS")
        assert sftp.PASSWORD not in shown.out + shown.err
    with fetch_backup(f"{server.url}/good.sql", lambda _: None) as found:
        assert abs(found.path.stat().st_mtime - OLD) < 2


def test_sftp_trusts_no_server_it_does_not_know(server):
    server.hosts.write_text("")
    with pytest.raises(BadInput, match="shows a key that"), fetch_backup(server.url, print):
        pass


def test_a_refused_password_is_not_repeated(server):
    server.configured["password"] = "a-wrong-password"
    with pytest.raises(BadInput) as told, fetch_backup(f"{server.url}/x", lambda _: None):
        pass
    assert "Authentication" in str(told.value)
    assert "a-wrong-password" not in str(told.value)


def test_a_server_that_falls_silent_is_given_up(server, monkeypatch):
    connected = []
    connect = sftp.paramiko.SSHClient.connect

    def note(client, host, **given):
        connected.append(given["timeout"])
        return connect(client, host, **given)

    monkeypatch.setattr(sftp.paramiko.SSHClient, "connect", note)
    monkeypatch.setattr(fetch, "SILENCE_S", 0.2)
    monkeypatch.setattr(sftp.Handle, "read", lambda *_: time.sleep(30))
    began = time.monotonic()
    with (
        pytest.raises(BadInput, match="cannot be read: "),
        fetch_backup(f"{server.url}/good.sql", lambda _: None),
    ):
        pass
    assert time.monotonic() - began < 25
    assert connected == [60]
