"""Which worker runs which spec: whatever takes longest starts first, what belongs together stays.

A worker of pytest-xdist starts a spec only when it knows the next one, so each has two.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from math import isfinite, log
from pathlib import Path
from typing import Any

import pytest

from drillbook.core.files import read_file
from reports.order import READING

_AHEAD = 2
_MOMENT_S = 0.25
_LARGEST = 64 << 20


def durations(runs: Path) -> dict[str, float]:
    """Seconds of each spec in the latest run of a folder; nothing where there is none."""
    with suppress(OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        seen = json.loads(read_file(runs / "latest" / "evidence.json", _LARGEST))
        specs = (spec for control in seen["controls"] for spec in control["specs"])
        return {str(one["id"]): float(one["duration_s"]) for one in specs if one["steps"]}
    return {}


def units(items: Iterable[pytest.Item], seconds: Mapping[str, float]) -> list[list[str]]:
    """Specs by what belongs together (the mark xdist_group, or reading), the longest first.

    One that was never seen may be the longest of all. Those of about a length stay in the order
    in which they came.
    """
    groups: dict[str, list[str]] = {}
    for item in items:
        groups.setdefault(_belongs_to(item), []).append(item.nodeid)
    unseen = float("inf")
    taken = ((sum(seconds.get(one, unseen) for one in unit), unit) for unit in groups.values())
    return [unit for _, unit in sorted(taken, key=lambda one: _grade(one[0]), reverse=True)]


def _belongs_to(item: pytest.Item) -> str:
    if mark := item.get_closest_marker("xdist_group"):
        return str(mark.args[0])
    return READING if item.get_closest_marker(READING) else item.nodeid


def _grade(seconds: float) -> float:
    """Equal for lengths within a factor of four; whatever takes less than a moment is equal."""
    return round(log(max(seconds, _MOMENT_S), 4)) if isfinite(seconds) else seconds


class LongestFirst:
    """A scheduler of pytest-xdist; nodes are its workers, started the specs that run."""

    def __init__(self, units: Iterable[list[str]], started: Container[str]) -> None:
        self._units = deque(units)
        self._started = started
        self._given: dict[Any, list[str]] = {}
        self._known: dict[Any, list[str]] = {}

    @property
    def nodes(self) -> list[Any]:
        return list(self._given)

    @property
    def collection_is_completed(self) -> bool:
        # A worker that has collected need not wait for the others.
        return bool(self._known)

    @property
    def has_pending(self) -> bool:
        return bool(self._units) or any(self._given.values())

    @property
    def tests_finished(self) -> bool:
        return not self._units and all(len(given) < _AHEAD for given in self._given.values())

    def add_node(self, node: Any) -> None:
        self._given[node] = []

    def add_node_collection(self, node: Any, collection: Sequence[str]) -> None:
        self._known[node] = list(collection)

    def schedule(self) -> None:
        for node in self._known:
            self._feed(node)

    def _feed(self, node: Any) -> None:
        if node not in self._known or node.shutting_down:
            return
        while self._units and len(self._given[node]) < _AHEAD:
            unit = self._units.popleft()
            self._given[node] += unit
            node.send_runtest_some([self._known[node].index(spec) for spec in unit])
        if not self._units:
            node.shutdown()

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:  # noqa: ARG002
        self._given[node].remove(self._known[node][item_index])
        self._feed(node)

    def remove_node(self, node: Any) -> str | None:
        """The spec a lost worker was at, if any; others get what it had not begun."""
        self._known.pop(node, None)
        rest = self._given.pop(node)
        lost = rest.pop(0) if rest and rest[0] in self._started else None
        if rest:
            self._units.appendleft(rest)
        for other in list(self._known):
            self._feed(other)
        return lost

    def mark_test_pending(self, item: str) -> None:
        raise NotImplementedError(f"{item} is not run twice")

    def remove_pending_tests_from_node(self, node: Any, indices: Sequence[int]) -> None:
        raise NotImplementedError(f"{node} keeps {indices}")
