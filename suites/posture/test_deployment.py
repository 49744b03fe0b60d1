"""Keys and passwords are strong and kept apart, SITE_URL is https, the newest backup is fresh."""

import pytest

from drillbook.preflight import backupfile, key_strength


@pytest.mark.control("KEY-8")
def test_keys_are_usable_and_strong(own_settings, findings, step):
    with step("check each key: its length, whether it is published, how hard it is to guess"):
        assert findings(key_strength.keys(own_settings)) == []


@pytest.mark.control("KEY-9")
@pytest.mark.usefixtures("own_settings")
def test_no_key_is_in_the_repository(repo_scan, findings, record, step):
    with step("search every object of the history, and every file that is not ignored"):
        record.note(repo_scan.note)
        assert findings(repo_scan.find_known()) == []


@pytest.mark.control("KEY-9")
def test_no_other_credential_is_in_the_repository(repo_scan, findings, step):
    with step("run a secret scanner for credentials of any kind"):
        assert findings(repo_scan.leaks) == []


@pytest.mark.control("KEY-11")
def test_escrow_holds_the_deployed_keys(escrow, own_settings, findings, step):
    with step("compare the labels of the escrowed and the deployed keys"):
        assert findings(key_strength.escrow_differences(own_settings, escrow)) == []


@pytest.mark.control("KEY-11")
def test_deployed_key_opens_the_backup(newest_backup, own_settings, findings, step):
    with step("open the backup's root key with the deployed ENCRYPTION_KEY"):
        keys = own_settings.root_key, own_settings.second_key
        assert findings(backupfile.find_wrong_key(newest_backup, *keys)) == []


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
    with step("check its age, whether it is whole, and which key opens it"):
        own = own_settings.root_key, own_settings.get("INSTANCE_ID"), own_settings.second_key
        assert findings(backupfile.faults(newest_backup, *own)) == []

    with step("its own content proves that it is at most 24 hours old"):
        backupfile.prove_fresh(newest_backup)
