"""The rollback works: the backup, restored under the old image, brings everything back."""

import pytest

from drillbook.drill import release_snapshot, unchanged_rows

pytestmark = [pytest.mark.xdist_group("change"), pytest.mark.timeout(18_000)]


@pytest.mark.control("UPG-2")
def test_backup_brings_the_old_release_back(upgrade, record, step, try_write):
    with step("upgrade to the new release, and write: from here the operator goes back"):
        passage = upgrade.upgrade()
        if passage.start.serves:
            upgrade.drill.write_probe()

    with step("empty the database, and restore the backup under the old release"):
        copy = upgrade.restore()
        assert (copy.trouble, copy.miscounted) == ("", {})

    with step("it serves, and every secret opens with its earlier value"):
        assert upgrade.start_old().serves
        assert upgrade.drill.compare().faults == []

    with step("the rows of everyone who could log in before the upgrade are there"):
        now = release_snapshot.lasting_rows(upgrade.drill.stack)
        assert release_snapshot.missing_rows(passage.before.rows, now) == []

    with step(
        "names, folders, imports, tags, webhooks, roles, limits and settings are those of then"
    ):
        kept = upgrade.drill.read_kept()
        different = unchanged_rows.changes(passage.before.kept, kept)
        for one in different:
            record.note(f"the way back: {one}")
        assert different == []

    with step("a write works, and everything is there after one more start"):
        assert try_write(upgrade.drill) in ("written", "not taken")
        assert upgrade.drill.restart().serves
        assert upgrade.drill.compare().faults == []
