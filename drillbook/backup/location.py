"""Where backups are: the address that the operator gives, and the candidates of a folder."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from secrets import randbelow
from typing import Any, Literal
from urllib.parse import unquote

from drillbook.backup.facts import packed_at, stated_time, time_in_name
from drillbook.core.errors import BadInput

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
_URL = re.compile(
    r"(?P<scheme>.*?://)(?:(?P<user>[^/]*)@)?(?P<where>[^?]*)(?:\?(?P<query>.*))?", re.DOTALL
)
_REFUSED = {
    r"(?s)^-$": "is standard input, which is read offline only; save it, and give the file",
    # What precedes the slash looks like a host with an odd port.
    r"(?s)//[^/@\[]*:(?!\d*/)[^/@]*/.*@": "is a URL whose password holds a slash; write it as %2F",
    r"(?s)::.*://|://.*::": "is a chain of URLs (::), which keeps copies; give one",
    r"^(?!restic:|borg:)[^/]*:[^/]*://": "is a repository without its program; write restic:rest:…",
}
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Address:
    """Where a backup is. what is a path or a URL; shown is fit for records.

    secrets are the parts of a URL that must appear nowhere; credential says whether they give
    access; scheme is the program of a repository.
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
        raise BadInput("the backup given is too long for an address, or has control characters")
    for pattern, why in _REFUSED.items():
        if re.search(pattern, text):
            raise BadInput(f"the backup given {why}")
    program, _, rest = text.partition(":")
    is_repository = text.startswith(REPOSITORIES)
    url = _URL.fullmatch(rest if is_repository else text)
    if not url:
        kind: Literal["path", "repository"] = "repository" if is_repository else "path"
        return Address(kind, rest if is_repository else text, text, scheme=program)
    scheme, user, query = url["scheme"].lower(), url["user"] or "", url["query"] or ""
    if scheme == "file://":
        path = unquote(text.partition("://")[2])
        return Address("path", path, path)
    shown = f"{scheme}{'…@' if user else ''}{url['where']}{'?…' if query else ''}"
    raw = {user, *user.split(":", 1), query, *(pair.partition("=")[2] for pair in query.split("&"))}
    return Address(
        "repository" if is_repository else "url",
        scheme + url[0][len(scheme) :],
        f"{program}:{shown}" if is_repository else shown,
        tuple((raw | {unquote(value) for value in raw}) - {""}),
        program if is_repository else scheme.removesuffix("://"),
        # A user alone is a credential for https (a token), and none for other schemes.
        ":" in user or bool(query) or bool(user and scheme.endswith(("http://", "https://"))),
    )


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
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


def candidates(folder: Path) -> list[Candidate]:
    """Everything in a folder that has the name of a backup; BadInput where there is none.

    A file with several names counts once, by the name that is not a link; the encrypted copy of
    another file does not count.
    """
    found: dict[tuple[int, int], Candidate] = {}
    files = sorted(folder.iterdir(), key=lambda file: (file.is_symlink(), file.name))
    names = {file.name for file in files}
    for file in files:
        if (file.is_file() and names_backup(file.name, names)) or (file / "toc.dat").is_file():
            times = stated_time(file.name, changed_at(file), packed_at(file))
            facts = file.stat()
            # A link such as latest.sql would be compared with its own file.
            found.setdefault((facts.st_dev, facts.st_ino), Candidate(*times, file.name, file))
    if not found:
        raise BadInput(
            f"folder {folder} holds no {NAMES}, and no toc.dat of pg_dump -Fd; "
            "check the backup given"
        )
    return list(found.values())


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
