"""A forked backend is a process like any other: its environment, output, end and exit code."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from drillbook.core.application import ROOT
from drillbook.core.errors import StackTrouble
from drillbook.stack.embedded import servers
from drillbook.stack.embedded.embedded_driver import Forked, ForkServer
from drillbook.stack.processes import end_process, spawn
from drillbook.stack.waiting import wait_for

COMPLETE = {
    "PORT": "1",
    "HOST": "127.0.0.1",
    "AUTH_SECRET": "a",
    "ENCRYPTION_KEY": "0123456789abcdef0123456789abcdef",
    "REDIS_URL": "redis://127.0.0.1:1",
    "DB_CONNECTION_URI": "postgres://infisical:x@127.0.0.1:{}/infisical",
    "SITE_URL": "http://localhost",
}


@pytest.fixture
def log(tmp_path):
    return tmp_path / "backend.log"


@pytest.fixture
def server(log):
    made = ForkServer({"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}, log)
    yield made
    made.close()


@pytest.fixture
def hanging(server, log):
    """A backend that waits for a database that never answers."""
    silent = socket.create_server(("127.0.0.1", 0))
    uri = COMPLETE["DB_CONNECTION_URI"].format(silent.getsockname()[1])
    started = server.start({**COMPLETE, "DB_CONNECTION_URI": uri}, log)
    connecting = "Cryptography module initialized"
    wait_for(lambda: connecting in log.read_text(), within_s=60, what="the start")
    with silent:
        yield started


def test_a_refused_environment_ends_it_with_its_code_and_words(server, log):
    done = server.start({}, log)
    assert done.wait(20) == 255
    assert done.poll() == 255
    assert "Invalid environment variables" in log.read_text()


def test_only_its_user_reads_a_log(server, log):
    before = os.umask(0o022)
    try:
        path = {"PATH": os.environ["PATH"]}
        for one in (spawn(["true"], path, log.with_name("db.log")), server.start({}, log)):
            one.wait(20)
    finally:
        os.umask(before)
    assert [oct(one.stat().st_mode & 0o777) for one in log.parent.iterdir()] == ["0o600"] * 2


def test_only_its_user_reads_the_data_of_the_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "spawn", lambda *_: None)
    monkeypatch.setattr(servers, "wait_for", lambda *_, **__: None)
    made = servers.Cache(tmp_path, {})
    made.start()
    assert oct(made.data.stat().st_mode & 0o777) == "0o700"


def test_it_gets_the_environment_and_nothing_else(hanging, log):
    environ = Path(f"/proc/{hanging.pid}/environ").read_bytes()
    assert b"0123456789abcdef" not in environ, "a key shows only where a reader has the memory"
    descriptors = [one.readlink() for one in Path(f"/proc/{hanging.pid}/fd").iterdir()]
    assert [str(one) for one in descriptors if one == log] == [str(log)] * 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_is_stopped_like_any_process(hanging, number):
    assert hanging.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        hanging.wait(0.01)
    assert end_process(hanging, number) == (0 if number == signal.SIGTERM else -number)


def test_closing_the_fork_server_ends_what_it_forked(server, hanging):
    server.close()
    assert hanging.wait(20) == -signal.SIGKILL


def test_a_fork_server_that_is_gone_is_one_sentence(server, log):
    server._process.kill()
    server._process.wait()
    with pytest.raises(StackTrouble, match="the reference backend cannot be started"):
        server.start(COMPLETE, log)


def test_a_backend_that_cannot_be_loaded_has_ended_with_a_code(tmp_path, log):
    (tmp_path / "fixtures").mkdir()
    (tmp_path / "fixtures" / "__init__.py").write_text("raise RuntimeError('no program')")
    server = ForkServer({"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]}, log)
    for _ in range(2):
        started = server.start(COMPLETE, log)
        assert (started.wait(), started.poll(), end_process(started, 15)) == (1, 1, 1)
    server.close()
    assert "no program" in log.read_text()


def test_signal_to_one_that_was_reaped_before_its_code_is_here_is_nothing():
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    ended, unwritten = os.pipe()
    forked = Forked(gone.pid, ended)
    forked.kill()
    assert forked.poll() is None
    os.write(unwritten, b"3")
    os.close(unwritten)
    assert forked.wait(1) == 3


def test_a_fork_server_that_is_killed_takes_its_backends_along(server, hanging):
    server._process.kill()
    assert hanging.wait(20) == -signal.SIGKILL
    wait_for(
        lambda: not Path(f"/proc/{hanging.pid}").exists() or ended(hanging.pid),
        within_s=60,
        what="the end of the backend",
    )


def ended(pid):
    """Whether a process is only waiting to be reaped by the system."""
    return ") Z " in Path(f"/proc/{pid}/stat").read_text()
