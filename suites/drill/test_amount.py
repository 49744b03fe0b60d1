"""The backup does not hold less than the backup of the last good drill."""

import pytest

from drillbook.drill import drill_report
from drillbook.keys.hierarchy import find_losses

pytestmark = [pytest.mark.xdist_group("drill"), pytest.mark.timeout(18_000)]


@pytest.mark.control("DRL-5")
def test_backup_holds_no_less_than_the_last_one(drill, earlier_backup, record, step):
    with step("count what the backup holds: rows by table, secrets by project"):
        drill_report.backup(drill, record)
        before, now = earlier_backup.inventory, drill.inventory
        when = earlier_backup.when
        record.note(f"{now.secrets:,} secrets, and {before.secrets:,} in the backup of {when}")

    with step("nothing is less than in the last good drill by more than the declared share"):
        losses = find_losses(before, when, now, drill.order.drop)
        for loss in losses:
            record.note(loss)
        assert losses == []
