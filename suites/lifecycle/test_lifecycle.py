"""Whatever an operator does, in whatever order: no secret is lost, none served by a wrong key."""

import pytest

from fixtures.lifecycle.acts import PARTS

pytestmark = [pytest.mark.control("LIF-1"), pytest.mark.timeout(7200)]


@pytest.mark.parametrize("part", range(PARTS))
def test_no_sequence_of_acts_breaks_the_claim(lifecycle, record, step, part):
    with step(f"carry out plans of up to {lifecycle.budget.acts} acts, reading after each act"):
        broken = lifecycle.explore(part)

    with step("shorten a plan after which something was wrong"):
        shortest = lifecycle.shortened(broken)
        runbook = shortest.runbook if shortest else []
        for line in runbook:
            record.note(line)

    with step("nothing was wrong after any act of any plan"):
        again = f"Again: make lifecycle BUDGET={lifecycle.budget} SEED={lifecycle.seed}"
        sound = shortest is None
        assert sound, "\n".join(["an operator may do this:", *runbook, again])
