"""A worker's side of a run that works side by side: it judges its specs and sends what it saw."""

from __future__ import annotations

import signal
from collections.abc import Generator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from reports.catalogue import Catalogue
from reports.drafts import Clock
from reports.plan import Plan
from reports.record import Recorder
from reports.shipment import Packer
from reports.verdict import UNUSABLE

CARGO = "drillbook"
INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)


def recorder(orders: dict[str, Any]) -> Recorder:
    """A recorder on the clock, the seed and the log files of the run; orders are its own words.

    Workers run on the machine of the run: its monotonic clock is theirs.
    """
    made = Recorder(orders["seed"], Clock(datetime.fromisoformat(orders["wall"]), orders["zero"]))
    made.logs = Path(orders["logs"])
    return made


class Worker:
    """A pytest plugin in a worker's process."""

    def __init__(
        self, config: pytest.Config, catalogue: Catalogue, recorder: Recorder, plan: Plan
    ) -> None:
        self._output: dict[str, Any] = config.workeroutput  # type: ignore[attr-defined]
        self._catalogue = catalogue
        self._recorder = recorder
        self._plan = plan
        self._packer = Packer(recorder)
        recorder.tell_progress = self._tell_progress
        for number in INTERRUPTIONS:
            signal.signal(number, _interrupt_once)
        # The run has kept a Ctrl-C from a worker that could not handle it yet.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTIONS)

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Only the session can tell the run to stop."""
        self._session = session

    def _tell_progress(self, spec: str) -> None:
        """Send along what was seen so far: a second report of a setup that went well."""
        report = pytest.TestReport(spec, ("", None, ""), {}, "passed", None, "setup")
        self._session.config.hook.pytest_runtest_logreport(report=report)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """The run has chosen among the same specs by the same rule."""
        self._plan.choose(items, self._catalogue)

    @pytest.hookimpl(wrapper=True)
    def pytest_report_to_serializable(
        self, report: object
    ) -> Generator[None, dict[str, Any] | None, dict[str, Any] | None]:
        """Send along what the phase that is reported has left."""
        data = yield
        if data is not None and isinstance(report, pytest.TestReport):
            if report.when == "teardown":
                self._recorder.end()
            data[CARGO] = self._packer.pack()
        return data

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """An interruption, or a fixture that cannot go on, ends the whole run."""
        self._session.shouldstop = str(excinfo.value) or "a worker was interrupted"
        if getattr(excinfo.value, "returncode", None) == UNUSABLE:
            self._output["stopped"] = self._recorder.redactor.text(str(excinfo.value))

    def pytest_sessionfinish(self) -> None:
        """What was seen since the last report; xdist would replace a worker that says 2."""
        self._output[CARGO] = self._packer.pack()
        if self._output.get("exitstatus") == pytest.ExitCode.INTERRUPTED:
            self._output["exitstatus"] = int(pytest.ExitCode.TESTS_FAILED)


def _interrupt_once(*_: object) -> None:
    """A terminal sends Ctrl-C to everybody, the run as well: what tears down is left to it."""
    for number in INTERRUPTIONS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
