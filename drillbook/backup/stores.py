"""Read backups from standard input, a storage that fsspec knows, or a repository of restic or borg.

Each store has `candidates()`, the backups there, of which there is one at least, and but for a
local one `read(candidate)`, the content of one. `shown` names it without credentials; `is_single`
says that its address names one backup; `secrets` may appear in no record. BadInput in one sentence
where a store cannot be read.

A credential comes from the environment alone: fsspec reads FSSPEC_<PROTOCOL>_<SETTING> and the
storage's own variables, restic and borg read theirs. Nothing is written to a store.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any

from drillbook.backup.facts import UNDATED, stated_time
from drillbook.backup.location import NAMES, Address, Candidate, candidates, names_backup
from drillbook.backup.stream import CHUNK, SILENCE_S, program_output
from drillbook.core.application import install_extra
from drillbook.core.display import printable, redact
from drillbook.core.errors import BadInput
from drillbook.core.options import nearest

_LONGEST_CHECKSUM = 4096
_TIMES = ("LastModified", "Last-Modified", "mtime", "updated", "modified", "created")
_CONNECT_S = 60
# A shorter value may occur in a message by chance.
_LEAST_SECRET = 4
_LONGEST_WORDS = 240


class NoBackup(BadInput):
    """A snapshot holds no backup, or not the named file."""


@dataclass(frozen=True, slots=True)
class Content:
    """A backup to copy: its file's name, its bytes, and when it was changed, in seconds since 1970.

    modified is UNDATED where the store does not say it. checksum is the content of the file
    with a checksum next to it, empty where there is none, None where it cannot be read.
    """

    name: str
    pieces: Iterator[bytes]
    modified: float = UNDATED
    checksum: bytes | None = b""


class Local:
    """A file, or a folder of pg_dump -Fd, or with choose the backups of a folder, read in place."""

    secrets: tuple[str, ...] = ()

    def __init__(self, path: Path, *, choose: bool) -> None:
        self._path = path
        self.is_single = not choose or not path.is_dir() or (path / "toc.dat").exists()
        self.shown = f"{path}" if self.is_single else f"folder {path}"

    def candidates(self) -> list[Candidate]:
        if self.is_single:
            return [_candidate(self._path.name, UNDATED, self._path)]
        return candidates(self._path)


class StandardInput:
    """The one backup on standard input."""

    shown = "standard input"
    is_single = True
    secrets: tuple[str, ...] = ()

    def candidates(self) -> list[Candidate]:
        return [_candidate("standard-input", UNDATED, None)]

    def read(self, candidate: Candidate) -> Content:
        return Content(candidate.name, iter(partial(sys.stdin.buffer.read, CHUNK), b""))


class Storage:
    """A file or a folder at a URL, by fsspec, which an optional extra brings along."""

    def __init__(self, address: Address) -> None:
        self.shown, self.secrets, self._scheme = address.shown, address.secrets, address.scheme
        with self._explained():
            import fsspec

            for settings in fsspec.config.conf.values():
                self.secrets += tuple(map(str, settings.values()))
            is_ssh = self._scheme in ("sftp", "ssh")
            # fsspec itself trusts any host, and waits for ever.
            safe = {"host_key_policy": _known_hosts(), "timeout": _CONNECT_S} if is_ssh else {}
            self._files, path = fsspec.core.url_to_fs(address.what, **safe)
            if is_ssh:
                self._files.ftp.get_channel().settimeout(SILENCE_S)
            self._entry = self._files.info(path)
        self.is_single = self._entry["type"] != "directory"

    def candidates(self) -> list[Candidate]:
        if self.is_single:
            return [_candidate(_name(self._entry), _time(self._entry), self._entry)]
        with self._explained():
            files = {_name(file): file for file in self._files.ls(self._entry["name"], detail=True)}
        found = [
            _candidate(name, _time(file), file)
            for name, file in files.items()
            if file["type"] == "file" and names_backup(name, files)
        ]
        if not found:
            raise BadInput(f"{self.shown} holds no {NAMES}; check the backup given")
        return found

    def read(self, candidate: Candidate) -> Content:
        path = candidate.item["name"]
        checksum: bytes | None = b""
        # Every storage has its own errors, and a credential need not open a second file.
        try:
            with suppress(FileNotFoundError), self._files.open(f"{path}.sha256", "rb") as file:
                content = bytes(file.read(_LONGEST_CHECKSUM))
                # A server may answer for any name, by a page that says so, or by the file.
                is_other = content.startswith(b"<") or len(content) == _LONGEST_CHECKSUM
                checksum = b"" if is_other else content
        except Exception:
            checksum = None
        return Content(candidate.name, self._pieces(path), _time(candidate.item), checksum)

    def _pieces(self, path: str) -> Iterator[bytes]:
        with self._explained(), self._files.open(path, "rb") as file:
            yield from iter(partial(file.read, CHUNK), b"")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except BadInput:
            raise
        except ImportError as trouble:
            raise BadInput(
                f"{self._scheme}:// needs more than is here ({trouble}): {install_extra('remote')}"
            ) from None
        except FileNotFoundError:
            raise BadInput(f"there is no file at {self.shown}; check the backup given") from None
        except Exception as trouble:
            words = (str(trouble).strip() or type(trouble).__name__).splitlines()[0]
            shown = redact(words, self.secrets, _LEAST_SECRET)[:_LONGEST_WORDS]
            raise BadInput(
                f"{self.shown} cannot be read: {shown}; check the address, and the credential in "
                "the environment"
            ) from None


def _candidate(name: str, modified: float, item: Any) -> Candidate:
    return Candidate(*stated_time(name, modified), name, item)


def _name(entry: dict[str, Any]) -> str:
    """The name of a file without folders, and without a URL's query: it may be a credential."""
    path = str(entry["name"])
    path = path.partition("?")[0] if "://" in path else path
    return path.rstrip("/").rpartition("/")[2]


