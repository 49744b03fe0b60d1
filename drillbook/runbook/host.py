"""The operator's host as a document's commands see it: docker, compose, curl and PostgreSQL's.

Listings have this run's resources under names of the operator's, and bystanders of others. What is
done to a resource of this run is done to the stack; what is aimed at anything else is refused and
kept as what would have been hit.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import Any

import httpx2

from drillbook.core import dotenv
from drillbook.core.errors import DrillbookError, NotReady, Unusable
from drillbook.infisical.http import client_without_cookies
from drillbook.infisical.settings import Settings
from drillbook.runbook.sandbox import Answer, Call
from drillbook.stack.base import SERVICES, Resource, Service, ShellAccess, Stack
from drillbook.stack.start_outcome import log_mark

_WORDS: dict[Service, str] = {
    "db": r"db|database|postgres\w*|pg|pgsql|psql",
    "redis": "redis|cache",
    "backend": "backend|infisical|app|web|server|secrets",
}
_VOLUMES: dict[str, Service] = {"pg_data": "db", "redis_data": "redis"}
_OF_DATABASE = ("psql", "pg_dump", "pg_dumpall", "pg_restore", "dropdb", "createdb", "pg_isready")
# Clients that write where they run: the embedded cache has no container around it.
_CACHE = ("ping", "flushall", "flushdb", "dbsize", "info", "get", "del", "keys", "scan", "exists")
_VALUED = {
    *("-e", "--env", "-u", "--user", "-w", "--workdir", "--env-file", "--index", "-f", "--filter"),
    *("--format", "--tail", "-n", "--since", "--until", "-t", "--time", "--timeout", "-s"),
    *("--signal", "-p", "--project-name", "--file", "--profile", "--project-directory", "--scale"),
}
_HTTP_S = 20.0
_LONGEST_LINE = 90
_LONGEST_S = 600.0
_MOST_BYTES = 512 << 20
_MOST_SAID = 1 << 20


@dataclass(frozen=True, slots=True)
class Listed:
    """A container or volume in a listing; service is None for one of somebody else's."""

    kind: str
    name: str
    service: Service | None
    labels: Mapping[str, str]
    resource: Resource | None = None

    @property
    def id(self) -> str:
        """Twelve digits, as an engine gives them."""
        return hashlib.sha256(f"{self.kind} {self.name}".encode()).hexdigest()[:12]


class NotHere(Exception):
    """A command has no counterpart here, so that nothing can be said of it."""


def service_of(words: str) -> Service | None:
    """The service that a name or a placeholder speaks of."""
    found = [
        one for one in _WORDS if re.search(rf"(?<![a-z])({_WORDS[one]})(?![a-z])", words.lower())
    ]
    return found[0] if found else None


def is_ours(one: Listed, run: str) -> bool:
    """Whether a listed resource belongs to this run and may be touched."""
    return one.resource is not None and one.resource.run == run


