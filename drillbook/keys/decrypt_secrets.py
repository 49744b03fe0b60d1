"""Every secret of a backup, decrypted or not, with the place where it lived."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from drillbook.backup.tables import Dump, Values, blob, open_dump, text
from drillbook.infisical import schema
from drillbook.keys.hierarchy import EncryptedBackup, UnlockedKeys

_DEEPEST = 100
_SHUT = "it does not open: damaged, or sealed under another key"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a secret lived: project, its id, environment (slug), folder path."""

    project: str
    project_id: str
    environment: str
    path: str


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret in the clear; type is `shared`, or `personal` for a member's own value.

    value is None, with a reason, for one that stays shut; then name may be missing as well.
    """

    place: Place
    id: str
    name: str | None
    version: int
    type: str
    value: bytes | None = field(repr=False)
    comment: bytes | None = field(repr=False)
    reason: str = ""


class Reader:
    """Reads the secrets of an opened backup with one key."""

    def __init__(self, dump: Dump, key: str) -> None:
        self._dump = dump
        self.backup = EncryptedBackup(dump)
        self.keys = UnlockedKeys(self.backup, key)
        proof = self.keys.proof
        # Old projects' secrets need no root key: they open even where its row is damaged.
        self.opens = bool(proof.roots_opened or proof.projects_opened)
        self._environments = {
            row[1]: (text(row[0]) or "", text(row[2]) or "")
            for row in dump.rows(*schema.ENVIRONMENTS)
        }
        self._folders = {row[1]: row for row in dump.rows(*schema.FOLDERS)}
        self._places: dict[bytes | None, Place] = {}

    def secrets(self) -> Iterator[Secret]:
        """Each secret, opened or not, in the backup's order."""
        for row in self._dump.rows(*schema.WHOLE_OLD):
            yield self._old(row)
        for row in self._dump.rows(*schema.WHOLE_NEW):
            yield self._new(row)

    def _new(self, row: Values) -> Secret:
        sealed, folder, name, version, kind, comment, id_ = row
        at = self._project(folder)
        # An empty secret has no value at all, so that there is nothing to open.
        value = b"" if sealed is None else self.keys.open_new(at, blob(sealed))
        about = (folder, id_, version, kind)
        return self._secret(about, text(name), value, self.keys.open_new(at, blob(comment)))

    def _old(self, row: Values) -> Secret:
        folder, version, kind, *_, id_ = row[6:]
        at = self._project(folder)
        value, name, comment = (
            self.keys.open_old(at, *(text(part) for part in row[first : first + 3]))
            for first in (0, 3, 9)
        )
        plain = name.decode(errors="replace") if name is not None else None
        return self._secret((folder, id_, version, kind), plain, value, comment)

    def _project(self, folder: bytes | None) -> int:
        return self.backup.project_of.get(folder or b"", -1)

    def _secret(
        self,
        about: tuple[bytes | None, ...],
        name: str | None,
        value: bytes | None,
        comment: bytes | None,
    ) -> Secret:
        folder, id_, version, kind = about
        number = int(version) if version and version.isdigit() else 0
        shut = value is None or name is None
        why = (self.keys.reason(self._project(folder)) or _SHUT) if shut else ""
        kind_ = text(kind) or "shared"
        return Secret(self.place(folder), text(id_) or "", name, number, kind_, value, comment, why)

    def place(self, folder: bytes | None) -> Place:
        """Where a folder's secrets lived; empty for one that is not in the backup."""
        if folder not in self._places:
            self._places[folder] = self._find_place(folder)
        return self._places[folder]

    def _find_place(self, folder: bytes | None) -> Place:
        row = self._folders.get(folder)
        id_, environment = self._environments.get(row[0] if row else None, ("", ""))
        name = next((project.name for project in self.backup.projects if project.id == id_), "")
        return Place(name, id_, environment, self._path(folder))

    def _path(self, folder: bytes | None) -> str:
        """The folder's path; the top one, which is called root, is /."""
        names: list[str] = []
        row = self._folders.get(folder)
        while row and row[2] is not None and len(names) < _DEEPEST:
            names.append(text(row[3]) or "")
            row = self._folders.get(row[2])
        return "/" + "/".join(reversed(names))


def digests(backup: Path, key: str, project_id: str) -> dict[tuple[str, str, str], str]:
    """Digests of a project's shared values by environment, folder path and name, from a backup.

    Those that stay shut are missing. They are digests, because a failure's message may quote them.
    """
    with open_dump(backup) as dump:
        return {
            (secret.place.environment, secret.place.path, secret.name or ""): (
                hashlib.sha256(secret.value).hexdigest()[:16]
            )
            for secret in Reader(dump, key).secrets()
            if secret.value is not None and secret.place.project_id == project_id
        }
