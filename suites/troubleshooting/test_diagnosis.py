"""The log of a failed start is enough to name its cause, and a healthy log has no cause."""

import secrets

import pytest

from drillbook.infisical.crypto import openssl_rand_hex
from fixtures.faults.temporary_faults import outage
from fixtures.probes import observations

pytestmark = pytest.mark.control("TRB-4")

FAULTS = (
    ("wrong_encryption_key", {"ENCRYPTION_KEY": openssl_rand_hex(16)}),
    ("encryption_key_length", {"ENCRYPTION_KEY": openssl_rand_hex(32)}),
    ("encryption_key_length", {"ENCRYPTION_KEY": openssl_rand_hex(8)}),
    ("encryption_key_missing", {"ENCRYPTION_KEY": None}),
    ("database_password", {"POSTGRES_PASSWORD": secrets.token_urlsafe(32)}),
    # No version starts without a secret that signs tokens; some accept any TELEMETRY_ENABLED.
    ("invalid_environment", {"AUTH_SECRET": None, "JWT_AUTH_SECRET": None}),
)

# The exit code of the product where it is not 1, since July 2024.
EXIT_CODES = {"invalid_environment": 255}

# A stopped container's host name is unknown; a stopped process's address refuses connections.
AWAY = ("database_refused", "database_host_unknown")


@pytest.mark.golden("stopped")
def test_each_fault_is_named_from_its_log(deployment, observe, step):
    found, codes = [], []
    for name, bad in FAULTS:
        with step(f"redeploy with a bad {' and '.join(bad)}: {name.replace('_', ' ')}"):
            start = deployment.redeploy(deployment.golden_settings.but(**bad))
            found.append((name, observations.cause(start.log)))
            codes.append(start.exit_code == EXIT_CODES.get(name, 1))

    with step("stop the database under a healthy deployment and restart the backend"):
        deployment.redeploy(deployment.golden_settings)
        with outage(deployment.stack, "db"):
            away = observations.cause(deployment.restart().log)

    with step("each was named, and nothing else"):
        assert away in AWAY
        assert {name: cause for name, cause in found if cause != name} == {}

    # Noted only: a release may have others.
    with step("each had the product's exit code"):
        if not all(codes):
            observe("stopped_with_another_status")


@pytest.mark.golden("stopped")
def test_healthy_log_has_no_cause(deployment, step):
    with step("start a healthy deployment and use it; its log names no cause"):
        mark = deployment.log_mark()
        assert deployment.start().serves
        assert deployment.writes()
        assert observations.cause(observations.printed_since(deployment, mark)) is None
