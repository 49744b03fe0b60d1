"""The host that a document's commands see: docker, compose, curl and PostgreSQL's programs.

Listings show this run's resources under the operator's names, and bystanders of other deployments.
A command on a resource of this run acts on the stack; a command on anything else is refused, and
what it would have hit is recorded.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import shlex
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

import httpx2

from drillbook.core import dotenv
from drillbook.core.errors import BadInput, DrillbookError, NotReady, Unusable
from drillbook.infisical.http import client_without_cookies
from drillbook.infisical.settings import IN_ADDRESS, Settings, backend_environment
from drillbook.runbook.container_files import SHELLS, uses
from drillbook.runbook.sandbox import OF_DATABASE, ROOTS, Answer, Call
from drillbook.runbook.shell import Line
from drillbook.stack.base import (
    DATABASE_NAME,
    DATABASE_USER,
    SERVICES,
    Resource,
    Service,
    Stack,
)
from drillbook.stack.processes import call_program
from drillbook.stack.waiting import log_mark

_WORDS: dict[Service, str] = {
    "db": "db|database|postgres[a-z0-9]*|pg|pgsql|psql",
    "redis": "redis|cache",
    "backend": "backend|infisical|app|web|server|secrets",
}
_VOLUMES: dict[str, Service] = {"pg_data": "db", "redis_data": "redis"}
# The names that compose gives: `infisical-db-1`, `infisical_pg_data`, `infisical-postgres-db`.
_KINDS_OF_SERVICE = "|".join(_WORDS.values()).replace("infisical|", "")
_PLAIN: dict[Service, re.Pattern[str]] = {
    service: re.compile(
        rf"(?:(?P<project>.+?)[-_])?(?:(?:{_KINDS_OF_SERVICE})[-_])*(?:{said})"
        r"(?P<kept>[-_]?(?:data|vol|volume|storage))*(?:[-_]\d+)?"
    )
    for service, said in _WORDS.items()
}
# Words in the name of a project that say that it is not the one in use.
_ANOTHER = re.compile(
    "backup|bak|clone|copy|demo|dev|drill|new|old|qa|replica|restore|sandbox|scratch|stage|staging|"
    "standby|temp|test|tmp|uat"
)
# Words of folders and compose files that may be those of any project.
_OF_ANY = re.compile(
    "|apps?|coolify|compose|containers|data|deploy|deployment|docker|home|infra|infrastructure|"
    "live|opt|override|prod|production|project|root|secrets|servers?|services?|srv|stacks?|vault|"
    "ya?ml"
)
_IMAGES = {"db": "postgres", "redis": "redis", "backend": "infisical/infisical"}
_PROJECT = "com.docker.compose.project"
_OF_PROJECT = (_PROJECT, "coolify.resourceName")
# Clients that write where they run: the embedded cache has no container around it.
_CACHE = ("ping", "flushall", "flushdb", "dbsize", "info", "get", "del", "keys", "scan", "exists")
_IN_SANDBOX = (*SHELLS, "cat", "ls", "rm", "mkdir", "gzip", "env", "printenv")

_GROUPS = ("container", "volume", "system", "image", "builder", "network", "compose")
_SAME = {"ls": "ps", "list": "ps", "volume list": "volume ls", "volume remove": "volume rm"}
_SAME |= {"volume inspect": "inspect", "network remove": "network rm"}
# These change nothing here, and no runbook goes on with what they print.
_NOTHING = {"images", "info", "login", "port", "pull", "stats", "top", "version", "system df"} | {
    f"{group} {verb}" for group in ("builder", "image", "network") for verb in ("ls", "prune")
}
_NOTHING |= {f"compose {verb}" for verb in ("build", "config", "images", "pull", "version")}
_ON_EACH = ("logs", "stop", "start", "restart", "kill", "rm", "volume rm")
_COMPOSED = ("logs", "up", "stop", "start", "restart", "kill", "down", "rm")

# The options that are followed here, and those without an effect here. Any other may be what makes
# the command right or wrong on the operator's host.
_OPTIONS = {
    "docker": "D debug l log-level v version",
    "compose": "f file p project-name env-file project-directory profile ansi parallel progress "
    "v version",
    "ps": "a all f filter format q quiet no-trunc",
    "exec": "i interactive t tty T no-TTY no-tty e env u user w workdir privileged",
    "cp": "a archive L follow-link q quiet",
    "inspect": "f format",
    "logs": "f follow n tail t timestamps since no-color no-log-prefix",
    "up": "d detach wait wait-timeout force-recreate remove-orphans pull build quiet-pull y yes "
    "t timeout no-color no-log-prefix attach no-attach exit-code-from no-deps",
    "down": "v volumes remove-orphans t timeout rmi",
    "stop": "t time timeout s signal",
    "start": "wait wait-timeout",
    "restart": "t time timeout s signal",
    "kill": "s signal remove-orphans",
    "rm": "f force v volumes s stop",
}
_OPTIONS |= {"volume ls": _OPTIONS["ps"], "volume rm": "f force"}
_KILLING = re.compile("(?:SIG)?(?:KILL|TERM|INT|QUIT)|2|3|9|15")
# A time before everything that this run has printed.
_LONG_AGO = re.compile(r"(?=.*[1-9])(?:\d+h)?(?:\d+m)?(?:\d+s)?(?<=[hm])")
_PORTS_OF_BACKEND = ("", "80", "443", "8080")
# RFC 3986: these characters stand for themselves in an address.
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]*")

_TOO_FEW = 'docker: "docker exec" requires at least 2 arguments.'
_LOCAL = ("localhost", "127.0.0.1", "::1")
_LOCAL_IN_URL = (*_LOCAL, "[::1]")
# A connection string, also as the value of an option.
_ADDRESS = re.compile(r"^(?:-d|--dbname=)?(?:postgres(?:ql)?://|(?:\w+=\S+ )*(?:host|port)=)")
# Folders of the sandbox that are not those of an operator's machine.
_FOLDERS = ("tmp", "dev", "usr", "bin", "sbin", "lib", "etc", "proc", "run")
_OF_IMAGE = "/var/lib/postgresql"
# A path as a word or as the value of an option, and one within a script.
_PATH = re.compile(r"(?:-f|--[\w-]+=)?(/[\w.-]+(?:/[\w.-]+)*)")
_PATH_OF_SCRIPT = re.compile(r"(?<![^\s=>\"'])(/[\w.-]+(?:/[\w.-]+)*)")
_SET = re.compile(r"^(?:export )?(\w+)=", re.M)
_LONGEST_SCRIPT = 10_000
_HTTP_S = 20.0
_LONGEST_LINE = 90
_MOST_WORDS = 1000
_LONGEST_PATTERN = 200
# Patterns that may take for ever: a group that is repeated, or many repetitions.
_ENDLESS = re.compile(r"\)[*+{]|(?:[*+{].*){4}")
_LONGEST_S = 600.0
_KILLED, _TOO_LARGE = 128 + signal.SIGKILL, 128 + signal.SIGXFSZ
_MOST_BYTES = 512 << 20
_MOST_SAID = 1 << 20
_NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class Listed:
    """A container or volume in a listing; service is None for one of another deployment."""

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
    """A command has no counterpart here, so that its effect stays unknown."""


class Limited(NotHere):
    """A limit ended a command, which a slower machine or a larger database reaches earlier."""


class Failed(Exception):
    """A command fails, as it would on the operator's host; the message is what it prints."""


