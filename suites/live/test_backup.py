"""The newest backup of a running instance is fresh, whole, and opens with the deployed key."""

import pytest

from drillbook.preflight import backupfile

pytestmark = pytest.mark.control("BKP-5")


def test_newest_backup_of_the_instance_is_fresh_and_whole(live_backup, findings, step):
    with step("check its age and its last line"):
        assert findings(backupfile.find_damage(live_backup)) == []

    with step("its own content proves that it is at most 24 hours old"):
        backupfile.prove_fresh(live_backup)


def test_newest_backup_opens_with_the_deployed_key(live_backup, instance, findings, step):
    with step("open its root key with the key of the running backend"):
        key = instance.root_key
        assert findings(backupfile.find_other_instance(live_backup, key)) == []
