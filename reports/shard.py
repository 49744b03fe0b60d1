"""A run in several parts, each on a machine of its own: which specs are of which part.

Every part must come to the same answer without talking to the others, so it follows from the specs
alone. Specs that share a control stay together, and a part therefore judges whole controls.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import pytest

from reports.errors import BadShard

_FORM = re.compile(r"([1-9]\d{0,2})/([1-9]\d{0,2})")


class Shard(NamedTuple):
    """One part of so many."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @classmethod
    def read(cls, text: str) -> Shard:
        """From NUMBER/OF; BadShard for anything else."""
        found = _FORM.fullmatch(text)
        if not found or int(found[1]) > int(found[2]):
            raise BadShard(f"SHARD={text}: give the part and how many there are, such as 2/5")
        return cls(int(found[1]), int(found[2]))

    def chosen(self, items: Sequence[pytest.Item]) -> list[pytest.Item]:
        """The items of this part, in their order."""
        mine = _parts(items, self.of)[self.number - 1]
        return [item for item in items if item.nodeid in mine]


def _parts(items: Sequence[pytest.Item], of: int) -> list[set[str]]:
    """Each group goes to the part that has the fewest specs so far, the largest group first."""
    parts: list[set[str]] = [set() for _ in range(of)]
    for group in sorted(_groups(items), key=lambda group: (-len(group), min(group))):
        min(parts, key=len).update(group)
    return parts


def _groups(items: Sequence[pytest.Item]) -> list[set[str]]:
    """Specs by what ties them: a control, or the mark xdist_group, directly or by others."""
    groups: list[tuple[set[str], set[str]]] = []
    for item in items:
        specs, ties = {item.nodeid}, _ties(item)
        apart = []
        for group in groups:
            if group[1] & ties:
                specs, ties = specs | group[0], ties | group[1]
            else:
                apart.append(group)
        groups = [*apart, (specs, ties)]
    return [specs for specs, _ in groups]


def _ties(item: pytest.Item) -> set[str]:
    marks = [*item.iter_markers("control"), *item.iter_markers("xdist_group")]
    return {f"{mark.name} {named}" for mark in marks for named in mark.args}
