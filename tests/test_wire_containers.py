"""A relay stands between a container and its database, and finds its way after every start."""

import pytest

from fixtures.errors import Unsupported
from fixtures.infisical.settings import Settings
from fixtures.mutants.detour import SERVICE
from fixtures.mutants.wire import Meddler
from fixtures.mutants.wiring import between
from fixtures.stack import engine
from fixtures.stack.choice import COMPOSE_FILE
from fixtures.stack.containers import Containers
from tests.conftest import Deaf
from tests.test_containers import IMAGE, missing, ours, settled


@pytest.fixture
def stack(living, recorder):
    if reason := missing():
        pytest.skip(reason)
    made = Containers(living.run_id, recorder, COMPOSE_FILE, IMAGE, living.path)
    yield made
    made.down()
    assert ours(living.run_id) == []


@pytest.fixture
def counting():
    class Counts(Meddler):
        seen = 0

        def from_backend(self, message):
            Counts.seen += 1
            return [message]

    return Counts


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_backend_asks_its_database_through_it_before_and_after_a_wipe(
    stack, living, recorder, counting
):
    with between(stack, counting) as relay:
        assert settled(stack, recorder, lambda: stack.up(Settings.generate())).serves
        assert (relay.armed, counting.seen) == (False, 0)

        stack.keep()
        assert settled(stack, recorder, lambda: stack.restart("backend")).serves
        assert counting.seen > 0

        stack.destroy(ours(living.run_id))
        counting.seen = 0
        assert settled(stack, recorder, lambda: stack.up(stack.settings)).serves
        assert counting.seen > 0

        found = engine.container(stack.name, SERVICE).ports.values()
        assert [one["HostIp"] for bound in found for one in bound or []] == ["127.0.0.1"]


def test_what_nobody_here_wired_is_refused():
    class Remote(Deaf):
        driver = "remote"

    with (
        pytest.raises(Unsupported, match="remote: nothing can be placed"),
        between(Remote(), Meddler),
    ):
        pass
