"""In which order specs run: the seed decides it, so that none can lean on another for long."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from random import Random

import pytest

# The mark of a spec that changes nothing.
READING = "reading"


def shuffled(items: Iterable[pytest.Item], seed: int) -> list[pytest.Item]:
    """The specs, folder by folder and file by file, each of the three in an order of the seed's.

    A filter takes specs out and moves none: a part of a run keeps the order of the whole. One with
    the mark `closing` ends what its folder's specs share, and so comes after them. Where specs
    share a fixture of their file, what one does is what the next looks at: they stay as they stand.
    Those with the mark `reading`, of whatever folder, are together like a folder of their own.
    """
    found = list(items)
    sharing = {_file(item) for item in found if _shares(item)}
    return sorted(found, key=lambda item: _places(item, seed, sharing))


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _shares(item: pytest.Item) -> bool:
    fixtures = getattr(item, "_fixtureinfo", None)
    known = fixtures.name2fixturedefs.values() if fixtures else ()
    return any(one.scope == "module" for defined in known for one in defined)


def _places(item: pytest.Item, seed: int, sharing: set[str]) -> list[float]:
    file = _file(item)
    reads = file not in sharing and item.get_closest_marker(READING)
    folder = READING if reads else str(PurePosixPath(file).parent)
    named = [folder, file, *([] if file in sharing else [item.nodeid])]
    first, *within = [Random(f"{seed} {name}").random() for name in named]  # noqa: S311 - an order is no secret
    return [first, float(item.get_closest_marker("closing") is not None), *within]
