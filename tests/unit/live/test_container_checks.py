"""How a running cache loses jobs, by its command and its mounts."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import requests
from docker.errors import APIError, NotFound

from drillbook.core.errors import NoHost, Unsupported
from drillbook.live.container_checks import Container, Engine, find_exposure, find_lost_jobs

NAMED = {"Type": "volume", "Name": "k4cc_redis-data", "Destination": "/data"}
NAMELESS = {"Type": "volume", "Name": "0f" * 32, "Destination": "/data"}
FOLDER = {"Type": "bind", "Source": "/srv/redis", "Destination": "/data"}
SETTINGS = {"Type": "bind", "Source": "/srv/redis.conf", "Destination": "/etc/redis.conf"}
MEMORY = {"Type": "tmpfs", "Destination": "/data"}
EVICTS, NOTHING, NOWHERE = "evicts data", "keeps nothing over a restart", "on no named volume"


def cache(command, mounts):
    described = {"Config": {"Cmd": command}, "Mounts": mounts}
    return Container("1", "redis-1", "redis", "redis", "p", described)


@pytest.mark.parametrize(
    ("command", "mounts", "says"),
    [
        (["redis-server"], [NAMED], []),
        (None, [FOLDER], []),
        (["redis-server", "--maxmemory-policy", "allkeys-lru"], [NAMED], [EVICTS]),
        (["redis-server", "--save", ""], [NAMED], [NOTHING]),
        (["redis-server", "--save", "", "--appendonly", "yes"], [NAMED], []),
        (["redis-server"], [NAMELESS], [NOWHERE]),
        (["redis-server"], [MEMORY], [NOWHERE]),
        (["redis-server"], None, [NOWHERE]),
        (["redis-server"], [SETTINGS], [NOWHERE]),
        (["redis-server", "/etc/redis.conf"], [SETTINGS], [NOWHERE]),
    ],
)
def test_a_cache_that_loses_jobs(command, mounts, says):
    found = find_lost_jobs(cache(command, mounts))
    assert len(found) == len(says)
    assert all(word in sentence for word, sentence in zip(says, found, strict=True))


def test_settings_in_a_file_are_not_judged():
    with pytest.raises(Unsupported, match=r"takes its settings from /etc/redis\.conf"):
        find_lost_jobs(cache(["redis-server", "/etc/redis.conf"], [NAMED]))


def described(name, image, ports=()):
    return {
        "Id": name,
        "Name": f"/{name}",
        "State": {"Running": True},
        "Config": {
            "Image": image,
            "Labels": {
                "com.docker.compose.project": "p",
                "com.docker.compose.service": name,
            },
        },
        "HostConfig": {"PortBindings": {}, "NetworkMode": "p_default"},
        "NetworkSettings": {
            "Ports": {f"{port}/tcp": [{"HostIp": "", "HostPort": "5433"}] for port in ports},
            "Networks": {"p_default": {"NetworkID": "n"}},
        },
    }


class Api:
    """An engine that runs these containers, and shows networks or refuses to."""

    def __init__(self, *containers, shows_networks=True):
        self.known = {one["Id"]: one for one in containers}
        self.shows_networks = shows_networks

    def containers(self, **_):
        return [{"Id": name} for name in self.known]

    def inspect_container(self, name):
        return self.known[name]

    def inspect_network(self, _name):
        if self.shows_networks:
            return {"Driver": "bridge"}
        raise APIError("refused", SimpleNamespace(status_code=403, reason="Forbidden"))


BACKEND = described("backend", "infisical/infisical:v0.154.6")
DATABASE = described("db", "postgres:14")


def exposure(*containers, **how):
    engine = Engine(Api(BACKEND, DATABASE, *containers, **how))
    return find_exposure(engine.deployment("", "p"), engine)


def test_a_second_database_and_a_proxy_before_it_count_as_well():
    assert exposure() == []
    (replica,) = exposure(described("db-replica", "postgres:14", [5432]))
    assert "port 5432 of db-replica is published on 0.0.0.0, port 5433" in replica
    assert "; drop the port: " in replica
    (proxy,) = exposure(described("pooler", "edoburu/pgbouncer", [5432]))
    assert "port 5432 of pooler" in proxy
    (own_port,) = exposure(described("pooler", "bitnami/pgbouncer:1.22", [6432]))
    assert "the database can be reached from outside: port 6432 of pooler" in own_port


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (APIError("refused", SimpleNamespace(status_code=403, reason="Forbidden")), "403"),
        (requests.ReadTimeout("/var/run/docker.sock"), "ReadTimeout"),
    ],
)
def test_an_engine_that_lists_nothing_ends_the_run_in_one_sentence(trouble, words):
    api = Mock(containers=Mock(side_effect=trouble))
    with pytest.raises(NoHost, match=rf"^the engine does not list .* \({words}\); allow"):
        Engine(api).deployment("", "p")


def test_a_container_that_a_busy_engine_does_not_show_is_not_left_out():
    api = Api(BACKEND, DATABASE)
    status = SimpleNamespace(status_code=500, reason="Internal Server Error")
    api.inspect_container = Mock(side_effect=[BACKEND, APIError("busy", status)])
    with pytest.raises(NoHost, match=r"the engine does not list its containers \(500\)"):
        Engine(api).deployment("", "p")
    api.inspect_container = Mock(side_effect=[BACKEND, NotFound("removed")])
    assert list(Engine(api).deployment("", "p")) == ["backend"]


def test_networks_that_the_engine_does_not_show_are_not_judged():
    with pytest.raises(Unsupported, match=r"does not show the network n \(403\)"):
        exposure(shows_networks=False)


def test_an_engine_without_a_backend_offers_no_project_to_name():
    with pytest.raises(NoHost, match="no container of the product's backend"):
        Engine(Api(DATABASE)).deployment("https://secrets.example.com", None)
