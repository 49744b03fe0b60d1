"""A backup within reach: read where it lies, or a private copy that is gone when it was used."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO

from drillbook.backup.archive import form_of
from drillbook.backup.location import (
    SUFFIXES,
    TAIL,
    Address,
    ends_well,
    holds_backups,
    is_archive_folder,
    newest,
    parse,
    skip_notice,
    why_cut,
)
from drillbook.backup.stream import Source, is_nearly_full
from drillbook.core import dotenv
from drillbook.core.docker_cli import host_environment, program
from drillbook.core.errors import BadInput
from drillbook.core.run_directory import Home, new_run_id

# The time of a copy whose original no one dates, in seconds since 1970; its newest row then counts.
UNDATED = 0.0
_CHUNK = 1 << 20
_LONGEST_NAME = 100
# What no one meets who only reads.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What a shell and the engine say of a program that is not there; its words may be in the output.
_ABSENT = (126, 127)
# pg_dump reads in a transaction that may only read; so does anything else of that connection.
_READ_ONLY = "PGOPTIONS=-c default_transaction_read_only=on"
_INSTALL = "run `make remote` once, which installs the optional extra, and try again"
_TIMES = ("LastModified", "Last-Modified", "mtime", "updated", "modified", "created")
# Shorter values stand in any message by chance.
_TELLING = 4
_SSH = ("sftp", "ssh")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LocalBackup:
    """A backup to be read at path; said tells what it is, and of what it was chosen.

    taken_s is what the fetching took, in seconds. modified is when the original was last changed,
    in seconds since 1970, None where no one says. changes tells what of an original that was
    copied is no longer as it was; secrets are what must appear in no record.
    """

    path: Path
    shown: str
    said: str
    taken_s: float = 0.0
    home: Home | None = None
    modified: float | None = None
    changes: Callable[[], list[str]] = list
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def copied(self) -> bool:
        """Whether it is a copy of ours, whose original lies elsewhere."""
        return self.home is not None

    def close(self) -> None:
        """Remove the copy; safe to call twice."""
        if self.home:
            self.home.close()


@contextmanager
def backup_for_command(given: str, options: str = "") -> Iterator[tuple[Path, str]]:
    """The path of a backup for the block of a command that is not a run, and what to call it.

    Standard input is kept in a private file for the block, since it is read more than once.
    A folder of backups stands for its newest that is complete. options names a file with the
    settings of a URL's storage. BadInput in one sentence where it cannot be had.
    """
    path = Path(given).expanduser()
    if given == "-":
        with _read("on standard input"), _kept(sys.stdin.buffer) as path:
            yield path, given
    elif path.is_file() or is_archive_folder(path):
        with _read(given):
            yield path, given
    else:
        with fetch_backup(given, _say, settings(options)) as found, _read(found.shown):
            yield found.path, found.shown


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@contextmanager
def _kept(stream: BinaryIO) -> Iterator[Path]:
    """A file with all that a stream gives; what is said of it is said of standard input."""
    with tempfile.NamedTemporaryFile(prefix="drillbook-") as file:
        try:
            while chunk := stream.read(_CHUNK):
                first = file.tell() == 0
                file.write(chunk)
                if first:
                    file.flush()
                    with Source(Path(file.name)) as source:
                        form_of(source)
                if is_nearly_full(file.name):
                    raise BadInput(
                        f"standard input does not fit into {tempfile.gettempdir()}; give a file, "
                        "or point TMPDIR to space"
                    )
            file.flush()
            yield Path(file.name)
        except BadInput as why:
            raise BadInput(str(why).replace(file.name, "standard input")) from None


@contextmanager
def _read(shown: str) -> Iterator[None]:
    """Say in one sentence what a disk refuses while a backup is read, wherever it does."""
    try:
        yield
    except OSError as trouble:
        why = trouble.strerror or str(trouble)
        if trouble.errno in _FULL:
            raise BadInput(
                f"backup {shown} does not fit into {tempfile.gettempdir()}, where it is unpacked: "
                f"{why}; free some space there, or point TMPDIR elsewhere"
            ) from None
        where = f" ({Path(trouble.filename).name})" if isinstance(trouble.filename, str) else ""
        raise BadInput(
            f"backup {shown} cannot be read to its end: {why}{where}; try another copy of it"
        ) from None


def settings(path: str | None) -> dict[str, str]:
    """The settings of a storage, as fsspec takes them, among them credentials.

    BadInput where others can read their file, too.
    """
    if not path:
        return {}
    file = Path(path).expanduser()
    found = dotenv.load(file, "file of BACKUP_OPTIONS")
    if found.mode & 0o077:
        raise BadInput(f"{file} holds credentials and can be read by others; run chmod 600 {file}")
    return dict(found)


@contextmanager
def fetch_backup(
    given: str, say: Say, options: Mapping[str, str] | None = None, *, choose: bool = True
) -> Iterator[LocalBackup]:
    """Bring a backup within reach for the block; BadInput in one sentence where that fails.

    A folder stays what it is where nothing is to be chosen of it. options are the storage's own
    settings, of a URL. say gets what was taken, and while it takes its time, how far it is.
    """
    address, started = parse(given), time.monotonic()
    if address.kind == "path":
        path = Path(address.what).expanduser()
        said = f"backup {path.name}"
        if choose and holds_backups(path):
            path, said = newest(path)
            say(said)
        yield LocalBackup(path, str(path), said, time.monotonic() - started)
        return
    home = Home(new_run_id())
    try:
        place = home.path / "fetched"
        place.mkdir(mode=0o700)
        bring = _dumped if address.kind == "container" else _copied
        found = bring(address, place, say, dict(options or {}))
        if found.modified is not None or address.kind == "url":
            _date(found.path, found.modified or UNDATED)
        taken = time.monotonic() - started
        said = f"{found.said}, fetched in {taken:.1f} s"
        say(said)
        secrets = (*address.secrets, *(options or {}).values())
        yield replace(found, said=said, taken_s=taken, home=home, secrets=secrets)
    finally:
        home.close()


def _date(copy: Path, modified: float) -> None:
    """Give a copy the time of its original."""
    for file in copy.iterdir() if copy.is_dir() else (copy,):
        os.utime(file, (modified, modified))


def write_copy(pieces: Iterator[bytes], place: Path, name: str, say: Say) -> Path:
    """Write pieces to a new file that only we can read; BadInput where the disk would run full."""
    safe = "".join(one if one.isalnum() or one in "._-" else "_" for one in name)[-_LONGEST_NAME:]
    file = place / (safe.lstrip(".") or "backup")
    size, told = 0, 0
    unfit = f"the backup does not fit into {place.parent.parent}; point TMPDIR to space"
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb", buffering=0) as out:
        for piece in pieces:
            try:
                _put(out, piece)
            except OSError as trouble:
                raise BadInput(f"{unfit}: {trouble.strerror}") from None
            size += len(piece)
            if size >> 26 > told:
                told = size >> 26
                if is_nearly_full(place):
                    raise BadInput(unfit)
                say(f"  {size >> 20} MiB so far")
    return file


def _put(out: FileIO, piece: bytes) -> None:
    left = memoryview(piece)
    while left:
        left = left[out.write(left) :]


def _dumped(address: Address, place: Path, say: Say, options: dict[str, str]) -> LocalBackup:
    """A dump of a container's database, which is read and nothing else, by the documented pg_dump.

    BadInput in one sentence where that fails.
    """
    name = address.what
    seen = _inspected(name)
    env = dict(one.partition("=")[::2] for one in seen["Config"].get("Env") or ())
    user = options.get("user") or env.get("POSTGRES_USER") or "postgres"
    database = options.get("database") or env.get("POSTGRES_DB") or user
    # What is written while it dumps is not in it.
    began = time.time()
    say(f"dumping database {database} of container {name} as {user}, only reading")
    # The password goes by name: its value is in no command line.
    argv = ["docker", "exec", "-e", _READ_ONLY, "-e", "PGPASSWORD", str(seen["Id"])]
    argv += ["pg_dump", "-U", user, database]
    password = env.get("POSTGRES_PASSWORD", "")
    file = write_copy(_output(argv, password, name), place, f"{name}.sql", say)
    said = f"pg_dump of database {database} in container {name}, {file.stat().st_size:,} bytes"
    return LocalBackup(
        file, address.shown, said, modified=began, changes=lambda: _restarts(name, seen)
    )


def _inspected(name: str) -> dict[str, Any]:
    try:
        done = program("inspect", "--type=container", name)
    except FileNotFoundError:
        raise BadInput("docker:… needs the docker program, which is not on PATH") from None
    if done.returncode:
        if "no such" in done.stderr.decode(errors="replace").lower():
            raise BadInput(f"this engine has no container {name}; see docker ps")
        raise BadInput("the Docker engine does not answer; start it, or set DOCKER_HOST")
    found: dict[str, Any] = json.loads(done.stdout)[0]
    if not found["State"].get("Running"):
        raise BadInput(f"container {name} does not run, so nothing can be dumped of it; start it")
    return found


def _output(argv: list[str], password: str, name: str) -> Iterator[bytes]:
    env = {**host_environment(), "PGPASSWORD": password}
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=said, env=env) as process,
    ):
        try:
            while process.stdout and (piece := os.read(process.stdout.fileno(), _CHUNK)):
                yield piece
        except BaseException:
            process.kill()
            raise
        if not (code := process.wait()):
            return
        if code in _ABSENT:
            raise BadInput(
                f"container {name} has no pg_dump: it is not the database's; see docker ps"
            )
        said.seek(0)
        lines = said.read(2000).decode(errors="replace").strip().splitlines()
        words = (lines or [f"it ended with {code}"])[0][:200]
        words = words.replace(password, "***") if password else words
        raise BadInput(f"pg_dump in container {name} failed: {words}")


def _restarts(name: str, before: dict[str, Any]) -> list[str]:
    """Whether the container is the one that was asked, running since the same moment."""
    try:
        after = _inspected(name)
    except BadInput as trouble:
        return [str(trouble)]
    same = all(before[part] == after[part] for part in ("Id", "RestartCount"))
    if same and before["State"]["StartedAt"] == after["State"]["StartedAt"]:
        return []
    return [f"container {name} was started anew"]


def _copied(address: Address, place: Path, say: Say, options: dict[str, str]) -> LocalBackup:
    """A copy of what lies at a URL, or of the newest there; BadInput in one sentence else.

    fsspec knows the storages; an optional extra brings it along.
    """
    secrets = [one for one in (*address.secrets, *options.values()) if len(one) >= _TELLING]
    try:
        return _taken_from(address, place, say, options)
    except BadInput:
        raise
    except ImportError as trouble:
        raise BadInput(
            f"{address.scheme}:// needs more than is here ({trouble}): {_INSTALL}"
        ) from None
    except FileNotFoundError:
        raise BadInput(f"nothing lies at {address.shown}; check the backup given") from None
    except Exception as trouble:
        # Every storage has errors of its own.
        words = f"{type(trouble).__name__}: {trouble}".splitlines()[0][:240]
        for secret in sorted(secrets, key=len, reverse=True):
            words = words.replace(secret, "***")
        raise BadInput(f"{address.shown} cannot be read: {words}") from None


def _taken_from(address: Address, place: Path, say: Say, options: dict[str, str]) -> LocalBackup:
    import fsspec

    settings: dict[str, Any] = {name: _meant(value) for name, value in options.items()}
    if address.scheme in _SSH:
        settings = {"host_key_policy": _known_hosts(settings.pop("known_hosts", "")), **settings}
    storage, path = fsspec.core.url_to_fs(address.what, **settings)
    passed: list[str] = []
    told = storage.info(path)
    if told["type"] != "directory" or _is_of_pg_dump(storage, path):
        return _taken(storage, told, address, place, say, passed)
    for one in _newest_first(storage, path, address):
        why = _unfinished(storage, one)
        if not why:
            found = _taken(storage, one, address, place, say, passed)
            if not (why := why_cut(found.path)):
                return found
            found.path.unlink()
        passed.append(f"{_name(one)} ({why})")
    raise BadInput(f"{address.shown} holds no complete backup: {'; '.join(passed[:3])}")


def _taken(
    storage: Any, told: dict[str, Any], address: Address, place: Path, say: Say, passed: list[str]
) -> LocalBackup:
    path, name = told["name"], _name(told)
    say(f"fetching {name} from {address.shown}")
    if told["type"] == "directory":
        file = _folder(storage, path, place / name, say)
    else:
        file = _file(storage, path, place, say)
    said = f"{name} from {address.shown}{skip_notice(passed)}"
    return LocalBackup(
        file,
        address.shown,
        said,
        modified=_time(told),
        changes=lambda: _changes(storage, path, told),
    )


def _name(told: dict[str, Any]) -> str:
    name: str = told["name"].rstrip("/").rpartition("/")[2]
    return name


def _is_of_pg_dump(storage: Any, path: str) -> bool:
    """Whether a folder is itself a backup, as pg_dump -Fd makes it."""
    return any(one["name"].endswith("/toc.dat") for one in storage.ls(path, detail=True))


def _file(storage: Any, path: str, place: Path, say: Say) -> Path:
    return write_copy(_pieces(storage, path), place, path.rpartition("/")[2], say)


def _pieces(storage: Any, path: str) -> Iterator[bytes]:
    with storage.open(path, "rb") as source:
        while piece := source.read(_CHUNK):
            yield piece


def _folder(storage: Any, path: str, place: Path, say: Say) -> Path:
    """The files of pg_dump -Fd, all of one folder."""
    place.mkdir(mode=0o700)
    for one in storage.ls(path, detail=True):
        if one["type"] == "file":
            _file(storage, one["name"], place, say)
    return place


def _newest_first(storage: Any, path: str, address: Address) -> list[dict[str, Any]]:
    """The files of a folder that are called as backups are; BadInput where there is none."""
    inside = storage.ls(path, detail=True)
    files = [one for one in inside if one["name"].endswith(SUFFIXES) and one["type"] == "file"]
    if not files:
        raise BadInput(f"{address.shown} holds no {', '.join(SUFFIXES)}; check the backup given")
    return sorted(files, key=lambda one: _time(one) or 0.0, reverse=True)


def _unfinished(storage: Any, one: dict[str, Any]) -> str:
    if not one.get("size"):
        return "empty"
    if one["name"].endswith(".sql") and not ends_well(storage.tail(one["name"], TAIL)):
        return "cut short: pg_dump's last words are missing"
    return ""


def _time(told: dict[str, Any]) -> float | None:
    """When it was last changed, in seconds since 1970; None where the storage does not say."""
    for name in _TIMES:
        value = told.get(name)
        if isinstance(value, str):
            with suppress(ValueError):
                value = parsedate_to_datetime(value)
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, int | float) and value > 0:
            return float(value)
    return None


def _changes(storage: Any, path: str, before: dict[str, Any]) -> list[str]:
    """What the storage says differently of the original than when it was fetched."""
    after: dict[str, Any] = {}
    with suppress(Exception):
        storage.invalidate_cache()
        after = storage.info(path)
    named = [name for name in ("size", "ETag", *_TIMES) if name in before]
    if after and all(before[name] == after.get(name) for name in named):
        return []
    return [f"{path.rpartition('/')[2]} is no longer what was fetched"]


def _meant(value: str) -> str | int | bool:
    """A setting as the storage wants it: a switch or a port as such."""
    if value in ("true", "false"):
        return value == "true"
    return int(value) if value.isdecimal() and len(value) < 6 else value


def _known_hosts(path: str) -> Any:
    """A policy that knows the hosts the user's ssh knows; fsspec's own would trust anybody."""
    import paramiko

    known = Path(path or "~/.ssh/known_hosts").expanduser()

    class Known(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]
        def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:  # noqa: ARG002
            if not (known.is_file() and paramiko.HostKeys(str(known)).check(hostname, key)):
                raise BadInput(
                    f"{hostname} shows a key that {known} does not hold; connect once by ssh "
                    "after comparing its fingerprint, and try again"
                )

    return Known()
