"""How a spec is judged: what pytest saw in a phase gives a verdict and a message.

| seen | verdict |
| --- | --- |
| an assertion of the spec failed; `pytest.raises` did not meet its exception | violated |
| a wrong answer of a running instance (an AssertionError that states it: `Misread`) | violated |
| one of these in set-up or tear-down; another inside fixtures/ or reports/ | inconclusive |
| an exception with a verdict of its own (not_run, not_applicable), such as `Unsupported` | that |
| `pytest.skip` | not_run |
| anything else: another exception, a time-out, a flaky example | inconclusive |

For a claim, violated reads contradicted (Verdict.of), unless the spec was marked unsafe (Recorder).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from importlib.util import find_spec
from pathlib import Path
from traceback import walk_tb

import pytest

from drillbook.core.errors import Trouble
from reports.record.recorder import Recorder
from reports.session.spec_selection import controls
from reports.verdict import UNUSABLE, Verdict, worst

_ASSERTIONS = (AssertionError, pytest.fail.Exception)
_STATED = {"not_run": Verdict.NOT_RUN, "not_applicable": Verdict.NOT_APPLICABLE}
# What an AssertionError of fixtures/ states if it is a finding, wherever it was raised.
_FINDING = "violated"
_LONGEST = 2000


class Judging:
    """A pytest plugin that judges each phase of a spec, in the process or worker that runs it."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Open and close the record of a spec; one cut short by an interruption stays open."""
        self.recorder.begin(item.nodeid, controls(item))
        result = yield
        if full := self.recorder.trouble:
            said = f"cannot write {full.filename}: {full.strerror}; free some space, then run again"
            pytest.exit(said, returncode=UNUSABLE)
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logfinish(self) -> None:
        """Close the record before the terminal shows how long the spec took."""
        self.recorder.end()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        """Record what is seen from here on under the spec's own steps."""
        self.recorder.phase("call")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """Record what is seen from here on under the tear-down."""
        self.recorder.phase("teardown")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Judge the phase; a spec that could not run is not a failure to pytest's --maxfail."""
        raised = call.excinfo.value if call.excinfo else None
        report = yield
        verdict, message = judge(item, call.when, raised, self.recorder.redactor.text)
        if verdict:
            self.recorder.judge(verdict, message)
        if raised and stated_verdict(raised):
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, str(raised))
        return report


def judge(
    item: pytest.Item, when: str, raised: BaseException | None, redact: Callable[[str], str] = str
) -> tuple[Verdict | None, str | None]:
    """The verdict and message of one phase; None for a set-up or tear-down that went well.

    redact takes the known secrets out of a text.
    """
    if raised is None:
        return (Verdict.SATISFIED if when == "call" else None), None
    stated = stated_verdict(raised)
    if stated:
        return stated, str(raised) or type(raised).__name__
    if when == "call":
        return _classify(item, raised), _message(item, raised, redact)
    phase = "set-up" if when == "setup" else "tear-down"
    return Verdict.INCONCLUSIVE, f"{phase} failed: {_message(item, raised, redact)}"


def stated_verdict(raised: BaseException) -> Verdict | None:
    """The verdict that an exception states itself, such as not_run; else None."""
    if isinstance(raised, pytest.skip.Exception):
        return Verdict.NOT_RUN
    return _STATED.get(getattr(raised, "verdict", ""))


def _classify(item: pytest.Item, raised: BaseException) -> Verdict:
    """The worst of a group of failures; Hypothesis reports a flaky one by a subclass of a group."""
    if type(raised) in (ExceptionGroup, BaseExceptionGroup):
        assert isinstance(raised, BaseExceptionGroup)
        return worst(_classify(item, one) for one in raised.exceptions)
    excused = isinstance(raised, pytest.xfail.Exception)
    asserted = isinstance(raised, _ASSERTIONS) and not excused
    states_it = getattr(raised, "verdict", "") == _FINDING
    asserted = asserted and (states_it or _in_spec(item, raised))
    return Verdict.VIOLATED if asserted else Verdict.INCONCLUSIVE


def _lines(raised: BaseException) -> list[tuple[Path, int]]:
    """File and line of each frame of the traceback, without frames of the test tools."""
    frames = walk_tb(raised.__traceback__)
    lines = [(Path(frame.f_code.co_filename), line) for frame, line in frames]
    return [one for one in lines if not any(one[0].is_relative_to(tool) for tool in _TOOLS)]


def _in_spec(item: pytest.Item, raised: BaseException) -> bool:
    """Whether the innermost frame is in the spec's file or in its top folder (suites/)."""
    top = item.config.rootpath / item.path.relative_to(item.config.rootpath).parts[0]
    lines = _lines(raised)
    return bool(lines) and lines[-1][0].is_relative_to(top)


_TOOLS = tuple(
    Path(found.origin or "").parent
    for name in ("_pytest", "hypothesis")
    if (found := find_spec(name))
)


def _message(item: pytest.Item, raised: BaseException, redact: Callable[[str], str]) -> str:
    """What was raised, what was added to it, and the line of the spec that met it."""
    text = pytest.ExceptionInfo.from_exception(raised).exconly(tryshort=True)
    text = text.removeprefix(f"{type(raised).__module__}.")
    if isinstance(raised, Trouble):
        # Our errors are sentences for the operator, who does not know their classes.
        text = text.removeprefix(f"{type(raised).__name__}: ")
    # A hint about an option of pytest, which a reader of evidence cannot use.
    text = "\n".join(
        line for line in text.splitlines() if line.strip() != "Use -v to get more diff"
    )
    # Before it is cut: a secret that is cut in two would not be found.
    text = redact(text)
    text = text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."
    return f"{text}\n(at {_place(item, raised)})"


def _place(item: pytest.Item, raised: BaseException) -> str:
    lines = [line for file, line in _lines(raised) if file == item.path]
    return f"{item.path.relative_to(item.config.rootpath)}:{lines[-1]}" if lines else item.nodeid
