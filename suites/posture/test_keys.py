"""The deployment's keys are usable and strong, not in the repository, and equal to the escrow."""

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
        assert repo_scan.sought
        assert findings(repo_scan.known) == []


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
