"""A run whose container or engine is killed ends, says nothing untrue, and leaves nothing."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from drillbook.core.application import ROOT
from drillbook.stack.waiting import wait_for
from tests.stack.test_containers import missing
from tests.support import disturbances
from tests.support.chaos import Chaos, disturbed
from tests.support.chaos_place import chaos_place
from tests.support.disturbances import Moment
from tests.support.run_places import Guests

# Its fixtures take minutes: one worker makes them for all.
pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(1800),
    pytest.mark.xdist_group("chaos engine"),
]
MOMENTS = (
    Moment(1, "backend", 0.3, "HealthAsHtml", ""),
    Moment(2, "engine", 0.25, None, ""),
)


@pytest.fixture(scope="module")
def chaos():
    if reason := missing() or disturbances.absent("engine"):
        pytest.skip(reason)
    with chaos_place() as place, closing(Guests(place, ["health/test_status.py"])) as ground:
        made = Chaos(place, ground)
        made.takes_s = 30
        yield made


@pytest.fixture(scope="module")
def found(chaos):
    return list(disturbed(chaos, MOMENTS))


def test_nothing_is_left_and_nothing_untrue_is_said(found):
    assert [f"{one.moment}: {words}" for one in found for words in one.wrong] == []
    assert [f"{one.moment}: {one.code}" for one in found if one.code in (None, 0)] == []


def test_both_were_struck(found):
    assert [one.struck for one in found] == [True, True]


def test_harm_to_a_neighbour_is_told(chaos, found):
    assert found
    with closing(chaos.ground.bystanders(chaos.temporary)) as neighbours:
        assert neighbours.harmed() == []
        chaos.ground.engine.ask("rm", "--force", "someone-secrets-db-1")
        assert neighbours.harmed() == ["ps: someone-secrets-db-1"]


def test_the_engine_ends_with_us(chaos):
    place = chaos.place / "other"
    ends = "import os; made = OwnEngine(Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    code = "import sys; from pathlib import Path; "
    code += f"from tests.support.own_engine import OwnEngine; {ends}"
    done = subprocess.run([sys.executable, "-c", code, str(place)], cwd=ROOT)
    assert done.returncode == -9
    assert (place / "pid").exists(), "it never ran"
    wait_for(lambda: not of(place), within_s=60, what="nothing of it runs")


def of(folder):
    """The processes with a folder in their command line."""
    words = str(folder).encode()
    return [one for one in Path("/proc").glob("[0-9]*/cmdline") if words in read(one)]


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""