@dataclass
class Host:
    """What the shims of one section ask; it keeps what they did.

    pattern makes the name of a container from {service}, of a volume from the same with its name.
    """

    stack: Stack
    run: str
    pattern: str
    project: str
    bystanders: Sequence[Listed]
    read_file: Callable[[str], bytes | None]
    scratch: Path
    typed: dict[str, str] = field(default_factory=dict)
    strayed: list[str] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    not_here: list[str] = field(default_factory=list)
    acts: list[str] = field(default_factory=list)
    since: int | None = None
    fresh_start: Callable[[], Settings] | None = None
    literal: dict[str, Service] = field(default_factory=dict)
    _gone: set[str] = field(default_factory=set)
    _stopped: set[Service] = field(default_factory=set)

    def name(self, service: str) -> str:
        """What the operator calls a container of this run, or a volume."""
        named = next((name for name, of in self.literal.items() if of == service), None)
        return named or self.pattern.format(service=service)

    def answer(self, call: Call) -> Answer:
        """Carry out one call of a shim."""
        program, *words = call.words
        try:
            if program in ("docker", "podman"):
                return self._docker(words, call)
            if program == "docker-compose":
                return self._compose(words, call)
            if program in ("curl", "wget"):
                return self._fetch(program, words)
            if program in _OF_DATABASE:
                return self._client(program, words, call)
            if program == "redis-cli":
                return self._exec("redis", [program, *words], call, input_open=True)
            raise NotHere(f"{program} has no counterpart here")
        except NotHere as reason:
            self.not_here.append(f"`{shlex.join(call.words)}`: {reason}")
            return Answer(125, err=f"{program}: not carried out here: {reason}\n")
        except (Unusable, NotReady):
            # Of the machine, not of the document.
            raise
        except DrillbookError as trouble:
            return Answer(1, err=f"{program}: {trouble}\n")

    # The engine.

    def _docker(self, words: Sequence[str], call: Call) -> Answer:
        words = _after(words, {"-H", "--host", "-c", "--context", "-l", "--log-level"})
        group, rest = (words[0], words[1:]) if words else ("version", [])
        if group == "compose":
            return self._compose(rest, call)
        if group == "container" and rest:
            group, rest = {"ls": "ps", "list": "ps"}.get(rest[0], rest[0]), rest[1:]
        if group == "volume" and rest:
            return self._volume(rest[0], rest[1:])
        if group == "ps":
            return self._list("container", rest)
        if group == "images":
            return Answer(out=b"REPOSITORY   TAG   IMAGE ID   CREATED   SIZE\n")
        if group in ("version", "info", "login", "pull"):
            return Answer()
        if group in ("system", "image", "builder", "network"):
            return self._upkeep(group, rest)
        if group == "exec":
            return self._exec_named(rest, call)
        if group == "cp":
            return self._copy(rest)
        if group == "inspect":
            return self._inspect(rest)
        if group in ("logs", "stop", "start", "restart", "kill", "rm", "port", "top", "stats"):
            return self._each(group, rest)
        raise NotHere(f"docker {group} has no counterpart here")

    def _ours(self) -> Iterator[Listed]:
        known = self.stack.resources()
        for one in SERVICES:
            if one not in self._gone:
                found = self._resource(known, "container", one)
                labels = {
                    "com.docker.compose.project": self.project,
                    "com.docker.compose.service": one,
                    "coolify.managed": "true",
                    "coolify.resourceName": "infisical",
                }
                yield Listed("container", self.name(one), one, labels, found)
        for volume, of in _VOLUMES.items():
            if volume not in self._gone:
                found = self._resource(known, "volume", volume)
                labels = {"com.docker.compose.project": self.project}
                yield Listed("volume", self._volume_name(volume), of, labels, found)

    def _volume_name(self, volume: str) -> str:
        return f"{self.pattern.format(service=self.project)}_{volume.replace('_', '-')}"

    def _resource(self, known: Iterable[Resource], kind: str, name: str) -> Resource | None:
        full = self.stack.name + (f"-{name}-1" if kind == "container" else f"_{name}")
        ours = (one for one in known if one.run == self.run and one.kind == kind)
        return next((one for one in ours if one.name == full), None)

    def _all(self, kind: str) -> list[Listed]:
        found = [*self._ours(), *self.bystanders]
        return [one for one in found if one.kind == kind]

    def _is_running(self, one: Listed) -> bool:
        return one.service is None or one.service not in self._stopped

    def _list(self, kind: str, words: Sequence[str]) -> Answer:
        found = self._all(kind)
        if kind == "container" and not _has(words, "a", "--all"):
            found = [one for one in found if self._is_running(one)]
        filters = [value.partition("=") for value in _values(words, "-f", "--filter")]
        for name in dict.fromkeys(name for name, _, _ in filters):
            wanted = [value for key, _, value in filters if key == name]
            # As the engine does: each of several labels, but any of several names.
            fit = all if name == "label" else any
            found = [one for one in found if fit(self._fits(one, name, w) for w in wanted)]
        form = next(iter(_values(words, "--format")), "")
        if form and form != "json":
            table = form.removeprefix("table ").replace("\\t", "\t")
            lines = [_template(table, self._facts(one)) for one in found]
            if form.startswith("table "):
                lines.insert(0, re.sub(r"\{\{\s*\.(\w+)\s*\}\}", lambda m: m[1].upper(), table))
        elif _has(words, "q", "--quiet"):
            lines = [one.id if kind == "container" else one.name for one in found]
        elif kind == "volume":
            lines = ["DRIVER    VOLUME NAME", *(f"local     {one.name}" for one in found)]
        else:
            facts = [self._facts(one) for one in found]
            lines = ["CONTAINER ID   IMAGE   COMMAND   CREATED   STATUS   PORTS   NAMES"]
            lines += [
                f'{f["ID"]}   {f["Image"]}   "…"   9 days ago   {f["Status"]}      {f["Names"]}'
                for f in facts
            ]
        return Answer(out="".join(f"{line}\n" for line in lines).encode())

    def _fits(self, one: Listed, name: str, wanted: str) -> bool:
        if name == "name":
            with_slash = f"/{one.name}" if one.kind == "container" else one.name
            try:
                return re.search(wanted, with_slash) is not None or wanted in one.name
            except re.error:
                raise NotHere(f"{wanted} is not a pattern of a name") from None
        if name == "label":
            label, _, value = wanted.partition("=")
            return label in one.labels and (not value or one.labels[label] == value)
        if name == "status":
            return self._is_running(one) == (wanted == "running")
        if name == "id":
            return one.id.startswith(wanted)
        raise NotHere(f"a filter by {name} has no counterpart here")

    def _facts(self, one: Listed) -> dict[str, str]:
        running = self._is_running(one)
        images = {"db": "postgres", "redis": "redis", "backend": "infisical/infisical"}
        return {
            "ID": one.id,
            "Names": one.name,
            "Name": one.name,
            "Image": images.get(one.service or "", "busybox"),
            "Status": "Up 9 days (healthy)" if running else "Exited (0) a minute ago",
            "State": "running" if running else "exited",
            "Ports": "",
            "Driver": "local",
            "Labels": ",".join(f"{name}={value}" for name, value in one.labels.items()),
        }

    def _find(self, kind: str, word: str) -> Listed | None:
        for one in self._all(kind):
            if word in (one.name, one.id) or (len(word) >= 4 and one.id.startswith(word)):
                return one
        return None

    def _stray(self, line: str, hit: str) -> None:
        """Keep, once, what a command would have hit that is not of this deployment."""
        said = f"`{line}` would have hit {hit}"
        if said not in self.strayed:
            self.strayed.append(said)

    def _touch(self, line: str, kind: str, word: str, destroys: bool) -> Listed | Answer:
        """The resource of this run that a word names; a refusal for anything else."""
        one = self._find(kind, word)
        if one and is_ours(one, self.run):
            return one
        if one or destroys:
            self._stray(_short(line), one.name if one else word)
            return Answer(1, err=f"refused: {word} is not of this deployment\n")
        self.unmatched.append(f"`{_short(line)}`: there is no {kind} {word}")
        return Answer(1, err=f"Error response from daemon: No such {kind}: {word}\n")

    def _each(self, verb: str, words: Sequence[str]) -> Answer:
        names = _after_all(words)
        if not names:
            self.unmatched.append(f"`docker {verb}`: what was to name the container is empty")
            return Answer(1, err=f'docker: "docker {verb}" requires at least 1 argument.\n')
        out, err, code = b"", "", 0
        for word in names:
            line = f"docker {shlex.join([verb, word])}"
            one = self._touch(line, "container", word, verb in ("rm", "stop", "kill"))
            done = one if isinstance(one, Answer) else self._do(verb, one, words)
            out += done.out if isinstance(done.out, bytes) else b""
            err, code = err + done.err, code or done.code
        return Answer(code, out, err)

    def _do(self, verb: str, one: Listed, words: Sequence[str]) -> Answer:
        service = one.service or "backend"
        if verb == "logs":
            return Answer(out=_tail(self.stack.logs(service), words))
        if verb in ("port", "top", "stats"):
            return Answer()
        if verb == "rm":
            if self._is_running(one) and not _has(words, "f", "--force"):
                return Answer(
                    1, err=f"cannot remove container {one.name}: it is running: stop it or use -f\n"
                )
            self.remove(one)
        else:
            self.act(verb, service)
        return Answer(out=f"{one.name}\n".encode())

    def act(self, verb: str, service: Service) -> None:
        """Stop, start, restart or kill a service."""
        self.acts.append(f"{verb} {service}")
        if verb in ("stop", "kill"):
            self.stack.stop(service)
            self._stopped.add(service)
            return
        if service == "backend":
            self.since = log_mark(self.stack)
        (self.stack.start if verb == "start" else self.stack.restart)(service)
        self._stopped.discard(service)

    def remove(self, one: Listed) -> None:
        """Remove a container or a volume of this run."""
        if one.resource is None:
            return
        self.acts.append(f"rm {one.kind}")
        self.stack.destroy([one.resource])
        if one.kind == "container" and one.service:
            self._stopped.add(one.service)
            self._gone.add(one.service)
        else:
            self._gone.add(next(name for name in _VOLUMES if one.resource.name.endswith(name)))

    def redeploy(self) -> None:
        """Bring everything up under what was typed, as Coolify's redeploy does."""
        wiped = "pg_data" in self._gone
        settings = self.fresh_start() if wiped and self.fresh_start else self.stack.settings
        self.acts.append("redeploy")
        self.since = log_mark(self.stack)
        self.stack.up(settings.but(**self.typed))
        self._gone.clear()
        self._stopped.clear()

    def _volume(self, verb: str, words: Sequence[str]) -> Answer:
        if verb in ("ls", "list"):
            return self._list("volume", words)
        if verb == "prune":
            return self._upkeep("volume", ["prune"])
        if verb == "inspect":
            return self._inspect(words)
        if verb not in ("rm", "remove"):
            raise NotHere(f"docker volume {verb} has no counterpart here")
        names = _after_all(words)
        if not names:
            self.unmatched.append("`docker volume rm`: what was to name the volume is empty")
            return Answer(1, err='docker: "docker volume rm" requires at least 1 argument.\n')
        out, err, code = b"", "", 0
        for word in names:
            one = self._touch(f"docker volume rm {word}", "volume", self._known(word), True)
            if isinstance(one, Answer):
                err, code = err + one.err, 1
            elif one.service not in self._gone:
                err, code = err + f"remove {word}: volume is in use\n", 1
            else:
                self.remove(one)
                out += f"{word}\n".encode()
        return Answer(code, out, err)

    def _known(self, volume: str) -> str:
        """The listed name of a volume that is called as compose files call it."""
        for name, of in _VOLUMES.items():
            exact = volume.replace("-", "_").endswith(name) or service_of(volume) == of
            if exact and not self._find("volume", volume):
                return self._volume_name(name)
        return volume

    def _upkeep(self, group: str, words: Sequence[str]) -> Answer:
        if words[:1] == ["prune"]:
            line = f"docker {group} prune"
            if group in ("system", "volume"):
                self._stray(line, "whatever else is unused on the host")
                return Answer(1, err="refused: it reaches beyond this deployment\n")
            return Answer()
        if words[:1] not in (["ls"], ["df"], ["list"]):
            raise NotHere(f"docker {group} {' '.join(words[:1])} has no counterpart here")
        return Answer()

    def _inspect(self, words: Sequence[str]) -> Answer:
        form = next(iter([*_values(words, "-f", "--format")]), "")
        lines = []
        for word in _after_all(words):
            one = self._find("container", word) or self._find("volume", self._known(word))
            if one is None:
                self.unmatched.append(f"`docker inspect {word}`: there is none")
                return Answer(1, err=f"Error: No such object: {word}\n")
            facts = self._facts(one)
            told = {
                "Id": one.id,
                "Name": f"/{one.name}",
                "State": {"Status": facts["State"], "Running": facts["State"] == "running"},
                "Config": {"Image": facts["Image"], "Labels": dict(one.labels)},
            }
            if form:
                lines.append(_template(form, _flat(told)))
            else:
                lines.append(json.dumps([told], indent=4))
        return Answer(out="".join(f"{line}\n" for line in lines).encode())

    def _copy(self, words: Sequence[str]) -> Answer:
        if not self._runs_inside:
            raise NotHere("docker cp has no counterpart here; pipe through docker exec instead")
        given = _after_all(words)
        for word in given:
            name, colon, _ = word.partition(":")
            if colon and "/" not in name:
                one = self._touch(shlex.join(["docker", "cp", *words]), "container", name, False)
                if isinstance(one, Answer):
                    return one
        paths = [one.partition(":")[2] if ":" in one else one for one in given]
        # Embedded, a container's files are those of the host.
        return Answer(
            run=f"[[ {paths[0]} -ef {paths[-1]} ]] || {shlex.join(['cp', *paths])}; exit $?"
        )

    @property
    def _runs_inside(self) -> bool:
        """Whether programs of a container run in the sandbox, there being no container."""
        return self.stack.driver == "embedded"

    def _exec_named(self, words: Sequence[str], call: Call) -> Answer:
        options, rest = _split(words)
        line = f"docker exec {shlex.join(words)}"
        names = [word for word in rest[:9] if self._find("container", word)]
        # A selector that found several gives several names: the first that is ours is meant.
        leading = names if names and rest[: len(names)] == names else rest[:1]
        if not rest:
            self.unmatched.append(f"`{line}`: what was to name the container is empty")
            return Answer(1, err='docker: "docker exec" requires at least 2 arguments.\n')
        found = [(word, self._touch(line, "container", word, False)) for word in leading]
        ours = [one for _, one in found if isinstance(one, Listed)]
        if not ours:
            first = found[0][1]
            return first if isinstance(first, Answer) else Answer(1)
        program = rest[len(leading) :]
        opened = _has(options, "i", "--interactive")
        if _has(options, "t", "--tty") and call.piped:
            return Answer(1, err="the input device is not a TTY\n")
        environment = _values(options, "-e", "--env")
        answer = self._exec(ours[0].service or "backend", program, call, opened, environment)
        return _through_terminal(answer) if _has(options, "t", "--tty") else answer

    def _exec(
        self,
        service: Service,
        program: Sequence[str],
        call: Call,
        input_open: bool,
        environment: Sequence[str] = (),
    ) -> Answer:
        """Run a program inside a service of this run."""
        if not program:
            return Answer(1, err='docker: "docker exec" requires at least 2 arguments.\n')
        if service in self._stopped:
            return Answer(1, err="Error response from daemon: container is not running\n")
        if service == "backend" and program[0] in ("curl", "wget"):
            return self._fetch(program[0], program[1:])
        closed = "" if input_open else " </dev/null"
        if self._runs_inside and program[0] in (
            "sh",
            "bash",
            "ash",
            "cat",
            "ls",
            "rm",
            "mkdir",
            "gzip",
            "env",
        ):
            # Its programs find their way back here.
            return Answer(run=f"exec {shlex.join(program)}{closed}")
        if self._runs_inside and service == "db" and isinstance(self.stack, ShellAccess):
            if program[0] not in _OF_DATABASE:
                raise NotHere(f"{program[0]} is not in the embedded {service}")
            words, variables = self.stack.shell_command(service, program)
            given = [*(f"{n}={v}" for n, v in variables.items() if n != "PATH"), *environment]
            return Answer(run=f"exec {shlex.join(['env', *given, *words])}{closed}")
        if self._runs_inside and service == "redis":
            inner = [word for word in program[1:] if word not in ("--no-auth-warning", "--raw")]
            if not inner or inner[0].lower() not in _CACHE:
                raise NotHere(f"{' '.join(program[:2])} is not carried out in the embedded cache")
            program = [program[0], *inner]
        elif self._runs_inside:
            raise NotHere(f"nothing can be run inside the embedded {service}")
        stdin: Path | bytes | None = call.input if input_open else None
        if program[0] == "psql" and (given := _values(program, "-c", "--command")):
            # A password must not stand on a command line that every list of processes shows.
            program, stdin = _without(program, "-c", "--command"), "\n".join(given).encode()
        program = [*_env(environment), *program]
        if self._runs_inside or not isinstance(self.stack, ShellAccess):
            done = self.stack.exec(service, program, stdin=stdin)
            return Answer(done.exit_code, done.stdout, done.stderr.decode(errors="replace"))
        words, variables = self.stack.shell_command(service, program)
        self.acts.append(f"exec {service}")
        return _run_bounded(words, variables, stdin, self.scratch)

    def _client(self, program: str, words: Sequence[str], call: Call) -> Answer:
        """A client of PostgreSQL on the host, or within a script inside the container."""
        kept, left = [], list(words)
        while left:
            word = left.pop(0)
            if word in ("-h", "--host", "-p", "--port") and left:
                left.pop(0)
            elif not re.match(r"-h.|--host=|--port=|-p\d", word):
                kept.append(word)
        return self._exec("db", [program, *kept], call, input_open=True)

    # Compose.

    def _compose(self, words: Sequence[str], call: Call) -> Answer:
        options, rest = _split(words)
        for project in _values(options, "-p", "--project-name"):
            if any(
                one.labels.get("com.docker.compose.project") == project for one in self.bystanders
            ):
                self._stray(f"docker compose {shlex.join(words)}", project)
                return Answer(1, err=f"refused: {project} is not this deployment\n")
        verb, rest = (rest[0], rest[1:]) if rest else ("version", [])
        if verb in ("pull", "version", "config", "build", "images"):
            return Answer()
        if verb == "ps":
            return self._list("container", ["-q"] if _has(rest, "q", "--quiet") else [])
        if verb == "exec":
            return self._compose_exec(rest, call)
        if verb not in ("logs", "up", "stop", "start", "restart", "kill", "down", "rm"):
            raise NotHere(f"docker compose {verb} has no counterpart here")
        named = _after_all(rest)
        unknown = [one for one in named if not self._service(one)]
        if unknown:
            self.unmatched.append(f"`docker compose {verb}`: no service {unknown[0]}")
            return Answer(1, err=f"no such service: {unknown[0]}\n")
        services = [one for one in map(self._service, named) if one] or list(SERVICES)
        if verb == "logs":
            tails = [_tail(self.stack.logs(one), rest) for one in services]
            return Answer(out=b"".join(tails))
        if verb == "up":
            self._read_settings(call.folder)
            if {"backend"} <= set(services):
                self.redeploy()
            else:
                for one in services:
                    self.act("start", one)
            return Answer()
        if verb in ("stop", "start", "restart", "kill"):
            for one in services:
                self.act(verb, one)
            return Answer()
        whole = verb == "down" and _has(rest, "v", "--volumes")
        for listed in list(self._ours()):
            in_question = verb == "down" or listed.service in services
            if whole if listed.kind == "volume" else in_question:
                self.remove(listed)
        return Answer()

    def _service(self, name: str) -> Service | None:
        return next((one for one in SERVICES if one == name), None)

    def _compose_exec(self, words: Sequence[str], call: Call) -> Answer:
        options, rest = _split(words)
        service = self._service(rest[0]) if rest else None
        if service is None:
            self.unmatched.append(f"`docker compose exec`: no service {' '.join(rest[:1])}")
            return Answer(1, err=f'service "{" ".join(rest[:1])}" is not running\n')
        environment = _values(options, "-e", "--env")
        return self._exec(service, rest[1:], call, True, environment)

    def _read_settings(self, folder: str) -> None:
        """Take what the file of variables next to the compose file says by now."""
        data = self.read_file(f"{folder}/.env")
        if data is None:
            return
        with NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            said = dict(dotenv.load(Path(file.name), f"{folder}/.env"))
        changed = {n: v for n, v in said.items() if self.stack.settings.get(n) != v}
        self.typed |= changed

    # The instance.

    def _fetch(self, program: str, words: Sequence[str]) -> Answer:
        url = next((one for one in words if "://" in one or one.startswith("localhost")), "")
        found = re.fullmatch(r"(?:https?://)?([^/]+)(/api/[^\s]*)", url)
        if not found:
            self.not_here.append(f"`{program} {url}`: there is no network here")
            return Answer(6, err=f"{program}: (6) Could not resolve host\n")
        if _values(words, "-X", "--request", "-d", "--data"):
            raise NotHere("only GET requests have a counterpart here")
        try:
            answer = client_without_cookies(_HTTP_S, _HTTP_S).get(self.stack.base_url + found[2])
        except httpx2.TransportError:
            return Answer(7, err=f"{program}: (7) Failed to connect\n")
        body = b"" if "/dev/null" in words else answer.content
        if _has(words, "I", "--head"):
            body = f"HTTP/1.1 {answer.status_code}\n".encode()
        shown = "".join(_values(words, "-w", "--write-out"))
        body += shown.replace("%{http_code}", str(answer.status_code)).replace("\\n", "\n").encode()
        failed = answer.status_code >= 400 and (program == "wget" or _has(words, "f", "--fail"))
        return Answer(22 if failed else 0, b"" if failed else body)


