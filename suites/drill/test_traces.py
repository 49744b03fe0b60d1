"""The drill leaves its source untouched and nothing behind."""

import pytest

from fixtures.drill import traces

pytestmark = [pytest.mark.xdist_group("drill"), pytest.mark.timeout(3600)]


@pytest.mark.closing
@pytest.mark.control("DRL-4")
def test_nothing_is_touched_and_nothing_stays(drill, step):
    with step("carry the drill through, as far as it comes"):
        drill.carried_through()

    with step("remove the copy and whatever was made for it"):
        driver = drill.driver
        drill.close()

    with step("no container, volume, network, process or folder of the drill is left"):
        assert traces.left_behind(drill, driver) == []

    with step("backup and keys are what they were, and nothing lies beside them"):
        assert traces.touched(drill) == []
