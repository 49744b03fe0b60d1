"""Where a backup is: the address that the operator gives, and the choice among several."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import randbelow
from typing import Any, Literal
from urllib.parse import unquote

from drillbook.backup.facts import packed_at, stated_time, time_in_name
from drillbook.backup.plain_dump import TRAILER
from drillbook.backup.tables import open_dump
from drillbook.core.errors import BadInput
from drillbook.core.files import refuse_trouble
from drillbook.core.options import seconds

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """One of several backups in one place.

    at is the time that it states, changed that of its file; item is its path, or its storage's key.
    """

    at: datetime
    changed: datetime
    name: str
    item: Any = field(compare=False)

    def __str__(self) -> str:
        return f"{self.name}, of {self.at:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which backup is wanted, in the words of --select; seed decides what is drawn at random."""

    word: str = "newest"
    seed: int = 0


NEWEST = Selection()


def parse_selection(word: str, seed: str | None) -> Selection:
    """A selection, with a seed of its own where none is given."""
    return Selection(word, int(seed) if seed else randbelow(2**32))


@dataclass(frozen=True, slots=True)
class Picked:
    """The backup that is taken, all backups of its place, and the newer ones skipped, with why.

    word is that of --select, which asked for it.
    """

    member: Member
    said: str
    word: str
    members: tuple[Member, ...]
    skipped: tuple[str, ...] = ()


def pick(
    place: str,
    members: Sequence[Member],
    selection: Selection,
    reason_incomplete: Callable[[Member], str],
) -> Picked:
    """Choose one of these, of which there is one at least; BadInput where none fits.

    The newest is the newest that looks complete. Any other choice is taken as it is: finding that
    it is cut is then the purpose.
    """
    members = tuple(sorted(members, reverse=True))
    held = f"; there are {len(members)}, the oldest of {members[-1].at:%Y-%m-%d}"
    word = selection.word
    if word != "newest":
        among = _among(place, members, word)
        member = random.Random(selection.seed).choice(among)  # noqa: S311 - a sample, no secret
        drawn = f" among {len(among)} with seed {selection.seed}" if len(among) > 1 else ""
        return Picked(member, f"{word}{drawn} of {place} is {member}{held}", word, members)
    skipped: list[str] = []
    for member in members:
        if not (why := reason_incomplete(member)):
            said = f"the newest of {place} is {member}{held}{skip_notice(skipped)}"
            return Picked(member, said, word, members, tuple(skipped))
        skipped.append(f"{member.name} ({why})")
    reasons = "; ".join(skipped[:_MOST_NAMED])
    raise BadInput(f"{place} holds no backup that is complete: {reasons}")


def _among(place: str, members: Sequence[Member], select: str) -> Sequence[Member]:
    """The backups of which one is drawn."""
    how, _, what = select.partition(":")
    among = members[-1:]
    if how == "random":
        since = datetime.now(UTC) - timedelta(seconds=seconds(what, "--select random:"))
        among = [member for member in members if member.at >= since]
    elif how == "at":
        try:
            moment = datetime.fromisoformat(what).replace(tzinfo=UTC)
        except ValueError:
            raise BadInput(f"--select at:{what}: there is no such day") from None
        # Of a day, its end.
        end = moment if "T" in what else moment + timedelta(days=1)
        among = [member for member in members if member.at < end][:1]
    if not among:
        extent = f"{members[-1].at:%Y-%m-%d %H:%M} to {members[0].at:%Y-%m-%d %H:%M}"
        raise BadInput(
            f"--select {select}: {place} has none of that time; its backups are of {extent}"
        )
    return among


def skip_notice(skipped: Sequence[str]) -> str:
    """A warning about newer backups that were not taken: someone may rely on them."""
    if not skipped:
        return ""
    more = f" and {len(skipped) - _MOST_NAMED} more" if len(skipped) > _MOST_NAMED else ""
    return f"; NEWER BUT NOT TAKEN: {', '.join(skipped[:_MOST_NAMED])}{more}"


Kind = Literal["path", "container", "url", "repository"]

