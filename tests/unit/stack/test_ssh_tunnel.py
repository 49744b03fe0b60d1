"""An engine elsewhere is reached over one ssh connection, which ends with whoever opened it."""

import os
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from drillbook.core import docker_cli
from drillbook.core.errors import BadInput, NoHost
from drillbook.stack.containers import compose, docker_engine
from drillbook.stack.containers.compose import Model
from drillbook.stack.containers.docker_engine import NO_PORT, port
from drillbook.stack.processes import free_port
from drillbook.stack.waiting import wait_until

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
needs_sshd = pytest.mark.skipif(not (SSHD and os.getuid() == 0), reason="no sshd, or not root")
CONFIG = """\
ListenAddress 127.0.0.1:{port}
HostKey {at}/host
AuthorizedKeysFile {at}/key.pub
StrictModes no
PasswordAuthentication no
UsePAM no
PidFile none
"""
CLIENT = """\
Host *
IdentityFile {at}/key
IdentitiesOnly yes
UserKnownHostsFile {at}/known
"""


@pytest.fixture
def sshd(tmp_path, monkeypatch):
    """A server with throw-away keys, and an `ssh` that reads a configuration of its own."""
    for name in ("host", "key"):
        made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(made, check=True)
    number = free_port()
    (tmp_path / "sshd_config").write_text(CONFIG.format(port=number, at=tmp_path))
    (tmp_path / "config").write_text(CLIENT.format(at=tmp_path))
    shown = (tmp_path / "host.pub").read_text()
    (tmp_path / "known").write_text(f"[127.0.0.1]:{number} {shown}")
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {tmp_path}/config "$@"\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}:{os.environ['PATH']}")
    Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", str(tmp_path / "sshd_config")])
    assert wait_until(lambda: _open(number), 20)
    yield f"ssh://127.0.0.1:{number}"
    server.terminate()
    server.wait()


def _open(number):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", number)) == 0


class Greeting(socketserver.BaseRequestHandler):
    """Says one word to anyone who connects."""

    def handle(self):
        self.request.sendall(b"hello")


@pytest.fixture
def service():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def _heard(number):
    with socket.create_connection(("127.0.0.1", number), timeout=10) as near:
        return near.recv(10)


@needs_sshd
def test_a_port_and_the_engines_socket_of_another_machine_are_near(sshd, service, tmp_path):
    engine = tmp_path / "far.sock"
    with socketserver.ThreadingUnixStreamServer(str(engine), Greeting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"{sshd}{engine}"
        try:
            near = docker_engine.local_port(address, service)
            assert near != service
            assert (_heard(near), docker_engine.local_port(address, service)) == (b"hello", near)
            path = docker_engine.local_socket(address).removeprefix("unix://")
            assert Path(path).stat().st_mode & 0o077 == 0
            with socket.socket(socket.AF_UNIX) as asked:
                asked.connect(path)
                assert asked.recv(10) == b"hello"
        finally:
            server.shutdown()


@needs_sshd
@pytest.mark.parametrize("killed", [True, False])
def test_a_run_that_is_over_leaves_no_connection(sshd, service, killed):
    code = (
        "import sys; from drillbook.stack.containers.docker_engine import local_port, local_socket;"
        "print(local_socket(sys.argv[1])); print(local_port(sys.argv[1], int(sys.argv[2])));"
        "sys.stdout.flush(); input()"
    )
    command = [sys.executable, "-c", code, sshd, str(service)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as run:
        path = Path(run.stdout.readline().decode().strip().removeprefix("unix://"))
        near = int(run.stdout.readline())
        assert _heard(near) == b"hello"
        assert path.exists()
        if killed:
            run.send_signal(signal.SIGKILL)
    assert wait_until(lambda: not _open(near), 20)
    assert path.exists() is killed
    shutil.rmtree(path.parent, ignore_errors=True)


@needs_sshd
@pytest.mark.parametrize("user", ["nobody@", "no-such-user@"])
def test_who_is_not_let_in_is_told_in_a_sentence(sshd, user):
    with pytest.raises(NoHost, match=r"cannot be reached by ssh \(.*Permission denied.*by hand"):
        docker_engine.local_port(sshd.replace("ssh://", f"ssh://{user}"), 1)


@pytest.mark.skipif(not shutil.which("ssh"), reason="no ssh")
def test_nobody_listens():
    with pytest.raises(NoHost, match="Connection refused"):
        docker_engine.local_port(f"ssh://127.0.0.1:{free_port()}", 1)


@pytest.mark.parametrize(
    "address",
    ["ssh://", "ssh://-oProxyCommand=id", "ssh://a:secret@host", "ssh://-l@host", "ssh://a b"],
)
def test_what_names_no_machine_is_refused(address):
    with pytest.raises(BadInput, match="give ssh://USER@HOST") as refused:
        docker_engine.local_socket(address)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:2375", "tcp://localhost:1", "unix:///x"])
def test_an_engine_on_this_machine_may_speak_tcp(address):
    docker_engine.refuse_unreachable(address)


def test_an_engine_whose_ports_cannot_be_reached_is_refused():
    with pytest.raises(NoHost, match=r"reach it by ssh: DOCKER_HOST=ssh://10\.0\.0\.1"):
        docker_engine.refuse_unreachable("tcp://10.0.0.1:2376")


RUNNING = SimpleNamespace(ports={"8080/tcp": [{"HostPort": "32768"}]})


def test_ports_are_those_of_the_engines_machine_or_a_tunnels(monkeypatch):
    monkeypatch.setattr(docker_cli, "address", lambda: "unix:///var/run/docker.sock")
    assert (port(RUNNING, 8080), port(None, 8080)) == (32768, NO_PORT)
    assert docker_engine.remote_machine() is None

    monkeypatch.setattr(docker_cli, "address", lambda: "ssh://ci@builder")
    monkeypatch.setattr(docker_engine, "local_port", lambda _address, there: there + 1)
    assert (port(RUNNING, 8080), docker_engine.remote_machine()) == (32769, "builder")


def test_the_docker_program_goes_the_same_way(monkeypatch):
    monkeypatch.setattr(docker_cli, "_ENGINE", {})
    monkeypatch.setenv("DOCKER_HOST", "ssh://ci@builder")
    docker_cli.use_engine("unix:///near.sock")
    assert docker_cli.host_environment()["DOCKER_HOST"] == "unix:///near.sock"


def test_a_file_of_this_machine_is_not_mounted_over_there():
    mounts = [{"type": "volume", "source": "data"}, {"type": "bind", "source": "/etc/hosts"}]
    model = Model({}, {"web": {"volumes": mounts[:1]}, "db": {"volumes": mounts}}, (), ())
    with pytest.raises(BadInput, match=r"db mounts /etc/hosts, a file of this machine, .*builder"):
        compose._refuse_local_files(Path("compose.yml"), model, "builder")
