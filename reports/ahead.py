"""What the end of a run needs, got ready while its specs wait for their stacks."""

from __future__ import annotations

import signal
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module

from reports.writers import WRITERS


class Ahead:
    """Loads the writers and renders the qualification record in a thread of its own."""

    def __init__(self) -> None:
        self._ready: Future[dict[str, bytes]] | None = None

    def begin(self) -> None:
        """Get things ready, without waiting for them."""
        beside = ThreadPoolExecutor(1)
        self._ready = beside.submit(_aside)
        beside.shutdown(wait=False)

    def attached(self) -> dict[str, bytes]:
        """The kept qualification record, as files of a bundle."""
        return self._ready.result() if self._ready else _attached()


def _aside() -> dict[str, bytes]:
    # A signal that this thread took would wake nobody who sleeps or waits in the main thread.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    return _attached()


def _attached() -> dict[str, bytes]:
    for module in WRITERS.values():
        import_module(f"reports.{module}")
    from reports.html import template
    from reports.qualification import kept

    template()
    return kept.attached()
