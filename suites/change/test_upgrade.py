"""After the upgrade every secret of the backup is there, and the outage was not too long."""

from datetime import UTC, datetime

import pytest

from drillbook.core.errors import StackTrouble
from drillbook.drill import drill_report, release_snapshot

pytestmark = [pytest.mark.xdist_group("change"), pytest.mark.timeout(18_000)]


# The first of this file: an upgrade that later specs share would have to be repeated after it.
@pytest.mark.control("UPG-1")
def test_closed_sign_up_stays_closed(upgrade, step):
    with step("restore the backup, close sign-up for every domain, and start the new release"):
        upgrade.restore_whole()
        before = upgrade.close_sign_up()
        assert upgrade.start_new().serves

    with step("sign-up is still closed"):
        after = release_snapshot.settings(upgrade.drill.stack)
        assert release_snapshot.reopened_sign_up(before, after) == []


@pytest.mark.control("UPG-1")
def test_every_secret_survives_the_change(upgrade, record, observe, step, try_write):
    with step("restore the backup under the release that runs now: every secret is there"):
        upgrade.start_before()
        drill_report.begin_change(upgrade, record)
        writable = try_write(upgrade.drill)
        if writable not in ("written", "not taken"):
            raise StackTrouble(f"a write fails before the upgrade, too: {writable}")

    with step("upgrade to the new release in place, its migrations first: it serves"):
        passage = upgrade.upgrade()
        drill_report.passage(upgrade, record)
        assert passage.start.serves

    with step("every secret opens with its earlier value, and each project that was read still is"):
        found = upgrade.drill.compare()
        observe(found.observation)
        assert found.faults == []
        assert found.read.refused.keys() <= upgrade.before.read.refused.keys()

    with step("write a secret, change it, read it back, delete it"):
        assert upgrade.drill.write_probe() in ("written", writable)

    with step("start the new release again: it serves, and secrets are there and read as before"):
        assert upgrade.drill.restart().serves
        again = upgrade.drill.compare()
        assert again.faults == []
        assert again.read.refused.keys() <= upgrade.before.read.refused.keys()
        assert upgrade.drill.write_probe() in ("written", writable)

    with step("no user, machine, credential, comment or tag is missing"):
        now = release_snapshot.look(upgrade.drill, passage.start, datetime.now(UTC))
        assert release_snapshot.missing_rows(passage.before.rows, now.rows) == []

    with step("what was revoked, disabled or locked still is; sign-up is open to no one else"):
        assert release_snapshot.restored_access(passage.before, now) == []

    with step("no table has lost its primary key"):
        assert release_snapshot.find_lost_keys(passage.before, now) == []


@pytest.mark.control("UPG-1")
def test_nothing_else_is_lost_or_changed(upgrade, record, step):
    with step("upgrade to the new release in place: it serves, and its migrations left no lock"):
        passage = upgrade.upgrade()
        assert passage.start.serves
        assert passage.before.locked or not passage.after.locked

    with step(
        "names, folders, imports, tags, webhooks, roles, limits, settings and the audit log are as "
        "they were"
    ):
        different = release_snapshot.name_losses(passage.before, passage.after)
        for one in different:
            record.note(f"the change of image: {one}")
        assert different == []


@pytest.mark.control("UPG-4")
def test_outage_is_within_its_target(upgrade, outage_target, record, step):
    with step("upgrade to the new release while a secret is read continuously"):
        passage = upgrade.upgrade()
        assert passage.start.serves
        record.note(str(passage.outage))

    with step("the outage was measured: it took at least half as long as the start of the release"):
        if passage.outage.seconds < passage.least_s:
            raise StackTrouble(f"{passage.outage}: less than the start took, so it is not known")

    with step("it is no longer than the target"):
        assert passage.within(outage_target), f"{passage.outage}, of {outage_target:.0f} s allowed"
