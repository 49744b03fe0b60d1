"""What the machine lacks is told as such, and a taken port or a full disk ends the run."""

import shutil
import socket
from collections import namedtuple

import pytest

from drillbook.core.errors import BadInput, NoHost, StackTrouble
from drillbook.infisical.settings import Settings
from fixtures.session import golden_session

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize("service", ["database", "cache"])
def test_a_taken_port_is_told(embedded, service):
    server = {"database": embedded.database, "cache": embedded._cache}[service]
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", server.port))
        squatter.listen()
        with pytest.raises(NoHost, match=f"port {server.port} was taken"):
            embedded.up(Settings.generate())


class Dead:
    """A stack that never comes up."""

    name = "dead"

    settings = Settings({})

    def logs(self, _):
        return ""

    def up(self, _):
        raise StackTrouble("PostgreSQL ended at its start: could not write")


def test_a_full_disk_is_told_instead_of_its_symptom(recorder, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100, 100, 0))
    with pytest.raises(NoHost, match="is full"):
        golden_session.Installation(Dead(), recorder, tmp_path).pristine()


def test_what_could_not_be_built_once_is_not_tried_again(recorder, tmp_path):
    installed = golden_session.Installation(Dead(), recorder, tmp_path)
    for _ in range(2):
        with pytest.raises(StackTrouble, match="could not write"):
            installed.pristine()


def test_release_older_than_the_oldest_supported_is_named_before_anything_is_judged(
    recorder, tmp_path, monkeypatch
):
    class Old(Dead):
        """A release of March 2024, which boots and keeps no root key."""

        asked = ""

        def sql(self, statement):
            self.asked = statement
            return [(None,)]

    stack = Old()
    installed = golden_session.Installation(stack, recorder, tmp_path)
    monkeypatch.setattr(installed, "_boot", lambda _: None)
    with pytest.raises(BadInput, match="older than July 2024, the oldest that is supported"):
        installed.pristine()
    assert "to_regclass('public.kms_root_config')" in stack.asked
