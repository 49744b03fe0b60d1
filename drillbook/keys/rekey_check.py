"""Whether a rewrapped backup is what it should be, found out from the two files alone."""

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
    """What was found in a rewrapped backup, held against its source.

    new and old are what either key proves of it; left is where values still open with the old key,
    lost where fewer open with the new one than did with the old; altered names values that open to
    something else than before, changed what else differs. same_secrets says whether every secret is
    the same, and secrets how many there are.
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
    """Hold a rewrapped backup against its source; old and new are the texts of the two keys."""
    found = Check(prove(rewrapped, new), prove(rewrapped, old))
    keys = {name: cipher(material(key)) for name, key in (("old", old), ("new", new))}
    ciphers = {name: one for name, one in keys.items() if one}
    if len(ciphers) < len(keys):
        raise ValueError("a key of 32 bytes is wanted")
    with rekey.open_plain_dump(source) as before, rekey.open_plain_dump(rewrapped) as after:
        was = rekey.find_under_key(before, {"old": ciphers["old"]})["old"]
        now = rekey.find_under_key(after, ciphers)
        found.left = [f"{name}: {count}" for name, count in sorted(now["old"].items())]
        found.lost = [
            f"{name}: {now['new'][name]} of {count}"
            for name, count in sorted(was.items())
            if now["new"][name] != count
        ]
        compared = _Comparison(before, after, ciphers)
        found.changed = [*compared.changes()][:_MOST_NAMED]
        found.altered = compared.altered[:_MOST_NAMED]
    found.secrets, digest = _secrets(source, old)
    found.same_secrets = (found.secrets, digest) == _secrets(rewrapped, new)
    return found


def _secrets(backup: Path, key: str) -> tuple[int, int]:
    """How many secrets open, and a digest of all of them that does not depend on their order."""
    count = digest = 0
    with tables.open_dump(backup) as dump:
        for one in Reader(dump, key).secrets():
            if one.value is None or one.name is None:
                continue
            count += 1
            named = b"\0".join([one.id.encode(), one.name.encode(), one.value])
            digest += int.from_bytes(hashlib.sha256(named).digest())
    return count, digest


class _Comparison:
    """Two backups held against each other: outside the places under the key each byte is equal."""

    def __init__(self, before: Dump, after: Dump, keys: dict[str, AESGCM]) -> None:
        self.altered: list[str] = []
        self._before = before
        self._after = after
        self._keys = keys

    def changes(self) -> Iterator[str]:
        """What differs and must not; values that open to something else are kept in altered."""
        both = (self._before.blocks, self._after.blocks)
        was, now = ([(one.table, one.columns) for one in blocks] for blocks in both)
        if was != now:
            yield "the tables, or their columns"
            return
        ends = (0, 0)
        for one, other in zip(*both, strict=True):
            if one.table in rekey.TABLES:
                if not self._is_same(ends, (one.start, other.start)):
                    yield f"what precedes {one.table}"
                yield from self._rows(one, other)
                ends = (one.end, other.end)
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

    def _rows(self, one: Block, other: Block) -> Iterator[str]:
        for number, (was, now) in enumerate(zip_longest(rekey.rows(one), rekey.rows(other)), 1):
            where = f"{one.table}, row {number}"
            if was is None or now is None or len(was) != len(now):
                yield where
            else:
                yield from self._row(one, was, now, where)

    def _row(self, block: Block, was: list[bytes], now: list[bytes], where: str) -> Iterator[str]:
        sealed: set[str] = set()
        for place in rekey.in_table(block.table):
            if not set(place.columns) <= set(block.columns):
                continue
            sealed |= set(place.columns)
            at = [block.columns.index(name) for name in place.columns]
            plain = rekey.unseal(place, [rekey.as_text(was[one]) for one in at], self._keys["old"])
            parts = [rekey.as_text(now[one]) for one in at]
            if plain != rekey.unseal(place, parts, self._keys["new"]):
                self.altered.append(f"{where}: {place.sealed}")
        for name, one, two in zip(block.columns, was, now, strict=False):
            if name not in sealed and one != two:
                yield f"{where}: {name}"
