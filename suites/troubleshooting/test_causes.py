"""Each documented symptom comes from its documented cause, and its documented cure cures it."""

import secrets

import pytest

from drillbook.infisical.crypto import openssl_rand_hex
from drillbook.runbook import procedures
from fixtures.probes import observations

pytestmark = pytest.mark.control("TRB-1")

WRONG_KEY = "Unsupported state or unable to authenticate data"
# As it stands in a log of JSON lines, where quotes are escaped.
WRONG_PASSWORD = r"password authentication failed for user \"infisical\""


@pytest.fixture
def passwords(record):
    made = [secrets.token_urlsafe(32) for _ in range(2)]
    for number, password in enumerate(made):
        record.secret(f"NEW_POSTGRES_PASSWORD_{number}", password)
    return made


def test_rotated_key_shows_its_symptom_and_old_keys_cure(resting, observe, step):
    with step("rotate ENCRYPTION_KEY after data was encrypted"):
        before = resting.held
        start = resting.change(ENCRYPTION_KEY=openssl_rand_hex(16))

    with step("the log shows the documented symptom, and names this cause alone"):
        shown = start.says(WRONG_KEY) and observations.cause(start.log) == "wrong_encryption_key"
        observe("symptoms_and_cures_as_documented" if shown else "symptom_of_another_cause")
        assert not start.serves
        assert shown

    with step("put the old keys back; everything reads as before"):
        assert resting.redeploy(resting.golden_settings).serves
        assert resting.inventory() == before


def test_password_mismatch_shows_its_symptom_and_its_cure_cures(resting, passwords, observe, step):
    with step("have another password in the database than in the backend's environment"):
        before = resting.held
        procedures.alter_password(resting.stack, passwords[0])
        start = resting.start()

    with step("the log shows the documented symptom, and names this cause alone"):
        assert not start.serves
        assert start.says(WRONG_PASSWORD)
        assert observations.cause(start.log) == "database_password"

    with step("follow the documented password procedure to its end, `docker restart`"):
        since = resting.log_mark()
        procedures.rotate_password_as_documented(resting.stack, passwords[1])
        cured = resting.wait_started(since)

    with step("the backend is cured, and everything reads as before"):
        observe("symptoms_and_cures_as_documented" if cured.serves else "cure_needs_redeploy")
        assert cured.serves
        assert resting.inventory() == before


def test_missing_key_shows_its_symptom_and_the_configuration_cures(resting, observe, step):
    with step("redeploy without ENCRYPTION_KEY"):
        before = resting.held
        start = resting.change(ENCRYPTION_KEY=None)

    with step("the log names this cause"):
        shown = observations.cause(start.log) == "encryption_key_missing"
        observe("symptoms_and_cures_as_documented" if shown else "symptom_of_another_cause")
        assert not start.serves
        assert shown

    with step("put it back in Coolify; everything reads as before"):
        assert resting.redeploy(resting.golden_settings).serves
        assert resting.inventory() == before
