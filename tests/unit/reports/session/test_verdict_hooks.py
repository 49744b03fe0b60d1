"""The plugin that follows a spec tells the recorder what it saw, in the order it happened."""

from types import SimpleNamespace

import pluggy
import pytest
from _pytest import hookspec

from drillbook.core.errors import NotGiven
from reports.session.judging import Judging
from reports.verdict import Verdict


class Noting:
    """A recorder that remembers what it was told."""

    def __init__(self):
        self.trouble = None
        self.redactor = SimpleNamespace(text=str)
        self.told = []

    def __getattr__(self, name):
        return lambda *told: self.told.append((name, *told))


class Item(SimpleNamespace):
    """A spec with marks."""

    def iter_markers(self, name):
        return [mark for mark in self.marks if mark.name == name]

    def get_closest_marker(self, name):
        return next(iter(self.iter_markers(name)), None)


class Around:
    """Another plugin that wraps each spec."""

    def __init__(self, recorder):
        self.recorder = recorder

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self):
        self.recorder.told.append(("around",))
        return (yield)


class Pytest:
    """The rest of pytest, as far as a spec's phases go through it."""

    def __init__(self, recorder):
        self.recorder = recorder

    @pytest.hookimpl
    def pytest_runtest_protocol(self, item, nextitem):
        self.recorder.told.append(("runs",))
        return True

    @pytest.hookimpl
    def pytest_runtest_logfinish(self, nodeid, location):
        self.recorder.told.append(("shown",))

    @pytest.hookimpl
    def pytest_runtest_setup(self, item):
        self.recorder.told.append(("set up",))

    @pytest.hookimpl
    def pytest_runtest_call(self, item):
        self.recorder.told.append(("called",))

    @pytest.hookimpl
    def pytest_runtest_teardown(self, item, nextitem):
        self.recorder.told.append(("torn down",))

    @pytest.hookimpl
    def pytest_runtest_makereport(self, item, call):
        return SimpleNamespace(outcome="failed" if call.excinfo else "passed", longrepr="long")


@pytest.fixture
def item(tmp_path):
    config = SimpleNamespace(rootpath=tmp_path)
    marks = [pytest.mark.control("KEY-2", "KEY-1").mark, pytest.mark.control("KEY-3").mark]
    path = tmp_path / "suites" / "test_spec.py"
    return Item(nodeid="suites/test_spec.py::test_one", path=path, config=config, marks=marks)


@pytest.fixture
def running():
    """The recorder, the rest of pytest, and its hooks with the plugin among them."""
    recorder = Noting()
    rest = Pytest(recorder)
    plugins = pluggy.PluginManager("pytest")
    plugins.add_hookspecs(hookspec)
    # The later one is asked first, unless the other insists.
    plugins.register(Judging(recorder))
    plugins.register(rest)
    return SimpleNamespace(recorder=recorder, rest=rest, plugins=plugins, hook=plugins.hook)


def reported(running, item, when="call", raised=None):
    excinfo = None
    if raised:
        with pytest.raises(type(raised)) as excinfo:
            raise raised
    call = SimpleNamespace(when=when, excinfo=excinfo)
    return running.hook.pytest_runtest_makereport(item=item, call=call)


def test_spec_opens_with_its_controls_before_anything_runs(running, item):
    running.plugins.register(Around(running.recorder))
    assert running.hook.pytest_runtest_protocol(item=item, nextitem=None) is True
    opened = ("begin", item.nodeid, ("KEY-3", "KEY-2", "KEY-1"))
    assert running.recorder.told == [opened, ("around",), ("runs",)]


def test_run_whose_evidence_cannot_be_written_ends_with_what_to_do(running, item):
    running.recorder.trouble = OSError(28, "No space left on device", "logs/db.log")
    with pytest.raises(pytest.exit.Exception) as ended:
        running.hook.pytest_runtest_protocol(item=item, nextitem=None)
    assert ended.value.returncode == 3
    assert ended.value.msg == (
        "cannot write logs/db.log: No space left on device; free some space, then run again"
    )


def test_recorder_learns_of_each_phase_before_it_happens(running, item):
    running.hook.pytest_runtest_call(item=item)
    running.hook.pytest_runtest_teardown(item=item, nextitem=None)
    running.hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=("", 0, ""))
    told = [("phase", "call"), ("called",), ("phase", "teardown"), ("torn down",)]
    assert running.recorder.told == [*told, ("end",), ("shown",)]


def test_phase_is_judged_and_reported_as_pytest_has_it(running, item):
    report = reported(running, item)
    assert (report.outcome, report.longrepr) == ("passed", "long")
    assert running.recorder.told == [("judge", Verdict.SATISFIED, None)]


def test_set_up_that_went_well_is_not_judged(running, item):
    assert reported(running, item, "setup").outcome == "passed"
    assert running.recorder.told == []


def test_failure_stays_a_failure_with_its_traceback(running, item):
    report = reported(running, item, raised=ValueError("no idea"))
    assert (report.outcome, report.longrepr) == ("failed", "long")
    ((_, verdict, message),) = running.recorder.told
    assert verdict is Verdict.INCONCLUSIVE
    assert message.startswith("ValueError: no idea\n")


def test_spec_that_could_not_run_is_skipped_in_one_sentence(running, item):
    report = reported(running, item, "setup", NotGiven("no mail here"))
    assert (report.outcome, report.longrepr) == ("skipped", (str(item.path), 0, "no mail here"))
    assert running.recorder.told == [("judge", Verdict.NOT_APPLICABLE, "no mail here")]
