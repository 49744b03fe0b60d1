"""Writes a new backup with its keys under another ENCRYPTION_KEY; experimental, the old one stays.

The product had no way to change that key before autumn 2026. Since then it has its own staged
rotation: use that where the product offers it. A backup that is not understood is refused. The new
one gets its name when it is complete, and the comparison with the old one needs only the two files.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from drillbook.backup import tables
from drillbook.backup.tables import Block, Damaged, Dump, blob, text
from drillbook.core.bugs import seam
from drillbook.core.errors import BadInput, NotGiven
from drillbook.core.files import new_file
from drillbook.infisical import crypto, schema
from drillbook.infisical.schema import Place
from drillbook.infisical.settings import is_sample
from drillbook.keys.decrypt_secrets import Reader
from drillbook.keys.hierarchy import Proof
from drillbook.keys.key_check import prove, why_rootless

TABLES = frozenset(place.table for place in schema.PLACES)
_MOST_NAMED = 30
_SEALED = re.compile("encrypt|cipher", re.IGNORECASE)
_IV = re.compile("(.*)(IV|iv)")
_HEX = b"\\\\x"
_ARCHIVE = (
    "backup {0} is an archive; write it as a plain dump first, with pg_restore -f backup.sql {0}, "
    "and give that"
)


class NotUnderstood(BadInput):
    """Some rows may be sealed under the key, or may not; nothing was written."""

    def __init__(self, backup: Path, troubles: list[str]) -> None:
        self.troubles = troubles
        lines = "".join(f"\n  {trouble}" for trouble in troubles[:_MOST_NAMED])
        more = len(troubles) - _MOST_NAMED
        rest = f"\n  and {more} more" if more > 0 else ""
        super().__init__(f"{backup} was not rekeyed; not understood:{lines}{rest}")


@dataclass(slots=True)
class Survey:
    """The number of values in each place, and the obstacles to a rekey."""

    counts: Counter[Place] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)


def rekey_backup(source: Path, target: str, old: str, new: str) -> Survey:
    """Write the new backup, readable by its owner only; the counts of resealed values, by place.

    Raises NotUnderstood, NotGiven where the instance rotates its keys itself, and BadInput for
    unusable keys or a target that exists.
    """
    keys = [_cipher(name, key) for name, key in (("old", old), ("new", new))]
    if crypto.material(old) == crypto.material(new):
        raise BadInput("the old key and the new one are the same; check --new-env-file")
    if is_sample(new):
        raise BadInput(
            "the new key is a published sample, which anyone can try; make another one with "
            "`openssl rand -hex 16`"
        )
    with open_plain_dump(source) as backup:
        result = _survey(backup, source, keys[0])
        if not prove(source, old).opens_everything:
            raise BadInput(
                f"the old key does not open all of backup {source}: `drillbook key check` says "
                "what stays shut; nothing was written"
            )
        with new_file(target) as file:
            for chunk in _reseal(backup, *keys):
                file.write(chunk)
            file.flush()
            # It is as old as its source: a backup's age is read from its file.
            times = source.stat()
            os.utime(file.fileno(), ns=(times.st_atime_ns, times.st_mtime_ns))
    return result


def survey(source: Path, old: str) -> Survey:
    """What would be resealed, writing nothing; raises as `rekey_backup` does."""
    with open_plain_dump(source) as backup:
        return _survey(backup, source, _cipher("old", old))


def _cipher(name: str, key: str) -> AESGCM:
    if (aes := crypto.cipher(crypto.material(key))) is None:
        raise BadInput(f"the {name} key has {len(key.strip().encode())} bytes, not the 32 it needs")
    return aes


@contextmanager
def open_plain_dump(backup: Path) -> Iterator[Dump]:
    """Open a whole plain backup, packed or not; BadInput for any other, or one that is cut."""
    with tables.open_dump(backup, (), whole=True) as dump:
        if dump.form != "plain":
            raise BadInput(_ARCHIVE.format(backup))
        if missing := dump.missing():
            raise BadInput(f"backup {backup} {missing}; only a whole one is rekeyed")
        dump.refuse_harm(str(backup))
        yield dump


def rows(block: Block) -> Iterator[list[bytes]]:
    """Each row of a block as its raw values; Damaged where they end too early."""
    for line in tables.lines(block.chunks(), block.table):
        yield line.split(b"\t")


def in_table(table: str) -> tuple[Place, ...]:
    """The places of one table."""
    return tuple(place for place in schema.PLACES if place.table == table)


def _survey(backup: Dump, source: Path, old: AESGCM) -> Survey:
    """The values under the key; NotUnderstood unless all of them are known.

    NotGiven where the instance has its own staged rotation of keys: use that instead.
    """
    if any(schema.OWN_ROTATION & set(block.columns) for block in backup.blocks):
        raise NotGiven(
            f"the instance of {source} rotates ENCRYPTION_KEY in stages by itself: stage a key "
            "as its administrator, put it into escrow, deploy it, prove a new backup with it, and "
            "only then remove the old one, which earlier backups need (KEY-12.STAGED). What lies "
            "directly under the old one (bots, users, indexes of the first generation) stays "
            "under it; `drillbook key check` counts that"
        )
    result = Survey()
    try:
        for block in backup.blocks:
            _survey_block(block, old, result)
        known = {str(place) for place in schema.PLACES}
        result.troubles += [
            f"{name}: {count} values lie under the key, in a place not known"
            for name, count in sorted(find_under_key(backup, old).items())
            if name not in known
        ]
    except Damaged as how:
        result.troubles.append(f"the backup {how}")
    of_other_schema = f".{schema.ROOT.table}"
    if others := [name for name in backup.tables if name.endswith(of_other_schema)]:
        name = others[0].removesuffix(of_other_schema)
        result.troubles.append(f"its tables are in the schema {name}; only public is rekeyed")
    elif schema.ROOT.table not in backup.tables:
        result.troubles.append(
            f"the table {schema.ROOT.table} is missing, as in backups from before mid-2024: "
            "restore it into a newer release, and rekey a backup of that"
            if schema.BOTS.table in backup.tables
            else why_rootless(backup)
        )
    elif not result.counts[schema.ROOT]:
        result.troubles.append(f"{schema.ROOT}: no row of it opens with the old key")
    if result.troubles:
        raise NotUnderstood(source, result.troubles)
    return result


def _survey_block(block: Block, old: AESGCM, result: Survey) -> None:
    """Count the values under the key in a table that can hold some."""
    known = in_table(block.table)
    if block.table in schema.UNDER_OTHER_KEYS:
        return
    encoding = schema.KEY_ENCODING.lower()
    if not known and not any(encoding in column.lower() for column in block.columns):
        return
    for values in rows(block):
        where = f"{block.table}, row {text(values[0])}"
        if not known:
            result.troubles.append(f"{where}: this table is not known, and may lie under the key")
        for place in known:
            parts = [as_text(values[at]) for at in _positions(place, block)]
            if not parts or parts[0] is None:
                continue
            if unseal(place, parts, old) is None:
                result.troubles.append(f"{where}: {place.sealed} does not open with the old key")
            else:
                result.counts[place] += 1


def _positions(place: Place, block: Block) -> list[int]:
    """The positions of a place's columns in a block; empty where it lacks the sealed one."""
    if place.sealed not in block.columns:
        return []
    return [block.columns.index(name) for name in place.columns if name in block.columns]


