"""A host of its own for a runbook: a privileged container with a Docker engine inside.

The stack runs on that engine, in the operator's folder and under the operator's names, next to
containers, volumes and files of other applications. Everything goes with the container.
"""

from __future__ import annotations

import os
import re
import secrets
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from drillbook.core import docker_cli
from drillbook.core.errors import BadInput, NoHost, NotReady, StackTrouble
from drillbook.core.recorder_protocol import Recorder
from drillbook.infisical.settings import IN_ADDRESS, KEYS, Settings
from drillbook.stack.base import SERVICES, Service
from drillbook.stack.compose_file import pairs
from drillbook.stack.containers import docker_engine
from drillbook.stack.containers.compose import Project
from drillbook.stack.containers.container_driver import Containers
from drillbook.stack.waiting import wait_for

IMAGE = "drillbook/host:latest"
USER = "operator"
HOME = f"/home/{USER}"
_START_S, _LOAD_S, _COMMAND_S = 60, 900, 600
_MOST_PROCESSES, _MOST_OF_USER = 4096, 1024
# The operator's commands end when the disk of the engine has less than this left, or printed more.
_LEAST_FREE_BYTES = 2 << 30
_MOST_PRINTED = 1 << 20
# Names as Coolify makes them, with the word that the reference runbook looks for.
COOLIFY_FOLDER = "/data/coolify/applications/vk8owcgs0k4kg0wkc4oo8ckw-secrets"
# The label by which a runbook finds the containers of a resource.
_COOLIFY = {"coolify.resourceName": "infisical"}
_NOT_OF_BACKEND = ("POSTGRES_PASSWORD", IN_ADDRESS)
_PLAIN = re.compile(r"[\w./:@%+=,-]*")
_VARIABLE = re.compile(r"\$\{?(\w+)")


class HostGone(NotReady):
    """The host ended, or was ended because of what a command did to it."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How commands of the operator ended: exit code, and what they printed, errors included."""

    exit_code: int
    printed: str = field(repr=False)


