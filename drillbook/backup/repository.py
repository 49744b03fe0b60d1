"""Reads backups from a repository of restic or borg by the user's own program; it writes nothing.

The passphrase stays in its file: passphrase_file=… among the settings of the storage, or the one
that the environment already names (RESTIC_PASSWORD_FILE, BORG_PASSCOMMAND). The program gets the
name of that file, in its own environment.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from drillbook.backup.facts import stated_time
from drillbook.backup.location import (
    NAMES,
    Address,
    Member,
    names_backup,
)
from drillbook.backup.stream import program_output
from drillbook.core.display import printable, redact
from drillbook.core.errors import BadInput
from drillbook.core.files import refuse_open
from drillbook.core.options import nearest

_PLACE = re.compile(r"(?P<repository>[^#]+)(?:#(?P<snapshot>.*?)(?::(?P<path>/.*))?)?", re.DOTALL)
_SETTING = "passphrase_file"
# The program quotes a part of the address; which one depends on what is wrong with it.
_ABOUT_ADDRESS = re.compile(r"\bparse \"|invalid location format", re.IGNORECASE)
# A shorter value may occur in a message by chance.
LEAST_SECRET = 4
_ABOUT_PASSPHRASE = re.compile(r"passw|passphrase|no key found", re.IGNORECASE)
# Any of these would take precedence over the file.
_OTHER_PASSPHRASES = (
    *("RESTIC_PASSWORD", "RESTIC_PASSWORD_COMMAND", "RESTIC_PASSWORD_FILE"),
    *("BORG_PASSPHRASE", "BORG_PASSPHRASE_FD", "BORG_PASSCOMMAND"),
)
_READ_ONLY = {
    "restic": ("restic", "--no-lock", "--no-cache", "--quiet"),
    "borg": ("borg", "--bypass-lock"),
}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a snapshot, and when it was last changed, in seconds since 1970."""

    snapshot: str
    path: str
    modified: float

    @property
    def name(self) -> str:
        """Its name without folders."""
        return self.path.rpartition("/")[2]


class NoBackup(BadInput):
    """A snapshot holds no backup, or not the named file."""

    def __init__(self, member: Member, message: str) -> None:
        super().__init__(message)
        self.member = member


