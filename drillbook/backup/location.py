"""Where a backup is: the address that the operator gives, and the choice among several."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import randbelow
from typing import Any, Literal
from urllib.parse import unquote

from drillbook.backup.facts import packed_at, stated_time, time_in_name
from drillbook.backup.integrity import reason_incomplete
from drillbook.core.errors import BadInput
from drillbook.core.files import refuse_trouble
from drillbook.core.options import seconds

# A repository of one of these programs, and after # a snapshot of it and a path in that.
REPOSITORIES = ("restic:", "borg:")
NAMES = "file named .sql, .dump, .dmp, .tar or .backup, packed or not"
# Also forms that cannot be read: a newer backup is not skipped without a word. Coolify's scheduled
# backup names its files pg-dump-<database>-<time>.dmp, and pg-dump-all-<time>.gz.
_NAMED = re.compile(
    r"\.(sql|dump|dmp|pgdump|tar|backup)(\.(gz|zst|xz|lz4|bz2|zip|7z|gpg|pgp|age|enc))*$"
    r"|^pg-dump-.*\.gz$",
    re.IGNORECASE,
)
_ENCRYPTED = re.compile(r"(.+)\.(gpg|pgp|age|enc)", re.IGNORECASE)
_CREDENTIAL = re.compile(r"//([^/]*)@")
# A password with a slash in it: what precedes the slash looks like a host with an odd port.
_UNENCODED = re.compile(r"//[^/@\[]*:(?!\d*/)[^/@]*/.*@", re.DOTALL)
_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:(?P<user>[^/]*)@)?(?P<rest>.*)", re.DOTALL | re.IGNORECASE
)
_LONGEST = 4096
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Address:
    """Where a backup is. what is a path or a URL; shown is fit for records.

    secrets are the parts of a URL that must appear nowhere; credential says whether they give
    access: a user alone does so for https (a token), and not for other schemes.
    """

    kind: Literal["path", "url", "repository"]
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
    if _UNENCODED.search(text):
        raise BadInput(
            "the backup given is a URL whose password holds a slash; write the slash as %2F"
        )
    if text.startswith(REPOSITORIES):
        program, what = text.split(":", 1)
        users = _CREDENTIAL.findall(what)
        secrets = {part for user in users for part in _secrets(user, "")}
        shown = f"{program}:{_CREDENTIAL.sub('//…@', what)}"
        credential = any(":" in user for user in users)
        return Address("repository", what, shown, tuple(secrets), program, credential)
    if text.startswith("docker:"):
        raise BadInput(
            "no backup is dumped from a container here; pipe it: docker exec CONTAINER pg_dump -U "
            "infisical infisical > backup.sql"
        )
    if "::" in text and "://" in text:
        raise BadInput("the backup is given as a chain of URLs (::), which keeps copies; give one")
    if match := _URL.fullmatch(text):
        return _url(text, match)
    if "://" in text:
        raise BadInput(
            "the backup given is neither a path nor a URL; a repository of restic is written "
            "restic:rest:https://…"
        )
    return Address("path", text, text)


def _url(text: str, parts: re.Match[str]) -> Address:
    scheme, user = parts["scheme"].lower(), parts["user"] or ""
    if scheme in ("file", "local"):
        path = unquote(parts["rest"]) if scheme == "file" else parts["rest"]
        return Address("path", path, path)
    where, _, query = parts["rest"].partition("?")
    shown = f"{scheme}://{where}{'?…' if query else ''}"
    credential = bool(query) or ":" in user or (bool(user) and scheme in ("http", "https"))
    url = scheme + text[len(scheme) :]
    return Address("url", url, shown, tuple(_secrets(user, query)), scheme, credential)


def _secrets(user: str, query: str) -> set[str]:
    name, _, password = user.partition(":")
    raw = {user, name, password, query, *(pair.partition("=")[2] for pair in query.split("&"))}
    return (raw | {unquote(value) for value in raw}) - {""}


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
    reason: Callable[[Member], str],
) -> Picked:
    """Choose one of these, of which there is one at least; BadInput where none fits.

    The newest is the newest for which reason gives none against it. Any other choice is taken as
    it is: finding that it is cut is then the purpose.
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
        if not (why := reason(member)):
            warning = f"; NEWER BUT NOT TAKEN: {_few(skipped, ', ')}" if skipped else ""
            said = f"the newest of {place} is {member}{held}{warning}"
            return Picked(member, said, word, members, tuple(skipped))
        skipped.append(f"{member.name} ({why})")
    raise BadInput(f"{place} holds no backup that is complete: {_few(skipped, '; ')}")


def _few(names: Sequence[str], separator: str) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"{separator.join(names[:_MOST_NAMED])}{more}"


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


def members(folder: Path) -> list[Member]:
    """Everything in a folder that has the name of a backup; BadInput where there is none.

    A file with several names counts once, by the name that is not a link; the encrypted copy of
    another file does not count.
    """
    found: dict[tuple[int, int], Member] = {}
    files = sorted(folder.iterdir(), key=lambda file: (file.is_symlink(), file.name))
    names = {file.name for file in files}
    for file in files:
        if (file.is_file() and names_backup(file.name, names)) or (file / "toc.dat").is_file():
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


def pick_from(folder: Path, selection: Selection = NEWEST) -> Picked:
    """One of a folder's backups: the newest that looks complete, or the one that was asked for."""
    shown = f"folder {folder}"
    with refuse_trouble(shown, "the backup given"):
        files = members(folder)
        return pick(shown, files, selection, lambda member: reason_incomplete(member.item))


def changed_at(file: Path) -> float:
    """When a backup was changed, in seconds since 1970; -Fd writes the toc.dat of a folder last."""
    return ((file / "toc.dat") if file.is_dir() else file).stat().st_mtime


def names_backup(name: str, among: Collection[str] = ()) -> bool:
    """Whether a file has the name of a backup, packed or encrypted in any way.

    The encrypted copy of another file among these names is none.
    """
    base = name.rpartition("/")[2]
    copied = (match := _ENCRYPTED.fullmatch(name)) and match[1] in among
    return not base.startswith(".") and bool(_NAMED.search(base)) and not copied


def remove_ending(name: str) -> str:
    """The name of a backup without its ending, such as .sql.gz; the last one of another file."""
    return _NAMED.sub("", name) if names_backup(name) else Path(name).stem


def is_other_backup(name: str, than: str) -> bool:
    """Whether a file has the name of a backup with a time, which is not that of another name."""
    return names_backup(name) and time_in_name(name) not in (None, time_in_name(than))


def is_encrypted(name: str) -> bool:
    """Whether a file is encrypted, by its name."""
    return bool(_ENCRYPTED.fullmatch(name))
