"""The protocol by which a driver, a client and a check record what they saw."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol


class Recorder(Protocol):
    """Records what drivers and clients saw; a run has the one of reports/record/recorder.py."""

    def secret(self, name: str, value: str) -> None:
        """Redact this value everywhere, and search the finished bundle for it."""

    def exchange(self, method: str, url: str, status: int | None, duration_s: float) -> None:
        """Note one HTTP request and its answer (status None: no answer) in the current step."""

    def span(self, name: str, kind: str) -> AbstractContextManager[None]:
        """Time a boot, migrate, dump, restore or teardown for the timeline."""

    def note(self, text: str) -> None:
        """Leave a line of the operator's log in the current step."""

    def subject(self, **facts: Any) -> None:
        """State what is examined: driver, grade, backend, database, cache, keys, data_set, ..."""

    def log(self, service: str, text: str) -> None:
        """Keep what a service printed."""

    def command(
        self, service: str | None, act: str, line: str | None, status: int | None, taken_s: float
    ) -> None:
        """Note what was done to a service (exec, restart, ...) in the current step."""

    def progress(self, text: str) -> None:
        """Say how far the current step is, for anyone who waits; it does not stay on record."""

    def compare_clock(
        self, source: str, offset_s: float, uncertainty_s: float, *, same_machine: bool | None
    ) -> None:
        """State how far ahead of ours another clock is."""

    def objectives(self, **seconds: float) -> None:
        """State a measured or wanted recovery time or point, or the time of a phase."""

    def change(self, **facts: Any) -> None:
        """State a fact about the change of release that is rehearsed."""


class NullRecorder:
    """Keeps nothing; secrets go to the run's own recorder, where there is one."""

    def __init__(self, recorder: Recorder | None = None) -> None:
        self._recorder = recorder

    def secret(self, name: str, value: str) -> None:
        if self._recorder:
            self._recorder.secret(name, value)

    def span(self, name: str, kind: str) -> AbstractContextManager[None]:  # noqa: ARG002
        return nullcontext()

    def _ignore(self, *args: Any, **named: Any) -> None: ...

    exchange = note = subject = log = command = _ignore
    progress = compare_clock = objectives = change = _ignore