class Repository:
    """A repository, or one of its snapshots; BadInput in one sentence where it cannot be read."""

    def __init__(self, address: Address, options: Mapping[str, str]) -> None:
        parts = _PLACE.fullmatch(address.what)
        if parts is None:
            raise BadInput(f"{address.scheme}: names no repository; say {address.scheme}:/path")
        self.shown, self._secrets = address.shown, address.secrets
        self.snapshot, self._path = parts["snapshot"] or "", parts["path"] or ""
        self._program = address.scheme
        self._env = _environment(address.scheme, parts["repository"], options)

    def snapshots(self) -> list[Member]:
        """All snapshots, or the one that the address names."""
        listed = self._list()
        if not listed:
            raise BadInput(f"{self.shown} holds no snapshot; check the repository")
        if not self.snapshot:
            return listed
        if self.snapshot == "latest":
            return [max(listed)]
        fits = [one for one in listed if self._is_named(one)]
        if len(fits) != 1:
            names = nearest(self.snapshot, [one.name for one in listed])
            what = "several snapshots" if fits else "no snapshot"
            raise BadInput(f"{self.shown}: there is {what} {self.snapshot}{names}")
        return fits

    def _is_named(self, member: Member) -> bool:
        by_id = self._program == "restic" and str(member.item).startswith(self.snapshot)
        return by_id or member.name == self.snapshot

    def _list(self) -> list[Member]:
        if self._program == "restic":
            found = json.loads(b"".join(self._output("snapshots", "--json")) or b"[]") or []
            return [_member(one["short_id"], one["time"], one["id"]) for one in found]
        found = json.loads(b"".join(self._output("list", "--json", "::")))["archives"]
        return [_member(one["name"], one["time"], one["name"]) for one in found]

    def find_file(self, member: Member) -> StoredFile:
        """The backup in a snapshot: the named file, or the newest with the name of a backup.

        NoBackup where there is none.
        """
        files = list(self._files(member.item))
        if self._path:
            fits = [file for file in files if file.path.lstrip("/") == self._path.lstrip("/")]
        else:
            paths = {file.path for file in files}
            fits = [file for file in files if names_backup(file.path, paths)]
            # A dump that was piped into a repository may have any name.
            fits = fits or (files if len(files) == 1 else [])
        if not fits:
            what = f"no file {self._path}" if self._path else f"no {NAMES}"
            names = nearest(self._path, [file.path for file in files]) if self._path else ""
            raise NoBackup(member, f"{self.shown}: snapshot {member.name} holds {what}{names}")
        return max(fits, key=lambda file: stated_time(file.name, file.modified))

    def _files(self, snapshot: str) -> Iterator[StoredFile]:
        if self._program == "restic":
            words = ["ls", "--json", snapshot]
        else:
            words = ["list", "--json-lines", f"::{snapshot}"]
        rest = b""
        for piece in self._output(*words):
            *lines, rest = (rest + piece).split(b"\n")
            for entry in map(json.loads, lines):
                if entry.get("type") in ("file", "-"):
                    yield StoredFile(snapshot, entry["path"], _time(entry["mtime"]).timestamp())

    def read(self, file: StoredFile) -> Iterator[bytes]:
        """The content of a file, in pieces."""
        if self._program == "restic":
            return self._output("dump", file.snapshot, file.path)
        return self._output("extract", "--stdout", f"::{file.snapshot}", f"pf:{file.path}")

    def _output(self, *words: str) -> Iterator[bytes]:
        """What the program prints."""
        argv = [*_READ_ONLY[self._program], *words]
        try:
            yield from program_output(argv, self._env, lambda _, log: self._trouble(log))
        except FileNotFoundError:
            raise BadInput(
                f"{self._program}:… needs the program {self._program}, which is not on PATH; "
                "install it"
            ) from None

    def _trouble(self, log: str) -> str:
        log = "\n".join(map(_message, log.splitlines()))
        if self._secrets and _ABOUT_ADDRESS.search(log):
            return (
                f"{self.shown} cannot be read: its address is not valid; write special characters "
                "of a password as %XX, and check the port"
            )
        lines = [line.strip() for line in log.splitlines() if line.strip()]
        # restic names the cause after this word; borg on the first line.
        fatal = [line.removeprefix("Fatal: ") for line in lines if line.startswith("Fatal: ")]
        why = (fatal or lines or ["it does not say why"])[0]
        words = printable(redact(why, self._secrets, LEAST_SECRET))[:240]
        passphrase = _ABOUT_PASSPHRASE.search(log)
        cure = f"; give {_SETTING}= in the file of --backup-options" if passphrase else ""
        return f"{self.shown} cannot be read: {words}{cure}"


def _environment(program: str, repository: str, options: Mapping[str, str]) -> dict[str, str]:
    """The environment of the program: the repository, and the name of the passphrase's file.

    The repository is not on the command line, which anyone can read: it may hold a credential.
    """
    if unknown := options.keys() - {_SETTING}:
        raise BadInput(f"{program} has no setting {min(unknown)}; there is {_SETTING}=")
    local = str(Path(repository).expanduser()) if repository.startswith("~") else repository
    env = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC", f"{program.upper()}_REPO": local}
    if program == "restic":
        env["RESTIC_REPOSITORY"] = env.pop("RESTIC_REPO")
        # restic refuses to start with both.
        env.pop("RESTIC_REPOSITORY_FILE", None)
    # Borg would ask whether to read one that it has not seen before.
    env["BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK"] = "yes"
    if not (given := options.get(_SETTING)):
        return env
    file = Path(given).expanduser()
    if not file.is_file():
        raise BadInput(f"{_SETTING}={given} is not a file; check the file of --backup-options")
    refuse_open(file, "the passphrase file")
    env = {name: value for name, value in env.items() if name not in _OTHER_PASSPHRASES}
    env["RESTIC_PASSWORD_FILE"] = str(file)
    env["BORG_PASSCOMMAND"] = f"cat -- {shlex.quote(str(file.absolute()))}"
    return env


def _message(line: str) -> str:
    """The message of a line of JSON, as restic writes it with --json; any other line as it is."""
    try:
        found = json.loads(line)
    except ValueError:
        return line
    return str(found.get("message", "")) if isinstance(found, dict) else line


def _member(name: str, time: str, item: str) -> Member:
    at = _time(time)
    return Member(at, at, name, item)


def _time(text: str) -> datetime:
    """A time that the program states; borg's have no zone, and are in UTC as its environment is."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
