"""Signals that end a command: no secret stays on the disk; what SIGKILL leaves is swept."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

import pytest

from drillbook.core import run_directory
from tests.support.backups import KEYS, dump

VERSION = "2024-10"


@pytest.fixture
def temporary():
    # Sockets of a run must not have a longer path.
    with tempfile.TemporaryDirectory(prefix="signals-") as name:
        yield Path(name)


@pytest.fixture
def reading(tmp_path, temporary):
    """A function that starts a command, and returns it when its copy of standard input exists."""
    started = []
    (tmp_path / "key.env").write_text(f"ENCRYPTION_KEY={KEYS[VERSION]}\n")

    def start(**more):
        key = tmp_path / "key.env"
        words = ["drillbook.cli", "key", "check", "-", "--env-file", str(key)]
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(temporary)},
            **more,
        )
        started.append(process)
        # More than a piece, and no end.
        process.stdin.write(dump(VERSION) + "--\n" * (1 << 19))
        process.stdin.flush()
        deadline = time.monotonic() + 120
        while not any(size(one) > 1 << 19 for one in temporary.rglob("*")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        while fcntl.ioctl(process.stdin, termios.FIONREAD, bytes(4)) != bytes(4):
            assert time.monotonic() < deadline, "not all was read"
            time.sleep(0.02)
        # Python handles a signal that comes between two reads of a chunk only after the next one.
        time.sleep(0.5)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stderr.close()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


def size(file):
    try:
        return file.stat().st_size if file.is_file() else 0
    except OSError:
        return 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_ended_command_leaves_no_copy(temporary, reading, number):
    # The tests may have been started by nohup.
    process = reading(preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
    process.send_signal(number)
    assert process.wait(120) == 3
    assert "interrupted" in process.stderr.read()
    assert list(temporary.iterdir()) == []


def test_a_command_that_nohup_started_survives_a_hangup(reading):
    process = reading(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    process.stdin.close()
    assert process.wait(60) in (0, 2)


def test_what_a_killed_command_leaves_is_swept(temporary, reading, monkeypatch):
    process = reading()
    process.kill()
    process.wait(120)
    monkeypatch.setattr(run_directory.tempfile, "tempdir", str(temporary))
    assert list(temporary.iterdir()) != []
    run_directory.sweep()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("module", ["drillbook.cli.commands", "drillbook.core.application"])
def test_an_interrupt_while_the_commands_load_is_one_line(module):
    code = f"""
import sys
class Interrupted:
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
from drillbook.cli.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "drillbook: interrupted\n")