def service_of(words: str) -> Service | None:
    """The service that a name or a placeholder means."""
    for one, said in _WORDS.items():
        if re.search(rf"(?<![a-z])({said})(?![a-z])", words.lower()):
            return one
    return None


@dataclass
class Host:
    """Answers the shims of one section, and records what they did.

    names has the operator's names of the project, and of each service and volume. acts has each
    start, stop, restart, kill and redeployment, in order. limited is whether one of the commands in
    not_here was ended by a limit. assumed has the names that were taken for this deployment's only
    because the document uses them. inside has the files that only the database's container has,
    where it has no files of its own here.
    """

    stack: Stack
    run: str
    names: Mapping[str, str]
    bystanders: Sequence[Listed]
    read_file: Callable[[str], bytes | None]
    scratch: Path
    typed: dict[str, str] = field(default_factory=dict)
    strayed: list[str] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    not_here: list[str] = field(default_factory=list)
    assumed: set[str] = field(default_factory=set)
    limited: bool = False
    acts: list[str] = field(default_factory=list)
    since: int | None = None
    fresh_start: Callable[[], Settings] | None = None
    inside: set[str] = field(default_factory=set)
    _on_both: set[str] = field(default_factory=set)
    _project: str = ""
    _called: dict[Service, str] = field(default_factory=dict)
    _gone: set[str] = field(default_factory=set)
    _stopped: set[Service] = field(default_factory=set)

    def answer(self, call: Call) -> Answer:
        """Carry out one call of a shim."""
        program, *words = call.words
        try:
            if len(words) > _MOST_WORDS:
                raise NotHere("it has too many words")
            return self._answer(program, words, call)
        except NotHere as reason:
            self.not_here.append(f"`{_short(shlex.join(call.words))}`: {reason}")
            self.limited |= isinstance(reason, Limited)
            return Answer(125, err=f"{program}: not carried out here: {reason}\n")
        except Failed as failure:
            return Answer(1, err=f"{failure}\n")
        except (Unusable, NotReady):
            # Of the machine, not of the document.
            raise
        except DrillbookError as trouble:
            return Answer(1, err=f"{program}: {trouble}\n")

    def _answer(self, program: str, words: Sequence[str], call: Call) -> Answer:
        if program in ("docker", "podman"):
            return self._docker(words, call)
        if program == "docker-compose":
            return self._compose(words, call)
        if program in ("curl", "wget"):
            return self._fetch(program, words)
        if program in OF_DATABASE:
            # On the host, or within a script inside the container.
            return self._exec("db", [program, *self._without_address(words)], call.input)
        if program == "redis-cli":
            return self._exec("redis", [program, *words], call.input)
        raise NotHere(f"{program} has no counterpart here")

    # The engine.

    def _docker(self, words: Sequence[str], call: Call) -> Answer:
        whole = Line(words, "docker", leading=True)
        _refuse_unknown_options(whole, "docker")
        verb, *rest = whole.rest or ["version"]
        if verb == "compose":
            return self._compose(rest, call)
        if verb in _GROUPS and rest:
            verb, rest = f"{verb} {rest[0]}".removeprefix("container "), rest[1:]
        verb = _SAME.get(verb, verb)
        if verb in _NOTHING:
            return Answer()
        if verb in _OPTIONS:
            is_volumes = verb == "volume ls"
            line = Line(rest, "ps" if is_volumes else verb, leading=verb == "exec")
            _refuse_unknown_options(line, verb)
        if verb in ("system prune", "volume prune"):
            raise self._refuse(f"docker {verb}", "whatever else is unused on the host")
        if verb == "network rm":
            return self._remove_networks(Line(rest, "rm").rest)
        if verb in ("ps", "volume ls"):
            kind = "container" if verb == "ps" else "volume"
            return self._list(kind, rest, self._all(kind))
        if verb == "exec":
            return self._exec_named(rest, call)
        if verb == "cp":
            return self._copy(rest, call)
        if verb == "inspect":
            return self._inspect(rest)
        if verb in _ON_EACH:
            return self._each(verb, rest)
        raise NotHere(f"docker {verb} has no counterpart here")

    def _ours(self, kind: str, with_gone: bool = False) -> Iterator[Listed]:
        found = [one for one in self.stack.resources() if one.run == self.run]
        known = {one.name: one for one in found if one.kind == kind}
        is_volume = kind == "volume"
        services: Mapping[str, Service] = _VOLUMES if is_volume else {one: one for one in SERVICES}
        for name, service in services.items():
            labels = {_PROJECT: self.names["project"]}
            if not is_volume:
                labels |= {"com.docker.compose.service": service, "coolify.managed": "true"}
                labels["coolify.resourceName"] = "infisical"
            full = f"{self.stack.name}_{name}" if is_volume else f"{self.stack.name}-{name}-1"
            if with_gone or name not in self._gone:
                yield Listed(kind, self.names[name], service, labels, known.get(full))

    def _all(self, kind: str) -> list[Listed]:
        # The engine lists the newest first: ours need not be it.
        return [*(one for one in self.bystanders if one.kind == kind), *self._ours(kind)]

    def _is_running(self, one: Listed) -> bool:
        return one.service is None or one.service not in self._stopped

    def _list(self, kind: str, words: Sequence[str], found: list[Listed]) -> Answer:
        line = Line(words, "ps")
        if kind == "container" and not line.has("a", "all"):
            found = [one for one in found if self._is_running(one)]
        filters = [value.partition("=") for value in line.values("f", "filter")]
        for name in dict.fromkeys(name for name, _, _ in filters):
            wanted = [value for key, _, value in filters if key == name]
            self._refuse_unknown_filters(kind, name, wanted)
            # As the engine does: each of several labels, but any of several names.
            fit = all if name == "label" else any
            found = [one for one in found if fit(self._fits(one, name, w) for w in wanted)]
        short = "{{.ID}}" if kind == "container" else "{{.Name}}"
        whole = "table {{.Driver}}    {{.Name}}" if kind == "volume" else _PS
        form = line.value("format") or (short if line.has("q", "quiet") else whole)
        table = form.removeprefix("table ").replace("\\t", "\t")
        lines = [_template(table, self._facts(one)) for one in found]
        if form.startswith("table "):
            lines.insert(0, re.sub(r"\{\{\s*\.(\w+)\s*\}\}", _title, table))
        return _printed(lines)

    def _refuse_unknown_filters(self, kind: str, name: str, wanted: Sequence[str]) -> None:
        """Raise where a filter selects what the operator's host may have, and this does not."""
        known = [*self._ours(kind, with_gone=True), *(b for b in self.bystanders if b.kind == kind)]
        for value in wanted:
            telling = name == "label" or (name == "name" and service_of(value))
            if telling and not any(self._fits(one, name, value) for one in known):
                raise NotHere(
                    f"no {kind} here has the {name} {_short(value)}; a mark says what yours are "
                    "called: <!-- drillbook: names … -->"
                )

    def _is_called(self, one: Listed, wanted: str) -> bool:
        """Whether a filter means ours by a name as compose gives it, or by their project."""
        word = wanted.replace(".*", "-").strip("^/?$").rstrip("-_")
        if one.service is None:
            return False
        forms = filter(None, (_plain(service, word) for service in SERVICES))
        if not any(form["project"] for form in forms):
            return self._is_own(word)
        if one.kind == "volume":
            found = _plain(one.service, word)
            return bool(found and self._is_own(found["project"] or ""))
        called = self._called_plainly(word)
        return called is not None and called.name == one.name

    def _fits(self, one: Listed, name: str, wanted: str) -> bool:
        if name == "name":
            with_slash = f"/{one.name}" if one.kind == "container" else one.name
            if len(wanted) > _LONGEST_PATTERN or _ENDLESS.search(wanted):
                raise NotHere("names are not looked for by such a pattern")
            try:
                matches = re.search(wanted, with_slash) is not None or wanted in one.name
            except re.error:
                raise NotHere(f"{wanted} is not a pattern of a name") from None
            if not matches and self._is_called(one, wanted):
                self.assumed.add(wanted)
                return True
            return matches
        if name == "label":
            label, _, value = wanted.partition("=")
            if one.service and label in _OF_PROJECT and value and self._is_own(value):
                self.assumed.add(value)
                return True
            return label in one.labels and (not value or one.labels[label] == value)
        if name == "status":
            return self._is_running(one) == (wanted == "running")
        if name == "id":
            return one.id.startswith(wanted)
        raise NotHere(f"a filter by {name} has no counterpart here")

    def _facts(self, one: Listed) -> dict[str, str]:
        running, slash = self._is_running(one), "/" if one.kind == "container" else ""
        facts = dict.fromkeys(("Image", "Config.Image"), _IMAGES.get(one.service or "", "busybox"))
        facts |= dict.fromkeys(("ID", "Id"), one.id)
        facts |= dict.fromkeys(("State", "State.Status"), "running" if running else "exited")
        return facts | {
            "Names": one.name,
            "Name": slash + one.name,
            "Command": '"…"',
            "RunningFor": "9 days ago",
            "Status": "Up 9 days (healthy)" if running else "Exited (0) a minute ago",
            "State.Running": str(running).lower(),
            "Ports": "",
            "Driver": "local",
            "Labels": ",".join(f"{name}={value}" for name, value in one.labels.items()),
        }

    def _find(self, kind: str, word: str) -> Listed | None:
        for one in self._all(kind):
            if word in (one.name, one.id) or (len(word) >= 4 and one.id.startswith(word)):
                return one
        return None

    def _refuse(self, line: str, hit: str) -> Failed:
        """Record, once, what of other deployments a command would have hit; its failure."""
        said = f"`{line}` would have hit {hit}"
        if said not in self.strayed:
            self.strayed.append(said)
        return Failed(f"refused: {hit} is not of this deployment")

    def _miss(self, said: str, error: str) -> Failed:
        """Record that a command names something that does not exist; its failure."""
        self.unmatched.append(said)
        return Failed(error)

    def _touch(self, line: str, kind: str, word: str, destroys: bool) -> Listed:
        """The resource of this run that a word names; Failed for anything else.

        NotHere for a name that nothing has, but that may be this deployment's or another's.
        """
        one, line = self._find(kind, word), _short(line)
        if one is None and kind == "container":
            one = self._called_plainly(word)
            self.assumed.update([word] if one else [])
        elif one and self._is_of_another_instance(one):
            raise self._unknown(kind, one.name)
        if one and one.resource and one.resource.run == self.run:
            if self.names["project"] not in one.name:
                self.assumed.add(one.name)
            return one
        if one:
            raise self._refuse(line, one.name)
        if word not in self.names.values() and (destroys or service_of(word)):
            raise self._unknown(kind, word)
        missing = f"Error response from daemon: No such {kind}: {word}"
        raise self._miss(f"`{line}`: there is no {kind} {word}", missing)

    def _unknown(self, kind: str, name: str) -> NotHere:
        return NotHere(f"the {kind} {_short(name)} is not known as this deployment's")

    def _is_of_another_instance(self, one: Listed) -> bool:
        """Whether its name has another project than the one that this section is for.

        The names of a document may be those of several instances, one service's here and another's
        there.
        """
        form = _plain(one.service, one.name) if one.service else None
        project = form["project"] if form else None
        return project in self._projects_of_names() and not self._is_own(project or "")

    def _called_plainly(self, word: str) -> Listed | None:
        """Our container by a name as compose gives it, where the document gives it no other."""
        for one in self._ours("container"):
            found = _plain(one.service, word) if one.service else None
            if not found or found["kept"] or not one.service:
                continue
            # Within one section, a second name means another instance.
            free = self.names["project"] in one.name and self._called.get(one.service, word) == word
            if free and self._is_own(found["project"] or word):
                self._called[one.service] = word
                return one
        return None

    def _each(self, verb: str, words: Sequence[str]) -> Answer:
        line, kind = Line(words, verb), "volume" if verb == "volume rm" else "container"
        if not line.rest:
            empty = f"`docker {verb}`: what was to name the {kind} is empty"
            raise self._miss(empty, f'docker: "docker {verb}" requires at least 1 argument.')
        out, failures = b"", []
        for word in line.rest:
            try:
                out += self._on(verb, kind, word, line)
            except Failed as failure:
                failures.append(f"{failure}\n")
        return Answer(1 if failures else 0, out, "".join(failures))

    def _on(self, verb: str, kind: str, word: str, line: Line) -> bytes:
        known = self._known(word) if kind == "volume" else word
        destroys = verb in ("rm", "stop", "kill", "volume rm")
        one = self._touch(f"docker {verb} {shlex.quote(word)}", kind, known, destroys)
        service = one.service or "backend"
        if verb == "logs":
            return _tail(self.stack.logs(service), line)
        if kind == "volume" and service not in self._gone:
            raise Failed(f"remove {word}: volume is in use")
        if verb == "rm" and self._is_running(one) and not line.has("f", "force"):
            raise Failed(f"cannot remove container {one.name}: it is running: stop it or use -f")
        if verb in ("rm", "volume rm"):
            self._remove(one)
        else:
            self.act(verb, service)
        return f"{word}\n".encode()

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
        self._gone.discard(service)

    def _remove(self, one: Listed) -> None:
        if one.resource is None:
            return
        self.stack.destroy([one.resource])
        if one.kind == "container" and one.service:
            self._stopped.add(one.service)
            self._gone.add(one.service)
        else:
            self._gone.add(next(name for name in _VOLUMES if one.resource.name.endswith(name)))

    def redeploy(self) -> None:
        """Bring everything up under the typed settings, as Coolify's redeploy does."""
        password = self.typed.get("POSTGRES_PASSWORD", "")
        if not _UNRESERVED.fullmatch(password) and IN_ADDRESS not in self.typed:
            raise NotHere(
                "POSTGRES_PASSWORD has characters that break an address; whether that of the "
                f"operator encodes them is not known; use letters and digits, or {IN_ADDRESS}"
            )
        wiped = "pg_data" in self._gone
        settings = self.fresh_start() if wiped and self.fresh_start else self.stack.settings
        self.acts.append("redeploy")
        self.since = log_mark(self.stack)
        self.stack.up(settings.but(**self.typed))
        self._gone.clear()
        self._stopped.clear()

    def _remove_networks(self, words: Sequence[str]) -> Answer:
        """Leave this deployment's network, which goes with its containers; refuse another."""
        refused = []
        for one in words:
            project = re.split(r"[-_](?=[^-_]*$)", one)[0]
            theirs = any(other.labels.get(_PROJECT) == project for other in self.bystanders)
            if theirs or one == "coolify":
                refused.append(self._refuse(f"docker network rm {shlex.quote(one)}", one))
            elif self.names["project"] not in one and not self._is_own(project):
                raise self._unknown("network", one)
        if refused:
            raise Failed("\n".join(map(str, refused)))
        return Answer()

    def _known(self, volume: str) -> str:
        """The listed name of a volume that a command names as compose files do.

        NotHere for a volume of a project that is not known as this deployment's: were it taken for
        ours, a wipe of another's data would pass for a wipe of this.
        """
        if self._find("volume", volume):
            return volume
        for name, of in _VOLUMES.items():
            found = _plain(of, volume)
            if found and self._is_own(found["project"] or ""):
                self.assumed.add(volume)
                return self.names[name]
        raise self._unknown("volume", volume)

    def _is_own(self, project: str) -> bool:
        """Whether a project is the operator's Infisical, by its names and by those used before.

        Of several that could be, the first is meant: the others are other instances.
        """
        if project == self.names["project"]:
            return True
        words, named = _words(project), self._projects_of_names()
        in_use = "infisical" in words and not any(map(_ANOTHER.fullmatch, words))
        if not (project in named if named else in_use):
            return False
        self._project = self._project or project
        return self._project == project

    def _projects_of_names(self) -> set[str]:
        """The projects by which the operator's containers are called, where compose names them."""
        found = [_plain(one, self.names[one]) for one in SERVICES]
        projects = [one["project"] for one in found if one and one["project"]]
        agree = len(projects) == len(SERVICES) and len(set(projects)) == 1
        return {one for one in projects if agree or "infisical" in one.lower()}

    def _refuse_other_project(self, whole: Line, words: Sequence[str], call: Call) -> None:
        """Raise where a compose command is not known to be one for this deployment."""
        given = whole.values("p", "project-name")
        for project in given:
            if any(one.labels.get(_PROJECT) == project for one in self.bystanders):
                raise self._refuse(f"docker compose {shlex.join(words)}", project)
            if not self._is_own(project):
                raise self._unknown("project", project)
            self.assumed.add(project)
        wipes = whole.rest[:1] == ["down"] and Line(whole.rest[1:], "down").has("v", "volumes")
        if given or not wipes:
            return
        # Without a name, the folder and the file decide whose volumes are removed.
        files = [Path(one) for one in whole.values("f", "file")]
        folder = _project_folder(whole, call)
        for name in (folder.name, *(one.name for one in files)):
            of_any = all(map(_OF_ANY.fullmatch, _words(name)))
            if not (of_any or "infisical" in _words(name) or self._is_own(name)):
                raise self._unknown("project of", name)

    def _inspect(self, words: Sequence[str]) -> Answer:
        line, lines = Line(words, "inspect"), []
        for word in line.rest:
            one = self._find("container", word) or self._called_plainly(word)
            if one is None:
                one = self._find("volume", self._known(word) if service_of(word) else word)
            if one is None:
                missing = f"`docker inspect {word}`: there is none"
                raise self._miss(missing, f"Error: No such object: {word}")
            lines.append(_template(line.value("f", "format"), self._facts(one)))
        return _printed(lines)

    def _copy(self, words: Sequence[str], call: Call, composed: bool = False) -> Answer:
        """Copy a file into the database's container or out of it; composed: names are services."""
        if not self._runs_inside:
            raise NotHere("docker cp has no counterpart here; pipe through docker exec instead")
        paths, sides = [], []
        for word in Line(words, "cp").rest:
            name, colon, path = word.partition(":")
            inside = bool(colon) and "/" not in name
            if word == "-" or (inside and self._service_to_copy(name, words, composed) != "db"):
                raise NotHere("only files of the database's container have a counterpart here")
            if inside:
                # From where it starts, a path of a container is one of its root.
                path = f"/{path.lstrip('/')}"
                _refuse_paths_that_are_not_here([path])
            paths.append(path if inside else word)
            sides.append(inside)
        if len(paths) != 2:
            raise Failed('docker: "docker cp" requires 2 arguments.')
        source, target = (os.path.normpath(Path(call.folder, one)) for one in paths)
        # A folder, as far as can be told, takes the file's name.
        named = f"{target}/{Path(source).name}"
        is_folder = paths[1][-1:] == "/" or target.count("/") == 1 or target == _OF_IMAGE
        if sides[0]:
            self._follow("read", source)
            for path in {target, named} & self.inside:
                self.inside.discard(path)
                self._on_both.add(path)
        elif sides[1]:
            copied = named if is_folder else target
            (self._on_both if copied == source else self.inside).add(copied)
        # Embedded, a container's files are those of the host.
        same = f"[[ {shlex.quote(paths[0])} -ef {shlex.quote(paths[1])} ]]"
        copy = f"{same} || {shlex.join(['cp', '-r', '--', *paths])}; exit $?"
        return Answer(run=f"{_folders_of_container(paths)}{copy}")

    def _service_to_copy(self, name: str, words: Sequence[str], composed: bool) -> Service | None:
        if composed:
            return next((one for one in SERVICES if one == name), None)
        return self._touch(f"docker cp {shlex.join(words)}", "container", name, False).service

    @property
    def _runs_inside(self) -> bool:
        """Whether programs of a container run in the sandbox, there being no container."""
        return self.stack.driver == "embedded"

    def _exec_named(self, words: Sequence[str], call: Call) -> Answer:
        line, typed = Line(words, "exec", leading=True), f"docker exec {shlex.join(words)}"
        # Without quotes, nothing stands where a selector has found nothing.
        no_name = {"", *OF_DATABASE, *_IN_SANDBOX, "redis-cli", "curl", "wget"}
        if not line.rest or (line.rest[0] in no_name and not self._find("container", line.rest[0])):
            empty = f"`{_short(typed)}`: what was to name the container is empty"
            raise self._miss(empty, _TOO_FEW)
        # A selector that found several gives several names: the first that is ours is meant.
        names = list(itertools.takewhile(lambda one: self._find("container", one), line.rest))
        names, ours, failures = names or line.rest[:1], [], []
        for name in names:
            try:
                ours.append(self._touch(typed, "container", name, False))
            except Failed as failure:
                failures.append(failure)
        if not ours:
            raise failures[0]
        tty = line.has("t", "tty")
        if tty and call.piped:
            raise Failed("the input device is not a TTY")
        service, program = ours[0].service or "backend", line.rest[len(names) :]
        is_open = line.has("i", "interactive")
        answer = self._exec_inside(service, program, call, line, is_open)
        if answer.run and not is_open:
            answer = replace(answer, run=f"{answer.run} </dev/null")
        return _through_terminal(answer) if tty else answer

    def _exec_inside(
        self, service: Service, program: Sequence[str], call: Call, line: Line, is_open: bool
    ) -> Answer:
        """Run a program inside a service, and follow the files that it reads and writes there."""
        if self._runs_inside and service == "db":
            is_shell = program[:1] and program[0] in SHELLS
            if is_shell and is_open and call.piped and all(it[:1] == "-" for it in program[1:]):
                raise NotHere("what a script from its input reads and writes there is not known")
            for use, path in uses(program):
                self._follow(use, path)
        stdin = call.input if is_open else None
        return self._exec(service, program, stdin, line.values("e", "env"))

    def _follow(self, use: str, path: str) -> None:
        """Note a use of a file inside; NotHere for one that is read and was not put there."""
        if path[:1] != "/" or set("$`") & {*path}:
            raise NotHere(f"which file of the container {_short(path)} is, is not known")
        known = {*self.inside, *self._on_both}
        found = {one for one in known if fnmatchcase(one, path) or one.startswith(f"{path}/")}
        if use == "write":
            self.inside.add(path)
            self._on_both.discard(path)
        elif use == "remove":
            self.inside -= found
            self._on_both -= found
        elif not found and not any(path.startswith(f"{one}/") for one in known):
            raise NotHere(
                f"{_short(path)} is on the host; whether the container has it, by a mount, only "
                "the compose file says; pipe it in, or use docker cp"
            )

    def _exec(
        self, service: Service, program: Sequence[str], stdin: Path | None, env: Sequence[str] = ()
    ) -> Answer:
        """Run a program inside a service of this run; env has variables as NAME=value."""
        if not program:
            raise Failed(_TOO_FEW)
        if service in self._stopped:
            raise Failed("Error response from daemon: container is not running")
        if service == "backend" and program[0] in ("curl", "wget"):
            return self._fetch(program[0], program[1:])
        if self._runs_inside:
            return self._exec_embedded(service, program, env, stdin)
        # A password must not be on a command line, which every list of processes shows.
        of_psql = ("-c", "--command") if program[0] == "psql" else ()
        given, program = _take(program, *of_psql)
        if given:
            # As with -c, a statement that fails is a failure.
            program[1:1] = ["-v", "ON_ERROR_STOP=1"]
        words = [*(["env", *env] if env else ()), *program]
        typed, variables = self.stack.shell_command(service, words)
        feed = "\n;\n".join(given).encode() if given else stdin
        return _run_bounded(typed, variables, feed, self.scratch)

    def _exec_embedded(
        self, service: Service, program: Sequence[str], env: Sequence[str], stdin: Path | None
    ) -> Answer:
        """Run a program where there is no container: in the sandbox, or by the cache's client."""
        if service == "backend" and program[0] in ("env", "printenv"):
            return self._variables_of_backend(program, env)
        of_cache = service == "redis" and program[0] in SHELLS
        if of_cache or (service == "db" and program[0] in _IN_SANDBOX):
            _refuse_paths_that_are_not_here(program[1:], are_scripts=program[0] in SHELLS)
            # Its programs find their way back here. Variables are exported, since a command line
            # is seen by all.
            settings = self.stack.settings
            variables = {
                "POSTGRES_USER": settings.get("POSTGRES_USER") or DATABASE_USER,
                "POSTGRES_DB": settings.get("POSTGRES_DB") or DATABASE_NAME,
                "POSTGRES_PASSWORD": str.__str__(settings["POSTGRES_PASSWORD"]),
            }
            given = [*(f"{n}={v}" for n, v in variables.items() if service == "db"), *env]
            exported = f"export {shlex.join(given)}; " if given else ""
            return Answer(
                run=f"{_folders_of_container(program)}{exported}exec {shlex.join(program)}"
            )
        if service == "db" and program[0] in OF_DATABASE:
            _refuse_paths_that_are_not_here(program[1:])
            program = [program[0], *self._without_address(program[1:])]
            words, variables = self.stack.shell_command(service, program)
            given = [*(f"{n}={v}" for n, v in variables.items() if n != "PATH"), *env]
            run = f"exec {shlex.join(['env', *given, *words])}"
            return Answer(run=_folders_of_container(program) + run)
        inner = [word for word in program[1:] if word not in ("--no-auth-warning", "--raw")]
        client = program[0].rpartition("/")[2] in ("redis-cli", "valkey-cli")
        if service != "redis" or not client or not inner or inner[0].lower() not in _CACHE:
            said = " ".join(program[:2])
            raise NotHere(f"{said} is not carried out in the embedded {service}")
        done = self.stack.exec(service, ["redis-cli", *inner], stdin=stdin)
        return Answer(done.exit_code, done.stdout, done.stderr.decode(errors="replace"))

    def _without_address(self, words: Sequence[str]) -> list[str]:
        """The words of one of PostgreSQL's programs without the address of this run's database.

        NotHere for another server, and for an address in one word, whose password would count.
        """
        hosts, kept = _take(words, "-h", "--host")
        _, kept = _take(kept, "-p", "--port")
        for host in hosts:
            named = _plain("db", host)
            ours = named and (not named["project"] or self._is_own(named["project"]))
            if host not in (*_LOCAL, self.names["db"]) and host[:1] != "/" and not ours:
                raise NotHere(f"the database at {_short(host)} is not known as this deployment's")
        if any(_ADDRESS.search(word) for word in kept):
            raise NotHere("a database is not found by an address here; write -U and -d")
        return kept

    def _variables_of_backend(self, program: Sequence[str], env: Sequence[str]) -> Answer:
        """The backend's variables, as `env` or `printenv` prints them."""
        settings = {n: str.__str__(v) for n, v in self.stack.settings.items()}
        known = settings | backend_environment(self.stack.settings, "db:5432", "redis://redis:6379")
        known |= {n: value for n, equals, value in (one.partition("=") for one in env) if equals}
        if len(program) == 1:
            return _printed([f"{name}={value}" for name, value in known.items()])
        if program[0] == "env" or any(one not in known for one in program[1:]):
            raise NotHere(f"{_short(shlex.join(program))} is not carried out in the backend")
        return _printed([known[one] for one in program[1:]])

    # Compose.

    def _compose(self, words: Sequence[str], call: Call) -> Answer:
        whole = Line(words, "compose", leading=True)
        self._refuse_other_project(whole, words, call)
        _refuse_unknown_options(whole, "compose")
        verb, *rest = whole.rest or ["version"]
        line = Line(rest, verb, leading=verb == "exec")
        if verb in _OPTIONS:
            _refuse_unknown_options(line, verb)
        named = line.rest[:1] if verb == "exec" else line.rest
        if f"compose {verb}" in _NOTHING:
            return Answer()
        if verb == "cp":
            return self._copy(rest, call, composed=True)
        if verb not in ("ps", "exec", *_COMPOSED):
            raise NotHere(f"docker compose {verb} has no counterpart here")
        if "" in named or (verb == "exec" and not named):
            empty = f"`docker compose {verb}`: what was to name the service is empty"
            raise self._miss(empty, "no such service: ")
        services = [one for name in named for one in SERVICES if one == name]
        if len(services) < len(named):
            # The compose file is the operator's: it may have this service.
            unknown = next(one for one in named if one not in SERVICES)
            known = f"here the services are {', '.join(SERVICES)}"
            raise NotHere(f"whether there is a service {_short(unknown)} is not known; {known}")
        if verb == "exec":
            # Compose makes a terminal, unless what it prints goes elsewhere.
            is_open = call.is_shown and not line.has("T", "no-TTY", "no-tty")
            if is_open and call.piped:
                raise Failed("the input device is not a TTY")
            return self._exec_inside(services[0], line.rest[1:], call, line, True)
        services = services or list(SERVICES)
        if verb == "ps":
            ours = [one for one in self._ours("container") if one.service in services]
            return self._list("container", rest, ours)
        if verb == "logs":
            return Answer(out=b"".join(_tail(self.stack.logs(one), line) for one in services))
        if verb == "up":
            return self._up(services, _variable_files(whole, call), call.placed)
        if verb not in ("down", "rm"):
            for one in services:
                self.act(verb, one)
            return Answer()
        kinds = ["container", *(["volume"] if verb == "down" and line.has("v", "volumes") else [])]
        stops = verb == "down" or line.has("s", "stop")
        for listed in [one for kind in kinds for one in self._ours(kind)]:
            if listed.service in services and (stops or not self._is_running(listed)):
                self._remove(listed)
        return Answer()

    def _up(
        self, services: Sequence[Service], files: Sequence[str], placed: Mapping[str, bytes]
    ) -> Answer:
        """Deploy the variables that the files of the project now set; a later file wins.

        placed has the files that were there before the section. Failed for a variable of theirs
        that is lost.
        """
        said: dict[str, str] = {}
        for number, file in enumerate(files):
            if (data := self.read_file(file)) is None:
                if Path(file).name == ".env":
                    continue
                raise NotHere(f"the file of variables {_short(file)} is not here")
            copy = self.scratch / f"typed-{number}.env"
            copy.write_bytes(data)
            try:
                said |= dict(dotenv.load(copy, f"{file}, as"))
            except BadInput as trouble:
                raise Failed(f"docker compose: {trouble}") from None
        held = b"\n".join(placed.get(one, b"") for one in files).decode()
        if lost := [name for name in dict.fromkeys(_SET.findall(held)) if name not in said]:
            said_so = f"{' and '.join(map(_short, files))} no longer sets {', '.join(lost)}"
            raise self._miss(f"`docker compose up`: {said_so}", f"docker compose: {said_so}")
        self.typed |= {n: v for n, v in said.items() if self.stack.settings.get(n) != v}
        if "backend" in services:
            self.redeploy()
        else:
            for one in services:
                self.act("start", one)
        return Answer()

    # The instance.

    def _fetch(self, program: str, words: Sequence[str]) -> Answer:
        line = Line(words, "curl")
        url = next((one for one in line.rest if "://" in one or one.startswith("localhost")), "")
        found = re.fullmatch(r"(?:https?://)?([^/]+)(/api/[^\s]*)", url)
        if not found:
            self.not_here.append(f"`{program} {url}`: there is no network here")
            return Answer(6, err=f"{program}: (6) Could not resolve host\n")
        host, _, port = found[1].rpartition("@")[2].rpartition(":")
        if host in _LOCAL_IN_URL and port not in _PORTS_OF_BACKEND:
            raise NotHere(f"whether port {_short(port)} is the backend's is not known")
        if line.has("X", "request", "d", "data"):
            raise NotHere("only GET requests have a counterpart here")
        if line.value("o", "output") not in ("", "/dev/null", "-"):
            raise NotHere("an answer is not written to a file here; redirect it, or print it")
        try:
            answer = client_without_cookies(_HTTP_S, _HTTP_S).get(self.stack.base_url + found[2])
        except httpx2.TimeoutException:
            raise Limited(f"it was not answered within {_HTTP_S:.0f} s") from None
        except httpx2.TransportError:
            silent = line.has("s", "silent", "q", "quiet") and not line.has("S", "show-error")
            return Answer(7, err="" if silent else f"{program}: (7) Failed to connect\n")
        if answer.status_code >= 400 and (program == "wget" or line.has("f", "fail")):
            return Answer(22)
        code = str(answer.status_code)
        body = f"HTTP/1.1 {code}\n".encode() if line.has("I", "head") else answer.content
        shown = line.value("w", "write-out").replace("%{http_code}", code).replace("\\n", "\n")
        return Answer(out=(b"" if "/dev/null" in words else body) + shown.encode())


