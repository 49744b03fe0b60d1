"""A backup to read: a local file, or a private copy that is removed after use."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from drillbook.backup import integrity, location
from drillbook.backup.archive import form_of
from drillbook.backup.facts import UNDATED, stated_time
from drillbook.backup.location import NEWEST, Address, Member, Picked, Selection
from drillbook.backup.repository import LEAST_SECRET, NoBackup, Repository
from drillbook.backup.stream import CHUNK, SILENCE_S, Source, write_pieces
from drillbook.core import dotenv, run_directory
from drillbook.core.application import install_extra
from drillbook.core.display import printable, redact
from drillbook.core.errors import BadInput
from drillbook.core.files import refuse_open
from drillbook.core.run_directory import Home, new_run_id

_LONGEST_NAME = 100
_LONGEST_CHECKSUM = 4096
# Errors that only writing causes.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_TIMES = ("LastModified", "Last-Modified", "mtime", "updated", "modified", "modify", "created")
_YEAR_10000 = 253_402_300_800
_SSH = ("sftp", "ssh")
_CONNECT_S = 60
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LocalBackup:
    """A backup to read at path; said names it, and the backups it was chosen from.

    taken_s is how long it took to fetch, in seconds. modified is when the original was last
    changed, in seconds since 1970, None where it is unknown; secrets must appear in no record.
    picked says how it was chosen, None if it was the only one; open makes another backup of the
    place available for a block. home holds a private copy, None for a file that is read in place.
    """

    path: Path
    shown: str
    said: str
    taken_s: float = 0.0
    home: Home | None = None
    modified: float | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    picked: Picked | None = None
    open: Callable[[Member], AbstractContextManager[Path]] = lambda member: nullcontext(member.item)

    def close(self) -> None:
        """Remove the copy; safe to call twice."""
        if self.home:
            self.home.close()


@contextmanager
def backup_for_command(
    given: str, options: str = "", selection: Selection = NEWEST
) -> Iterator[LocalBackup]:
    """A backup for the block of an offline command; these read standard input, too.

    Standard input is kept in a private file for the block, since it is read more than once.
    options names a file with the settings of its storage. The rest is as in fetch_backup.
    """
    if given == "-":
        _refuse_choice(given, selection)
        with _explain_disk("on standard input"), _private_folder() as home:
            copy = home.path / "backup"
            try:
                _save_input(sys.stdin.buffer, copy)
                # The time of this copy says nothing of the backup.
                os.utime(copy, (UNDATED, UNDATED))
                yield LocalBackup(copy, given, "standard input")
            except BadInput as refusal:
                raise BadInput(str(refusal).replace(str(copy), "standard input")) from None
        return
    fetch = fetch_backup(given, _say, settings(options), selection=selection)
    with fetch as backup, _explain_disk(backup.shown):
        yield backup


@contextmanager
def _private_folder() -> Iterator[Home]:
    # A copy that a killed command left is the whole backup.
    run_directory.sweep()
    home = Home(new_run_id())
    try:
        yield home
    finally:
        home.close()


def _save_input(stream: BinaryIO, copy: Path) -> None:
    """Write the whole content of standard input to a new private file."""
    folder = copy.parent.parent
    unfit = f"standard input does not fit into {folder}; give a file, or point TMPDIR to space"

    def pieces() -> Iterator[bytes]:
        if first := stream.read(CHUNK):
            yield first
            with Source(copy) as source:
                form_of(source)
            yield from iter(partial(stream.read, CHUNK), b"")

    write_copy(pieces(), copy.parent, copy.name, lambda _: None, unfit)


def _refuse_choice(shown: str, selection: Selection) -> None:
    """BadInput where there are not several backups to choose from."""
    if selection.word != NEWEST.word:
        raise BadInput(
            f"--select {selection.word}: {shown} is one backup; give a folder or a repository"
        )


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)  # noqa: T201, this is the progress


@contextmanager
def _explain_disk(shown: str) -> Iterator[None]:
    """BadInput in one sentence for an OSError while a backup is read."""
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
    """The settings of a storage for fsspec, with credentials.

    BadInput where other users can read their file.
    """
    if not path:
        return {}
    file = Path(path).expanduser()
    options = dotenv.load(file, what := "file of --backup-options")
    refuse_open(file, what)
    return dict(options)


@contextmanager
def fetch_backup(
    given: str,
    say: Say,
    options: Mapping[str, str] | None = None,
    *,
    choose: bool = True,
    selection: Selection = NEWEST,
) -> Iterator[LocalBackup]:
    """Make a backup available for the block; BadInput in one sentence where that fails.

    choose: a folder of backups stands for its newest that is complete, or for the one that
    selection asks for. options are the settings of a storage. say gets what was taken,
    and the progress of a long copy.
    """
    address, started = location.parse(given), time.monotonic()
    if address.kind == "path":
        path = Path(address.what).expanduser()
        # A folder with a toc.dat is itself a backup, by pg_dump -Fd.
        if choose and path.is_dir() and not (path / "toc.dat").exists():
            picked = location.pick_from(path, selection)
            say(picked.said)
            path, taken_s = picked.member.item, time.monotonic() - started
            yield LocalBackup(path, str(path), picked.said, taken_s, picked=picked)
        else:
            _refuse_choice(address.shown, selection)
            yield LocalBackup(path, address.shown, f"backup {path.name}")
        return
    with _private_folder() as home:
        place = home.path / "fetched"
        place.mkdir(mode=0o700)
        order = _Order(address, place, say, options or {}, selection)
        backup = _from_url(order) if address.kind == "url" else _from_repository(order)
        modified = backup.modified or UNDATED
        for file in backup.path.iterdir() if backup.path.is_dir() else (backup.path,):
            os.utime(file, (modified, modified))
        taken_s = time.monotonic() - started
        said = f"{backup.said}, fetched in {taken_s:.1f} s"
        say(said)
        secrets = (*address.secrets, *(options or {}).values())
        yield replace(backup, said=said, taken_s=taken_s, home=home, secrets=secrets)


@dataclass(frozen=True, slots=True)
class _Order:
    """Which backup of an address to copy to a new folder, with the settings of the storage."""

    address: Address
    place: Path
    say: Say
    options: Mapping[str, str]
    selection: Selection


def write_copy(pieces: Iterator[bytes], place: Path, name: str, say: Say, unfit: str = "") -> Path:
    """Write pieces to a new file that only we can read; BadInput where the disk would run full.

    unfit is the sentence for that, if it is not the usual one.
    """
    safe = "".join(char if char.isalnum() or char in "._-" else "_" for char in name)
    file = place / (safe[-_LONGEST_NAME:].lstrip(".") or "backup")
    unfit = unfit or f"the backup does not fit into {place.parent.parent}; point TMPDIR to space"
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb", buffering=0) as out:
        write_pieces(pieces, out, place, unfit, say)
    return file


def _take(
    order: _Order, found: Sequence[Member], download: Callable[[Member, Path], LocalBackup]
) -> LocalBackup:
    """Fetch the wanted one of several; a copy shows whether the newest is whole."""
    fetched: list[LocalBackup] = []

    def reason(member: Member) -> str:
        backup = download(member, order.place)
        if why := integrity.why_cut(backup.path):
            backup.path.unlink()
        else:
            fetched.append(backup)
        return why

    @contextmanager
    def fetch_other(member: Member) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(dir=order.place) as folder:
            yield download(member, Path(folder)).path

    picked = location.pick(order.address.shown, found, order.selection, reason)
    backup = fetched[0] if fetched else download(picked.member, order.place)
    return replace(backup, said=picked.said, picked=picked, open=fetch_other)


def _from_repository(order: _Order) -> LocalBackup:
    """A copy of a backup in a repository of restic or borg; BadInput where that fails.

    A snapshot without a backup, as of other files, is left out when it would be taken.
    """
    repository = Repository(order.address, order.options)
    if repository.snapshot:
        _refuse_choice(repository.shown, order.selection)

    def download(member: Member, folder: Path) -> LocalBackup:
        file = repository.find_file(member)
        order.say(f"fetching {file.name} of snapshot {member.name} from {repository.shown}")
        copy = write_copy(repository.read(file), folder, file.name, order.say)
        return LocalBackup(copy, repository.shown, "", modified=file.modified)

    members, first = repository.snapshots(), None
    while members:
        try:
            return _take(order, members, download)
        except NoBackup as none:
            first = first or none
            order.say(f"snapshot {none.member.name} holds no backup")
            members = [member for member in members if member.item != none.member.item]
    raise first or BadInput(f"{repository.shown} holds no snapshot")


def _from_url(order: _Order) -> LocalBackup:
    """A copy of the backup at a URL, or of the newest there; else BadInput in one sentence.

    fsspec knows the storages; it comes with an optional extra.
    """
    address = order.address
    try:
        return _choose_from(order)
    except BadInput:
        raise
    except ImportError as trouble:
        raise BadInput(
            f"{address.scheme}:// needs more than is here ({trouble}): {install_extra('remote')}"
        ) from None
    except FileNotFoundError:
        raise BadInput(f"there is no file at {address.shown}; check the backup given") from None
    except Exception as trouble:
        # Every storage has its own errors.
        words = (str(trouble).strip() or type(trouble).__name__).splitlines()[0]
        shown = redact(words, (*address.secrets, *order.options.values()), LEAST_SECRET)[:240]
        raise BadInput(
            f"{address.shown} cannot be read: {shown}; check the address and --backup-options"
        ) from None


def _choose_from(order: _Order) -> LocalBackup:
    import fsspec

    shown = order.address.shown
    settings: dict[str, Any] = {name: _parse(value) for name, value in order.options.items()}
    if order.address.scheme in _SSH:
        policy = _known_hosts(settings.pop("known_hosts", ""))
        settings = {"host_key_policy": policy, "timeout": _CONNECT_S, **settings}
    storage, path = fsspec.core.url_to_fs(order.address.what, **settings)
    if order.address.scheme in _SSH and hasattr(storage, "ftp"):
        # Without it, paramiko waits for ever.
        storage.ftp.get_channel().settimeout(SILENCE_S)
    entry = storage.info(path)
    files = _files(storage, path) if entry["type"] == "directory" else []
    names = {_name(file["name"]) for file in files}
    if entry["type"] != "directory" or "toc.dat" in names:
        _refuse_choice(shown, order.selection)
        return _download(storage, entry, shown, order.place, order.say)
    members = [
        Member(*stated_time(name, _time(file)), name, file)
        for file in files
        if location.names_backup(name := _name(file["name"]), names)
    ]
    if not members:
        raise BadInput(f"{shown} holds no {location.NAMES}; check the backup given")
    return _take(
        order,
        members,
        lambda member, folder: _download(storage, member.item, shown, folder, order.say),
    )


def _download(
    storage: Any, entry: dict[str, Any], shown: str, place: Path, say: Say
) -> LocalBackup:
    """A copy of a file, or of a folder that pg_dump -Fd made, with all its files."""
    path, name = entry["name"], _name(entry["name"])
    say(f"fetching {name} from {shown}")
    if entry["type"] == "directory":
        copy = place / name
        copy.mkdir(mode=0o700)
        for file in _files(storage, path):
            _copy_file(storage, file, copy, say)
    else:
        copy = _copy_file(storage, entry, place, say)
        _copy_checksum(storage, path, copy, say)
    return LocalBackup(copy, shown, f"{name} from {shown}", modified=_time(entry))


def _name(path: str) -> str:
    """The name of a file or a folder; without the query of a URL, which may hold a credential."""
    path = path.partition("?")[0] if "://" in path else path
    return path.rstrip("/").rpartition("/")[2]


def _files(storage: Any, folder: str) -> list[dict[str, Any]]:
    return [entry for entry in storage.ls(folder, detail=True) if entry["type"] == "file"]


def _copy_file(storage: Any, entry: dict[str, Any], place: Path, say: Say) -> Path:
    with storage.open(entry["name"], "rb") as source:
        return write_copy(iter(partial(source.read, CHUNK), b""), place, _name(entry["name"]), say)


def _copy_checksum(storage: Any, path: str, copy: Path, say: Say) -> None:
    """Copy the checksum next to a file, if the storage shows one, next to its copy.

    Trouble ends nothing, since a credential need not open a second file, and is said.
    """
    content = b""
    try:
        with storage.open(f"{path}.sha256", "rb") as source:
            content = source.read(_LONGEST_CHECKSUM)
    except FileNotFoundError:
        return
    except Exception:
        # Every storage has its own errors, whose words may hold a credential.
        say(
            f"{copy.name}.sha256 could not be read, so the backup is not compared with a checksum "
            "next to it"
        )
    # A server may answer for any name, by a page that says that nothing is there or by the file.
    other = content.lstrip().startswith(b"<") or len(content) == _LONGEST_CHECKSUM
    if not other and integrity.find_checksums(content.decode(errors="replace")):
        checksum = integrity.checksum_file(copy)
        checksum.touch(mode=0o600)
        checksum.write_bytes(content)


def _time(entry: dict[str, Any]) -> float | None:
    """When a file was last changed, in seconds since 1970; None where the storage has no time."""
    for name in _TIMES:
        value = entry.get(name)
        if isinstance(value, str):
            with suppress(ValueError):
                # FTP's times are digits alone.
                digits = value.isdecimal() and datetime.strptime(f"{value}Z", "%Y%m%d%H%M%S%z")
                value = digits or parsedate_to_datetime(value)
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, int | float) and 0 < value < _YEAR_10000:
            return float(value)
    return None


def _parse(value: str) -> str | int | bool:
    """A setting as the storage expects it: a bool for a switch, an int for a port."""
    if value in ("true", "false"):
        return value == "true"
    return int(value) if value.isdecimal() and len(value) < 6 else value


def _known_hosts(path: str) -> Any:
    """A policy that trusts the hosts that the user's ssh knows; fsspec itself trusts any host."""
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