class Host:
    """A running host: its commands, its files, and the neighbours of the stack."""

    def __init__(self, container: Any, socket: Path, address: str) -> None:
        self._container = container
        # Out of sight where the engine is in a virtual machine of its own.
        root = Path(container.client.info()["DockerRootDir"])
        self._disk = root if os.access(root, os.F_OK) else socket.parent
        self._environment = docker_cli.host_environment()
        self.socket = socket
        self.address = address

    def call(
        self,
        *argv: str,
        user: str = "root",
        folder: str = "/",
        stdin: bytes = b"",
        within_s: float = _COMMAND_S,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program of our own on the host; HostGone if it does not end in time."""
        words = ["docker", "exec", "-i", "-u", user, "-w", folder, str(self._container.id), *argv]
        try:
            return subprocess.run(
                words,
                input=stdin,
                capture_output=True,
                check=False,
                timeout=within_s,
                env=self._environment,
            )
        except subprocess.TimeoutExpired:
            raise HostGone(f"the host of the runbook has not answered in {within_s:g} s") from None

    def write(self, path: str, data: bytes, mode: str = "600") -> None:
        """Write a file of the operator's."""
        script = 'umask 077; mkdir -p "$(dirname "$1")"; cat >"$1" && chmod "$2" "$1"'
        done = self.call("sh", "-c", script, "sh", path, mode, user=USER, stdin=data)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()[-200:]
            raise StackTrouble(f"{path} cannot be written on the host: {said}")

    def read(self, path: str, most: int = 1 << 30) -> bytes:
        """The content of a file, at most so many bytes; empty if there is none."""
        return self.call("head", "-c", str(most), "--", path).stdout

    def made_since(self, stamp: str) -> list[str]:
        """The files with content that are newer than a file, the largest first."""
        words = ["find", "/", "-xdev", "-newer", stamp, "-type", "f", "-size", "+0"]
        for folder in ("/proc", "/sys", "/run", "/var/lib/docker", "/var/lib/containerd"):
            words += ["-not", "-path", f"{folder}/*"]
        printed = self.call(*words, "-printf", "%s %p\\n").stdout.decode(errors="replace")
        rows = [line.partition(" ") for line in printed.splitlines()]
        return [path for _, _, path in sorted(rows, key=lambda row: -int(row[0]))]

    def run(self, script: str, variables: Mapping[str, str], folder: str, within_s: float) -> Ran:
        """Run a script of the operator's by bash, in a folder, with variables.

        HostGone where it takes too long, prints too much, leaves no space on the disk, or ends the
        host.
        """
        file = f"{HOME}/.script-{secrets.token_hex(4)}"
        lines = [f"export {name}={_quoted(value)}" for name, value in variables.items()]
        begin = [f"ulimit -u {_MOST_OF_USER}", f"rm -f {file}", *lines]
        self.write(file, "\n".join([*begin, script, ""]).encode())
        words = ["docker", "exec", "-u", USER, "-w", folder, str(self._container.id)]
        words += ["timeout", "-k", "5", f"{within_s:g}", "bash", file]
        with subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment,
        ) as process:
            try:
                printed, why = self._watch(process, within_s)
            finally:
                process.kill()
        self._refuse_gone()
        # What still runs in the background would hold a later procedure.
        self.call("sh", "-c", "kill -KILL -1", user=USER, within_s=60)
        if why:
            raise HostGone(why)
        text = printed.decode(errors="replace")
        if process.returncode in (124, 137):
            raise HostGone(f"it did not end in {within_s:g} s")
        return Ran(process.returncode, text)

    def _watch(self, process: subprocess.Popen[bytes], within_s: float) -> tuple[bytes, str]:
        """What a process prints until it ends, and why it has to be ended; empty if it ended."""
        printed, end = bytearray(), time.monotonic() + within_s + 20
        stream = process.stdout
        while stream:
            if time.monotonic() > end:
                return bytes(printed), f"it did not end in {within_s:g} s"
            if self._free_bytes() < _LEAST_FREE_BYTES:
                return bytes(printed), "the disk of the engine has less than 2 GiB left"
            if not select.select([stream], [], [], 1)[0]:
                continue
            if not (piece := stream.read1(1 << 16)):  # type: ignore[attr-defined]
                break
            printed += piece
            if len(printed) > _MOST_PRINTED:
                return bytes(printed), f"it printed more than {_MOST_PRINTED >> 20} MiB"
        process.wait(30)
        return bytes(printed), ""

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self._disk).free

    def _refuse_gone(self) -> None:
        """Raise HostGone unless the host and its engine still run."""
        self._container.reload()
        ping = self.call("docker", "version", within_s=60) if self.is_running else None
        if ping is None or ping.returncode:
            raise HostGone("it ended the Docker engine of the host, and the host with it")

    @property
    def is_running(self) -> bool:
        """Whether the container runs, as it was last seen."""
        return bool(self._container.status == "running")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


@contextmanager
def running_host(run_id: str, folder: Path, images: Sequence[str]) -> Iterator[Host]:
    """A host with these images on its engine, which this process uses in the block.

    folder is a private one of the run. NoHost without a local engine, the host's image, or the
    right to start a privileged container.
    """
    api, labels = docker_engine.client(), docker_engine.labels(run_id)
    if machine := docker_engine.remote_machine():
        raise NoHost(f"a runbook runs on an engine of this machine, not on that of {machine}")
    if not docker_engine.present(IMAGE):
        raise NoHost(f"the image {IMAGE} is not on this machine; run `drillbook images` as root")
    place = folder / "host"
    place.mkdir(mode=0o700)
    name = f"drillbook-{run_id}-host"
    network = api.networks.create(name, driver="bridge", internal=True, labels=labels)
    container = None
    try:
        container = api.containers.run(
            IMAGE,
            name=name,
            hostname="host",
            privileged=True,
            # Reaps what a fork bomb leaves: the dead would count against the operator's limit.
            init=True,
            network=name,
            labels=labels,
            pids_limit=_MOST_PROCESSES,
            volumes=[f"{place}:/run/drillbook"],
            detach=True,
        )
        host = _wait_for_engine(container, place / "engine.sock", name)
        _load(host, images)
        with docker_cli.engine_of(str(host.socket), host.address):
            yield host
    finally:
        if container:
            container.remove(v=True, force=True)
        network.remove()


