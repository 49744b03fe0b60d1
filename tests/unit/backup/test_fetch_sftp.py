"""A backup comes by SFTP from a real server on loopback, if it is the one it is known to be."""

import os
import time

import pytest

from drillbook.backup import fetch
from drillbook.backup.fetch import fetch_backup, settings
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
def server(backup, tmp_path):
    with sftp.serving(backup.parent) as served:
        known, options = tmp_path / "known_hosts", tmp_path / "storage"
        known.write_text(served.known)
        lines = f"username={sftp.USER}\npassword={sftp.PASSWORD}\nknown_hosts={known}\n"
        options.write_text(lines)
        options.chmod(0o600)
        served.url, served.options, served.hosts = f"sftp://127.0.0.1:{served.port}", options, known
        yield served


def test_sftp_brings_it_from_a_real_server(server, backup, key_file, capsys):
    for place in ("/good.sql", "/"):
        given = [server.url + place, "--backup-options", str(server.options)]
        assert main([*given, "--env-file", str(key_file)]) == 0
        shown = capsys.readouterr()
        assert shown.out.startswith("OPENS")
        assert sftp.PASSWORD not in shown.out + shown.err
    with fetch_backup(f"{server.url}/good.sql", lambda _: None, settings(server.options)) as found:
        assert abs(found.modified - OLD) < 2


def test_sftp_trusts_no_server_it_does_not_know(server):
    server.hosts.write_text("")
    options = settings(server.options)
    with (
        pytest.raises(BadInput, match="shows a key that"),
        fetch_backup(server.url, print, options),
    ):
        pass


def test_a_refused_password_is_not_repeated(server):
    options = {**settings(server.options), "password": "a-wrong-password"}
    with pytest.raises(BadInput) as told, fetch_backup(f"{server.url}/x", lambda _: None, options):
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
    options, began = settings(server.options), time.monotonic()
    with (
        pytest.raises(BadInput, match="cannot be read: "),
        fetch_backup(f"{server.url}/good.sql", lambda _: None, options),
    ):
        pass
    assert time.monotonic() - began < 25
    assert connected == [60]


def test_settings_that_others_can_read_are_refused(server):
    server.options.chmod(0o644)
    with pytest.raises(BadInput, match="chmod 600"):
        settings(str(server.options))