# A backup that is dumped from a container on demand.
CONTAINER = "docker:"
# A repository of one of these programs, and after # a snapshot of it and a path in that.
REPOSITORIES = ("restic:", "borg:")
_CREDENTIAL = re.compile(r"//([^/]*)@")
# A password with a slash in it: what precedes the slash looks like a host with an odd port.
_UNENCODED = re.compile(r"//[^/@\[]*:(?!\d*/)[^/@]*/.*@", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:(?P<user>[^/]*)@)?(?P<rest>.*)", re.DOTALL | re.IGNORECASE
)
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Address:
    """Where a backup is. what is a path, a container's name or a URL; shown is fit for records.

    secrets are the parts of a URL that must appear nowhere; credential says whether they give
    access: a user alone does so for https (a token), and not for other schemes.
    """

    kind: Kind
    what: str = field(repr=False)
    shown: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    scheme: str = ""
    credential: bool = False


def parse(given: str) -> Address:
    """The address that the operator gives; BadInput for a text that cannot be one."""
    text = given.strip()
    if len(text) > _LONGEST or not text.isprintable():
        raise BadInput(
            "the backup given is neither a path nor a URL: too long, or with control characters"
        )
    if text == "-":
        raise BadInput(
            "a backup on standard input is read offline only; save it, and give the file"
        )
    if text.startswith(CONTAINER) and "://" not in text:
        name = text.removeprefix(CONTAINER)
        if not _NAME.fullmatch(name):
            raise BadInput(f"docker:{name[:60]} names no container; write docker:<its name>")
        return Address("container", name, f"{CONTAINER}{name}")
    if _UNENCODED.search(text):
        raise BadInput(
            "the backup given is a URL whose password holds a slash; write the slash as %2F"
        )
    if text.startswith(REPOSITORIES):
        return _repository(*text.split(":", 1))
    if match := _URL.fullmatch(text):
        return _url(text, match)
    if "://" in text:
        raise BadInput(
            "the backup given is neither a path nor a URL; a repository of restic is written "
            "restic:rest:https://…"
        )
    return Address("path", text, text)


def _repository(program: str, what: str) -> Address:
    users = _CREDENTIAL.findall(what)
    secrets = {part for user in users for part in _secrets(user, "")}
    shown = f"{program}:{_CREDENTIAL.sub('//…@', what)}"
    credential = any(":" in user for user in users)
    return Address("repository", what, shown, tuple(secrets), program, credential)


def _url(text: str, parts: re.Match[str]) -> Address:
    if "::" in text:
        raise BadInput("the backup is given as a chain of URLs (::), which keeps copies; give one")
    scheme = parts["scheme"].lower()
    if scheme in ("file", "local"):
        path = unquote(parts["rest"]) if scheme == "file" else parts["rest"]
        return Address("path", path, path)
    where, _, query = parts["rest"].partition("?")
    shown = f"{scheme}://{where}{'?…' if query else ''}"
    url = scheme + text[len(scheme) :]
    user = parts["user"] or ""
    credential = bool(query) or ":" in user or (bool(user) and scheme in ("http", "https"))
    return Address("url", url, shown, tuple(_secrets(user, query)), scheme, credential)


def _secrets(user: str, query: str) -> set[str]:
    name, _, password = user.partition(":")
    values = {pair.partition("=")[2] for pair in query.split("&")}
    raw = {user, name, password, query, *values}
    return (raw | {unquote(value) for value in raw}) - {""}


NAMES = "file named .sql, .dump, .dmp, .tar or .backup, packed or not"
# Also forms that cannot be read: a newer backup is not skipped without a word. Coolify's scheduled
# backup names its files pg-dump-<database>-<time>.dmp, and pg-dump-all-<time>.gz.
_NAMED = re.compile(
    r"\.(sql|dump|dmp|pgdump|tar|backup)(\.(gz|zst|xz|lz4|bz2|zip|7z|gpg|pgp|age|enc))*$"
    r"|^pg-dump-.*\.gz$",
    re.IGNORECASE,
)
_ENCRYPTED = re.compile(r"(.+)\.(gpg|pgp|age|enc)", re.IGNORECASE)
_TAIL = 4096
_YOUNG_S = 60.0
_LOOK_AGAIN_S = 0.5


