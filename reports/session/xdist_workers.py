"""A run on several workers of pytest-xdist: hands specs out, and collects what workers saw.

The controller is a plugin of the run's own process, the worker one of each process it starts. With
each report a worker sends all that is new since the last one.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import time
from collections import deque
from collections.abc import Container, Generator, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf, isfinite, log
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from drillbook.core.files import read_file
from reports.controls import Catalogue
from reports.evidence.context import Comparison
from reports.evidence.json_file import LARGEST, RECORD
from reports.evidence.model import Span
from reports.record.recorder import Clock, Recorder, SpecDraft
from reports.session.evidence_run import INTERRUPTIONS, EvidenceRun, ignore_interruptions
from reports.session.spec_selection import READING, Plan
from reports.verdict import UNDECIDED, UNUSABLE, Verdict

MESSAGE = "drillbook"


@dataclass
class Message:
    """What a worker sends, secrets and all: it goes through a pipe and is not stored."""

    secrets: list[tuple[str, str]] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    specs: list[SpecDraft] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    measured: dict[str, float] = field(default_factory=dict)
    clocks: list[Comparison] = field(default_factory=list)


_WIRE = TypeAdapter(Message)


class Sender:
    """Packs what is new in a recorder; a spec that is still running is sent again."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._secrets = self._spans = self._specs = self._clocks = 0

    def pack(self) -> str:
        """Everything that is new, as JSON in ASCII."""
        recorder = self._recorder
        specs = recorder.specs[max(self._specs - 1, 0) :]
        message = Message(
            secrets=recorder.redactor.new_secrets(self._secrets),
            spans=recorder.spans[self._spans :],
            specs=[replace(spec, open=[]) for spec in specs],
            facts=dict(recorder.facts),
            measured=dict(recorder.measured),
            clocks=recorder.clocks[self._clocks :],
        )
        self._secrets += len(message.secrets)
        self._spans += len(message.spans)
        self._specs = len(recorder.specs)
        self._clocks += len(message.clocks)
        # A value may have characters that UTF-8 cannot encode; json escapes them.
        return json.dumps(_WIRE.dump_python(message, mode="json"))


def unpack(wire: str, recorder: Recorder) -> None:
    """Add the message of a worker to the record of the run."""
    message = _WIRE.validate_python(json.loads(wire))
    for name, value in message.secrets:
        recorder.secret(name, value)
    recorder.spans += message.spans
    recorder.clocks += message.clocks
    recorder.measured |= message.measured
    known, new = (facts.get("keys") for facts in (recorder.facts, message.facts))
    recorder.facts |= message.facts
    if isinstance(known, list) and isinstance(new, list):
        # Those of all workers, as each may have its own.
        recorder.facts["keys"] = known + [key for key in new if key not in known]
    for spec in message.specs:
        spec.open = [step for step in spec.steps if step.state == "open"]
        others = [one for one in recorder.specs if one.id != spec.id]
        recorder.specs[:] = [*others, spec]


def worker_recorder(orders: dict[str, Any]) -> Recorder:
    """A recorder with the clock, the seed and the log files of the run, from workerinput.

    Workers run on the same machine, and so share its monotonic clock.
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
        self._sender = Sender(recorder)
        recorder.tell_progress = self._tell_progress
        for number in INTERRUPTIONS:
            signal.signal(number, _interrupt_once)
        # The run started its workers with these signals blocked.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTIONS)

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Keep the session, through which a worker can stop the run."""
        self._session = session

    def _tell_progress(self, spec: str) -> None:
        """Send what was seen so far, with a second report of a successful setup."""
        report = pytest.TestReport(spec, ("", None, ""), {}, "passed", None, "setup")
        self._session.config.hook.pytest_runtest_logreport(report=report)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Choose the same specs as the run does, by the same rule."""
        self._plan.choose(items, self._catalogue)

    @pytest.hookimpl(wrapper=True)
    def pytest_report_to_serializable(
        self, report: object
    ) -> Generator[None, dict[str, Any] | None, dict[str, Any] | None]:
        """Add the message of this phase to its report."""
        data = yield
        if data is not None and isinstance(report, pytest.TestReport):
            if report.when == "teardown":
                self._recorder.end()
            data[MESSAGE] = self._sender.pack()
        return data

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Stop the whole run on an interruption, or if a fixture cannot go on."""
        self._session.shouldstop = str(excinfo.value) or "a worker was interrupted"
        how = {UNUSABLE: "stopped", UNDECIDED: "ended"}
        if name := how.get(getattr(excinfo.value, "returncode", 0)):
            self._output[name] = self._recorder.redactor.text(str(excinfo.value))

    def pytest_sessionfinish(self) -> None:
        """Send the rest. Not exit status 2, for which xdist would start another worker."""
        self._output[MESSAGE] = self._sender.pack()
        if self._output.get("exitstatus") == pytest.ExitCode.INTERRUPTED:
            self._output["exitstatus"] = int(pytest.ExitCode.TESTS_FAILED)


def _interrupt_once(*_: object) -> None:
    """Interrupt, and ignore further signals: a terminal sends Ctrl-C to all processes."""
    for number in INTERRUPTIONS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


# A worker of pytest-xdist starts a spec only when it knows the next one.
_AHEAD = 2
_MOMENT_S = 0.25
_PATIENCE_S = 60.0


