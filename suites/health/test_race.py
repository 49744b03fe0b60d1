"""Health is never good before the API works."""

import pytest

from fixtures.probes import observations


@pytest.mark.control("HLT-4")
def test_good_health_of_a_first_start_means_a_working_api(first_start, record, step):
    with step("start the stack, requesting health check and API in parallel until both answer"):
        record.note(f"both answered after {first_start.duration_s:.1f} s")

    with step("health was never good while the API failed"):
        assert not first_start.untrue_s, f"it was for {first_start.untrue_s:.1f} s"


@pytest.mark.control("HLT-4")
def test_an_instance_in_good_health_takes_its_first_data(first_failure, step):
    with step("start the stack; create an administrator, projects, machines, folders and secrets"):
        failed_at = first_failure

    with step("it started, and once healthy the instance failed at none of it"):
        assert failed_at == ""


@pytest.mark.control("HLT-4")
@pytest.mark.golden("stopped")
def test_good_health_means_a_working_api(deployment, step):
    with step("start; as soon as health is good, a secret reads"):
        deployment.stack.start("backend")
        assert observations.reads_at_first_good_health(deployment)

    with step("redeploy with an empty cache; as soon as health is good, a secret reads"):
        deployment.stack.stop("backend")
        deployment.stack.exec("redis", ["redis-cli", "FLUSHALL"])
        deployment.stack.redeploy(deployment.stack.settings.but(INVITE_ONLY="true"))
        assert observations.reads_at_first_good_health(deployment)

    with step("everything reads"):
        assert deployment.differences(deployment.inventory_before_stop) == ""