def members(folder: Path) -> list[Member]:
    """Everything in a folder that has the name of a backup; BadInput where there is none.

    A file with several names counts once, by the name that is not a link; the encrypted copy of
    another file does not count.
    """
    found: dict[tuple[int, int], Member] = {}
    files = sorted(folder.iterdir(), key=lambda one: (one.is_symlink(), one.name))
    names = {file.name for file in files}
    for file in files:
        if is_encrypted_copy(file.name, names):
            continue
        if (has_name_of_backup(file.name) and file.is_file()) or (file / "toc.dat").is_file():
            times = stated_time(file.name, changed_at(file), packed_at(file))
            facts = file.stat()
            # A link such as latest.sql would be compared with its own file.
            found.setdefault((facts.st_dev, facts.st_ino), Member(*times, file.name, file))
    if not found:
        raise BadInput(
            f"folder {folder} holds no {NAMES}, and no toc.dat of pg_dump -Fd; "
            "check the backup given"
        )
    return list(found.values())


def has_name_of_backup(name: str) -> bool:
    """Whether a file has the name of a backup, packed or encrypted in any way."""
    return not name.startswith(".") and bool(_NAMED.search(name))


def remove_ending(name: str) -> str:
    """The name of a backup without its ending, such as .sql.gz; the last one of another file."""
    return _NAMED.sub("", name) if has_name_of_backup(name) else Path(name).stem


def is_other_backup(name: str, than: str) -> bool:
    """Whether a file has the name of a backup with a time, which is not that of another name."""
    return has_name_of_backup(name) and time_in_name(name) not in (None, time_in_name(than))


def is_encrypted(name: str) -> bool:
    """Whether a file is encrypted, by its name."""
    return bool(_ENCRYPTED.fullmatch(name))


def is_encrypted_copy(name: str, names: Collection[str]) -> bool:
    """Whether a file is, by its name, the encrypted copy of one of these."""
    match = _ENCRYPTED.fullmatch(name)
    return bool(match and match[1] in names)


def pick_from(folder: Path, selection: Selection = NEWEST) -> Picked:
    """One of a folder's backups: the newest that looks complete, or the one that was asked for."""
    shown = f"folder {folder}"
    with refuse_trouble(shown, "the backup given"):
        return pick(shown, members(folder), selection, lambda one: reason_incomplete(one.item))


def changed_at(file: Path) -> float:
    """When a backup was changed, in seconds since 1970; -Fd writes the toc.dat of a folder last."""
    return ((file / "toc.dat") if file.is_dir() else file).stat().st_mtime


def reason_incomplete(file: Path) -> str:
    """Why a file cannot be a finished backup; empty when it looks like one.

    The end of a plain file is enough. A packed one is unpacked and an archive read, since nothing
    else shows that it was cut. Whether the rows are whole is for the proof.
    """
    if file.is_dir():
        return why_cut(file)
    facts = file.stat()
    if not facts.st_size:
        return "empty"
    if time.time() - facts.st_mtime < _YOUNG_S:
        time.sleep(_LOOK_AGAIN_S)
        again = file.stat()
        if (again.st_size, again.st_mtime_ns) != (facts.st_size, facts.st_mtime_ns):
            return "still being written"
    if file.name.endswith(".sql"):
        with file.open("rb") as plain:
            plain.seek(max(0, facts.st_size - _TAIL))
            if TRAILER in plain.read():
                return ""
    return why_cut(file)


def why_cut(backup: Path) -> str:
    """Why a backup, read from beginning to end, is not a whole one; empty for a whole one."""
    try:
        with open_dump(backup, ()) as dump:
            return f"cut short or damaged: it {dump.damage}" if dump.damage else ""
    except BadInput as why:
        said = str(why).removeprefix("backup ").removeprefix(f"{backup} ")
        return said.partition("; ")[0]