def as_text(value: bytes) -> str | None:
    """A value as text; None for NULL."""
    return None if value == b"\\N" else text(value)


def unseal(place: Place, parts: Sequence[str | None], key: AESGCM) -> bytes | None:
    """The plain bytes of one place's columns; None if they do not open, or one is missing."""
    if place.iv:
        return crypto.open_columns(key, *parts) if len(parts) == len(place.columns) else None
    try:
        return crypto.open_bytes(key, bytes.fromhex((parts[0] or "").removeprefix("\\x")))
    except ValueError:
        return None


def find_under_key(backup: Dump, key: AESGCM) -> Counter[str]:
    """How many values of each `table.column` open under a key directly, anywhere in a backup.

    It tries bytea values as layout A, and each encrypted column with each IV and tag of its row.
    """
    counts = Counter[str]()
    for block in backup.blocks:
        pairs = _pairs(block.columns)
        for values in rows(block):
            counts.update(_columns_opened(block, values, pairs, key))
    return counts


def _pairs(columns: Sequence[str]) -> list[tuple[int, int]]:
    """The positions of each IV and its tag among the columns."""
    pairs = []
    for at, name in enumerate(columns):
        prefix = match[1] if (match := _IV.fullmatch(name)) else None
        tag = "tag" if name == "iv" else f"{prefix}Tag"
        if prefix is not None and tag in columns:
            pairs.append((at, columns.index(tag)))
    return pairs