_TITLES = {"ID": "CONTAINER ID", "RunningFor": "CREATED", "Name": "VOLUME NAME"}
_PS = "table " + "   ".join(
    f"{{{{.{name}}}}}"
    for name in ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names")
)


def _plain(service: Service, name: str) -> re.Match[str] | None:
    """The parts of a name that compose gives a container or volume of this service."""
    return _PLAIN[service].fullmatch(name.lower()) if len(name) <= _LONGEST_PATTERN else None


def _words(name: str) -> list[str]:
    return re.split(r"[-_.]", name.lower())


def _project_folder(compose: Line, call: Call) -> Path:
    """The folder of the project that a compose command is for, as compose finds it."""
    file = compose.value("f", "file")
    return Path(call.folder, compose.value("project-directory") or Path(file).parent)


def _variable_files(compose: Line, call: Call) -> list[str]:
    """The files that compose reads variables from: those given, else .env next to its file."""
    given = compose.values("env-file") or [str(_project_folder(compose, call) / ".env")]
    return [os.path.normpath(Path(call.folder, one)) for one in given]


def _refuse_unknown_options(line: Line, command: str) -> None:
    """Raise for an option that is not followed here, as for a flag that is switched off."""
    for name, value in line.options:
        has_effect = command == "kill" and value and not _KILLING.fullmatch(value)
        if name not in _OPTIONS[command].split() or value == "false" or has_effect:
            said = f"{'--' if len(name) > 1 else '-'}{name}{f'={value}' if value else ''}"
            raise NotHere(f"the option {_short(said)} has no counterpart here")


