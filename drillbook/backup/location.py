"""Where backups are: addresses, names of backups, and the candidates of a folder."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from drillbook.backup.facts import packed_at, stated_time
from drillbook.core.errors import BadInput

REPOSITORIES = ("restic:", "borg:")
NAMES = "file named .sql, .dump, .dmp, .tar or .backup, packed or not"
# Also forms that cannot be read: a newer backup is not skipped without a word. Coolify's scheduled
# backup names its files pg-dump-<database>-<time>.dmp, and pg-dump-all-<time>.gz; restic and borg
# call stdin what is piped into them.
NAMED = re.compile(
    r"\.(sql|dump|dmp|pgdump|tar|backup)(\.(gz|zst|xz|lz4|bz2|zip|7z|gpg|pgp|age|enc))*$"
    r"|^pg-dump-.*\.gz$|^stdin$",
    re.IGNORECASE,
)
ENCRYPTED = re.compile(r"(.+)\.(gpg|pgp|age|enc)", re.IGNORECASE)
# A password, a query, or a user of a website: it may be a token.
CREDENTIAL = r"(?i)://[^?]*:[^?]*@|https?://[^/]*@|://.*\?"
# What can be no address of a backup, and why.
REFUSED = {
    r"[\x00-\x1f\x7f]": "has control characters, as no address has",
    CREDENTIAL: "has a credential or a query (?); set it in the environment, or fetch the file",
    r"^-$": "is standard input, which is read offline only; save it, and give the file",
    r"::.*://|://.*::": "is a chain of URLs (::), which keeps copies; give one",
    r"^(?!restic:|borg:)[^/]*:[^/]*://": "is a repository without its program; write restic:rest:…",
    r"^(restic|borg):$": "names no repository; write restic:/path or borg:/path",
    r"^(restic|borg):.*#": "names a snapshot after #; give the repository, or a file taken from it",
}


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
        other = "and no toc.dat of pg_dump -Fd; check the backup given"
        raise BadInput(f"folder {folder} holds no {NAMES}, {other}")
    return list(found.values())


def changed_at(file: Path) -> float:
    """When a backup was changed, in seconds since 1970; -Fd writes the toc.dat of a folder last."""
    return ((file / "toc.dat") if file.is_dir() else file).stat().st_mtime


def names_backup(name: str, among: Collection[str] = ()) -> bool:
    """Whether a file has the name of a backup, packed or encrypted in any way.

    The encrypted copy of another file among these names is none.
    """
    base = name.rpartition("/")[2]
    copied = (match := ENCRYPTED.fullmatch(name)) and match[1] in among
    return not base.startswith(".") and bool(NAMED.search(base)) and not copied
