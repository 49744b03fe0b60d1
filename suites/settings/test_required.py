"""A required variable that is missing or empty stops the start, and the error names it."""

import pytest

from fixtures.faults.temporary_faults import empty_on_redeploy
from fixtures.probes import observations

JWT_SECRETS = ("JWT_AUTH_SECRET", "JWT_REFRESH_SECRET", "JWT_SERVICE_SECRET")


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param(["ENCRYPTION_KEY"], marks=pytest.mark.control("ENV-1.ENC"), id="encryption"),
        pytest.param(["AUTH_SECRET"], marks=pytest.mark.control("ENV-1.AUTH"), id="auth"),
        pytest.param(JWT_SECRETS, marks=pytest.mark.control("ENV-1.JWT"), id="jwt"),
    ],
)
@pytest.mark.golden("stopped")
def test_missing_key_stops_the_start(deployment, observe, step, variables):
    with step(f"redeploy without {', '.join(variables)}"):
        missing = deployment.change(**dict.fromkeys(variables))

    with step("put them back, but empty, and redeploy"):
        empty = deployment.redeploy(deployment.golden_settings.but(**dict.fromkeys(variables, "")))

    with step("each time the backend has stopped and named what is missing"):
        observe(what_happened([missing, empty], variables))
        for start in (missing, empty):
            assert not start.serves
            assert start.exit_code != 0
            assert all(start.says(name) for name in variables)


@pytest.mark.control("ENV-1.ENC")
@pytest.mark.golden("stopped")
def test_a_first_start_makes_up_no_key(deployment, observe, step):
    with step("empty database and cache, and redeploy without ENCRYPTION_KEY"):
        deployment.empty()
        start = deployment.change(ENCRYPTION_KEY=None)

    with step("the backend has stopped and named it"):
        observe(what_happened([start], ["ENCRYPTION_KEY"]))
        assert not start.serves
        assert start.says("ENCRYPTION_KEY")
        assert observations.cause(start.log)


@pytest.mark.parametrize(
    "variable",
    [
        pytest.param("DB_CONNECTION_URI", marks=pytest.mark.control("ENV-1.DB"), id="database"),
        pytest.param("REDIS_URL", marks=pytest.mark.control("ENV-1.REDIS"), id="cache"),
    ],
)
@pytest.mark.golden("stopped")
def test_missing_address_stops_the_start(deployment, observe, step, variable):
    with step(f"redeploy with an empty {variable}"), empty_on_redeploy(deployment.stack, variable):
        start = deployment.redeploy(deployment.golden_settings)

    with step("the backend has stopped and named it"):
        observe(what_happened([start], [variable]))
        assert not start.serves
        assert start.exit_code != 0
        assert start.says(variable)


def what_happened(starts, variables):
    if any(start.exit_code == 0 for start in starts):
        return "stopped_with_status_zero"
    if any(start.serves for start in starts):
        alone = variables == ["AUTH_SECRET"]
        return "started_without_auth_secret" if alone else "started_without_variable"
    named = all(start.says(name) for start in starts for name in variables)
    return "stopped_and_named" if named else "stopped_unnamed"
