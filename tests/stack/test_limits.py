"""Resource limits of a stack: set, read, removed, and too tight for a backend that leaks."""

import tracemalloc
from types import SimpleNamespace

import pytest

from drillbook.core.errors import StackTrouble, Unsupported
from drillbook.stack.base import Pressure
from drillbook.stack.containers.docker_engine import parse_counters
from fixtures.faults import temporary_faults
from fixtures.faults.temporary_faults import DOCUMENTED, describe, hold_within_bounds, worse
from tests.support.backends import Backend

MIB = 1 << 20


class Boundable:
    """A stack that records the limits it was given."""

    driver = "containers"

    def __init__(self, broken=False):
        self.asked = []
        self._broken = broken

    def logs(self, _service):
        return ""

    def limit(self, bounds):
        self.asked.append(bounds)
        if self._broken and bounds:
            raise StackTrouble("compose ended with 1")

    def pressure(self):
        return {"db": Pressure(384 * MIB, 100 * MIB, None, 0, len(self.asked))}


def deployment(stack):
    return SimpleNamespace(stack=stack, wait_for_start=lambda since: since)


def test_bounds_are_taken_away_whatever_happens(recorder):
    stack = Boundable()
    with pytest.raises(KeyboardInterrupt), hold_within_bounds(deployment(stack), recorder):
        raise KeyboardInterrupt
    assert stack.asked == [DOCUMENTED, None]


def test_bounds_that_cannot_be_set_are_taken_away_too(recorder):
    stack = Boundable(broken=True)
    with pytest.raises(StackTrouble), hold_within_bounds(deployment(stack), recorder):
        pass
    assert stack.asked == [DOCUMENTED, None]


def test_a_driver_without_bounds_says_so(recorder):
    stack = SimpleNamespace(driver="embedded")
    refused = pytest.raises(Unsupported, match="use --stack containers")
    with refused, hold_within_bounds(deployment(stack), recorder):
        pass


def test_the_shares_are_the_documented_instance():
    assert sum(temporary_faults.DOCUMENTED.memory.values()) == 2 << 30
    assert temporary_faults.DOCUMENTED.processors == 2


def test_the_worst_of_two_looks_is_kept():
    before = Pressure(10, 9, None, 1, 0)
    after = Pressure(10, 3, 4, 0, 2)
    assert worse(before, after) == Pressure(10, 9, 4, 1, 2)
    assert describe("db", Pressure(384 * MIB, None, 0, 1, 2)) == (
        "db: unknown of 384 MiB of memory at most since its start, 0 MiB swapped, "
        "1 killed for memory, 2 restarts"
    )


@pytest.mark.parametrize(
    ("printed", "counts"),
    [
        (b"/sys/fs/cgroup/memory.peak:17\n", {"memory.peak": 17}),
        (
            b"/sys/fs/cgroup/memory.events:oom 3\n/sys/fs/cgroup/memory.events:oom_kill 2\n",
            {"memory.events:oom": 3, "memory.events:oom_kill": 2},
        ),
        (
            b"/sys/fs/cgroup/memory/memory.max_usage_in_bytes:5\n",
            {"memory/memory.max_usage_in_bytes": 5},
        ),
        (b"/sys/fs/cgroup/memory.swap.max:max\n\xff\n", {}),
        (b"", {}),
    ],
)
def test_files_of_control_groups_are_read(printed, counts):
    assert parse_counters(printed) == counts


@pytest.mark.parametrize(("plant", "leaks"), [("LeaksMemory", True), (None, False)])
def test_a_leak_shows_in_memory(services, plant, leaks):
    with Backend(services, services.copy(), plant) as backend:
        # Measured by Python, because a process that has run for long may hide a leak in free
        # memory.
        tracemalloc.start()
        for _ in range(40):
            backend.app.secrets.normalise("value")
        kept, _peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (kept > 30 * MIB) is leaks
