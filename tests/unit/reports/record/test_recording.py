"""What is done to a stack is told once, with its end, and without what was fed to it."""

from pathlib import Path

import pytest

from drillbook.core.errors import Unsupported
from drillbook.stack import recording
from drillbook.stack.base import Command
from drillbook.stack.recording import record_call
from reports.record.run_metadata import kernel_clock


class Heard:
    def __init__(self):
        self.acts, self.clocks = [], []

    def command(self, *told):
        self.acts.append(told[:4])

    def compare_clock(self, *told, same_machine):
        self.clocks.append((*told, same_machine))


class Little:
    """A stack of one service whose restart stops and starts it."""

    driver = "embedded"

    def __init__(self, recorder):
        self._recorder = recorder

    @record_call
    def restart(self, service):
        self.stop(service)
        self.start(service)

    @record_call
    def stop(self, service):
        pass

    @record_call
    def start(self, service):
        pass

    @record_call
    def exec(self, service, argv, *, stdin=None, stdout=None):
        if service == "backend":
            raise Unsupported("nothing can be run inside it")
        return Command(tuple(argv), 3)


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def little(heard):
    return Little(heard)


def test_act_is_told_once_however_it_is_made(little, heard):
    little.restart("db")
    little.stop("redis")
    assert heard.acts == [("db", "restart", None, None), ("redis", "stop", None, None)]


def test_command_is_told_with_its_end_and_without_its_input(little, heard):
    little.exec("db", ["psql", "-c", "SELECT 1"], stdin=b"password")
    little.exec("db", ["pg_dump", "x"], stdout=Path("/private/backup.sql"))
    assert heard.acts == [
        ("db", "exec", "psql -c 'SELECT 1' < standard input", 3),
        ("db", "exec", "pg_dump x > backup.sql", 3),
    ]


def test_act_that_fails_is_told_too(little, heard):
    with pytest.raises(Unsupported):
        little.exec("backend", ["ls"])
    little.stop("db")
    assert heard.acts == [("backend", "exec", "ls", None), ("db", "stop", None, None)]


def test_database_clock_is_compared_by_the_quickest_answer(little, heard, monkeypatch):
    moments = iter([0.0, 4.0, 10.0, 10.2, 20.0, 26.0])
    answers = iter([7.0, 15.1, 23.0])
    monkeypatch.setattr(recording.time, "time", lambda: next(moments))
    little.sql = lambda _: [(next(answers),)]
    recording.compare_clock(little, heard)
    source, offset, doubt, same_machine = heard.clocks[0]
    assert (source, same_machine) == ("PostgreSQL", True)
    assert (round(offset, 6), round(doubt, 6)) == (5.0, 0.1)


def test_kernel_says_whether_its_clock_is_kept():
    seen = kernel_clock()
    assert seen.synchronised in (True, False, None)
    assert (seen.max_error_s is not None) is bool(seen.synchronised)


@pytest.mark.engine
def test_engine_says_what_it_is():

    from drillbook.stack.containers.docker_engine import engine_facts
    from reports.evidence.model import Engine

    seen = Engine.model_validate(engine_facts())
    assert seen.version
    assert seen.api
    assert seen.kernel
    assert seen.system
