"""Health is never good before the API works."""

import pytest

from fixtures.faults import looks


@pytest.mark.control("HLT-4")
def test_good_health_means_a_working_api(resting, step):
    with step("start; the moment health is good, a secret reads"):
        resting.stack.start("backend")
        assert looks.reads_at_first_good_health(resting)

    with step("redeploy with an empty cache; the moment health is good, a secret reads"):
        resting.stack.stop("backend")
        resting.stack.exec("redis", ["redis-cli", "FLUSHALL"])
        resting.stack.redeploy(resting.stack.settings.but(INVITE_ONLY="true"))
        assert looks.reads_at_first_good_health(resting)

    with step("everything reads"):
        assert resting.inventory().values
