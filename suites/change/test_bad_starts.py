"""A failed start of the new image does no damage that a correct start does not repair."""

import pytest

from drillbook.core.errors import StackTrouble
from drillbook.drill import drill_report
from drillbook.stack.waiting import Watch

pytestmark = [
    pytest.mark.control("UPG-3"),
    pytest.mark.xdist_group("change"),
    pytest.mark.timeout(18_000),
]


def test_wrong_key_serves_nothing_and_the_right_one_recovers(upgrade, step, try_write):
    with step("restore the backup, and start the new release on it under a wrong ENCRYPTION_KEY"):
        upgrade.restore_whole()
        with Watch(upgrade.drill.stack).watching() as watch:
            refused = upgrade.start_under_another_key()

    with step("it refuses to start, and no health check succeeded"):
        assert not refused.serves
        assert refused.exit_code not in (None, 0)
        assert watch.successes() == 0

    with step("start it with the right key: it serves, and every secret is there"):
        assert upgrade.start_new().serves
        assert upgrade.drill.compare().faults == []
        assert try_write(upgrade.drill) in ("written", "not taken")


def test_killed_migration_is_repaired_by_the_next_start(upgrade, record, observe, step, try_write):
    with step("restore the backup, start the new release, and kill it in its migrations, if any"):
        upgrade.restore_whole()
        killed = upgrade.kill_during_migration()
        if 0 < killed.pending <= killed.applied:
            raise StackTrouble("the migrations were over before the start was killed")

    with step("start it again; if it left a lock, remove the lock by hand"):
        again = upgrade.start_new()
        seen = drill_report.note_killed_start(upgrade, killed, again, record)
        if killed.pending:
            observe(seen)
        kept_out = upgrade.is_locked_by_kill(again)
        healed = upgrade.unlock_and_start() if kept_out else again
        assert healed.serves

    with step("every secret is there"):
        assert upgrade.drill.compare().faults == []

    with step("a write works, and everything is there after one more start"):
        assert try_write(upgrade.drill) in ("written", "not taken")
        assert upgrade.drill.restart().serves
        assert upgrade.drill.compare().faults == []

    with step("the start after the kill succeeded without help"):
        assert again.serves
        assert not kept_out


def test_slow_migration_is_waited_for(upgrade, record, step):
    with step("restore the backup, start the new release, and block one of its migrations"):
        upgrade.restore_whole()
        slow, start = upgrade.start_slowly()
        record.note(str(slow))

    with step("meanwhile health was not good, and the start was not aborted"):
        assert slow.healthy == 0
        assert slow.restarts == 0

    with step("unblock it: it serves, and every secret is there"):
        assert start.serves
        assert upgrade.drill.compare().faults == []


def test_two_starts_at_once_do_no_damage(upgrade, record, observe, step):
    with step("restore the backup, and start two backends of the new release on it at once"):
        upgrade.restore_whole()
        two = upgrade.start_two()
        record.note(str(two))
        # Noted only: a release may restart until the other has migrated.
        if any(two.restarts):
            observe("start_at_once_restarted")

    with step("both serve in the end"):
        assert two.first_serves
        assert two.second_serves

    with step("each migration is recorded once, and every secret is there"):
        assert upgrade.double_migrations() == []
        assert upgrade.drill.compare().faults == []


def test_new_release_on_an_unmigrated_schema_does_no_damage(upgrade, record, observe, step):
    with step("restore the backup, and start the new release without its migrations"):
        upgrade.restore_whole()
        start = upgrade.start_new(migrating=False)
        seen = drill_report.note_unmigrated_start(upgrade, start, record)
        observe(seen)

    with step("start it with its migrations: it serves, and every secret is there"):
        assert upgrade.start_new().serves
        assert upgrade.drill.compare().faults == []


def test_old_release_on_the_new_schema_does_no_damage(upgrade, record, observe, step, try_write):
    with step("upgrade to the new release, and start the old one on the migrated database"):
        assert upgrade.upgrade().start.serves
        start = upgrade.start_old()
        seen = drill_report.note_old_release_start(upgrade, start, record)
        observe(seen)

    with step("start the new release again: it serves, and every secret is there"):
        assert upgrade.start_new().serves
        assert upgrade.drill.compare().faults == []
        assert try_write(upgrade.drill) in ("written", "not taken")
