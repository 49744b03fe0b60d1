"""The docker program that reads a compose file: what it gets, what it reads, how it is ended."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from drillbook.core import docker_cli
from drillbook.core.errors import BadInput
from drillbook.stack import compose_file
from drillbook.stack.containers import compose
from drillbook.stack.containers.compose import Project
from drillbook.stack.waiting import wait_until

STEERING = [
    "LD_PRELOAD",
    "DYLD_INSERT_LIBRARIES",
    "XDG_CONFIG_HOME",
    "HTTPS_PROXY",
    "no_proxy",
    "GODEBUG",
    "SSH_ASKPASS",
    "GIT_SSH_COMMAND",
    "DOCKER_CONFIG",
    "docker_host",
    "COMPOSE_FILE",
    "BUILDKIT_HOST",
    "TMPDIR",
    "SSL_CERT_FILE",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "GLIBC_TUNABLES",
]
ORDINARY = [
    "ENCRYPTION_KEY",
    "GOOGLE_CLIENT_ID",
    "SITE_URL",
    "GIT_TAG",
    "BUILD_VERSION",
    "GOLDEN_TAG",
]
NAMED = [*STEERING, *ORDINARY]


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A function that puts a program named docker on PATH, with this Python code."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    for name in NAMED:
        monkeypatch.delenv(name, raising=False)

    def make(code):
        # A line of a program's interpreter takes no path with a blank.
        (folder / "program.py").write_text(code)
        line = shlex.join([sys.executable, str(folder / "program.py")])
        (folder / "docker").write_text(f'#!/bin/sh\nexec {line} "$@"\n')
        (folder / "docker").chmod(0o755)

    return make


def dump_to(file):
    """A program that keeps its environment in a file, and prints an empty compose file."""
    return (
        "import json, os\n"
        f"open({str(file)!r}, 'w').write(json.dumps(dict(os.environ)))\n"
        "print('{\"services\": {}}')\n"
    )


@pytest.mark.parametrize("by", ["preflight", "stack"])
@pytest.mark.parametrize("reads_others", [False, True])
def test_no_variable_of_a_file_acts_on_the_docker_program(tmp_path, docker, by, reads_others):
    seen, file = tmp_path / "seen", tmp_path / "compose.yml"
    docker(dump_to(seen))
    names = "".join(f"      - {name}\n" for name in NAMED)
    more = "    env_file: [absent.env]\n" if reads_others else ""
    file.write_text(f"services:\n  a:\n    image: b:${{TAG}}\n{more}    environment:\n{names}")
    variables = dict.fromkeys((*NAMED, "TAG", "UNNAMED"), "/x/evil.so")
    if by == "preflight":
        compose_file.load(file, variables)
    else:
        project = Project("p", [file])
        project.take(variables, {})
        project.call("config")
    handed = json.loads(seen.read_text())
    named_elsewhere = {"UNNAMED"} if reads_others else set()
    assert {name for name, value in handed.items() if value == "/x/evil.so"} == (
        {*ORDINARY, "TAG"} | named_elsewhere
    )
    assert handed["COMPOSE_EXPERIMENTAL_GIT_REMOTE"] == "false"
    assert handed["COMPOSE_EXPERIMENTAL_OCI_REMOTE"] == "false"


@pytest.mark.parametrize("by", ["preflight", "stack"])
def test_a_value_that_compose_quotes_is_not_repeated(tmp_path, docker, by):
    said = [
        'time="x" level=warning msg="The A variable is not set"',
        "invalid interpolation format for services.db.environment.POSTGRES_PASSWORD.",
        "You may need to escape any $ with another $.",
        "hunter2${",
    ]
    docker(f"import sys\nsys.exit({chr(10).join(said)!r})\n")
    file = tmp_path / "compose.yml"
    file.write_text("services:\n  db: {image: a}\n")
    with pytest.raises(BadInput) as refused:
        compose_file.load(file, {}) if by == "preflight" else compose.load(file, {})
    assert "services.db.environment.POSTGRES_PASSWORD" in str(refused.value)
    assert "hunter2" not in str(refused.value)


READS = {
    "env_file": "services: {a: {image: b, env_file: along}}",
    "filled in": "services: {a: {image: b, env_file: [{path: '${WHERE}'}]}}",
    "label_file": "services: {a: {image: b, label_file: along}}",
}


@pytest.mark.parametrize("text", READS.values(), ids=READS)
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_file_that_never_ends_is_not_given_to_compose(tmp_path, docker, text, kind):
    docker(f"open({str(tmp_path / 'ran')!r}, 'w')")
    along, file = tmp_path / "along", tmp_path / "compose.yml"
    if kind == "pipe":
        os.mkfifo(along)
    else:
        along.symlink_to("/dev/zero")
    file.write_text(text)
    with pytest.raises(BadInput, match=r"along is not an ordinary file; check the files that"):
        compose_file.load(file, {"WHERE": "along"})
    assert not (tmp_path / "ran").exists()


def test_an_empty_env_file_is_given_to_compose(tmp_path, docker):
    docker(dump_to(tmp_path / "seen"))
    (tmp_path / "empty.env").write_text("\n")
    (tmp_path / "compose.yml").write_text("services: {a: {image: b, env_file: empty.env}}")
    compose_file.load(tmp_path / "compose.yml", {})
    assert (tmp_path / "seen").exists()


def test_a_compose_that_does_not_end_is_killed_with_its_plugin(tmp_path, docker, monkeypatch):
    child = tmp_path / "child"
    docker(
        "import subprocess, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(child)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    with pytest.raises(subprocess.TimeoutExpired):
        docker_cli.call_compose(["docker", "compose"], {}, "", 8)
    pid = int(child.read_text())
    assert wait_until(lambda: not is_running(pid), 10)
    # Compose is then taken for absent, and a plain file is read without it.
    monkeypatch.setattr(compose_file, "_PATIENCE_S", 1)
    (tmp_path / "compose.yml").write_text("services: {a: {image: b}}")
    assert "a" in compose_file.load(tmp_path / "compose.yml", {}).services


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