def _title(field: re.Match[str]) -> str:
    return _TITLES.get(field[1], field[1].upper())


def _take(words: Sequence[str], *names: str) -> tuple[list[str], list[str]]:
    """The values of these options, and the words without them."""
    values: list[str] = []
    kept: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        starts = [one for one in names if word.startswith(f"{one}=" if one[:2] == "--" else one)]
        if word in names:
            values += left[:1]
            del left[:1]
        elif starts and word[:2] == starts[0][:2]:
            values.append(word.removeprefix(starts[0]).removeprefix("="))
        else:
            kept.append(word)
    return values, kept


def _refuse_paths_that_are_not_here(words: Sequence[str], are_scripts: bool = False) -> None:
    """Raise for a path whose folder a container may have, as a mount, and the sandbox lacks."""
    for word in words:
        whole = _PATH.match(word)
        found = _PATH_OF_SCRIPT.findall(word[:_LONGEST_SCRIPT]) if are_scripts else []
        for path in [*found, *([whole[1]] if whole else [])]:
            if path.split("/")[1] not in (*ROOTS, *_FOLDERS):
                raise NotHere(f"{_short(path)} is in no folder that is here; use /tmp")


def _folders_of_container(words: Sequence[str]) -> str:
    """A line of bash that makes the folder of PostgreSQL's image, where a command names it."""
    return f"mkdir -p {_OF_IMAGE}; " if any(_OF_IMAGE in one for one in words) else ""