def _wait_for_engine(container: Any, socket: Path, network: str) -> Host:
    def address() -> str | None:
        container.reload()
        if container.status == "exited":
            last = container.logs(tail=1).decode(errors="replace").strip()[-200:]
            raise NoHost(f"no Docker engine starts in a privileged container here: {last}")
        found = container.attrs["NetworkSettings"]["Networks"][network]["IPAddress"]
        done = container.exec_run(["sh", "-c", "docker version && chmod 666 /run/drillbook/*.sock"])
        return str(found) if done.exit_code == 0 and found else None

    found = wait_for(address, within_s=_START_S, what="the engine of the host answers", every_s=0.2)
    return Host(container, socket, found)


def _load(host: Host, images: Sequence[str]) -> None:
    """Copy images from this machine's engine to the host's."""
    save = ["docker", "save", *images]
    load = ["docker", "--host", f"unix://{host.socket}", "load", "--quiet"]
    env = docker_cli.host_environment()
    with subprocess.Popen(save, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env) as out:
        try:
            done = subprocess.run(
                load, stdin=out.stdout, capture_output=True, env=env, check=False, timeout=_LOAD_S
            )
        except subprocess.TimeoutExpired:
            out.kill()
            raise NotReady(f"the host has not loaded the images in {_LOAD_S} s") from None
    if done.returncode or out.returncode:
        said = done.stderr.decode(errors="replace").strip()[-200:]
        raise NoHost(f"the images could not be copied to the host: {said}")


class _HostProject(Project):
    """Compose as the operator runs it: on the host, in the folder, with its `.env`."""

    def __init__(self, host: Host, folder: str) -> None:
        self.name = PurePosixPath(folder).name
        self._host = host
        self._own_folder = folder
        self._command = ["docker", "compose"]
        self._environment: dict[str, str] = {}
        self._hidden: tuple[str, ...] = ()
        self._digests: dict[object, dict[str, str]] = {}

    def _attempt(self, argv: list[str]) -> subprocess.CompletedProcess[bytes]:
        return self._host.call(*argv, user=USER, folder=self._own_folder)