def _columns_opened(
    block: Block, values: Sequence[bytes], pairs: Sequence[tuple[int, int]], key: AESGCM
) -> Iterator[str]:
    for name, value in zip(block.columns, values, strict=False):
        if value.startswith(_HEX):
            if crypto.open_bytes(key, blob(value)) is not None:
                yield f"{block.table}.{name}"
        elif pairs and _SEALED.search(name) and (sealed := as_text(value)) is not None:
            parts = ((as_text(values[iv]), as_text(values[tag])) for iv, tag in pairs)
            if any(crypto.open_columns(key, sealed, *two) is not None for two in parts):
                yield f"{block.table}.{name}"


def _reseal(backup: Dump, old: AESGCM, new: AESGCM) -> Iterator[bytes]:
    """The new backup, in pieces; BadInput for a value that does not open with the old key."""
    at = 0
    for block in backup.blocks:
        if block.table in TABLES:
            yield from tables.chunks(backup.file, at, block.start)
            at = block.start
            while at < block.end:
                backup.file.seek(at)
                line = backup.file.readline(tables.LONGEST_ROW)
                if not line.endswith(b"\n"):
                    most = tables.LONGEST_ROW >> 20
                    raise BadInput(f"a row of {block.table} is longer than {most} MiB")
                at += len(line)
                yield reseal_line(block, line, old, new)
    yield from tables.chunks(backup.file, at, backup.length)


@seam("places_under_key")
def under_key(table: str) -> tuple[Place, ...]:
    """The places of a table to reseal."""
    return in_table(table)


@seam("reseal_line")
def reseal_line(block: Block, line: bytes, old: AESGCM, new: AESGCM) -> bytes:
    """One line of a block, with the values under the old key sealed under the new one."""
    row = line.rstrip(b"\r\n")
    values = row.split(b"\t")
    if len(values) != len(block.columns):
        return line
    for place in under_key(block.table):
        at = _positions(place, block)
        parts = [as_text(values[index]) for index in at]
        if not parts or parts[0] is None:
            continue
        plain = unseal(place, parts, old)
        if plain is None:
            raise BadInput(f"{place}: a value does not open with the old key; nothing was written")
        for index, value in zip(at, seal_value(place, parts, plain, new), strict=True):
            values[index] = value
    return b"\t".join(values) + line[len(row) :]


@seam("seal_value")
def seal_value(
    place: Place, parts: list[str | None], plain: bytes, new: AESGCM
) -> tuple[bytes, ...]:
    """A place's columns resealed, as a backup writes them; the IV keeps its length."""
    if not place.iv:
        return (_HEX + crypto.seal_bytes(new, plain).hex().encode(),)
    iv_bytes = len(base64.b64decode(parts[1] or ""))
    return tuple(part.encode() for part in crypto.seal_columns(new, plain, iv_bytes))


_MOST_DIFFERENCES = 20


@dataclass(slots=True)
class Check:
    """The result of a comparison of a rekeyed backup with its source.

    new and old are the proofs of the two keys; left is where values still open with the old key,
    lost where fewer open with the new one than did with the old; altered names values that open to
    something different, changed any other difference. same_secrets says whether every secret is the
    same, and secrets how many there are.
    """

    new: Proof
    old: Proof
    left: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    secrets: int = 0
    same_secrets: bool = False

    @property
    def holds(self) -> bool:
        """Whether the new key opens everything, the old one nothing, and nothing else differs."""
        differences = self.left or self.lost or self.altered or self.changed
        keys = self.new.opens_everything and self.old.opens_nothing
        return keys and self.same_secrets and not differences


