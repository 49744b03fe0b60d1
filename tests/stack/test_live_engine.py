"""A live check finds, describes and judges containers on a real engine, and changes nothing."""

import json

import pytest

from drillbook.core.errors import NoHost
from drillbook.infisical.settings import Settings
from drillbook.live import container_checks
from drillbook.stack.containers.container_driver import Containers
from drillbook.stack.driver_selection import COMPOSE_FILE
from fixtures.session import live_rehearsal
from tests.stack.test_containers import IMAGE, missing, settled
from tests.support.own_suite import run_specs

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stack(module_home, module_recorder):
    if reason := missing():
        pytest.skip(reason)
    made = Containers(module_home.run_id, module_recorder, COMPOSE_FILE, IMAGE, module_home.path)
    assert settled(made, module_recorder, lambda: made.up(Settings.generate())).serves
    yield made
    made.down()


@pytest.fixture
def asked():
    api = container_checks.connect()
    yield container_checks.Engine(api)
    api.close()


def test_running_deployment_is_found_and_described(stack, asked):
    parts = asked.deployment("https://nobody.example.com", stack.name)
    assert set(parts) == {"backend", "db", "redis"}
    assert container_checks.version("db", parts["db"], asked).startswith("14")
    assert container_checks.version("redis", parts["redis"], asked).startswith("7")
    assert 8080 in container_checks.listening(parts["backend"])
    # The harness publishes backend and database on loopback only.
    assert container_checks.find_exposure(parts, asked) == []


def test_unknown_project_is_one_sentence(asked, stack):
    with pytest.raises(NoHost, match=rf"Name it with --project; there are: .*{stack.name}"):
        asked.deployment("https://nobody.example.com", "nowhere")


@pytest.mark.parametrize("role", ["backend", "db", "redis"])
def test_rehearsed_description_has_the_form_of_a_real_one(stack, asked, role):
    real = asked.deployment("", stack.name)[role].described
    assert missing_in(real, live_rehearsal.container(role, {"A": "b"})) == []


def missing_in(real, rehearsed, at=""):
    """Keys of the rehearsed description that the real one lacks, or has with another type."""
    free = ("Ports", "PortBindings", "Networks", "ExposedPorts", "Labels")
    found = []
    for name, value in rehearsed.items():
        if name not in real or type(real[name]) is not type(value):
            found.append(f"{at}/{name}")
        elif isinstance(value, dict) and name not in free:
            found += missing_in(real[name], value, f"{at}/{name}")
    return found


def test_whole_check_leaves_containers_as_they_were(stack, asked, tmp_path):
    def state():
        parts = asked.deployment("", stack.name)
        return {role: (one.id, one.described["State"]) for role, one in parts.items()}

    before = {role: (found, told["StartedAt"]) for role, (found, told) in state().items()}
    words = ["suites/live", "--one-question", "--stack=remote", f"--url={stack.base_url}"]
    done, record = run_specs(tmp_path, *words, "--docker", f"--project={stack.name}")
    found = json.loads(record.read_text())
    verdicts = {one["id"]: one["verdict"] for one in found["controls"]}
    assert done.returncode == 1, done.stdout
    assert (verdicts["SEC-2"], verdicts["HLT-1"], verdicts["DEP-3"]) == (
        "violated",
        "satisfied",
        "satisfied",
    )
    assert {role: (one, told["StartedAt"]) for role, (one, told) in state().items()} == before
