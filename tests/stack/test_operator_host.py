"""Commands of an operator's document that harm their host end in one sentence, and only there."""

import subprocess
import sys

import pytest

from drillbook.core.application import ROOT
from drillbook.core.run_directory import Home, new_run_id
from drillbook.stack.containers import docker_engine, host
from drillbook.stack.containers.neighbours import NAMES, Neighbours
from drillbook.stack.sweep import sweep
from tests.stack.test_containers import missing

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900), pytest.mark.xdist_group("host")]
CACHE = "drillbook/redis:7"


@pytest.fixture(scope="module")
def home():
    if reason := missing():
        pytest.skip(reason)
    if not docker_engine.present(host.IMAGE):
        pytest.skip(f"no image {host.IMAGE}")
    made = Home(new_run_id())
    yield made
    made.close()


ENDLESS = """
import sys, time
from drillbook.core.run_directory import Home
from drillbook.stack.containers import host
home = Home(sys.argv[1])
with host.running_host(home.run_id, home.path, [sys.argv[2]]):
    print("runs", flush=True)
    time.sleep(1000)
"""


def test_a_host_goes_with_its_run_also_after_a_kill(home):
    run = new_run_id()
    words = [sys.executable, "-c", ENDLESS, run, CACHE]
    with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout.readline() == b"runs\n"
        process.kill()
    label = f"{docker_engine.RUN}={run}"
    assert {one.kind for one in docker_engine.resources(label)} == {"container", "network"}
    sweep(engine=True)
    assert docker_engine.resources(label) == []


@pytest.fixture(scope="module")
def running(home):
    with host.running_host(home.run_id, home.path, [CACHE]) as made:
        yield made


def outside(running, home):
    """The containers of this run on this machine's engine: other tests have their own."""
    own = f"label={docker_engine.RUN}={home.run_id}"
    words = ["docker", "ps", "--all", "--quiet", "--filter", own]
    env = running._environment
    return subprocess.run(words, env=env, capture_output=True, check=True).stdout


def test_commands_see_an_engine_of_their_own_and_the_neighbours(running):
    Neighbours(running, CACHE).start()
    ran = running.run(
        "docker ps --format '{{.Names}}'; echo $WORD; exit 7", {"WORD": "a'b"}, "/", 60
    )
    assert (ran.exit_code, sorted(ran.printed.split())) == (7, sorted([*NAMES, "a'b"]))


def test_a_neighbour_that_is_touched_is_named(running):
    neighbours = Neighbours(running, CACHE)
    neighbours.start()
    before = neighbours.look()
    assert neighbours.differences(before) == []
    running.run("docker restart -t 0 team-secrets-backup-1; sudo rm -rf /var/backups", {}, "/", 60)
    running.run("docker exec infisical-staging-db-1 sh -c 'echo >/data/rows'", {}, "/", 60)
    assert neighbours.differences(before) == [
        "container team-secrets-backup-1 of another application changed",
        "data of volume infisical-staging_pg_data of another application changed",
        "file /var/backups/team-secrets/data.sql.gz of another application is gone",
    ]
    neighbours.start()
    assert neighbours.look().keys() == before.keys()


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("yes", "it printed more than 1 MiB"),
        ("sleep 1000", "it did not end in 5 s"),
        ("bomb() { bomb | bomb & }; bomb; sleep 1000", "it did not end in 5 s"),
        ("head -c 300M /dev/zero >/tmp/full; sleep 1000", "less than 2 GiB left"),
        ("sudo kill -TERM 1; sleep 1000", "it ended the Docker engine of the host"),
    ],
)
def test_what_harms_the_host_ends_in_one_sentence(running, home, monkeypatch, script, sentence):
    before = outside(running, home)
    if "left" in sentence:
        free = running._free_bytes()
        monkeypatch.setattr(host.Host, "_free_bytes", lambda _: free)
        monkeypatch.setattr(host, "_LEAST_FREE_BYTES", free + 1)
    with pytest.raises(host.HostGone, match=sentence):
        running.run(script, {}, "/", 5 if "5 s" in sentence else 60)
    assert outside(running, home) == before
    if "bomb" in script:
        assert running.run("echo $((1 + 1))", {}, "/", 60).printed == "2\n"
