"""Whether a rewrapped backup is what it should be, by the two files alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from drillbook.backup import tables
from drillbook.backup.tables import Block, Dump
from drillbook.infisical.crypto import cipher, material
from drillbook.keys import rekey
from drillbook.keys.decrypt_secrets import Reader
from drillbook.keys.hierarchy import Proof
from drillbook.keys.proof import prove

_MOST_NAMED = 20


@dataclass(slots=True)
class Check:
    """What a comparison of a rewrapped backup with its source found.

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
        """Whether the new key opens all, the old none, and nothing else is different."""
        differences = self.left or self.lost or self.altered or self.changed
        keys = self.new.opens_everything and self.old.opens_nothing
        return keys and self.same_secrets and not differences


def check_rekey(source: Path, rewrapped: Path, old: str, new: str) -> Check:
    """Compare a rewrapped backup with its source; old and new are the texts of the two keys."""
    check = Check(prove(rewrapped, new), prove(rewrapped, old))
    keys = {name: cipher(material(key)) for name, key in (("old", old), ("new", new))}
    ciphers = {name: key for name, key in keys.items() if key}
    if len(ciphers) < len(keys):
        raise ValueError("a key of 32 bytes is wanted")
    with rekey.open_plain_dump(source) as before, rekey.open_plain_dump(rewrapped) as after:
        was = rekey.find_under_key(before, {"old": ciphers["old"]})["old"]
        now = rekey.find_under_key(after, ciphers)
        check.left = [f"{name}: {count}" for name, count in sorted(now["old"].items())]
        check.lost = [
            f"{name}: {now['new'][name]} of {count}"
            for name, count in sorted(was.items())
            if now["new"][name] != count
        ]
        comparison = _Comparison(before, after, ciphers)
        check.changed = [*comparison.changes()][:_MOST_NAMED]
        check.altered = comparison.altered[:_MOST_NAMED]
    check.secrets, digest = _secrets(source, old)
    check.same_secrets = (check.secrets, digest) == _secrets(rewrapped, new)
    return check


def _secrets(backup: Path, key: str) -> tuple[int, int]:
    """How many secrets open, and a digest of all of them that does not depend on their order."""
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
    """Compares two backups: outside the places under the key each byte is equal."""

    def __init__(self, before: Dump, after: Dump, keys: dict[str, AESGCM]) -> None:
        self.altered: list[str] = []
        self._before = before
        self._after = after
        self._keys = keys

    def changes(self) -> Iterator[str]:
        """What differs and must not; values that open to something else go to altered."""
        both = (self._before.blocks, self._after.blocks)
        was, now = ([(block.table, block.columns) for block in blocks] for blocks in both)
        if was != now:
            yield "the tables, or their columns"
            return
        ends = (0, 0)
        for before, after in zip(*both, strict=True):
            if before.table in rekey.TABLES:
                if not self._is_same(ends, (before.start, after.start)):
                    yield f"what precedes {before.table}"
                yield from self._rows(before, after)
                ends = (before.end, after.end)
        if not self._is_same(ends, (self._before.length, self._after.length)):
            yield "what follows the last table under the key"

    def _is_same(self, starts: tuple[int, int], ends: tuple[int, int]) -> bool:
        pieces = (
            rekey.piece(dump, start, end)
            for dump, start, end in zip((self._before, self._after), starts, ends, strict=True)
        )
        return ends[0] - starts[0] == ends[1] - starts[1] and all(
            one == other for one, other in zip(*pieces, strict=True)
        )

    def _rows(self, before: Block, after: Block) -> Iterator[str]:
        pairs = zip_longest(rekey.rows(before), rekey.rows(after))
        for number, (was, now) in enumerate(pairs, 1):
            where = f"{before.table}, row {number}"
            if was is None or now is None or len(was) != len(now):
                yield where
            else:
                yield from self._row(before, was, now, where)

    def _row(self, block: Block, was: list[bytes], now: list[bytes], where: str) -> Iterator[str]:
        sealed: set[str] = set()
        for place in rekey.in_table(block.table):
            if not set(place.columns) <= set(block.columns):
                continue
            sealed |= set(place.columns)
            at = [block.columns.index(name) for name in place.columns]
            plain, again = (
                rekey.unseal(place, [rekey.as_text(row[index]) for index in at], self._keys[name])
                for row, name in ((was, "old"), (now, "new"))
            )
            if plain != again:
                self.altered.append(f"{where}: {place.sealed}")
        for column, before, after in zip(block.columns, was, now, strict=False):
            if column not in sealed and before != after:
                yield f"{where}: {column}"
