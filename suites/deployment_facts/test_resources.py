"""The stack runs within the documented instance, 2 vCPU and 2 GB, with 2,000 secrets or 200."""

import pytest

from fixtures.faults.temporary_faults import hold_within_bounds
from fixtures.probes.bulk import Bulk

pytestmark = pytest.mark.control("DEP-2")


@pytest.mark.golden("stopped")
def test_stack_runs_within_the_documented_instance(deployment, record, observe, step):
    bulk = Bulk(deployment, record)
    bounds = "hold the stack within 2 vCPU and 2 GB without swap, and start it"
    with step(bounds), hold_within_bounds(deployment, record) as bounded:
        with step(f"write {len(bulk):,} secrets, in batches where the release takes them"):
            bulk.write()
            bounded.measure()

        with step("restart the backend and read all of them back"):
            deployment.restart()
            lost = bulk.find_lost()
            bounded.measure()

    with step("nothing was killed, restarted or swapped, and nothing is missing"):
        seen = what_was_seen(bounded.worst.values(), lost)
        if seen == "within_limits":
            bulk.check_answers()
        observe(seen)
        assert {one for one, seen in bounded.worst.items() if seen.memory_kills} == set()
        assert {one for one, seen in bounded.worst.items() if seen.restarts} == set()
        assert {one for one, seen in bounded.worst.items() if seen.swapped} == set()
        assert lost == []


def what_was_seen(services, lost):
    if any(one.memory_kills for one in services):
        return "killed_for_memory"
    if any(one.restarts for one in services):
        return "restarted_within_limits"
    if any(one.swapped for one in services):
        return "swapped_within_limits"
    return "secrets_lost_within_limits" if lost else "within_limits"
