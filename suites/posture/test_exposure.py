"""Passwords are strong, SITE_URL is https, the newest backup is fresh and of this deployment."""

import pytest

from drillbook.preflight import backupfile, key_strength


@pytest.mark.control("SEC-1")
def test_passwords_are_strong(own_settings, findings, step):
    with step("estimate the passwords of database and cache, and see whether the cache needs one"):
        assert findings(key_strength.passwords(own_settings)) == []


@pytest.mark.control("SEC-2")
def test_public_address_is_https(own_settings, findings, step):
    with step("read SITE_URL"):
        assert findings(key_strength.address(own_settings)) == []


@pytest.mark.control("BKP-5")
def test_newest_backup_is_fresh_whole_and_ours(newest_backup, own_settings, findings, step):
    with step("check its age, its last line, and which key opens it"):
        own = own_settings.root_key, own_settings.get("INSTANCE_ID"), own_settings.second_key
        assert findings(backupfile.faults(newest_backup, *own)) == []

    with step("its own content proves that it is at most 24 hours old"):
        backupfile.prove_fresh(newest_backup)
