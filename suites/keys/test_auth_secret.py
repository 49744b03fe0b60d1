"""Another AUTH_SECRET ends every session and loses no secret."""

import pytest

from drillbook.infisical.crypto import openssl_rand_hex
from fixtures.oracle import credentials

pytestmark = pytest.mark.control("KEY-13")


def test_auth_secret_ends_sessions_and_keeps_secrets(deployment, step):
    with step("read everything with tokens that work"):
        before = deployment.inventory()
        assert deployment.accepts(deployment.golden.token)
        assert deployment.accepts(deployment.golden.admin.token)

    with step("log a machine in whose tokens may be renewed"):
        organization = deployment.golden.admin.organization
        token = credentials.renewable_token(deployment.owner, deployment.public, organization)

    # It keeps the end: each part of the secret counts.
    other = openssl_rand_hex(64) + deployment.golden_settings["AUTH_SECRET"][-8:]
    with step("redeploy with another AUTH_SECRET; the backend starts"):
        assert deployment.change(AUTH_SECRET=other).serves

    with step("every token issued before is refused"):
        assert not deployment.accepts(deployment.golden.token)
        assert not deployment.accepts(deployment.golden.admin.token)

    with step("nor is one renewed"):
        renewed = credentials.renew_token(deployment.public, token)
        assert renewed is None

    with step("the machine logs in with its credential and reads everything"):
        assert deployment.machine_can_log_in()
        again = deployment.log_in_again()
        assert again.differences(before) == ""
        assert again.writes()

    with step("redeploy with an AUTH_SECRET of another end; the token of that log-in is refused"):
        assert again.change(AUTH_SECRET=other[:-8] + openssl_rand_hex(4)).serves
        assert not again.accepts(again.golden.token)

    with step("redeploy without AUTH_SECRET and JWT_AUTH_SECRET: it does not serve"):
        assert not again.change(AUTH_SECRET=None, JWT_AUTH_SECRET=None).serves
