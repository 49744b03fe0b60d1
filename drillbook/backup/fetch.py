"""A backup to read: a local file, or a private copy that is removed after use.

Of several backups in one place the newest that is whole is taken, and newer ones that are not are
named. A credential comes from the environment alone, such as FSSPEC_<PROTOCOL>_<SETTING>.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from drillbook.backup import integrity, location
from drillbook.backup.archive import form_of
from drillbook.backup.facts import UNDATED, stated_time
from drillbook.backup.location import Candidate
from drillbook.backup.stream import CHUNK, SILENCE_S, Source, program_output, write_pieces
from drillbook.core import run_directory
from drillbook.core.application import install_extra
from drillbook.core.display import printable
from drillbook.core.errors import BadInput
from drillbook.core.files import refuse_trouble
from drillbook.core.run_directory import Home, new_run_id

# The variables of each program, the name of a snapshot in its JSON, and commands that only read.
_PROGRAMS = {
    "restic": {
        "repository": "RESTIC_REPOSITORY",
        "phrase": "RESTIC_PASSWORD_FILE",
        "name": "short_id",
        "snapshots": "restic --no-lock --no-cache --quiet snapshots --json",
        "files": "restic --no-lock --no-cache --quiet ls --json {snapshot}",
        "content": "restic --no-lock --no-cache --quiet dump {snapshot} {path}",
    },
    "borg": {
        "repository": "BORG_REPO",
        "phrase": "BORG_PASSCOMMAND",
        "name": "name",
        "snapshots": "borg --bypass-lock list --json ::",
        "files": "borg --bypass-lock list --json-lines ::{snapshot}",
        "content": "borg --bypass-lock extract --stdout ::{snapshot} pf:{path}",
    },
}
# restic names the cause after this word, also within JSON; borg on its first line.
_FATAL = re.compile(r'Fatal: ([^"\\\n]+)')
_LONGEST_NAME = 100
_MOST_NAMED = 3
_TIMES = ("LastModified", "Last-Modified", "mtime", "created")
_CONNECT_S = 60
Say = Callable[[str], None]
Opener = Callable[[Candidate], AbstractContextManager[Path]]
Reader = Callable[[Candidate], tuple[Candidate, Iterator[bytes]]]


class NoBackup(BadInput):
    """A snapshot holds no backup, as one of other files; it is passed over."""


def _open_in_place(candidate: Candidate) -> AbstractContextManager[Path]:
    return nullcontext(candidate.item)


@dataclass(frozen=True, slots=True)
class LocalBackup:
    """A backup to read at path; shown names its place, said the backups it was chosen from.

    candidate is the one that was taken of candidates, None where its address names one backup;
    skipped are newer ones, with why; open makes another one available for a block. taken_s is how
    long it took to fetch, in seconds. home holds a private copy, None for a file read in place.
    """

    path: Path
    said: str
    candidate: Candidate | None = None
    candidates: tuple[Candidate, ...] = ()
    skipped: tuple[str, ...] = ()
    shown: str = ""
    taken_s: float = 0.0
    home: Home | None = None
    open: Opener = _open_in_place


@dataclass(frozen=True, slots=True)
class _Place:
    """Where backups are: candidates, one at least, or the only one that its address names.

    read returns the file that a candidate is, and its bytes; None where it is read in place.
    """

    shown: str
    candidates: Sequence[Candidate]
    read: Reader | None = None
    is_single: bool = False


@contextmanager
def backup_for_command(given: str) -> Iterator[LocalBackup]:
    """A backup for the block of an offline command; these read standard input, too."""
    say: Say = (lambda _: None) if given == "-" else _say
    with (
        fetch_backup(given, say, offline=True) as backup,
        refuse_trouble(f"backup {backup.shown}", f"it, and the space in {tempfile.gettempdir()}"),
    ):
        yield backup


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)  # noqa: T201, this is the progress


@contextmanager
def fetch_backup(
    given: str, say: Say, *, choose: bool = True, offline: bool = False
) -> Iterator[LocalBackup]:
    """Make a backup available for the block; BadInput in one sentence where that fails.

    choose: a folder of backups stands for its newest that is whole. say gets what was taken, and
    the progress of a long copy. offline: `-` is standard input.
    """
    started, home, opened = time.monotonic(), None, _open_in_place
    with ExitStack() as stack:
        with refuse_trouble(f"backup {given}", "the backup given"):
            place = _find(given, choose=choose, offline=offline)
            if place.read:
                # A copy that a killed command left is the whole backup.
                run_directory.sweep()
                home = stack.enter_context(closing(Home(new_run_id())))
                opened = partial(_open_copy, place.shown, place.read, home.path, say)
            backup = _take(place, opened, stack)
        taken_s = time.monotonic() - started
        said = f"{backup.said}, fetched in {taken_s:.1f} s" if home else backup.said
        if home or backup.candidate:
            say(said)
        shown = place.shown if home else str(backup.path)
        yield replace(backup, said=said, shown=shown, taken_s=taken_s, home=home, open=opened)


@contextmanager
def _open_copy(
    shown: str, read: Reader, folder: Path, say: Say, candidate: Candidate
) -> Iterator[Path]:
    """A private copy of a backup for a block."""
    unfit = f"the backup does not fit into {tempfile.gettempdir()}; point TMPDIR to space"
    with tempfile.TemporaryDirectory(dir=folder) as private:
        file, pieces = read(candidate)
        safe = "".join(char if char.isalnum() or char in "._-" else "_" for char in file.name)
        copy = Path(private) / (safe[-_LONGEST_NAME:].lstrip(".") or "backup")
        say(f"fetching {file.name} from {shown}")
        try:
            handle = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb", buffering=0) as out:
                for part in (islice(pieces, 1), pieces):
                    write_pieces(part, out, copy.parent, unfit, say)
                    # An endless device does not begin as a backup does.
                    with Source(copy) as source:
                        form_of(source)
            os.utime(copy, (file.changed.timestamp(),) * 2)
            yield copy
        except BadInput as refusal:
            if str(copy) not in str(refusal):
                raise
            raise BadInput(str(refusal).replace(str(copy), shown)) from None


def _take(place: _Place, opened: Opener, stack: ExitStack) -> LocalBackup:
    """The only backup, or the newest that looks whole, open until the stack ends."""
    newest_first = tuple(sorted(place.candidates, reverse=True))
    if place.is_single:
        path, only = stack.enter_context(opened(newest_first[0])), newest_first[0]
        return LocalBackup(path, f"backup {only.name}")
    skipped: list[str] = []
    for candidate in newest_first:
        with ExitStack() as attempt:
            try:
                path = attempt.enter_context(opened(candidate))
            except NoBackup:
                continue
            if why := integrity.reason_incomplete(path):
                skipped.append(f"{candidate.name} ({why})")
                continue
            stack.push(attempt.pop_all())
            said = f"the newest of {len(newest_first)} in {place.shown} is {candidate}"
            if skipped:
                said += f"; {len(skipped)} NEWER BUT NOT TAKEN: {', '.join(skipped[:_MOST_NAMED])}"
            return LocalBackup(path, said, candidate, newest_first, tuple(skipped))
    why = "; ".join(skipped[:_MOST_NAMED]) or f"no {location.NAMES}"
    raise BadInput(f"{place.shown} holds no backup that is complete: {why}")


def _find(given: str, *, choose: bool, offline: bool) -> _Place:
    """The place that an address names; BadInput for an address that cannot be one."""
    if offline and given == "-":
        piped = _candidate("standard-input")
        pieces = iter(partial(sys.stdin.buffer.read, CHUNK), b"")
        return _Place("standard input", [piped], lambda _: (piped, pieces), is_single=True)
    address = given.strip()
    for pattern, why in location.REFUSED.items():
        if re.search(pattern, address):
            raise BadInput(f"the backup given {why}")
    if address.startswith(location.REPOSITORIES):
        repository = Repository(address)
        return _Place(address, repository.snapshots(), repository.read)
    scheme, separator, rest = address.partition("://")
    if separator and scheme.lower() != "file":
        return _storage(f"{scheme.lower()}://{rest}")
    path = Path(unquote(rest) if separator else address).expanduser()
    if choose and path.is_dir() and not (path / "toc.dat").exists():
        return _Place(f"folder {path}", location.candidates(path))
    return _Place(str(path), [_candidate(path.name, item=path)], is_single=True)


def _storage(url: str) -> _Place:
    """A file or a folder at a URL, by fsspec, which an optional extra brings along."""
    with _explained(url):
        import fsspec

        is_ssh = url.startswith(("sftp:", "ssh:"))
        # fsspec itself trusts any host, and waits for ever.
        safe = {"host_key_policy": _known_hosts(), "timeout": _CONNECT_S} if is_ssh else {}
        storage, path = fsspec.core.url_to_fs(url, **safe)
        if is_ssh:
            storage.ftp.get_channel().settimeout(SILENCE_S)
        entry = storage.info(path)
        is_single = entry["type"] != "directory"
        entries = [entry] if is_single else storage.ls(entry["name"], detail=True)
    files = {str(entry["name"]): entry for entry in entries if entry["type"] != "directory"}
    named = [path for path in files if is_single or location.names_backup(path, files)]
    if not named:
        raise BadInput(f"{url} holds no {location.NAMES}; check the backup given")

    def pieces(path: str) -> Iterator[bytes]:
        with _explained(url), storage.open(path, "rb") as file:
            yield from iter(partial(file.read, CHUNK), b"")

    found = [_candidate(path, _changed(files[path])) for path in named]
    return _Place(url, found, lambda file: (file, pieces(file.item)), is_single)


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """BadInput for the errors of a storage, of which each has its own."""
    try:
        yield
    except BadInput:
        raise
    except ImportError as trouble:
        raise BadInput(f"{url} needs a library ({trouble}): {install_extra('remote')}") from None
    except Exception as trouble:
        # Not its message, which may hold a credential.
        why = getattr(trouble, "strerror", None) or type(trouble).__name__
        if isinstance(trouble, FileNotFoundError):
            why = "no file was found"
        cure = "check the address, and the credential in the environment"
        raise BadInput(f"{url} cannot be read: {why}; {cure}") from None


def _candidate(path: str, changed: float = UNDATED, item: Any = None) -> Candidate:
    name = path.rpartition("/")[2]
    return Candidate(*stated_time(name, changed), name, item or path)


def _changed(entry: dict[str, Any]) -> float:
    """When a file in a storage was changed, in seconds since 1970; UNDATED if it does not say."""
    stated = next((entry[name] for name in _TIMES if entry.get(name)), UNDATED)
    at = parsedate_to_datetime(stated) if isinstance(stated, str) else stated
    return at.timestamp() if isinstance(at, datetime) else float(at)


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


class Repository:
    """The repository at an address such as restic:/srv/backups."""

    def __init__(self, address: str) -> None:
        self._shown = address
        name, _, repository = address.partition(":")
        self._program = _PROGRAMS[name]
        self._env = os.environ | {
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            self._program["repository"]: re.sub("^~", str(Path.home()), repository),
            # Borg would ask whether to read one that it has not seen before.
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
        }
        # restic refuses to start with both.
        self._env.pop("RESTIC_REPOSITORY_FILE", None)

    def snapshots(self) -> list[Candidate]:
        """The snapshots, one at least; BadInput where the repository cannot be read."""
        answer = json.loads(b"".join(self._output("snapshots")))
        found = answer["archives"] if isinstance(answer, dict) else answer
        if not found:
            raise BadInput(f"{self._shown} holds no snapshot; check the repository")
        dated = [(_moment(each["time"]), each[self._program["name"]]) for each in found]
        return [Candidate(at, at, name, name) for at, name in dated]

    def read(self, snapshot: Candidate) -> tuple[Candidate, Iterator[bytes]]:
        """The newest file with the name of a backup, and its bytes; NoBackup where none has."""
        files = {file.item: file for file in self._files(snapshot.name)}
        backups = [file for path, file in files.items() if location.names_backup(path, files)]
        if not backups:
            raise NoBackup(f"{self._shown}: snapshot {snapshot.name} holds no {location.NAMES}")
        file = max(backups)
        return file, self._output("content", snapshot=snapshot.name, path=file.item)

    def _files(self, snapshot: str) -> Iterator[Candidate]:
        rest = b""
        for piece in self._output("files", snapshot=snapshot):
            *lines, rest = (rest + piece).split(b"\n")
            for entry in map(json.loads, lines):
                if entry.get("type") in ("file", "-"):
                    yield _candidate(entry["path"], _moment(entry["mtime"]).timestamp())

    def _output(self, command: str, **names: str) -> Iterator[bytes]:
        argv = [word.format(**names) for word in self._program[command].split()]
        try:
            yield from program_output(argv, self._env, lambda _, log: self._trouble(log))
        except FileNotFoundError:
            need = f"needs the program {argv[0]}, which is not on PATH; install it"
            raise BadInput(f"{self._shown} {need}") from None

    def _trouble(self, log: str) -> str:
        lines = [line.strip() for line in log.splitlines() if line.strip()]
        why = printable((_FATAL.findall(log) or lines or ["it does not say why"])[0])
        asks = re.search(r"passw|passphrase|no key found", log, re.IGNORECASE)
        cure = f"; give {self._program['phrase']} in the environment" if asks else ""
        return f"{self._shown} cannot be read: {why}{cure}"


def _moment(text: str) -> datetime:
    """A time that the program states; borg's have no zone, and are in UTC as its environment is."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
