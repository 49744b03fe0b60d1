"""`drillbook runbook run --stack containers` does not touch other containers on the engine."""

import json
import secrets
import subprocess
import sys

import pytest

from drillbook.core.application import ROOT
from drillbook.stack.containers import docker_engine as engine
from drillbook.stack.processes import why_unavailable
from drillbook.stack.waiting import wait_until
from fixtures.data import coolify_names
from tests.stack.test_containers import IMAGE, missing

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(why_unavailable()), reason=why_unavailable()),
]

# Commands that destroy by a word, a name, a label or everything; then a wipe that is done.
DESTROYING = """# Infisical

## Throw everything away

```bash
docker exec {name} rm -f /data/note
docker restart {name}
docker kill {name}
docker rm -f {name} infisical-db-{id}
docker network rm {name}
docker volume rm {name}
docker compose -p someone-elses-{id} down -v
docker rm -f $(docker ps -aq --filter label=com.docker.compose.project={uuid})
docker stop $(docker ps -q --filter name=secrets)
docker rm -f $(docker ps -aq --filter name=secrets)
docker volume rm $(docker volume ls -q | grep -E 'secrets|infisical')
docker system prune --all --force --volumes
# Redeploy in Coolify
```
"""


@pytest.fixture
def bystanders():
    """Other teams' containers with volumes, networks and data, named as in the document."""
    if reason := missing():
        pytest.skip(reason)
    word, api, made = secrets.token_hex(3), engine.client(), []
    names = [f"team-secrets-db-{word}", f"infisical-db-{word}", f"backend-secrets-{word}"]
    project = {"com.docker.compose.project": coolify_names.UUID}
    try:
        for name, labels in zip(names, ({}, {}, project), strict=True):
            made.append(api.volumes.create(name, labels=labels))
            made.append(api.networks.create(name, labels=labels))
            made.append(
                api.containers.run(
                    "drillbook/redis:7",
                    ["-c", "echo kept > /data/note; exec sleep 1000000"],
                    entrypoint="sh",
                    name=name,
                    labels=labels,
                    network=name,
                    volumes=[f"{name}:/data"],
                    restart_policy={"Name": "always"},
                    detach=True,
                )
            )
        written = lambda one: one.exec_run(["cat", "/data/note"]).output == b"kept\n"  # noqa: E731
        assert wait_until(lambda: all(map(written, made[2::3])), 60)
        yield names
    finally:
        for one in reversed(made):
            one.remove(**({"v": True, "force": True} if hasattr(one, "attach") else {}))


def state(names):
    """What would differ if one of them had been stopped, restarted, replaced or emptied."""
    api, found = engine.client(), {}
    for name in names:
        one = api.containers.get(name)
        note = one.exec_run(["cat", "/data/note"]).output
        started = (one.attrs["State"]["StartedAt"], one.attrs["RestartCount"], one.status)
        volume = api.volumes.get(name).attrs["CreatedAt"]
        network = api.networks.get(name)
        found[name] = (one.id, *started, note, volume, network.id, len(network.containers))
    return found


def test_bystanders_with_matching_names_are_as_they_were(bystanders, tmp_path):
    word = bystanders[0].rpartition("-")[2]
    text = DESTROYING.format(name=bystanders[0], id=word, uuid=coolify_names.UUID)
    (tmp_path / "ops.md").write_text(text)
    before = state(bystanders)
    options = [f"--image={IMAGE}", f"--run-dir={tmp_path / 'runs'}", "--seed=1"]
    words = ["runbook", "run", str(tmp_path / "ops.md"), "--stack=containers", *options]
    done = subprocess.run(
        [sys.executable, "-m", "drillbook.cli", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert state(bystanders) == before
    assert {one[4] for one in before.values()} == {b"kept\n"}
    record = tmp_path / "runs" / "latest" / "evidence.json"
    controls = json.loads(record.read_text())["controls"]
    verdicts = {one["id"]: spec["verdict"] for one in controls for spec in one["specs"]}
    assert verdicts["RBK-1"] == "violated", done.stdout + done.stderr
    # A name that is neither this deployment's nor listed has no counterpart here.
    assert verdicts["WIP-2"] == "not_run", done.stdout + done.stderr
    said = record.read_text()
    assert "would have hit whatever else is unused on the host" in said
    for name in bystanders[:2]:
        assert f"{name} is not known as this deployment's" in said
