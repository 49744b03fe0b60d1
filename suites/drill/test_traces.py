"""The drill leaves its source untouched and nothing behind."""

import pytest

pytestmark = [pytest.mark.xdist_group("drill"), pytest.mark.timeout(18_000)]


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