def _has(words: Iterable[str], letter: str, name: str) -> bool:
    return any(
        word == name or (re.fullmatch(r"-[A-Za-z]+", word) and letter in word) for word in words
    )


def _values(words: Sequence[str], *names: str) -> list[str]:
    exact = [value for word, value in itertools.pairwise(words) if word in names]
    joined = tuple(f"{one}=" for one in names if one.startswith("--"))
    return exact + [word.partition("=")[2] for word in words if joined and word.startswith(joined)]


def _without(words: Sequence[str], *names: str) -> list[str]:
    kept, left = [], list(words)
    while left:
        word = left.pop(0)
        if word in names and left:
            left.pop(0)
        elif not word.startswith(tuple(f"{one}=" for one in names)):
            kept.append(word)
    return kept


def _after(words: Sequence[str], valued: Iterable[str]) -> list[str]:
    left = list(words)
    while left and left[0].startswith("-"):
        if left.pop(0) in valued and left:
            left.pop(0)
    return left


def _split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The options at the head, and the rest."""
    # `-t` and `-n` of exec have no value.
    rest = _after(words, _VALUED - {"-t", "-n"})
    return list(words[: len(words) - len(rest)]), rest


def _after_all(words: Sequence[str]) -> list[str]:
    """What is not an option or the value of one, wherever it stands."""
    found, left = [], list(words)
    while left:
        word = left.pop(0)
        if word in _VALUED and word not in ("-f",) and left:
            left.pop(0)
        elif not word.startswith("-"):
            found.append(word)
    return found


def _run_bounded(
    words: Sequence[str], variables: Mapping[str, str], stdin: Path | bytes | None, scratch: Path
) -> Answer:
    """Run a command whose output may be large, or without end; it is a file of scratch then."""
    with ExitStack() as files:
        feed: Any = subprocess.DEVNULL
        if isinstance(stdin, bytes):
            feed = files.enter_context(TemporaryFile(dir=scratch))
            feed.write(stdin)
            feed.seek(0)
        elif stdin:
            feed = files.enter_context(stdin.open("rb"))
        said = files.enter_context(TemporaryFile(dir=scratch))
        out = files.enter_context(NamedTemporaryFile(dir=scratch, delete=False))
        process = subprocess.Popen(
            words,
            env=dict(variables),
            stdin=feed,
            stdout=out,
            stderr=said,
            start_new_session=True,
        )
        ends = time.monotonic() + _LONGEST_S
        while process.poll() is None:
            size = max(os.fstat(one.fileno()).st_size for one in (out, said))
            if size > _MOST_BYTES or time.monotonic() > ends:
                # It, and whatever it has started.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            time.sleep(0.01)
        said.seek(0)
        err = said.read(_MOST_SAID).decode(errors="replace")
    return Answer(process.returncode & 0xFF, Path(out.name), err)


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"


def _env(environment: Sequence[str]) -> list[str]:
    return ["env", *environment] if environment else []


def _tail(text: str, words: Sequence[str]) -> bytes:
    count = next(iter(_values(words, "--tail", "-n")), "all")
    lines = text.splitlines(keepends=True)
    return "".join(lines[-int(count) :] if count.isdecimal() else lines).encode()


def _through_terminal(answer: Answer) -> Answer:
    """As a terminal writes it: each line ends with a carriage return, too."""
    if answer.run:
        return Answer(run=f"exec > >(sed 's/$/\\r/'); {answer.run}")
    out = answer.out if isinstance(answer.out, bytes) else answer.out.read_bytes()
    return Answer(answer.code, out.replace(b"\n", b"\r\n"), answer.err)


def _flat(told: Mapping[str, object], above: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in told.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{above}{name}.")
        else:
            found[f"{above}{name}"] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


def _template(text: str, facts: Mapping[str, str]) -> str:
    def fill(match: re.Match[str]) -> str:
        if match[1] not in facts:
            raise NotHere(f"the format {match[0]} has no counterpart here")
        return facts[match[1]]

    return re.sub(r"\{\{\s*\.([\w.]+)\s*\}\}", fill, text)
