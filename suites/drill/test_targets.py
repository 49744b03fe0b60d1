"""Recovery is within its targets, the backup has lost nothing, and nothing is touched or stays."""

import pytest

from drillbook.core.errors import NotGiven, StackTrouble
from drillbook.drill import drill_report
from drillbook.keys.hierarchy import find_losses

pytestmark = [pytest.mark.xdist_group("drill"), pytest.mark.timeout(18_000)]


@pytest.mark.control("DRL-3")
def test_recovery_is_within_its_targets(drill, recovery_targets, record, step):
    with step("every phase of the recovery was completed"):
        assert drill.start().serves
        assert drill.compare_first().kept.amiss == []
        drill_report.times(drill, record)
        told = (f"{name} {seconds:.1f} s" for name, seconds in drill.phases.seconds.items())
        record.note(", ".join(told))
        if "read" in drill.phases.missing:
            raise StackTrouble("no secret was read through the API, so the recovery has no end")
        assert drill.phases.missing == []

    with step("fetch, restore, migrations, start and a first read took no longer than the target"):
        wanted = recovery_targets.recovery_time_s
        if wanted is None:
            raise NotGiven("no recovery time was set (--rto): it was measured, not judged")
        assert drill.phases.recovery_s <= wanted


@pytest.mark.control("DRL-3")
def test_backup_age_is_within_the_target(drill, recovery_targets, record, step):
    with step("read the backup's own date"):
        age = drill_report.age(drill)
        record.note(str(age))
        drill_report.backup(drill, record)

    with step("it proves that the backup is within the target"):
        wanted = recovery_targets.recovery_point_s
        if wanted is None:
            raise NotGiven("no recovery point was set (--rpo): the age was read, not judged")
        assert age.prove(wanted), f"{age}; {wanted:.0f} s are allowed"


@pytest.mark.control("DRL-5")
def test_backup_holds_no_less_than_the_last_one(drill, earlier_backup, record, step):
    with step("count what the backup holds: rows by table, secrets by project"):
        drill_report.backup(drill, record)
        before, now = earlier_backup.inventory, drill.inventory
        when = earlier_backup.when
        record.note(f"{now.secrets:,} secrets, and {before.secrets:,} in the backup of {when}")

    with step("nothing is less than in the last good drill by more than the declared share"):
        if not (before.secrets or sum(before.rows.values())):
            raise StackTrouble(f"the backup of {when} held nothing, so nothing can be less")
        losses = find_losses(before, when, now, drill.order.drop)
        for loss in losses:
            record.note(loss)
        assert losses == []


@pytest.mark.closing
@pytest.mark.control("DRL-4")
def test_nothing_is_touched_and_nothing_stays(drill, step):
    with step("run the drill as far as it gets"):
        drill.carry_through()

    with step("remove the copy and everything made for it"):
        drill.close()

    with step("no container, volume, network, process or folder of the drill is left"):
        assert drill.find_leftovers() == []

    with step("backup and keys are unchanged, and no file was added next to them"):
        assert drill.find_source_changes() == []
