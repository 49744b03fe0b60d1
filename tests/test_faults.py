"""Outages are healed whatever happens, and a variable is away only as long as asked."""

import contextlib
from types import SimpleNamespace

import pytest

from drillbook.core.errors import StackTrouble, Unsupported
from drillbook.infisical.errors import TooSlow, Unreachable
from fixtures.faults.outage import Outage
from fixtures.faults.unset_variable import empty_on_redeploy
from fixtures.probes import observations


class Recorded:
    """A stack that only remembers what it was asked."""

    driver = "embedded"

    def __init__(self, broken=()):
        self.asked = []
        self.plant = {"KEPT": "1"}
        self._broken = broken

    def stop(self, service):
        self._do("stop", service)

    def start(self, service):
        self._do("start", service)

    def _do(self, verb, service):
        self.asked.append(f"{verb} {service}")
        if verb in self._broken:
            raise StackTrouble(f"{verb} failed")


def test_outage_ends_with_its_block():
    stack = Recorded()
    with Outage(stack, "db"):
        assert stack.asked == ["stop db"]
    assert stack.asked == ["stop db", "start db"]


@pytest.mark.parametrize("trouble", [AssertionError, KeyboardInterrupt, SystemExit])
def test_outage_is_healed_whatever_happens(trouble):
    stack = Recorded()
    with pytest.raises(trouble), Outage(stack, "redis"):
        raise trouble
    assert stack.asked == ["stop redis", "start redis"]


def test_outage_healed_early_is_not_healed_twice():
    stack = Recorded()
    with Outage(stack, "db") as outage:
        outage.heal()
    assert stack.asked == ["stop db", "start db"]


def test_stop_that_fails_is_healed_too():
    stack = Recorded(broken=("stop",))
    with pytest.raises(StackTrouble, match="stop failed"), Outage(stack, "db"):
        pass
    assert stack.asked == ["stop db", "start db"]


def test_failed_healing_does_not_mask_the_failure():
    stack = Recorded(broken=("start",))
    with pytest.raises(ValueError, match="the finding") as caught, Outage(stack, "db"):
        raise ValueError("the finding")
    assert caught.value.__notes__ == ["and db did not come back: start failed"]


def test_failed_healing_is_told_where_nothing_else_failed():
    with pytest.raises(StackTrouble), Outage(Recorded(broken=("start",)), "db"):
        pass


def test_variable_is_empty_only_in_the_block():
    stack = Recorded()
    with contextlib.suppress(KeyError), empty_on_redeploy(stack, "REDIS_URL"):
        assert stack.plant == {"KEPT": "1", "REDIS_URL": ""}
        raise KeyError
    assert stack.plant == {"KEPT": "1"}


def test_variable_of_a_compose_file_cannot_be_taken_away():
    stack = SimpleNamespace(driver="containers", plant={})
    with pytest.raises(Unsupported), empty_on_redeploy(stack, "REDIS_URL"):
        pass


@pytest.mark.parametrize(
    ("trouble", "seen"), [(Unreachable("cut off"), False), (TooSlow("late"), None)]
)
def test_a_cut_connection_after_good_health_accuses_and_a_time_out_does_not(
    monkeypatch, trouble, seen
):
    def marker():
        raise trouble

    deployment = SimpleNamespace(patience_s=1, stack=SimpleNamespace(base_url=""), marker=marker)
    monkeypatch.setattr(observations, "serves", lambda _: True)
    if seen is None:
        with pytest.raises(TooSlow):
            observations.reads_at_first_good_health(deployment)
    else:
        assert observations.reads_at_first_good_health(deployment) is seen
