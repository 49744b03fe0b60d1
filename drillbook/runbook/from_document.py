"""The procedures of an operator's document: its marked blocks, run by bash on a host."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drillbook.core.errors import NotReady, Unsupported
from drillbook.infisical.http import Answer
from drillbook.infisical.settings import KEYS, SENSITIVE, Settings
from drillbook.runbook.marks import MarkedBlock
from drillbook.runbook.procedures import Selection
from drillbook.stack.base import SERVICES, Command, Service, Stack
from drillbook.stack.containers.host import HOME, Host, HostGone, StackOnHost
from drillbook.stack.containers.neighbours import Neighbours
from drillbook.stack.waiting import died, serves, wait_until

# Seconds for a procedure: a restore of the reference takes a few, a start of the product minutes.
_WITHIN_S = 900
_START_S = 240
_STAMP = "/run/drillbook-stamp"
_LONGEST_SHOWN = 3000
_FIRST_FAILURE = '[ "$drillbook_code" != 0 ] || drillbook_code=$drillbook_last'
# The names under which every block finds the containers, and what else is bound.
_CONTAINERS: dict[str, Service] = {"BACKEND": "backend", "DB": "db", "REDIS": "redis"}
_MAKES_KEY = re.compile(r"\bopenssl\s+rand\b")
_ASSIGNED = re.compile(
    r"^\s*(?:export\s+)?([A-Z][A-Z_]*)\s*[=:]\s*[\"']?([\w+/=-]{16,})[\"']?\s*$", re.M
)
_PRINTED_KEY = re.compile(r"[\w+/=-]{16,}")
# A container's name that is written out, by the service that it names.
_LITERAL: dict[Service, str] = {
    "backend": r"backend|infisical",
    "db": r"db|postgres|postgresql|database",
    "redis": r"redis|cache|valkey",
}


class NotInDocument(Unsupported):
    """The document has no procedure for what a spec tries."""

    def __init__(self, act: str, what: str = "") -> None:
        tried = f"{act} ({what})" if what else act
        super().__init__(f"your runbook has no procedure for {tried}")


@dataclass(frozen=True, slots=True)
class Procedure:
    """The marked blocks of one act in one section, which one bash runs in order."""

    act: str
    section: str
    blocks: tuple[MarkedBlock, ...]

    @property
    def line(self) -> int:
        """The line of its first command."""
        return self.blocks[0].line


def procedures_of(blocks: Iterable[MarkedBlock]) -> list[Procedure]:
    """The procedures of a document in their order."""
    grouped: dict[tuple[str, str], list[MarkedBlock]] = {}
    for block in blocks:
        grouped.setdefault((block.act, block.section), []).append(block)
    return [Procedure(*key, tuple(those)) for key, those in grouped.items()]


def literal_names(blocks: Iterable[MarkedBlock]) -> dict[Service, str]:
    """The names of containers that the blocks write out, such as infisical-db-1, by service."""
    words = [
        word
        for block in blocks
        for line in block.text.splitlines()
        if re.search(r"\bdocker\s", line)
        for word in re.findall(r"(?<![\w./$:=-])[a-z][\w.]*[-_][\w.-]+(?![\w./:=-])", line)
    ]
    found: dict[Service, str] = {}
    for service, pattern in _LITERAL.items():
        own = [w for w in words if re.fullmatch(rf"[\w.-]*[-_](?:{pattern})(?:[-_]1)?", w)]
        if own:
            found[service] = own[0]
    return found


@dataclass
class FromDocument:
    """The procedures of a document, for specs that otherwise try the documented ones.

    ready: starts the stack if nothing has yet. recorder: where what was run and seen is noted.
    """

    procedures: list[Procedure]
    host: Host
    stack: StackOnHost
    neighbours: Neighbours
    recorder: Any
    strays: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    chosen: str = ""
    _backups: dict[Path, str] = field(default_factory=dict)
    _backup: str = ""

    def find(self, act: str, what: str = "") -> Procedure:
        """The procedure of an act, in the section that is tried now; NotInDocument without one."""
        found = [one for one in self.procedures if one.act == act]
        here = [one for one in found if one.section == self.chosen]
        if not found:
            raise NotInDocument(act, what)
        return (here or found)[0]

    def has(self, act: str) -> bool:
        """Whether the document has a procedure of this act."""
        return any(procedure.act == act for procedure in self.procedures)

    def run(self, act: str, what: str = "", **variables: str) -> Command:
        """Run the procedure of an act, and take over what it changed."""
        procedure = self.find(act, what)
        self.neighbours.start()
        before = self.neighbours.look()
        self.stack.keep_logs()
        started = self.stack.started_at("backend")
        folder = next((b.folder for b in procedure.blocks if b.folder), self.stack.folder)
        bound = {**self._bound(procedure), **variables}
        self.host.call("touch", _STAMP)
        try:
            ran = self.host.run(_script(procedure), bound, folder, _WITHIN_S)
        except HostGone as reason:
            self.ended[procedure.section] = str(reason)
            raise NotReady(f"the block at line {procedure.line} was ended: {reason}") from None
        printed, code = ran.printed, ran.exit_code
        self.stack.adopt()
        for name, value in self.stack.settings.sensitive().items():
            self.recorder.secret(f"typed {name}", value)
        self.recorder.note(
            f"the document's {act}, line {procedure.line}, ended with {code}: "
            f"{printed.strip()[-_LONGEST_SHOWN:]}"
        )
        key = procedure.act, procedure.section
        self.strays.setdefault(key, []).extend(self.neighbours.differences(before))
        self._wait_for_start(started)
        return Command((act,), code, printed.encode(), b"")

    def _wait_for_start(self, before: str) -> None:
        """Wait for the backend if the commands have started it: specs ask it at once."""
        if self.stack.started_at("backend") not in ("", before):
            settled = lambda: serves(self.stack.base_url) or died(self.stack.backend())  # noqa: E731
            wait_until(settled, _START_S, every_s=0.2)

    def _bound(self, procedure: Procedure) -> dict[str, str]:
        values: dict[str, str] = {one: self.stack.container_name(one) for one in SERVICES}
        values["backup"] = self._backup or f"{self.stack.folder}/backup.sql"
        names = {name: values[service] for name, service in _CONTAINERS.items()}
        names |= {"BACKUP": values["backup"], "PROJECT": self.stack.name}
        names["URL"] = self.stack.url_inside
        names |= {name.lower(): text for name, text in names.items()}
        marks = {n: values[w] for block in procedure.blocks for n, w in block.bindings.items()}
        return names | marks

    def rotate_password_by_runbook(self, _stack: Stack, password: str) -> Settings:
        """Run the document's rotation alone."""
        self.run("rotate-password", NEW_PASSWORD=password)
        return self.stack.settings

    def rotate_password(self, _stack: Stack, password: str) -> None:
        """Run the document's rotation, and its redeployment where it has one."""
        self.run("rotate-password", NEW_PASSWORD=password)
        if self.has("redeploy"):
            self.run("redeploy")

    def back_up(self, _stack: Stack, to: Path) -> Command:
        """Run the document's backup; `to` gets the largest file that it made."""
        command = self.run("backup")
        files = [path for path in self.host.made_since(_STAMP) if not path.endswith(".env")]
        # A checksum or a log next to it is smaller.
        self._backup = files[0] if files else ""
        content = self.host.read(self._backup) if files else b""
        to.touch(0o600)
        to.write_bytes(content)
        self._backups[to] = self._backup
        return command

    def back_up_refused(self, _stack: Stack, to: Path) -> Command:
        """Run the document's backup while the database lets no one in."""
        name = self.stack.owner[1]
        self.stack.inside(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            return self.back_up(self.stack, to)
        finally:
            self.stack.inside(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')

    def restore(self, _stack: Stack, dump: Path) -> Command:
        """Run the document's restore of a backup that lies where it was made, or as backup.sql."""
        self._backup = self._backups.get(dump, "")
        if not self._backup or not self.host.read(self._backup, 1):
            self._backup = f"{self.stack.folder}/backup.sql"
            self.host.write(self._backup, dump.read_bytes())
        return self.run("restore")

    def wipe(self, _stack: Stack, run: str) -> Selection:
        """Run the document's wipe; which resources of the stack went, stayed, and are others'."""
        before = {(one.kind, one.name) for one in self._own(run)}
        self.run("wipe")
        after = {(one.kind, one.name) for one in self._own(run)}
        hit, missed = sorted(before - after), sorted(before & after)
        strays = self.strays["wipe", self.find("wipe").section]
        return Selection(
            tuple(name for _, name in hit), tuple(name for _, name in missed), tuple(strays)
        )

    def _own(self, run: str) -> Iterator[Any]:
        return (one for one in self.stack.resources() if one.run == run and one.kind != "network")

    def change_key(self, stack: Stack, name: str, value: str) -> None:
        """Run the document's change of a key; NotInDocument if it changes another one alone."""
        old = str.__str__(stack.settings[name])
        self.run("change-key", KEY_NAME=name, NEW_KEY=value)
        if str.__str__(stack.settings[name]) == old:
            raise NotInDocument("change-key", f"another {name}")

    def restore_keys(self, _stack: Stack, settings: Settings) -> None:
        """Run the document's way back to the old keys, which lie in the file $KEYS_FILE."""
        path = f"{HOME}/keys.env"
        rows = [f"{name}={str.__str__(settings[name])}" for name in KEYS if name in settings]
        self.host.write(path, "\n".join([*rows, ""]).encode())
        self.run("restore-keys", KEYS_FILE=path)

    def make_keys(self, names: Iterable[str]) -> dict[str, str]:
        """The keys of these names that the document makes; NotInDocument if one is missing."""
        procedure = self.find("make-keys")
        printed = self.run("make-keys").stdout.decode(errors="replace")
        made = dict(_keys_by_comment(procedure, printed)) | dict(_ASSIGNED.findall(printed))
        for path in self.host.made_since(_STAMP):
            text = self.host.read(path, 1 << 16).decode(errors="replace")
            made |= {name: value for name, value in _ASSIGNED.findall(text) if name in SENSITIVE}
        for name, value in made.items():
            self.recorder.secret(f"made {name}", value)
        for name in names:
            if name not in made:
                raise NotInDocument("make-keys", f"making {name}")
        return {name: made[name] for name in names}

    def health(self, _ask: Callable[[], Answer]) -> Answer:
        """The health report that the document's commands print; Unsupported if they print none."""
        printed = self.run("health").stdout.decode(errors="replace")
        for start in re.finditer(r"\{", printed):
            try:
                report, _ = json.JSONDecoder().raw_decode(printed[start.start() :])
            except ValueError:
                continue
            return Answer(200, "application/json", json.dumps(report), {})
        raise Unsupported("the document's health check prints no report, so no flag can be read")

    def find_unmatched(self, _compose: Any) -> list[str]:
        """The services whose log the document's commands should print, and do not."""
        command = self.run("logs")
        printed = {line.strip() for line in command.stdout.decode(errors="replace").splitlines()}
        logs = [self.stack.logs(service).splitlines() for service in SERVICES]
        if printed & {line.strip() for log in logs for line in log if line.strip()}:
            return []
        return [f"the document's commands print no line of a log, and end with {command.exit_code}"]


def _script(procedure: Procedure) -> str:
    """The blocks as one script; its exit code is that of the first block that failed, or 0."""
    lines = ["drillbook_code=0"]
    for block in procedure.blocks:
        lines += [block.text, "drillbook_last=$?", _FIRST_FAILURE]
    return "\n".join([*lines, "exit $drillbook_code"])


def _keys_by_comment(procedure: Procedure, printed: str) -> Iterator[tuple[str, str]]:
    """The keys that commands print without a name, which a comment on their line has."""
    lines = [
        line
        for block in procedure.blocks
        for line in block.text.splitlines()
        if _MAKES_KEY.search(line)
    ]
    values = [line.strip() for line in printed.splitlines() if _PRINTED_KEY.fullmatch(line.strip())]
    if len(lines) != len(values):
        return
    for line, value in zip(lines, values, strict=True):
        comment = line.partition("#")[2]
        names = [name for name in KEYS if name in comment]
        if re.search(r"JWT secrets?\b", comment):
            names += [name for name in KEYS if name.startswith("JWT")]
        yield from ((name, value) for name in names)