def _run_bounded(
    words: Sequence[str], variables: Mapping[str, str], stdin: Path | bytes | None, scratch: Path
) -> Answer:
    """Run a command; its output, which may be large, is a file in scratch.

    Limited where a limit ended it.
    """
    limits = f'ulimit -f {_MOST_BYTES >> 10}; exec timeout -s KILL {_LONGEST_S} "$@"'
    bounded = ["bash", "-c", f"{limits} 2> >(head -c {_MOST_SAID} >&2)", "bash", *words]
    out = scratch / f"printed-{next(_NUMBERS)}"
    started = time.monotonic()
    done = call_program(bounded, ("a command of the document",), variables, stdin, out)
    # A signal ends it as in a shell.
    code = 128 - done.exit_code if done.exit_code < 0 else done.exit_code
    if code == _KILLED and time.monotonic() - started >= _LONGEST_S:
        raise Limited(f"it had not ended after {_LONGEST_S:.0f} s")
    if code == _TOO_LARGE:
        raise Limited(f"it wrote more than {_MOST_BYTES >> 20} MiB to a file")
    return Answer(code, out, done.stderr.decode(errors="replace"))


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"


def _printed(lines: Sequence[str]) -> Answer:
    return Answer(out="".join(f"{line}\n" for line in lines).encode())


def _tail(text: str, line: Line) -> bytes:
    since = line.value("since")
    if since and not _LONG_AGO.fullmatch(since):
        raise NotHere(f"what was printed since {_short(since)} is not known here")
    count, lines = line.value("n", "tail"), text.splitlines(keepends=True)
    return "".join(lines[-int(count) :] if count.isdecimal() else lines).encode()


def _through_terminal(answer: Answer) -> Answer:
    """The answer as a terminal prints it: each line also ends with a carriage return."""
    if answer.run:
        return Answer(run=f"exec > >(sed 's/$/\\r/'); {answer.run}")
    out = answer.out if isinstance(answer.out, bytes) else answer.out.read_bytes()
    return Answer(answer.code, out.replace(b"\n", b"\r\n"), answer.err)


def _template(text: str, facts: Mapping[str, str]) -> str:
    def fill(match: re.Match[str]) -> str:
        if match[1] not in facts:
            raise NotHere(f"the format {match[0]} has no counterpart here")
        return facts[match[1]]

    if "{{" not in text or len(text) > _LONGEST_PATTERN:
        raise NotHere(f"the format {_short(text) or '(none)'} has no counterpart here")
    return re.sub(r"\{\{\s*\.?(.*?)\s*\}\}", fill, text)