def check_rekey(source: Path, rekeyed: Path, old: str, new: str) -> Check:
    """Compare a rekeyed backup with its source; old and new are the texts of the two keys."""
    check = Check(prove(rekeyed, new), prove(rekeyed, old))
    old_key, new_key = _cipher("old", old), _cipher("new", new)
    with open_plain_dump(source) as before, open_plain_dump(rekeyed) as after:
        was, now = find_under_key(before, old_key), find_under_key(after, new_key)
        left = find_under_key(after, old_key)
        check.left = [f"{name}: {count}" for name, count in sorted(left.items())]
        check.lost = [
            f"{name}: {now[name]} of {count}"
            for name, count in sorted(was.items())
            if now[name] != count
        ]
        comparison = _Comparison(before, after, old_key, new_key)
        check.changed = [*comparison.changes()][:_MOST_DIFFERENCES]
        check.altered = comparison.altered[:_MOST_DIFFERENCES]
    check.secrets, digest = _secrets(source, old)
    check.same_secrets = (check.secrets, digest) == _secrets(rekeyed, new)
    return check


def _secrets(backup: Path, key: str) -> tuple[int, int]:
    """The number of secrets that open, and a digest of them that ignores their order."""
    count = digest = 0
    with tables.open_dump(backup) as dump:
        for secret in Reader(dump, key).secrets():
            if secret.value is None or secret.name is None:
                continue
            count += 1
            content = b"\0".join([secret.id.encode(), secret.name.encode(), secret.value])
            digest += int.from_bytes(hashlib.sha256(content).digest())
    return count, digest


class _Comparison:
    """Compares two backups: outside the places under the key, each byte must be equal."""

    def __init__(self, before: Dump, after: Dump, old: AESGCM, new: AESGCM) -> None:
        self.altered: list[str] = []
        self._dumps = (before, after)
        self._keys = (old, new)

    def changes(self) -> Iterator[str]:
        """The differences that must not be; values that open to something else go to altered."""
        both = [dump.blocks for dump in self._dumps]
        was, now = ([(block.table, block.columns) for block in blocks] for blocks in both)
        if was != now:
            yield "the tables, or their columns"
            return
        ends = (0, 0)
        for before, after in zip(*both, strict=True):
            if before.table in TABLES:
                if not self._is_same(ends, (before.start, after.start)):
                    yield f"what precedes {before.table}"
                yield from self._rows(before, after)
                ends = (before.end, after.end)
        if not self._is_same(ends, (self._dumps[0].length, self._dumps[1].length)):
            yield "what follows the last table under the key"

    def _is_same(self, starts: tuple[int, int], ends: tuple[int, int]) -> bool:
        files = (dump.file for dump in self._dumps)
        pieces = map(tables.chunks, files, starts, ends)
        return ends[0] - starts[0] == ends[1] - starts[1] and all(
            one == other for one, other in zip(*pieces, strict=True)
        )

    def _rows(self, before: Block, after: Block) -> Iterator[str]:
        pairs = zip_longest(rows(before), rows(after))
        for number, (was, now) in enumerate(pairs, 1):
            where = f"{before.table}, row {number}"
            if was is None or now is None or len(was) != len(now):
                yield where
            else:
                yield from self._row(before, was, now, where)

    def _row(self, block: Block, was: list[bytes], now: list[bytes], where: str) -> Iterator[str]:
        sealed: set[str] = set()
        for place in in_table(block.table):
            at = _positions(place, block)
            if len(at) < len(place.columns):
                continue
            sealed |= set(place.columns)
            plain, again = (
                unseal(place, [as_text(row[index]) for index in at], key)
                for row, key in zip((was, now), self._keys, strict=True)
            )
            if plain != again:
                self.altered.append(f"{where}: {place.sealed}")
        for column, before, after in zip(block.columns, was, now, strict=False):
            if column not in sealed and before != after:
                yield f"{where}: {column}"
