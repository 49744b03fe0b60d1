"""A fresh stack starts with keys made by the documented commands, and works with them."""

import pytest

from drillbook.infisical.http import Answered
from fixtures.data.machine_inventory import differing
from fixtures.deployment import Misread

pytestmark = pytest.mark.control("KEY-7")


@pytest.mark.golden("stopped")
def test_encryption_key_of_openssl_rand_hex_32(
    deployment, procedures, installation, record, observe, step
):
    with step("remove all data, so that the stack is new"):
        deployment.empty()

    with step("start with an ENCRYPTION_KEY from `openssl rand -hex 32`"):
        start = deployment.change(**procedures.make_keys(["ENCRYPTION_KEY"]))

    with step("sign up, write secrets and read them back"):
        works = start.serves and writes_and_reads(installation, record)
        if works:
            observe("documented_keys_accepted")
        else:
            failed = "fails_later" if start.serves else "refused"
            observe(f"long_encryption_key_{failed}")
        assert start.serves
        assert works


@pytest.mark.golden("stopped")
def test_other_keys_of_openssl_rand_hex_64(deployment, procedures, installation, record, step):
    names = ("AUTH_SECRET", "JWT_AUTH_SECRET", "JWT_REFRESH_SECRET", "JWT_SERVICE_SECRET")
    with step("remove all data, so that the stack is new"):
        deployment.empty()

    with step("start with the other four keys from `openssl rand -hex 64`"):
        start = deployment.change(**procedures.make_keys(names))
        assert start.serves

    with step("sign up, write secrets and read them back"):
        assert writes_and_reads(installation, record)


def writes_and_reads(installation, record):
    try:
        fresh = installation.create_golden()
        return not differing(fresh.inventory().values, fresh.golden.values()) and fresh.writes()
    except (Answered, Misread) as answer:
        record.note(f"the instance serves, and refused: {answer}")
        return False
