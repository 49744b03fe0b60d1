"""The keys of a backup and what they open: instance key, root key, projects' keys, secrets.

There are two generations of projects. Generation 3: the instance key opens the root key, which
opens a key in internal_kms, which opens the project's data key, which opens secrets_v2. Generation
2: the instance key opens a bot's private key, which (with its sender's public key) opens the
project's key in a box, which opens the columns of `secrets`. Before mid-2024 there was only
generation 2, and no root key.

Releases since autumn 2026 rotate the instance key: the root key is then sealed under several keys,
one per row. Values of generation 2 that the instance key opens directly stay under the earlier key,
which the instance keeps under the root key.

The inventory counts what a backup holds, without a key, and finds what another backup lost.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from drillbook.backup.facts import Backup, has_root_keys
from drillbook.backup.tables import Dump, Values, blob, text
from drillbook.core.errors import BadInput
from drillbook.infisical import crypto, schema

# IV 12, key 32, tag 16.
ROOT_BYTES = 60
# A folder takes some 170 bytes of memory.
_MOST_FOLDERS = 200_000


@dataclass(slots=True)
class Project:
    """What a key opened of one project. generation is 2 for keys held by bots, 3 for the KMS.

    A project that needs keys of both has that of the key that stays shut, else 2.
    reason says why its key stays shut although the instance key is right, or is empty.
    """

    id: str
    name: str
    generation: int
    key_opened: bool = False
    secrets: int = 0
    secrets_opened: int = 0
    reason: str = ""


# What anyone who restores a backup from before mid-2024 must know.
ROOTLESS = (
    "the backup is from before mid-2024 and has no root key: restore it into a release of July "
    "2024 or newer, which migrates it. Any key starts there, and the release makes a new root key "
    "under whichever it is: deploy the key that opens this backup, and no other"
)


@dataclass(slots=True)
class Wrapper:
    """One row with the root key: the key that seals it, and whether the tried key opened it.

    active is the key in force; staged one that waits for its first start, and already opens;
    retained the previous one, which starts until it is removed. since is the day of that state, if
    the row states one.
    """

    state: Literal["active", "staged", "retained"]
    label: str = ""
    since: str = ""
    opened: bool = False


@dataclass(slots=True)
class Proof:
    """What one key opened of one backup, in numbers.

    root_keys counts the keys that the instance key opens first: the root key, or in a backup from
    before mid-2024, which has none (rootless), the private keys of projects' bots. projects counts
    projects with a key; secrets those with a value, empty those without one and so with nothing to
    open; outdated counts rows older than their project's upgrade, which are not tried; unproven
    names each thing that no key of this kind can open (an external KMS, a user's password).
    second_key_needed: something opened only with the ROOT_ENCRYPTION_KEY next to the key.
    """

    root_keys: int = 0
    roots_opened: int = 0
    projects: int = 0
    projects_opened: int = 0
    secrets: int = 0
    secrets_opened: int = 0
    empty: int = 0
    outdated: int = 0
    by_project: list[Project] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)
    damage: str = ""
    rootless: bool = False
    wrappers: list[Wrapper] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    first_generation: int = 0
    under_this_key: int = 0
    second_key_needed: bool = False

    @property
    def opens_everything(self) -> bool:
        """Whether a root key, every project's key and every secret opened, with nothing missing."""
        whole = not self.damage and not self.unproven and bool(self.roots_opened)
        projects = self.projects == self.projects_opened
        return whole and projects and self.secrets == self.secrets_opened

    @property
    def is_undecided(self) -> bool:
        """Whether a lost part, or one that no such key opens, leaves the answer open."""
        if self.root_keys and not self.roots_opened:
            # A project's key that is held elsewhere says nothing of the root key.
            of_root = [one for one in self.unproven if not one.endswith(_OF_PROJECTS)]
            return bool(of_root) and self.opens_nothing
        shut = (self.projects, self.secrets) != (self.projects_opened, self.secrets_opened)
        return bool(self.damage) or not self.root_keys or (bool(self.unproven) and not shut)

    @property
    def held_elsewhere(self) -> bool:
        """Whether an HSM or an external KMS holds a key, so that no key file proves all of it."""
        extern = bool(self.roots_opened) and any(one.endswith(_EXTERN) for one in self.unproven)
        return extern or _HSM in self.unproven

    @property
    def opens_nothing(self) -> bool:
        """Whether no key and no secret opened."""
        return not (self.roots_opened or self.projects_opened or self.secrets_opened)


@dataclass(slots=True)
class Sealed:
    """One project and its sealed keys in the backup."""

    id: str
    name: str
    kms_key: str | None
    data_key: bytes | None
    bot: Values | None = None
    upgraded: bool = False
    deleted: bool = False

    @property
    def keyless(self) -> bool:
        return not (self.bot or self.data_key)

    @property
    def generations(self) -> list[int]:
        """The keys that its secrets need, by generation: the bot's, that of the KMS, or both."""
        by_bot = self.bot and not (self.data_key and self.upgraded)
        return [*([2] if by_bot else []), *([3] if self.data_key else [])]


class EncryptedBackup:
    """The encrypted keys and secrets of a backup, read once, to be tried with any keys."""

    def __init__(self, dump: Dump) -> None:
        self.dump = dump
        rows = list(dump.rows(*schema.ROOTS))
        self.roots = [blob(row[0]) or b"" for row in rows]
        self.states = [_state(row) for row in rows]
        self.kept = [blob(row[0]) for row in dump.rows(*schema.KEPT_KEYS)]
        self.unproven = list(self._unusual(rows))
        self.kms = self._kms_keys()
        self.external = {text(row[1]) for row in dump.rows(*schema.EXTERNAL_KMS)}
        self.publics = {row[1]: text(row[0]) for row in dump.rows(*schema.PUBLIC_KEYS)}
        self.projects = self._projects()
        # A backup that only lost the root key's table is not rootless: the instance's other tables,
        # or the list of its migrations, show that it had one.
        self.rootless = any(project.bot for project in self.projects) and not has_root_keys(dump)
        environments = list(dump.rows(*schema.ENVIRONMENTS))
        # The project and the slug of each environment.
        self.environments = {row[1]: (row[0], row[2]) for row in environments}
        gone = {project.id.encode() for project in self.projects if project.deleted}
        # The environments that an operator deleted: the product removes their rows by itself.
        self.deleted = {row[1] for row in environments if row[3] is not None or row[0] in gone}
        self.project_of = self._places()
        self.empty = self.outdated = 0

    def _unusual(self, rows: list[Values]) -> Iterator[str]:
        if any(row[1] == b"HSM" for row in rows):
            yield _HSM
        for root in self.roots:
            if len(root) != ROOT_BYTES:
                yield f"the root key's row has {len(root)} bytes, its layout {ROOT_BYTES}"

    def _kms_keys(self) -> dict[str | None, list[bytes | None]]:
        """Each key of the KMS with the keys it replaced, which may still open older values."""
        keys: dict[str | None, list[bytes | None]] = {}
        names: dict[bytes | None, str | None] = {}
        for sealed, name, row in self.dump.rows(*schema.KMS_KEYS):
            names[row] = text(name)
            keys[text(name)] = [blob(sealed)]
        for sealed, row in self.dump.rows(*schema.EARLIER_KMS_KEYS):
            keys.setdefault(names.get(row), []).append(blob(sealed))
        return keys

    def _projects(self) -> list[Sealed]:
        bots = {row[0]: row for row in self.dump.rows(*schema.BOTS) if row[2]}
        return [
            Sealed(
                text(id_) or "",
                text(name) or "",
                text(key),
                blob(data),
                bots.get(id_),
                # Such a project keeps no current secret in the old table.
                bool(version and version.isdigit() and int(version) >= schema.WITHOUT_OLD_ROWS),
                deleted is not None,
            )
            for id_, name, version, key, data, deleted in self.dump.rows(*schema.PROJECTS)
        ]

    def _places(self) -> dict[bytes, int]:
        """The number of the project of each folder."""
        numbers = {project.id.encode(): at for at, project in enumerate(self.projects)}
        folders: dict[bytes, int] = {}
        for environment, folder, *_ in self.dump.rows(*schema.FOLDERS):
            project, _ = self.environments.get(environment, (None, None))
            if folder and project in numbers:
                folders[folder] = numbers[project]
            if len(folders) > _MOST_FOLDERS:
                raise BadInput(
                    f"the backup holds more than {_MOST_FOLDERS} folders, more than can be kept "
                    "in the memory a proof may use"
                )
        return folders

    def is_outdated(self, folder: bytes | None) -> bool:
        """Whether the rows of `secrets` in a folder are older than the upgrade of its project.

        The product no longer reads them: they hold values that were changed or deleted since.
        """
        at = self.project_of.get(folder or b"", -1)
        return at >= 0 and self.projects[at].upgraded

    def secrets(self) -> Iterator[tuple[int, bool, Values]]:
        """Each secret with a value: project number (-1: unknown), whether old, its columns.

        Rows older than their project's upgrade are counted in `outdated`, and left out.
        """
        for row in self.dump.rows(*schema.OLD):
            if self.is_outdated(row[6]):
                self.outdated += 1
            else:
                yield self.project_of.get(row[6] or b"", -1), True, row
        for row in self.dump.rows(*schema.NEW):
            if row[0] is None:
                self.empty += 1
            else:
                yield self.project_of.get(row[1] or b"", -1), False, row


def _state(row: Values) -> Wrapper:
    id_, activated, superseded, name = row[2:]
    since = (text(superseded or activated) or "")[:10]
    if superseded is not None:
        return Wrapper("retained", text(name) or "", since)
    # Releases that rotate no key have one row, and write no label.
    staged = activated is None and name is not None and id_ != schema.ACTIVE_ROOT
    return Wrapper("staged" if staged else "active", text(name) or "", since)


LOST = "its folder, or the project of it, is not in the backup"
_HSM = "the root key is sealed by an HSM, not by a key"
_EXTERN = "its key is held by an external KMS"
_SEALED_BY_MEMBERS = "its key is sealed with its members' passwords"
_OF_PROJECTS = (_EXTERN, _SEALED_BY_MEMBERS)


class UnlockedKeys:
    """What one key opens of an encrypted backup.

    also is ROOT_ENCRYPTION_KEY of an instance that has ENCRYPTION_KEY, too: it opens only values of
    the first generation, which the product then writes under it (lib/crypto/encryption.ts).
    """

    def __init__(self, backup: EncryptedBackup, key: str, also: str = "") -> None:
        self._backup = backup
        self._instance = crypto.cipher(crypto.material(key))
        self._direct = [self._instance, crypto.cipher(crypto.material(also))]
        roots = [crypto.open_bytes(self._instance, root) for root in backup.roots]
        self._roots = [crypto.cipher(root) for root in roots if root is not None]
        self._kept = list(self._kept_keys())
        self.proof = Proof(len(backup.roots), len(self._roots), unproven=list(backup.unproven))
        self._new = [self._data_key(project) for project in backup.projects]
        self._old = [self._bot_key(project.bot) for project in backup.projects]
        self.proof.wrappers = [
            replace(state, opened=root is not None)
            for state, root in zip(backup.states, roots, strict=True)
        ]
        self.proof.kept = list(dict.fromkeys(crypto.label(key) for key in self._kept))
        if backup.kept:
            self._count_first_generation()
        if backup.rootless:
            bots = [project.bot for project in backup.projects if project.bot]
            opened_bots = sum(self._direct_value(bot[4:]) is not None for bot in bots)
            self.proof.root_keys, self.proof.roots_opened = len(bots), opened_bots
            self.proof.rootless = True
        self.proof.by_project = [self._judge(at) for at in range(len(backup.projects))]

    def _kept_keys(self) -> Iterator[str]:
        """The earlier instance keys that the backup keeps under its root key, as texts."""
        for sealed in self._backup.kept:
            for root in self._roots:
                if (plain := crypto.open_bytes(root, sealed)) is not None:
                    yield from _key_texts(plain)

    def _count_first_generation(self) -> None:
        """Count the values directly under an instance key, and try the kept keys on them."""
        proof, past = self.proof, 0
        kept = {crypto.material(key) for key in self._kept}
        ciphers = [crypto.cipher(key) for key in kept]
        for place in schema.FIRST_GENERATION:
            for row in self._backup.dump.rows(place.table, place.columns):
                if row[0] is None:
                    continue
                parts = [text(value) for value in row]
                proof.first_generation += 1
                if all(crypto.open_columns(key, *parts) is None for key in self._direct):
                    continue
                proof.under_this_key += 1
                past += all(crypto.open_columns(old, *parts) is None for old in ciphers)
        if self._roots and not kept:
            proof.unproven.append("the earlier keys that it keeps under the root key stay shut")
        elif self._roots and past:
            proof.unproven.append(
                f"{past} values of the first generation lie under this key and not under the one "
                "that the instance keeps for them, so that it cannot read them: an upgrade after "
                "the rotation wrote them"
            )

    def _data_key(self, project: Sealed) -> AESGCM | None:
        for key in self._kms_ciphers(project.kms_key):
            if (data_key := crypto.cipher(crypto.open_bytes(key, project.data_key))) is not None:
                return data_key
        return None

    def _kms_ciphers(self, name: str | None) -> list[AESGCM]:
        """What opens of a key of the KMS, and of those it replaced."""
        sealed = self._backup.kms.get(name, [])
        keys = [
            crypto.cipher(crypto.open_bytes(root, one)) for one in sealed for root in self._roots
        ]
        return [key for key in keys if key is not None]

    def _unusable(self) -> Iterator[str]:
        """What the product could not use, though each secret opens: it could write nothing."""
        backup, dump = self._backup, self._backup.dump
        named = {text(row[0]) for row in dump.rows(*schema.KMS_NAMES)}
        for project in backup.projects:
            if not project.kms_key or project.kms_key in backup.external:
                continue
            if schema.KMS_NAMES.table in dump.tables and project.kms_key not in named:
                yield f"{schema.KMS_NAMES.table} has no row of the key of project {project.name}"
            if not project.data_key and not self._kms_ciphers(project.kms_key):
                yield f"the key of project {project.name} stays shut: it takes no secret"
        for name, key, data in dump.rows(*schema.ORGANIZATIONS):
            ciphers = self._kms_ciphers(text(key))
            opened = any(crypto.open_bytes(one, blob(data)) for one in ciphers)
            if key and text(key) not in backup.external and not (opened if data else ciphers):
                yield f"the key of organization {text(name)} stays shut"
        salts = {text(row[0]): row[1:] for row in dump.rows(*schema.BLIND_INDEXES)}
        for at, project in enumerate(backup.projects):
            writes = self._old[at] is not None and not project.upgraded
            if writes and (salt := salts.get(project.id)) and self._direct_value(salt) is None:
                yield (
                    f"the blind index of project {project.name} stays shut: its secrets can be "
                    "read, but not written"
                )

    def _bot_key(self, bot: Values | None) -> AESGCM | None:
        """A project's key as its bot holds it."""
        if bot is None:
            return None
        public = self._backup.publics.get(bot[1])
        box, nonce = (text(value) for value in bot[2:4])
        private = self._direct_value(bot[4:])
        return crypto.cipher(crypto.open_box(private, public or "", box or "", nonce or ""))

    def _direct_value(self, columns: Values) -> bytes | None:
        """A value of the first generation, directly under an instance key."""
        parts = [text(value) for value in columns]
        keys = (*(crypto.cipher(crypto.material(kept)) for kept in self._kept), *self._direct)
        for key in keys:
            if (plain := crypto.open_columns(key, *parts)) is not None:
                self.proof.second_key_needed |= key is self._direct[1]
                return plain
        return None

    def _judge(self, at: int) -> Project:
        sealed = self._backup.projects[at]
        needed = sealed.generations
        shut = [one for one in needed if (self._old if one == 2 else self._new)[at] is None]
        project = Project(sealed.id, sealed.name, next(iter(shut or needed), 3))
        if sealed.kms_key in self._backup.external:
            project.reason = _EXTERN
        elif not sealed.keyless:
            project.key_opened = not shut
            self.proof.projects += 1
            self.proof.projects_opened += project.key_opened
        return project

    def try_secret(self, at: int, old: bool, values: Values) -> None:
        """Count a secret, and whether its value and its name open; neither is kept."""
        if old:
            parts = [text(value) for value in values[:6]]
            opened = all(self.open_old(at, *three) is not None for three in (parts[:3], parts[3:]))
        else:
            opened = self.open_new(at, blob(values[0])) is not None
        project = self.proof.by_project[at] if at >= 0 else self._lost()
        project.secrets += 1
        if at >= 0 and old and self._backup.projects[at].keyless:
            project.reason = project.reason or _SEALED_BY_MEMBERS
        if not project.reason:
            project.secrets_opened += opened

    def new_key(self, at: int) -> AESGCM | None:
        """The data key of a project, by its number; None where it stays shut."""
        return self._new[at]

    def open_new(self, at: int, sealed: bytes | None) -> bytes | None:
        """A value under the data key of a project, by its number (-1: unknown)."""
        return crypto.open_bytes(self._new[at], sealed) if at >= 0 else None

    def open_old(
        self, at: int, ciphertext: str | None, iv: str | None, tag: str | None
    ) -> bytes | None:
        """A value under a project's key that its bot holds, by the project's number."""
        return crypto.open_columns(self._old[at], ciphertext, iv, tag) if at >= 0 else None

    def reason(self, at: int) -> str:
        """Why a project's secrets stay shut under any key; empty without such a reason."""
        if at < 0:
            return LOST
        if self._backup.projects[at].keyless:
            return _SEALED_BY_MEMBERS
        return self.proof.by_project[at].reason

    def _lost(self) -> Project:
        if not self.proof.by_project or self.proof.by_project[-1].reason != LOST:
            self.proof.by_project.append(Project("", "", 0, reason=LOST))
        return self.proof.by_project[-1]

    def result(self) -> Proof:
        """The proof with the sums of all projects; those that no such key opens are unproven."""
        proof = self.proof
        for project in proof.by_project:
            if project.reason in _OF_PROJECTS and project.secrets:
                proof.unproven.append(f"project {project.name}: {project.reason}")
            else:
                proof.secrets += project.secrets
                proof.secrets_opened += project.secrets_opened
        if proof.roots_opened:
            proof.unproven += self._unusable()
        return proof


def _key_texts(plain: bytes) -> Iterator[str]:
    """The keys in a record that an instance keeps: as it uses them, and as its environment had."""
    try:
        snapshot = json.loads(plain)
    except ValueError:
        return
    for part in ("current", "original"):
        keys = snapshot.get(part) if isinstance(snapshot, dict) else None
        for name in ("ENCRYPTION_KEY", "ROOT_ENCRYPTION_KEY"):
            key = keys.get(name) if isinstance(keys, dict) else None
            if isinstance(key, str) and crypto.material(key):
                yield key


_A_DAY = timedelta(days=1)
# Fewer lost rows than this say nothing about a backup. In a small table one deletion is a large
# share: one webhook of one, one machine of four. In a table of settings, such as webhooks, tags or
# roles, an operator also deletes several at once, and a dump that lost rows lacks others, too.
_ONE_DELETION, _SOME_DELETIONS = 2, 10


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a backup holds, in numbers: rows by table, secrets by project, bytes of all rows.

    Tables that the product itself clears do not count. newest is the time of the newest row that
    was read, changed of those that the product does not delete by itself; migration the product's
    newest; names has the names of projects, by id.
    """

    rows: Mapping[str, int]
    projects: Mapping[str, int]
    bytes: int
    newest: datetime | None = None
    instance: str | None = None
    migration: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    changed: datetime | None = None

    @property
    def secrets(self) -> int:
        """All secrets, of both generations, with those that have no value."""
        return sum(self.rows.get(table, 0) for table in schema.SECRETS)


def take_inventory(dump: Dump, facts: Backup) -> Inventory:
    """The inventory of an opened backup."""
    backup = EncryptedBackup(dump)
    counts = Counter(at for at, _, _ in backup.secrets())
    return Inventory(
        {table: count for table, count in dump.counts.items() if not schema.CLEARED.match(table)},
        {project.id: counts[at] for at, project in enumerate(backup.projects)},
        sum(one.end - one.start for one in dump.blocks if not schema.CLEARED.match(one.table)),
        facts.newest,
        facts.instance,
        facts.schema,
        {project.id: project.name for project in backup.projects},
        facts.changed,
    )


def find_losses(before: Inventory, when: str, now: Inventory, share: float) -> list[str]:
    """The counts that fell by more than a share since an earlier backup, each in one sentence.

    when names the earlier backup. With a share above 0, a few deletions do not count (see
    _ONE_DELETION). A table that another release may have replaced does not count,
    nor does a newest row that is up to a day older: the newest row may have been deleted. The
    product itself deletes sessions and tokens, and a user secrets, but a user who deletes the
    newest secret has a session: only a backup in which both went back is of an earlier state.
    """
    if before.instance and before.instance != now.instance:
        whose = f"it is of instance {now.instance}" if now.instance else "it names no instance"
        return [f"{whose}, and the backup of {when} is of {before.instance}"]
    losses = [
        f"{what}: {then:,} in the backup of {when}, {left:,} now"
        for what, then, left, least in _pairs(before, now)
        if left < then * (1 - share) and (then - left >= least or not share)
    ]
    back = _went_back(before.newest, now.newest) and _went_back(before.changed, now.changed)
    if before.newest and back and share < 1:
        row = f"of {now.newest:%Y-%m-%d %H:%M} UTC" if now.newest else "without a time"
        then = f"{before.newest:%Y-%m-%d %H:%M} UTC in the backup of {when}"
        losses.append(f"the newest row is {row}, and was of {then}")
    return losses


def _went_back(then: datetime | None, now: datetime | None) -> bool:
    return then is not None and (now is None or then - now > _A_DAY)


def _pairs(before: Inventory, now: Inventory) -> Iterator[tuple[str, int, int, int]]:
    """What is counted, its numbers before and now, and how many lost ones count at least."""
    yield "secrets", before.secrets, now.secrets, _ONE_DELETION
    for id_, count in before.projects.items():
        what = f"secrets of project {before.names.get(id_) or id_}"
        yield what, count, now.projects.get(id_, 0), _ONE_DELETION
    for table, count in before.rows.items():
        same = table in now.rows or before.migration == now.migration
        # An earlier inventory of an older Drillbook may count a table that was not in CLEARED yet.
        if same and table not in schema.SECRETS and not schema.CLEARED.match(table):
            own = table in schema.CONTENT or table in schema.PEOPLE
            least = _ONE_DELETION if own else _SOME_DELETIONS
            yield f"rows of {table}", count, now.rows.get(table, 0), least
    yield "bytes of rows", before.bytes, now.bytes, 1
