"""Follows each spec through its phases and judges them, in the process where it runs."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from reports.errors import NotApplicable
from reports.record.recorder import Recorder
from reports.session.spec_selection import controls
from reports.verdict.classify import judge, stated_verdict
from reports.verdict.verdicts import UNUSABLE


class Judging:
    """A pytest plugin: in the one process of a run, or in each of its workers."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """A spec opens and closes; one cut short by an interruption stays open."""
        self.recorder.begin(item.nodeid, controls(item))
        result = yield
        if full := self.recorder.trouble:
            said = f"cannot write {full.filename}: {full.strerror}; free some space, then run again"
            pytest.exit(said, returncode=UNUSABLE)
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logfinish(self) -> None:
        """Before the terminal shows how long it took."""
        self.recorder.end()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """The mark not_applicable is obeyed before anything is started for the spec."""
        mark = item.get_closest_marker("not_applicable")
        if mark:
            raise NotApplicable(*mark.args)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        """From here on what is seen belongs to the spec's own steps."""
        self.recorder.phase("call")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """From here on it belongs to the tear-down."""
        self.recorder.phase("teardown")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Judge the phase; a spec that could not run is not a failure to pytest's --maxfail."""
        raised = call.excinfo.value if call.excinfo else None
        report = yield
        verdict, message = judge(item, call.when, raised)
        if verdict:
            self.recorder.judge(verdict, message)
        if raised and stated_verdict(raised):
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, str(raised))
        return report
