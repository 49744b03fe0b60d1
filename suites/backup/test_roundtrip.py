"""The documented backup gives everything back, under its own keys and no others."""

import pytest

from drillbook.backup import integrity
from drillbook.infisical.crypto import openssl_rand_hex
from drillbook.keys.key_check import prove
from drillbook.stack.waiting import wait_until
from fixtures.data import dumps
from fixtures.data.machine_inventory import differing, digest
from fixtures.data.plaintext_search import Search, chunks
from fixtures.data.strategies import secret_sets
from fixtures.faults import temporary_faults
from fixtures.probes import observations
from fixtures.probes.read_probe import ExposureProbe


@pytest.mark.control("BKP-1")
@pytest.mark.golden("shared")
def test_written_data_is_listed_before_the_backup(deployment, record, observe, step):
    golden = deployment.golden
    with step("the instance failed at none of its first data"):
        # A release may lack a part; an instance that lost one looks the same.
        unlisted = golden.not_reported - {"versions"}
        if golden.left_out or unlisted:
            observe("parts_untaken")
            record.note(f"not stored: {', '.join(sorted(golden.left_out)) or 'none'}")
            record.note(f"not listed: {', '.join(sorted(unlisted)) or 'none'}")
        if "versions" in golden.not_reported:
            observe("versions_untold")
        assert golden.failed == ()

    with step("lists show every secret, comment, tag, import and setting, and every folder"):
        seen = deployment.inventory()
        assert differing(seen.values, golden.values()) == []
        assert seen.facts == golden.facts()
        assert seen.folders == golden.folders

    with step("each earlier version of a secret is what it was"):
        assert deployment.misread_versions() == []

    with step("a reference reads as the secret that it names, in its own environment"):
        references = deployment.read_references()
        assert references.misread == []
        if references.unexpanded:
            observe("references_unexpanded")
            record.note(f"not expanded in single reads: {', '.join(references.unexpanded)}")


@pytest.mark.control("BKP-1")
def test_written_data_survives_a_crash(deployment, step):
    with step("write a marker, kill backend and database: secrets read once both are back"):
        deployment.mark("monday")
        assert observations.reads_after_crash(deployment)

    with step("there is no table that a crash of the database empties"):
        assert observations.tables_lost_in_a_crash(deployment.stack) == []

    with step("lists show every secret as it was written"):
        found = deployment.inventory().values
        assert differing(found, deployment.golden.values("monday")) == []

    with step("the history has the marker, and each earlier version of a secret"):
        within_s = deployment.patience_s / 2
        assert wait_until(
            lambda: deployment.has_in_history(2, "monday"), within_s=within_s, every_s=0.5
        )
        assert deployment.misread_versions() == []

    with step("make all of it 400 days older and restart: it reads as before"):
        before = deployment.inventory()
        deployment.make_older(days=400)
        assert deployment.restart().serves
        assert deployment.differences(before) == ""
        assert deployment.misread_versions() == []


@pytest.mark.control("BKP-1")
def test_the_last_write_before_a_crash_is_kept(deployment, step):
    with step("create two secrets in one request, kill backend and database: both read"):
        deployment.fill({"FIRST": "1", "SECOND": "2"})
        assert observations.reads_after_crash(deployment)
        assert {*deployment.folder_digests()} == {"FIRST", "SECOND"}

    with step("create a secret by itself, kill both again: it reads"):
        deployment.add("THIRD", "3")
        assert observations.reads_after_crash(deployment)
        assert {*deployment.folder_digests()} == {"FIRST", "SECOND", "THIRD"}

    with step("delete a secret, kill both again: it is still gone"):
        deployment.remove("FIRST")
        assert observations.reads_after_crash(deployment)
        assert {*deployment.folder_digests()} == {"SECOND", "THIRD"}


@pytest.mark.control("BKP-1")
def test_a_write_that_the_database_does_not_keep_is_not_accepted(deployment, step):
    with (
        step("write a marker while the database lets the commit of each secret fail"),
        temporary_faults.failing_commits(deployment),
    ):
        accepted = deployment.try_to_mark("sunday")

    with step("an accepted marker reads as written"):
        within_s = deployment.patience_s / 4
        assert not accepted or wait_until(
            lambda: deployment.marker() == "sunday", within_s=within_s, every_s=0.5
        )

    with (
        step("write more markers than the backend has connections, while each statement fails"),
        temporary_faults.failing_commits(deployment, "IMMEDIATE"),
    ):
        observations.write_in_vain(deployment)

    with step("secrets read afterwards, and a marker is written"):
        assert observations.reads_again(deployment)
        deployment.mark("monday")
        assert deployment.marker() == "monday"


