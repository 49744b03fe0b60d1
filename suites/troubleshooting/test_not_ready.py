"""The backend waits for a late database or cache, and its log names a missing one."""

import pytest

from drillbook.stack.waiting import serves
from fixtures.faults.temporary_faults import outage
from fixtures.probes import observations


@pytest.mark.control("TRB-2")
@pytest.mark.golden("stopped")
def test_backend_comes_up_with_a_late_database(deployment, observe, step):
    late = "start the backend before the database; that comes when it has tried, and it comes up"
    with step(late), outage(deployment.stack, "db") as start_it:
        deployment.stack.start("backend")
        observations.wait_for_attempts(deployment)
        assert not serves(deployment.stack.base_url)
        start_it()
        up = observations.comes_up(deployment)

    with step("everything reads as before"):
        observe("came_up_with_database" if up else "stayed_down_after_database")
        assert up
        assert deployment.differences(deployment.inventory_before_stop) == ""


@pytest.mark.control("TRB-3")
@pytest.mark.golden("stopped")
def test_backend_names_the_missing_cache_and_comes_up_with_it(deployment, observe, step):
    mark = deployment.log_mark()
    late = "start the backend without a cache; it says so; start the cache, and it comes up"
    with step(late), outage(deployment.stack, "redis") as start_it:
        deployment.stack.start("backend")
        # The host name of a stopped container is unknown.
        named = observations.log_names_cause(
            deployment, mark, "cache_unavailable", "cache_host_unknown"
        )
        assert not serves(deployment.stack.base_url)
        start_it()
        up = observations.comes_up(deployment)

    with step("it had named the cache, and everything reads as before"):
        observe(what_happened(named, up))
        assert named
        assert up
        assert deployment.differences(deployment.inventory_before_stop) == ""


def what_happened(named, up):
    if not up:
        return "stayed_down_after_cache"
    return "named_missing_cache" if named else "silent_about_missing_cache"
