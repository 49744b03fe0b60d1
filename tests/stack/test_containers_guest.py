"""Stacks on an engine are labelled, on loopback, hide secrets, and leave nothing behind."""

import subprocess
import sys

import pytest

from drillbook.core.errors import BadInput, DrillbookError, NoHost, NotOurs
from drillbook.infisical.settings import Settings
from drillbook.stack.base import Resource
from drillbook.stack.containers import docker_engine as engine
from drillbook.stack.containers.compose import check
from drillbook.stack.containers.container_driver import Containers
from drillbook.stack.driver_selection import COMPOSE_FILE
from tests.stack.test_containers import IMAGE, missing, ours, settled


@pytest.fixture(scope="module", autouse=True)
def _engine():
    if reason := missing():
        pytest.skip(reason)


pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stack(module_home, module_recorder):
    """A stack that its tests leave unchanged; the last one sweeps it."""
    made = Containers(module_home.run_id, module_recorder, COMPOSE_FILE, IMAGE, module_home.path)
    # A first process that has just started ignores SIGTERM, so wait until it serves.
    assert settled(made, module_recorder, lambda: made.up(Settings.generate())).serves
    yield made
    made.down()
    assert ours(module_home.run_id) == []


def test_everything_made_is_labelled_on_loopback_and_without_secrets(stack, module_home):
    made = ours(module_home.run_id)
    assert sorted(one.kind for one in made) == ["container"] * 3 + ["network"] + ["volume"] * 2
    assert all("secrets" in one.name for one in made)
    for service in ("backend", "db", "redis"):
        ports = engine.container(stack.name, service).ports
        bound = [one["HostIp"] for found in ports.values() for one in found or []]
        assert bound == ([] if service == "redis" else ["127.0.0.1"])
    texts = [file.read_text() for file in module_home.path.glob("*.yml")]
    assert texts
    values = stack.settings.sensitive().values()
    assert not any(value in text for value in values for text in texts)
    assert engine.running(module_home.run_id)
    assert not engine.running("no-such-run")


def test_two_stacks_of_a_run_do_not_meet(stack, module_home, recorder):
    other = Containers(module_home.run_id, recorder, COMPOSE_FILE, IMAGE, module_home.path)
    other.up(Settings.generate())
    assert settled(other, recorder, lambda: None).serves
    assert stack.base_url != other.base_url
    other.down()
    assert stack.sql("SELECT 1") == [(1,)]


@pytest.fixture
def bystander(module_home):
    # Named like another team's container on a shared server, made by another run.
    name = f"someone-secrets-db-{module_home.run_id}"
    api = engine.client()
    volume = api.volumes.create(name)
    container = api.containers.create("drillbook/redis:7", name=name)
    yield name
    container.remove(v=True, force=True)
    volume.remove()


def test_a_bystander_is_not_destroyed_and_nothing_else_is_either(stack, module_home, bystander):
    found = stack.resources()
    strangers = [one for one in found if one.name == bystander]
    assert sorted(one.kind for one in strangers) == ["container", "volume"]
    assert [one.run for one in strangers] == [None, None]
    forged = Resource("volume", bystander, module_home.run_id)
    for doomed in ([*ours(module_home.run_id), *strangers], [*ours(module_home.run_id), forged]):
        with pytest.raises(NotOurs, match=bystander):
            stack.destroy(doomed)
    assert {one for one in found if one.run == module_home.run_id} == set(ours(module_home.run_id))
    assert set(strangers) <= set(stack.resources())


def test_sweep_removes_dead_runs_only(stack, module_home, bystander):
    assert engine.sweep(lambda _: True) == []
    swept = engine.sweep(lambda run: run != module_home.run_id)
    assert len(swept) == 6
    assert ours(module_home.run_id) == []
    assert bystander in [one.name for one in engine.resources()]


def test_a_failing_compose_says_so_without_secrets(living, recorder):
    stack = Containers(living.run_id, recorder, COMPOSE_FILE, IMAGE, living.path)
    stack._images["redis"] = "drillbook/no-such-image:1"
    settings = Settings.generate()
    try:
        with pytest.raises(DrillbookError, match="compose up") as trouble:
            stack.up(settings)
    finally:
        stack.down()
    assert not any(value in str(trouble.value) for value in settings.sensitive().values())


def test_what_is_missing_is_said_in_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(
        NoHost, match=r"drillbook/no-such:1 .* drillbook images|rehearse with --image "
    ):
        check(COMPOSE_FILE, "drillbook/no-such:1")
    with pytest.raises(BadInput, match=r"absent\.yml"):
        check(tmp_path / "absent.yml", IMAGE)


def test_the_engine_says_why_it_cannot_pull():
    assert engine.pull_trouble("localhost:1/no-such:1").endswith("connection refused")
    assert not engine.present("localhost:1/no-such:1")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"PATH": "/nowhere"}, "docker program is not on PATH"),
        ({"DOCKER_HOST": "unix:///nowhere.sock"}, "engine does not answer"),
        ({"DOCKER_CONFIG": "/nowhere", "DOCKER_CONTEXT": "no-such"}, "engine does not answer"),
    ],
)
def test_a_machine_without_an_engine_is_told_so(variables, words):
    program = (
        "from drillbook.core.errors import NoHost\n"
        "from drillbook.stack.containers import docker_engine\n"
        "try: docker_engine.client()\n"
        "except NoHost as reason: print(reason)\n"
    )
    base = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "PYTHONPATH": str(COMPOSE_FILE.parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", program], env={**base, **variables}, capture_output=True, text=True
    )
    assert words in done.stdout, done.stderr
    assert len(done.stdout.splitlines()) == 1
