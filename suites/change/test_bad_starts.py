"""A failed start of the new image does no damage that a correct start does not repair."""

import pytest

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


def test_killed_start_is_repaired_by_the_next_one(upgrade, record, observe, step, try_write):
    with step("restore the backup, start the new release, and kill it when its migrations begin"):
        upgrade.restore_whole()
        killed = upgrade.kill_during_start()

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
