"""Recovery time and recovery point are within the targets that were set for them."""

import pytest

from drillbook.drill import drill_report

pytestmark = [
    pytest.mark.control("DRL-3"),
    pytest.mark.xdist_group("drill"),
    pytest.mark.timeout(3600),
]


def test_recovery_is_within_its_targets(drill, recovery_targets, record, step):
    with step("the recovery was gone through, phase by phase"):
        assert drill.start().serves
        assert drill.compare_first().kept.amiss == []
        drill_report.times(drill, record)
        told = (f"{name} {seconds:.1f} s" for name, seconds in drill.phases.seconds.items())
        record.note(", ".join(told))
        assert drill.phases.missing == []

    with step("from the fetching of the backup to the proof it took no longer than it may"):
        wanted = recovery_targets.recovery_time_s
        assert wanted is None or drill.phases.total <= wanted


def test_backup_is_no_older_than_it_may_be(drill, recovery_targets, record, step):
    with step("read what the backup says of its age"):
        age = drill_report.age(drill)
        record.note(str(age))
        drill_report.backup(drill, record)

    with step("it proves that the backup is not older than it may be"):
        wanted = recovery_targets.recovery_point_s
        assert wanted is None or age.prove(wanted), f"{age}; {wanted:.0f} s are allowed"
