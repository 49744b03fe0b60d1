"""A database or cache that comes late is waited for, and its absence is named."""

import pytest

from fixtures.faults import looks
from fixtures.faults.outage import Outage
from fixtures.stack.outcome import serves


@pytest.mark.control("TRB-2")
def test_backend_comes_up_with_a_late_database(deployment, observe, step):
    with step("stop everything but the cache, and start the backend first"):
        before = deployment.inventory()
        deployment.stack.stop("backend")

    late = "start the database after the backend has tried; the backend comes up"
    with step(late), Outage(deployment.stack, "db") as outage:
        deployment.stack.start("backend")
        looks.tries(deployment)
        assert not serves(deployment.stack.base_url)
        outage.heal()
        up = looks.comes_up(deployment)

    with step("everything reads as before"):
        observe("came_up_with_database" if up else "stayed_down_after_database")
        assert up
        assert deployment.inventory() == before


@pytest.mark.control("TRB-3")
def test_backend_names_the_missing_cache_and_comes_up_with_it(deployment, observe, step):
    with step("read everything, stop the backend"):
        before = deployment.inventory()
        deployment.stack.stop("backend")
        mark = deployment.printed()

    late = "start it without a cache; it says so; start the cache, and it comes up"
    with step(late), Outage(deployment.stack, "redis") as outage:
        deployment.stack.start("backend")
        named = looks.names(deployment, mark, "cache_unavailable")
        assert not serves(deployment.stack.base_url)
        outage.heal()
        up = looks.comes_up(deployment)

    with step("it had named the cache, and everything reads as before"):
        observe(what_happened(named, up))
        assert named
        assert up
        assert deployment.inventory() == before


def what_happened(named, up):
    if not up:
        return "stayed_down_after_cache"
    return "named_missing_cache" if named else "silent_about_missing_cache"