class StackOnHost(Containers):
    """The stack on a host: its compose file and its `.env` lie in the operator's folder.

    container_names: by service, where the compose file's own are not taken.
    """

    def __init__(
        self,
        host: Host,
        where: str,
        container_names: Mapping[Service, str],
        run_id: str,
        recorder: Recorder,
        compose_file: Path,
        image: str | None,
        folder: Path,
    ) -> None:
        super().__init__(run_id, recorder, compose_file, image, folder)
        self._host = host
        host.call("install", "-d", "-o", USER, where)
        self.folder = where
        self._container_names = container_names
        self._source: dict[str, Any] = yaml.safe_load(compose_file.read_text(encoding="utf-8"))
        self._project = _HostProject(host, where)
        self.name = str(self._source.get("name") or self._project.name)
        self._project.name = self.name
        for name, service in self._model.services.items():
            if any(mount["type"] == "bind" for mount in service.get("volumes") or ()):
                raise BadInput(
                    f"{compose_file}: {name} mounts a file of this machine, which the host of a "
                    "runbook does not have; in a copy of the file, use a named volume"
                )
        self._environment_of_backend = pairs(self._service("backend").get("environment"))

    def _service(self, role: Service) -> dict[str, Any]:
        service: dict[str, Any] = self._source["services"][self._model.roles[role]]
        return service

    def container_name(self, service: Service) -> str:
        """The name of a service's container, running or not."""
        role = self._model.roles[service]
        own = self._container_names.get(service) or self._service(service).get("container_name")
        return str(own or f"{self.name}-{role}-1")

    def adopt(self) -> None:
        """Take the settings from the operator's `.env`, and the containers as they are now."""
        text = self._host.read(f"{self.folder}/.env", 1 << 20).decode(errors="replace")
        typed = dict(_read_variables(text))
        names = {name: self._variable(name) for name in {*self.settings, *KEYS}}
        known = {name: typed[other] for name, other in names.items() if other in typed}
        changed = {**dict.fromkeys(self.settings), **known}
        self.settings = self.settings.but(**changed)
        # A copy: the project remembers its own by the settings they belong to.
        self._hashes = dict(self._hashes)
        for service in SERVICES:
            if container := self._container(service):
                digest = container.labels.get("com.docker.compose.config-hash")
                self._hashes[self._model.roles[service]] = str(digest)

    def _port(self, service: Service) -> int:
        """The port that Drillbook published next to the operator's own."""
        container, inside = self._container(service), {"backend": 8080, "db": 5432}[service]
        published = (container.ports.get(f"{inside}/tcp") if container else None) or ()
        ports = [int(port["HostPort"]) for port in published if port["HostIp"] == "0.0.0.0"]  # noqa: S104
        return max(ports, default=docker_engine.NO_PORT)

    def started_at(self, service: Service) -> str:
        """Which container of a service was started last, and when; empty without one."""
        container = self._container(service)
        return f"{container.id} {container.attrs['State']['StartedAt']}" if container else ""

    @property
    def url_inside(self) -> str:
        """The address of the backend for commands on the host."""
        return f"http://127.0.0.1:{self._port('backend')}"

    def keep_logs(self) -> None:
        """Save the log of each container, which the operator's next command may remove."""
        for service in SERVICES:
            self._keep_log(service, self._container(service))

    def _variable(self, name: str) -> str:
        """The variable of the `.env` from which the compose file takes one of the product's."""
        environment = self._environment_of_backend
        if name == "POSTGRES_PASSWORD":
            environment = pairs(self._service("db").get("environment"))
        match = _VARIABLE.match(str(environment.get(name) or ""))
        return match[1] if match else name

    def down(self) -> None:
        """Do nothing: it goes with its host."""

    def _take(self, settings: Settings) -> None:
        variables = {**settings, **self.plant}
        self._host.write(f"{self.folder}/docker-compose.yml", self._file(variables), "644")
        lines = [f"{self._variable(name)}={_typed(text)}" for name, text in variables.items()]
        text = "\n".join([*lines, ""])
        self._host.write(f"{self.folder}/.env", text.encode())
        self._project.take(variables, {})
        self._hashes = self._project.hashes(text)
        self.settings = settings

    def _file(self, variables: Mapping[str, str]) -> bytes:
        """The operator's compose file with our images, labels, a port and further variables."""
        labels = docker_engine.labels(self._run)
        services = {}
        for name, service in self._source["services"].items():
            services[name] = {
                **service,
                "labels": {**_COOLIFY, **pairs(service.get("labels")), **labels},
            }
            services[name]["pull_policy"] = "never"
        for role, image in self._images.items():
            service = services[self._model.roles[role]]
            service["image"] = image
            if name := self._container_names.get(role):
                service["container_name"] = name
            if role != "redis":
                # Of the backend the port that a runbook asks, unless the file publishes another.
                own = service.get("ports") or ()
                port = {"backend": "8080:8080", "db": ":5432"}[role]
                service["ports"] = [*own, f"0.0.0.0:{port[port.find(':') if own else 0 :]}"]
        environment = dict(self._environment_of_backend)
        for name in {*variables, *KEYS, "SMTP_HOST"} - {*_NOT_OF_BACKEND}:
            if "$" not in str(environment.get(name) or "") or name in self.plant:
                environment[name] = None
        services[self._model.roles["backend"]]["environment"] = environment
        volumes = {
            name: {**(volume or {}), "labels": labels, "external": False}
            for name, volume in (self._source.get("volumes") or {}).items()
        }
        made = {**self._source, "services": services, "volumes": volumes}
        return yaml.safe_dump(made, sort_keys=False).encode()


def _typed(value: str) -> str:
    """A value as an operator types it into an `.env` file."""
    if _PLAIN.fullmatch(value):
        return str.__str__(value)
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _read_variables(text: str) -> Iterator[tuple[str, str]]:
    """The variables of an `.env` file that is as `_typed` writes it, or edited since."""
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            if value[:1] in ("'", '"') and value[-1:] == value[:1]:
                value = value[1:-1]
            yield name.strip(), value.strip()
