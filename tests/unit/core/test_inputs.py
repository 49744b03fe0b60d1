"""What the user names is read only where it is a file, and never without end."""

import io
import os
import sys
from pathlib import Path

import pytest

from drillbook.backup import integrity
from drillbook.core import dotenv, files
from drillbook.core.errors import BadInput
from drillbook.keys import decrypt_secrets, key_files
from drillbook.live import https
from drillbook.runbook import diagnosis
from drillbook.stack.containers import compose
from tests.support.commands import call

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]
READERS = {
    "text": lambda path: files.load_text(path, "file"),
    "open": lambda path: files.open_input(path, "file"),
    "key": key_files.load,
    "environment": dotenv.load,
    "recipient": lambda path: decrypt_secrets.for_recipients([str(path)]),
    "passphrase": decrypt_secrets.for_passphrase,
    "authority": https.tls_context,
    "compose": lambda path: compose.load(path, {}),
}


@pytest.fixture
def endless(tmp_path):
    def named(kind):
        if kind == "a pipe":
            os.mkfifo(tmp_path / "pipe")
            return tmp_path / "pipe"
        if kind == "a link to a device":
            (tmp_path / "link").symlink_to("/dev/zero")
            return tmp_path / "link"
        return Path("/dev/zero")

    return named


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a link to a device"])
@pytest.mark.parametrize("reader", READERS)
def test_pipe_or_device_is_refused_and_not_waited_for(endless, reader, kind):
    with pytest.raises(BadInput, match="is not an ordinary file"):
        READERS[reader](endless(kind))


@pytest.mark.parametrize("reader", [name for name in READERS if name != "open"])
def test_huge_file_is_refused_unread(tmp_path, reader):
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(BadInput, match="has more than the 1 MiB one can have"):
        READERS[reader](huge)


@pytest.mark.parametrize("kind", ["a pipe", "a device"])
def test_checksum_that_is_no_file_is_a_problem_of_the_backup(endless, tmp_path, kind):
    backup = tmp_path / "backup.sql"
    backup.write_text("x")
    integrity.checksum_file(backup).symlink_to(endless(kind))
    assert "is not an ordinary file" in integrity.compare_checksum(backup)


@pytest.mark.parametrize("kind", ["a pipe", "a device"])
def test_log_that_is_no_file_is_refused(endless, capsys, kind):
    assert call("diagnose", [endless(kind)]) == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "is not an ordinary file; check the path" in said


@pytest.mark.parametrize(
    ("line", "limit"),
    [(b"yes\n", "4 MiB"), (b"no end of a line ", "4 MiB"), (b"\n", "2,000,000 lines")],
)
def test_log_without_end_is_refused(capsys, monkeypatch, line, limit):
    class Endless(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            whole = line * (len(buffer) // len(line))
            buffer[: len(whole)] = whole
            return len(whole)

    monkeypatch.setattr(diagnosis, "_LONGEST_LOG", 4 << 20)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Endless())))
    assert call("diagnose", ["-"]) == 3
    assert f"this log has more than {limit}; give its end" in capsys.readouterr().err
