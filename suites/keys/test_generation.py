"""A fresh stack starts with keys made by the documented commands."""

import pytest

from fixtures.infisical.keys import openssl_rand_hex

pytestmark = pytest.mark.control("KEY-7")


def test_encryption_key_of_openssl_rand_hex_32(resting, observe, step):
    with step("take everything away, so that the stack is fresh"):
        resting.emptied()

    with step("start with an ENCRYPTION_KEY from `openssl rand -hex 32`"):
        start = resting.change(ENCRYPTION_KEY=openssl_rand_hex(32))

    with step("the backend starts"):
        observe("documented_keys_accepted" if start.serves else "long_encryption_key_refused")
        assert start.serves


def test_other_keys_of_openssl_rand_hex_64(resting, step):
    names = ("AUTH_SECRET", "JWT_AUTH_SECRET", "JWT_REFRESH_SECRET", "JWT_SERVICE_SECRET")
    with step("take everything away, so that the stack is fresh"):
        resting.emptied()

    with step("start with the other four keys from `openssl rand -hex 64`"):
        start = resting.change(**{name: openssl_rand_hex(64) for name in names})
        assert start.serves
