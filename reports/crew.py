"""A run's side of working side by side: it plans, hands out specs, and gathers what was seen."""

from __future__ import annotations

import os
import queue
import signal
import time
from collections.abc import Generator
from contextlib import suppress
from typing import Any

import pytest

from reports.drafts import SpecDraft
from reports.schedule import LongestFirst, durations, units
from reports.session import EvidenceRun
from reports.shipment import unpack
from reports.verdict import Verdict
from reports.worker import CARGO, INTERRUPTIONS

_PATIENCE_S = 60.0


class Crew:
    """A pytest plugin in the process that the workers of pytest-xdist report to."""

    def __init__(self, run: EvidenceRun) -> None:
        self._run = run
        self._started: dict[str, float] = {}
        run.workers = int(run.config.option.numprocesses)
        run.crew = self

    @property
    def _xdist(self) -> Any:
        return self._run.config.pluginmanager.get_plugin("dsession")

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionstart(self) -> Generator[None]:
        """Start the workers deaf to a Ctrl-C until they can handle it; xdist keeps silent."""
        plugins = self._run.config.pluginmanager
        self._xdist.terminal = None
        plugins.unregister(name="terminaldistreporter")
        signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)
        try:
            return (yield)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTIONS)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker how the run records."""
        recorder = self._run.recorder
        wall, zero = recorder.clock.origin
        node.workerinput[CARGO] = {
            "seed": recorder.seed,
            "wall": wall.isoformat(),
            "zero": zero,
            "logs": str(recorder.logs),
        }

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Collect here, too, while the workers start: the plan is the run's own."""
        session.perform_collect()
        self._order = units(session.items, durations(self._run.bundle.path.parent))
        if session.testsfailed:
            raise session.Interrupted(f"{session.testsfailed} errors during collection")

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self) -> LongestFirst:
        """Whatever takes longest starts first."""
        return LongestFirst(self._order, self._started)

    @pytest.hookimpl(wrapper=True)
    def pytest_report_from_serializable(
        self, data: dict[str, Any]
    ) -> Generator[None, object, object]:
        """Runs beside the main thread, which takes the cargo when it sees the report."""
        cargo = data.pop(CARGO, None)
        report = yield
        if report is not None:
            setattr(report, CARGO, cargo)
        return report

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A worker has begun a spec."""
        self._started[nodeid] = self._run.recorder.clock.seconds()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add to the record what came with a report; a lost worker's spec has none."""
        if cargo := getattr(report, CARGO, None):
            unpack(cargo, self._run.recorder)
        elif report.nodeid in self._started:
            self._lost(report)

    def _lost(self, report: pytest.TestReport) -> None:
        """Nobody can tell what a spec would have found whose worker was killed."""
        specs, nodeid = self._run.recorder.specs, report.nodeid
        draft = next((one for one in specs if one.id == nodeid), None)
        if draft is None:
            draft = SpecDraft(nodeid, self._run.plan.specs[nodeid], self._started[nodeid])
            specs.append(draft)
        draft.duration = self._run.recorder.clock.seconds() - draft.started
        draft.verdicts.append(Verdict.INCONCLUSIVE)
        draft.messages.append("its worker ended while it ran: killed, or out of memory")
        hook = self._run.config.hook
        hook.pytest_runtest_logfinish(nodeid=nodeid, location=report.location)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """A worker is done with a spec."""
        self._started.pop(nodeid, None)

    @property
    def under_way(self) -> dict[str, float]:
        """The specs under way, and the seconds each has taken so far."""
        now = self._run.recorder.clock.seconds()
        return {spec: now - started for spec, started in self._started.items()}

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add to the record what a worker said at its end, if it could."""
        said = getattr(node, "workeroutput", {})
        if cargo := said.pop(CARGO, None):
            unpack(cargo, self._run.recorder)
        self._run.stopped = self._run.stopped or said.get("stopped")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """An interrupted run calls its workers back and hears them out, before xdist ends them."""
        before = [signal.signal(number, signal.SIG_IGN) for number in INTERRUPTIONS]
        try:
            self._recall()
        finally:
            for number, handler in zip(INTERRUPTIONS, before, strict=True):
                signal.signal(number, handler)

    def _recall(self) -> None:
        session = self._xdist
        waiting = set(session._active_nodes)
        for node in waiting:
            ready = hasattr(node, "workerinfo")
            with suppress(ProcessLookupError):
                pid = node.gateway._rinfo().pid
                # One that is not ready has made nothing that it would have to remove.
                os.kill(pid, signal.SIGINT if ready else signal.SIGKILL)
        deadline = time.monotonic() + _PATIENCE_S
        while waiting and time.monotonic() < deadline:
            with suppress(queue.Empty):
                name, said = session.queue.get(timeout=1.0)
                self._hear(name, said, waiting)

    def _hear(self, name: str, said: dict[str, Any], waiting: set[Any]) -> None:
        if name == "testreport":
            self.pytest_runtest_logreport(said["rep"])
        elif name in ("workerfinished", "errordown", "internal_error"):
            self.pytest_testnodedown(said["node"])
            waiting.discard(said["node"])
