"""A Docker engine that is not there is told, and leaves nothing open behind."""

import gc
import socket
import warnings
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from drillbook.core.errors import NoHost
from drillbook.stack.containers import docker_engine


@pytest.fixture
def socket_of_nobody(tmp_path):
    """What an engine leaves that was killed: a socket on which nobody listens."""
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    return path


@pytest.mark.parametrize("there", [True, False])
def test_silent_engine_leaves_no_socket_open(monkeypatch, socket_of_nobody, there):
    if not there:
        socket_of_nobody.unlink()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket_of_nobody}")
    with warnings.catch_warnings(record=True, action="always") as seen:
        with pytest.raises(NoHost, match="does not answer"):
            docker_engine._connect(f"unix://{socket_of_nobody}")
        gc.collect()
    assert [str(one.message) for one in seen] == []


def test_an_engine_whose_socket_is_not_for_this_user_is_not_to_be_started(monkeypatch):
    probe = MagicMock(**{"__enter__.return_value.connect.side_effect": PermissionError})
    probe.__exit__.return_value = False
    monkeypatch.setattr(docker_engine.socket, "socket", lambda _: probe)
    with pytest.raises(NoHost, match="this user may not use the socket"):
        docker_engine._refuse_silent("unix:///var/run/docker.sock")


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("registry.test:5000/infisical/infisical:v0.161.0@sha256:ab", "v0.161.0"),
        ("registry.test:5000/infisical/infisical@sha256:ab", None),
        ("infisical/infisical:latest", "latest"),
    ],
)
def test_a_digest_is_not_the_version_of_an_image(monkeypatch, image, version):
    images = SimpleNamespace(get=lambda _image: SimpleNamespace(id="sha256:cd", labels={}))
    monkeypatch.setattr(docker_engine, "client", lambda: SimpleNamespace(images=images))
    assert docker_engine.identity(image) == ("sha256:cd", version)