def durations(runs: Path) -> dict[str, float]:
    """Seconds of each spec in the latest run of a folder; nothing where there is none."""
    with suppress(OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        seen = json.loads(read_file(runs / "latest" / RECORD, LARGEST))
        specs = (spec for control in seen["controls"] for spec in control["specs"])
        return {str(one["id"]): float(one["duration_s"]) for one in specs if one["steps"]}
    return {}


def units(items: Iterable[pytest.Item], seconds: Mapping[str, float]) -> list[list[str]]:
    """Groups of specs (by the mark xdist_group, or reading), the longest first.

    A spec without an earlier run counts as the longest; of these, those with the mark slow come
    first, then the groups with the most specs: a group runs on one worker, and one that starts last
    keeps the others waiting. Units of the same length keep their order.
    """
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        groups.setdefault(_belongs_to(item), []).append(item)

    def length(unit: list[pytest.Item]) -> tuple[float, bool, int]:
        taken = sum(seconds.get(one.nodeid, inf) for one in unit)
        # The order of magnitude, in powers of four; all below a moment are equal.
        grade = round(log(max(taken, _MOMENT_S), 4)) if isfinite(taken) else taken
        return grade, any(one.get_closest_marker("slow") for one in unit), len(unit)

    ordered = sorted(groups.values(), key=length, reverse=True)
    return [[one.nodeid for one in unit] for unit in ordered]


def _belongs_to(item: pytest.Item) -> str:
    if mark := item.get_closest_marker("xdist_group"):
        return str(mark.args[0])
    return READING if item.get_closest_marker(READING) else item.nodeid


class LongestFirst:
    """A scheduler of pytest-xdist. Nodes are its workers; started has the specs that run now."""

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
        # A worker that has collected does not wait for the others.
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
        """The spec that a lost worker was running, if any; the others get what it had not begun."""
        self._known.pop(node, None)
        rest = self._given.pop(node)
        lost = rest.pop(0) if rest and rest[0] in self._started else None
        if rest:
            self._units.appendleft(rest)
        for other in list(self._known):
            self._feed(other)
        return lost


class Controller:
    """The pytest plugin of the process to which the workers of pytest-xdist report."""

    def __init__(self, run: EvidenceRun) -> None:
        self._run = run
        self._started: dict[str, float] = {}
        run.workers = int(run.config.option.numprocesses)
        run.on_workers = self._started

    @property
    def _xdist(self) -> Any:
        return self._run.config.pluginmanager.get_plugin("dsession")

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionstart(self) -> Generator[None]:
        """Start the workers with Ctrl-C blocked until they can handle it, and silence xdist."""
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
        """Hand a worker the seed, the clock and the log folder of the run."""
        recorder = self._run.recorder
        wall, zero = recorder.clock.origin
        node.workerinput[MESSAGE] = {
            "seed": recorder.seed,
            "wall": wall.isoformat(),
            "zero": zero,
            "logs": str(recorder.logs),
        }

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Collect here as well, while the workers start, for the plan of the run."""
        session.perform_collect()
        self._order = units(session.items, durations(self._run.bundle.path.parent))
        if session.testsfailed:
            raise session.Interrupted(f"{session.testsfailed} errors during collection")

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self) -> LongestFirst:
        """The scheduler that starts with what takes longest."""
        return LongestFirst(self._order, self._started)

    @pytest.hookimpl(wrapper=True)
    def pytest_report_from_serializable(
        self, data: dict[str, Any]
    ) -> Generator[None, object, object]:
        """Keep the message with its report for the main thread, which unpacks it."""
        message = data.pop(MESSAGE, None)
        report = yield
        if report is not None:
            setattr(report, MESSAGE, message)
        return report

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A worker has begun a spec."""
        self._started[nodeid] = self._run.recorder.clock.seconds()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add the message of a report to the record; it has none if its worker was killed."""
        if message := getattr(report, MESSAGE, None):
            unpack(message, self._run.recorder)
        elif report.nodeid in self._started:
            specs, nodeid = self._run.recorder.specs, report.nodeid
            draft = next((one for one in specs if one.id == nodeid), None)
            if draft is None:
                draft = SpecDraft(nodeid, self._run.plan.specs[nodeid], self._started[nodeid])
                specs.append(draft)
            now = self._run.recorder.clock.seconds()
            draft.duration = now - draft.started
            for step in draft.steps:
                if step.duration is None:
                    step.duration = now - step.started
            draft.verdicts.append(Verdict.INCONCLUSIVE)
            draft.messages.append("its worker ended while it ran: killed, or out of memory")
            hook = self._run.config.hook
            hook.pytest_runtest_logfinish(nodeid=nodeid, location=report.location)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """A worker is done with a spec."""
        self._started.pop(nodeid, None)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add the last message of a worker to the record, if it sent one."""
        said = getattr(node, "workeroutput", {})
        if message := said.pop(MESSAGE, None):
            unpack(message, self._run.recorder)
        self._run.stopped = self._run.stopped or said.get("stopped")
        self._run.ended = self._run.ended or said.get("ended")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Stop the workers of an interrupted run, and collect what they still send."""
        with ignore_interruptions():
            self._recall()

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
                if name == "testreport":
                    self.pytest_runtest_logreport(said["rep"])
                elif name in ("workerfinished", "errordown", "internal_error"):
                    self.pytest_testnodedown(said["node"])
                    waiting.discard(said["node"])
