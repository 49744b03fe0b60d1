"""Whatever an operator does, in whatever order: no secret is lost, none served by a wrong key."""

import pytest

from fixtures.lifecycle.acts import PARTS

pytestmark = [pytest.mark.control("LIF-1"), pytest.mark.timeout(7200)]


@pytest.mark.parametrize("part", range(PARTS))
def test_no_sequence_of_acts_breaks_the_claim(lifecycle, record, step, part):
    most = lifecycle.budget.acts
    with step(f"carry out a known dangerous plan and others of up to {most} acts; read after each"):
        broken = lifecycle.explore(part)

    with step("shorten a plan after which something was wrong"):
        shortest = lifecycle.shortened(broken)
        runbook = shortest.runbook if shortest else []
        for line in runbook:
            record.note(line)

    with step("nothing was wrong after any act of these plans; other orders were not tried"):
        again = f"Again: make lifecycle BUDGET={lifecycle.budget} SEED={lifecycle.seed}"
        sound = shortest is None
        assert sound, "\n".join(["an operator may do this:", *runbook, again])
