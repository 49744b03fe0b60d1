"""Which procedure restores a backup, and that it needs only the backup and its encryption key."""

import pytest

from drillbook.keys import decrypt_secrets
from drillbook.runbook.procedures import alter_password, restore_without_input
from fixtures.oracle import credentials


@pytest.mark.control("BKP-3")
def test_restore_without_input_reads_nothing(deployment, step):
    with step("without `-i` nothing is read, and success is reported"):
        deployment.mark("tuesday")
        assert restore_without_input(deployment.stack).exit_code == 0
        assert deployment.marker() == "tuesday"


@pytest.mark.control("BKP-3")
def test_documented_restore_over_a_live_database(deployment, procedures, observe, step):
    with step("write monday, back up, write tuesday"):
        deployment.mark("monday")
        backup = deployment.back_up(procedures)
        deployment.mark("tuesday")

    with step("restore by the documented command while the deployment runs"):
        done = deployment.restore_over(backup, procedures)

    with step("the marker says monday"):
        marker = deployment.marker()
        observe(what_happened(done, marker == "monday"))
        assert marker == "monday"


@pytest.mark.control("BKP-3")
@pytest.mark.golden("stopped")
def test_documented_restore_after_a_first_start(deployment, procedures, observe, step):
    with step("back up, then lose everything"):
        before = deployment.inventory_before_stop
        backup = deployment.back_up(procedures)
        deployment.empty()

    with step("start the new backend, which creates its tables; restore; start again"):
        assert deployment.redeploy(deployment.golden_settings).serves
        done = deployment.restore_over(backup, procedures)
        start = deployment.restart()

    with step("everything reads as in the backup"):
        different = deployment.differences_after_login(before) if start.serves else "no start"
        observe(what_happened(done, not different))
        assert different == ""


@pytest.mark.control("BKP-8")
def test_restore_into_a_new_database_brings_everything_back(deployment, step):
    with step("write monday, back up, write tuesday"):
        deployment.mark("monday")
        before = deployment.inventory()
        backup = deployment.back_up()
        deployment.mark("tuesday")
        assert deployment.inventory() != before
        assert deployment.writes()

    with step("stop the backend, empty cache and database, restore strictly, start"):
        since = deployment.log_mark()
        done = deployment.restore_live(backup)
        assert done.exit_code == 0
        assert deployment.wait_for_start(since).serves

    with step("the marker says monday, everything reads, a write works"):
        assert deployment.marker() == "monday"
        assert deployment.differences(before) == ""
        assert deployment.writes()

    with step("and again after a restart"):
        assert deployment.restart().serves
        assert deployment.differences(before) == ""

    with step("new writes are read back, and nothing from before the restore"):
        # This write may get the version number under which the cache kept tuesday's list.
        deployment.mark("wednesday")
        assert deployment.marker() == "wednesday"
        deployment.mark("monday")
        assert deployment.inventory().values == before.values


@pytest.mark.control("BKP-6")
@pytest.mark.golden("stopped")
def test_backup_and_encryption_key_are_enough(deployment, new_password, step):
    with step("back up, then lose database and cache"):
        before = deployment.inventory_before_stop
        backup = deployment.back_up()
        deployment.empty()

    with step("restore, with another database password, another AUTH_SECRET and an empty cache"):
        deployment.restore(backup)
        alter_password(deployment.stack, new_password)
        fresh = deployment.fresh_keys().but(
            ENCRYPTION_KEY=deployment.golden_settings["ENCRYPTION_KEY"],
            POSTGRES_PASSWORD=new_password,
        )
        assert deployment.redeploy(fresh).serves

    with step("the machine logs in with its credential, reads everything and writes"):
        assert deployment.machine_can_log_in()
        again = deployment.log_in_again()
        assert again.differences(before) == ""
        assert again.writes()

    with step("no credential that had ended before lets in again"):
        ended = deployment.dead_credentials
        let_in = [one for one in ended if credentials.can_log_in(deployment.public, ended[one])]
        assert let_in == []


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


def what_happened(done, brought_back):
    if brought_back:
        return "restore_brought_back"
    return "restore_failed_unnoticed" if done.exit_code == 0 else "restore_failed_aloud"
