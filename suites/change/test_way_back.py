"""The way back works: the backup, restored under the old image, gives everything."""

import pytest

from fixtures.change import looks

pytestmark = [pytest.mark.xdist_group("change"), pytest.mark.timeout(3600)]


@pytest.mark.control("UPG-2")
def test_backup_brings_the_old_release_back(upgrade, step):
    with step("change to the new release, and write: from here somebody wants to go back"):
        passage = upgrade.passed()
        if passage.start.serves:
            upgrade.written()

    with step("empty the database, and restore the backup under the old release"):
        copy = upgrade.restored()
        assert (copy.trouble, copy.miscounted) == ("", {})

    with step("it serves, and every secret opens and is what it was"):
        assert upgrade.old().serves
        kept, read = upgrade.verified()
        assert (kept.amiss, read.missing, read.differing) == ([], [], [])

    with step("whoever could log in before the change can again"):
        assert looks.lost(passage.before.people, upgrade.who()) == []

    with step("a write works, and everything is there after one more start"):
        assert upgrade.written() != "mangled"
        assert upgrade.restart().serves
        kept, read = upgrade.verified()
        assert (kept.amiss, read.missing, read.differing) == ([], [], [])
