"""A start one of whose migrations takes long, because a lock makes it wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from drillbook.backup.inquiry import inquiry
from drillbook.core.errors import NotGiven
from drillbook.drill.killed_migration import HOLD, PATIENCE_S, find_waiting
from drillbook.stack.isolated import Isolated
from drillbook.stack.start_outcome import serves

# Longer than a health check's interval and its patience, where there is one.
HELD_S = {"embedded": 2.0, "containers": 20.0}
_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Slow:
    """For how long a migration was held, how often health was good meanwhile, and restarts."""

    held_s: float
    healthy: int
    restarts: int

    def __str__(self) -> str:
        return (
            f"a migration was held for {self.held_s:.0f} s: {self.restarts} restarts, and "
            f"{self.healthy} good answers of the health check meanwhile"
        )


def hold(stack: Isolated, begin: Callable[[], object], held_s: float) -> Slow:
    """Begin a start, and hold its first migration for so long; NotGiven if it brings none.

    What is held is the record of the migration, so every release has to wait there.
    """
    with inquiry(stack.connect, PATIENCE_S * 2) as held:
        held.execute(HOLD.encode())
        starting = threading.Thread(target=begin, daemon=True)
        starting.start()
        try:
            if not find_waiting(stack, held, starting):
                raise NotGiven("the new release brings no migration that could be slow")
            before = stack.backend().restarts
            healthy, ends = 0, time.monotonic() + held_s
            while time.monotonic() < ends:
                healthy += serves(stack.base_url)
                time.sleep(_EVERY_S)
            restarts = max(stack.backend().restarts - before, 0)
        finally:
            held.rollback()
            starting.join()
    return Slow(held_s, healthy, restarts)
