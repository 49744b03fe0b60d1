"""A backup and its key give the secrets back without any Infisical, equal to what it served."""

import pytest

from drillbook.keys import decrypt_secrets


@pytest.mark.control("BKP-6")
def test_backup_and_encryption_key_give_the_secrets_without_a_start(untouched, step):
    with step("ask the running instance for everything the machine may read, and back up"):
        served = untouched.inventory().values
        backup = untouched.back_up()

    with step("read the same secrets offline, from the backup and ENCRYPTION_KEY alone"):
        key = untouched.golden_settings["ENCRYPTION_KEY"]
        found = decrypt_secrets.digests(backup, key, untouched.golden.project)
        assert {address: found.get(address) for address in served} == served
