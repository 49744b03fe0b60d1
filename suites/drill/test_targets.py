"""Recovery time and recovery point are within the targets that were set for them."""

import pytest

from drillbook.core.errors import NotGiven
from drillbook.drill import drill_report

pytestmark = [
    pytest.mark.control("DRL-3"),
    pytest.mark.xdist_group("drill"),
    pytest.mark.timeout(18_000),
]


def test_recovery_is_within_its_targets(drill, recovery_targets, record, step):
    with step("every phase of the recovery was completed"):
        assert drill.start().serves
        assert drill.compare_first().kept.amiss == []
        drill_report.times(drill, record)
        told = (f"{name} {seconds:.1f} s" for name, seconds in drill.phases.seconds.items())
        record.note(", ".join(told))
        assert drill.phases.missing == []

    with step("fetching, restore, start and proof together took no longer than the target"):
        wanted = recovery_targets.recovery_time_s
        if wanted is None:
            raise NotGiven("no recovery time was set (--rto): it was measured, not judged")
        assert drill.phases.total <= wanted


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