def _time(entry: dict[str, Any]) -> float:
    """When a file was last changed, in seconds since 1970; UNDATED where no calendar has it."""
    value = next((entry[name] for name in _TIMES if entry.get(name)), UNDATED)
    with suppress(ValueError, OverflowError, OSError):
        if isinstance(value, int | float):
            value = datetime.fromtimestamp(value, UTC)
        at: datetime = parsedate_to_datetime(value) if isinstance(value, str) else value
        return max((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp(), UNDATED)
    return UNDATED


def _known_hosts() -> Any:
    """A policy that trusts the hosts that the user's ssh knows."""
    import paramiko

    known = Path("~/.ssh/known_hosts").expanduser()

    class Known(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]
        def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:  # noqa: ARG002
            if not (known.is_file() and paramiko.HostKeys(str(known)).check(hostname, key)):
                raise BadInput(
                    f"{hostname} shows a key that {known} does not hold; connect once by ssh "
                    "after comparing its fingerprint, and try again"
                )

    return Known()


@dataclass(frozen=True, slots=True)
class _Program:
    """How a program is called, its variables for repository and passphrase, and the fields of JSON.

    Each of its commands only reads; identity and name are those of a snapshot.
    """

    argv: tuple[str, ...]
    variable: str
    passphrase: str
    snapshots: tuple[str, ...]
    files: tuple[str, ...]
    content: tuple[str, ...]
    identity: str
    name: str


_PROGRAMS = {
    "restic": _Program(
        argv=("restic", "--no-lock", "--no-cache", "--quiet"),
        variable="RESTIC_REPOSITORY",
        passphrase="RESTIC_PASSWORD_FILE",  # noqa: S106, a name
        snapshots=("snapshots", "--json"),
        files=("ls", "--json", "{snapshot}"),
        content=("dump", "{snapshot}", "{path}"),
        identity="id",
        name="short_id",
    ),
    "borg": _Program(
        argv=("borg", "--bypass-lock"),
        variable="BORG_REPO",
        passphrase="BORG_PASSCOMMAND",  # noqa: S106, a name
        snapshots=("list", "--json", "::"),
        files=("list", "--json-lines", "::{snapshot}"),
        content=("extract", "--stdout", "::{snapshot}", "pf:{path}"),
        identity="name",
        name="name",
    ),
}
_PLACE = re.compile(r"(?P<repository>[^#]+)(?:#(?P<snapshot>.*?)(?::(?P<path>/.*))?)?", re.DOTALL)
# restic names the cause after this word, also within JSON; borg on its first line.
_FATAL = re.compile(r'Fatal: ([^"\\\n]+)')


class Repository:
    """A repository of restic or borg, or a snapshot of it, read by the user's own program."""

    def __init__(self, address: Address) -> None:
        parts = _PLACE.fullmatch(address.what)
        if parts is None:
            raise BadInput(f"{address.scheme}: names no repository; say {address.scheme}:/path")
        self.shown, self.secrets = address.shown, address.secrets
        self._snapshot, self._path = parts["snapshot"] or "", parts["path"] or ""
        self.is_single = bool(self._snapshot)
        self._holds_credential = address.credential
        self._program = _PROGRAMS[address.scheme]
        self._env = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        # restic refuses to start with both.
        self._env.pop("RESTIC_REPOSITORY_FILE", None)
        # Not on the command line, which anyone can read: it may hold a credential.
        self._env[self._program.variable] = re.sub("^~", str(Path.home()), parts["repository"])
        # Borg would ask whether to read one that it has not seen before.
        self._env["BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK"] = "yes"

    def candidates(self) -> list[Candidate]:
        program = self._program
        found = json.loads(b"".join(self._output(program.snapshots)))
        listed = [
            Candidate(at := _moment(each["time"]), at, each[program.name], each[program.identity])
            for each in (found["archives"] if isinstance(found, dict) else found or [])
        ]
        if not listed:
            raise BadInput(f"{self.shown} holds no snapshot; check the repository")
        if not self._snapshot:
            return listed
        if self._snapshot == "latest":
            return [max(listed)]
        fits = [found for found in listed if self._snapshot in (found.name, found.item)]
        if not fits:
            names = nearest(self._snapshot, [candidate.name for candidate in listed])
            raise BadInput(f"{self.shown}: there is no snapshot {self._snapshot}{names}")
        return fits

    def read(self, candidate: Candidate) -> Content:
        """The named file of a snapshot, or its newest with the name of a backup; else NoBackup."""
        files = {file.item: file for file in self._list(candidate.item)}
        if self._path:
            fits = [file for path, file in files.items() if path.lstrip("/") == self._path[1:]]
        else:
            fits = [file for path, file in files.items() if names_backup(path, files)]
            # A dump that was piped into a repository may have any name.
            fits = fits or (list(files.values()) if len(files) == 1 else [])
        if not fits:
            what = f"no file {self._path}" if self._path else f"no {NAMES}"
            raise NoBackup(f"{self.shown}: snapshot {candidate.name} holds {what}")
        file = max(fits)
        pieces = self._output(self._program.content, snapshot=candidate.item, path=file.item)
        return Content(file.name, pieces, file.changed.timestamp())

    def _list(self, snapshot: str) -> Iterator[Candidate]:
        rest = b""
        for piece in self._output(self._program.files, snapshot=snapshot):
            *lines, rest = (rest + piece).split(b"\n")
            for entry in map(json.loads, lines):
                if entry.get("type") in ("file", "-"):
                    name = entry["path"].rpartition("/")[2]
                    yield _candidate(name, _moment(entry["mtime"]).timestamp(), entry["path"])

    def _output(self, words: tuple[str, ...], **names: str) -> Iterator[bytes]:
        argv = [*self._program.argv, *(word.format(**names) for word in words)]
        try:
            yield from program_output(argv, self._env, lambda _, log: self._trouble(log))
        except FileNotFoundError:
            raise BadInput(
                f"{self.shown} needs the program {argv[0]}, which is not on PATH; install it"
            ) from None

    def _trouble(self, log: str) -> str:
        if self._holds_credential:
            # The program may quote any part of the address.
            why = f"what {self._program.argv[0]} says may quote the credential in its address"
            return f"{self.shown} cannot be read: {why}; put it into the program's environment"
        lines = [line.strip() for line in log.splitlines() if line.strip()]
        why = printable((_FATAL.findall(log) or lines or ["it does not say why"])[0])
        asks = re.search(r"passw|passphrase|no key found", log, re.IGNORECASE)
        cure = f"; give {self._program.passphrase} in the environment" if asks else ""
        return f"{self.shown} cannot be read: {why[:_LONGEST_WORDS]}{cure}"


def _moment(text: str) -> datetime:
    """A time that the program states; borg's have no zone, and are in UTC as its environment is."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Remote = StandardInput | Storage | Repository
