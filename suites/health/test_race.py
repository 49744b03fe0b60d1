"""Health is never good before the API works."""

import pytest

from fixtures.faults import looks


@pytest.mark.control("HLT-4")
def test_good_health_means_a_working_api(deployment, step):
    with step("restart; the moment health is good, a secret reads"):
        deployment.stack.stop("backend")
        deployment.stack.start("backend")
        assert looks.reads_at_first_good_health(deployment)

    with step("redeploy with an empty cache; the moment health is good, a secret reads"):
        deployment.stack.stop("backend")
        deployment.stack.exec("redis", ["redis-cli", "FLUSHALL"])
        deployment.stack.redeploy(deployment.stack.settings.but(INVITE_ONLY="true"))
        assert looks.reads_at_first_good_health(deployment)

    with step("everything reads"):
        assert deployment.inventory().values
