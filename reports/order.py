"""In which order specs run: the seed decides it, so that none can lean on another for long."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from random import Random

import pytest


def shuffled(items: Iterable[pytest.Item], seed: int) -> list[pytest.Item]:
    """The specs, folder by folder and file by file, each of the three in an order of the seed's.

    A filter takes specs out and moves none: a part of a run keeps the order of the whole. One with
    the mark `closing` ends what its folder's specs share, and so comes after them.
    """
    return sorted(items, key=lambda item: _places(item, seed))


def _places(item: pytest.Item, seed: int) -> list[float]:
    spec = item.nodeid
    file = spec.partition("::")[0]
    named = (str(PurePosixPath(file).parent), file, spec)
    folder, *within = [Random(f"{seed} {name}").random() for name in named]  # noqa: S311 - an order is no secret
    return [folder, float(item.get_closest_marker("closing") is not None), *within]
