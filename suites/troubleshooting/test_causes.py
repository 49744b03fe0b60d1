"""Each documented symptom has its documented cause, and the documented cure works."""

import secrets

import pytest

from drillbook.infisical.crypto import openssl_rand_hex
from drillbook.runbook import procedures
from fixtures.probes import observations

pytestmark = pytest.mark.control("TRB-1")


@pytest.fixture
def passwords(record):
    made = [secrets.token_urlsafe(32) for _ in range(2)]
    for number, password in enumerate(made):
        record.secret(f"NEW_POSTGRES_PASSWORD_{number}", password)
    return made


@pytest.mark.golden("stopped")
@pytest.mark.parametrize(
    ("make", "symptom", "cause"),
    [
        (lambda: openssl_rand_hex(16), observations.KEY_SYMPTOM, "wrong_encryption_key"),
        (lambda: None, "", "encryption_key_missing"),
    ],
    ids=["rotated", "missing"],
)
def test_wrong_key_shows_its_symptom_and_old_keys_cure(
    deployment, make, symptom, cause, observe, step
):
    with step("redeploy with another ENCRYPTION_KEY, or without one, after data was encrypted"):
        before = deployment.inventory_before_stop
        start = deployment.change(ENCRYPTION_KEY=make())

    with step("the log shows the documented symptom, and names this cause alone"):
        shown = start.says(symptom) and observations.cause(start.log) == cause
        if not shown:
            observe("symptom_of_another_cause")
        assert not start.serves
        assert shown

    with step("put the old keys back; everything reads as before"):
        assert deployment.redeploy(deployment.golden_settings).serves
        if different := deployment.differences(before):
            observe("started_without_secrets")
        assert different == ""
        observe("symptoms_and_cures_as_documented")


@pytest.mark.golden("stopped")
def test_password_mismatch_shows_its_symptom_and_is_cured(deployment, passwords, observe, step):
    with step("set a password in the database that differs from the backend's environment"):
        before = deployment.inventory_before_stop
        procedures.alter_password(deployment.stack, passwords[0])
        start = deployment.start()

    with step("the log shows the documented symptom, and names this cause alone"):
        assert not start.serves
        assert observations.names_refused_password(start)
        assert observations.cause(start.log) == "database_password"

    with step("follow the documented password procedure to its end, `docker restart`"):
        cured = deployment.rotate_password(passwords[1], procedures.rotate_password_by_runbook)

    with step("the backend works again, and everything reads as before"):
        if not cured.serves:
            observe("cure_needs_redeploy")
        assert cured.serves
        assert deployment.differences(before) == ""
        observe("symptoms_and_cures_as_documented")