@pytest.mark.control("BKP-1")
@pytest.mark.parametrize("service", ["db", "redis"])
def test_a_write_that_is_accepted_in_an_outage_is_kept(deployment, service, step):
    with step(f"write a marker while {service} is stopped; once it is back, secrets read"):
        with temporary_faults.outage(deployment.stack, service):
            accepted = deployment.try_to_mark("saturday")
        assert observations.reads_again(deployment)

    with step("an accepted marker reads as written, also after a restart"):
        if accepted:
            within_s = deployment.patience_s / 4
            assert wait_until(
                lambda: deployment.marker() == "saturday", within_s=within_s, every_s=0.5
            )
            assert deployment.restart().serves
            assert deployment.marker() == "saturday"


@pytest.mark.control("BKP-1")
def test_backup_gives_everything_back(deployment, step):
    with step("write a marker; lists show every secret as it was written, and so do single reads"):
        deployment.mark("monday")
        before = deployment.inventory()
        assert differing(before.values, deployment.golden.values("monday")) == []
        assert deployment.misread_secrets(before.values) == []

    with step("add a table and a large object of another program; back up and note all rows"):
        deployment.add_strange_data()
        backup, rows = deployment.back_up_with_rows()
        wrong = integrity.examine(backup)
        assert wrong is None, f"the backup {wrong}"
        assert backup.stat().st_mode & 0o077 == 0, "others on the machine may read the backup"

    with step("change data after the backup; what exists cannot be created a second time"):
        deployment.mark("tuesday")
        assert deployment.writes()
        assert deployment.keeps_existing()

    with step("restore into an empty database by the documented command; nothing differs"):
        deployment.restore(backup)
        again = deployment.back_up()
        assert dumps.differing_tables(dumps.tables(backup), dumps.tables(again)) == []
        assert dumps.objects(backup) == dumps.objects(again)

    with step("every row of the running database is there again"):
        assert deployment.missing_tables(rows) == []

    with step("start twice: the marker says monday and everything reads"):
        assert deployment.start().serves
        assert deployment.restart().serves
        assert deployment.marker() == "monday"
        assert deployment.differences(before) == ""
        assert deployment.misread_secrets(before.values) == []

    with step("the machine logs in with its credential, and a write works"):
        assert deployment.machine_can_log_in()
        again = deployment.log_in_again()
        assert again.differences(before) == ""
        assert again.writes()


@pytest.mark.control("BKP-1")
def test_any_secret_comes_back(deployment, explore, step):
    def comes_back(values):
        deployment.fill(values)
        written = {name: digest(value) for name, value in values.items()}
        assert deployment.folder_digests() == written
        deployment.restore(deployment.back_up())
        assert deployment.start().serves
        assert deployment.folder_digests() == written

    with step("write random secrets, back up, restore, start: each is byte for byte the same"):
        explore(secret_sets(), comes_back)


@pytest.mark.control("BKP-2")
@pytest.mark.golden("stopped")
def test_backup_is_useless_under_another_key(deployment, observe, step):
    before, other = deployment.inventory_before_stop, openssl_rand_hex(16)
    probe = ExposureProbe(deployment, before)
    with step("back up"):
        backup = deployment.back_up()

    with step("no value of a secret is in the backup as plain text"):
        assert Search(deployment.golden.canaries).find(chunks(backup)) == []

    with step(
        "restore it and start with another ENCRYPTION_KEY, with requests while health is good"
    ):
        deployment.restore(backup)
        with probe.watching():
            if not deployment.change(ENCRYPTION_KEY=other).serves:
                deployment.wait_for_restarts(at_least=2)

    with step("neither that start nor that key offline disclosed a value"):
        if probe.word:
            observe(probe.word)
        values = probe.values
        assert values == 0, probe
        assert prove(backup, other).opens_nothing
        probe.check_answers()

    with step("restored again, the same backup opens with its own key"):
        deployment.restore(backup)
        assert deployment.redeploy(deployment.golden_settings).serves
        assert deployment.differences(before) == ""
