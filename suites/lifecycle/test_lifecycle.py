"""No order of an operator's actions loses a secret, or serves one under a wrong key."""

import pytest

pytestmark = [pytest.mark.control("LIF-1"), pytest.mark.timeout(7200)]


def test_no_sequence_of_acts_breaks_the_claim(lifecycle, record, step, plan):
    with step("carry out the actions of a plan; read after each"):
        broken = lifecycle.explore(plan)

    with step("shorten a plan that ended in a fault"):
        shortest = lifecycle.shorten(plan, broken)
        runbook = shortest.runbook if shortest else []
        for line in runbook:
            record.note(line)

    with step("nothing was wrong after any action of this plan; it tried no other order"):
        most, seed = lifecycle.budget.actions, lifecycle.seed_of(plan)
        again = f"Again: drillbook lifecycle --budget 1x{most} --seed {seed}"
        sound = shortest is None
        assert sound, "\n".join(["an operator may do this:", *runbook, again])
