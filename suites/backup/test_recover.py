"""A backup and its key give back the secrets without Infisical, equal to what it served."""

import pytest

from drillbook.keys import decrypt_secrets


@pytest.mark.control("BKP-6")
@pytest.mark.golden("shared")
def test_backup_and_encryption_key_give_the_secrets_without_a_start(deployment, step):
    with step("read everything the machine may read from the running instance, and back up"):
        served = deployment.inventory().values
        assert served
        backup = deployment.back_up()

    with step("read the same secrets offline, from the backup and ENCRYPTION_KEY alone"):
        key = deployment.golden_settings["ENCRYPTION_KEY"]
        found = decrypt_secrets.digests(backup, key, deployment.golden.project)
        assert {address: found.get(address) for address in served} == served
