"""The worker's side of a run on several workers: judges specs, and sends what it saw.

With each report it sends all that is new since the last one.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from reports.controls import Catalogue
from reports.evidence.context import Comparison
from reports.evidence.model import Span
from reports.record.recorder import Clock, Recorder, SpecDraft
from reports.session.spec_selection import Plan
from reports.verdict import UNUSABLE

MESSAGE = "drillbook"
INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)


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
    _state(recorder, message.facts)
    for spec in message.specs:
        spec.open = [step for step in spec.steps if step.state == "open"]
        _put(recorder.specs, spec)


def _state(recorder: Recorder, facts: dict[str, object]) -> None:
    """Add facts about the subject; the keys of all workers count, as each may have its own."""
    known = recorder.facts.get("keys")
    recorder.facts |= facts
    new = facts.get("keys")
    if isinstance(known, list) and isinstance(new, list):
        recorder.facts["keys"] = known + [key for key in new if key not in known]


def _put(specs: list[SpecDraft], fresh: SpecDraft) -> None:
    for at, spec in enumerate(specs):
        if spec.id == fresh.id:
            specs[at] = fresh
            return
    specs.append(fresh)


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
        if getattr(excinfo.value, "returncode", None) == UNUSABLE:
            self._output["stopped"] = self._recorder.redactor.text(str(excinfo.value))

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
