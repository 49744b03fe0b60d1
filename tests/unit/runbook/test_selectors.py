"""The documented selectors are evaluated; only what carries this run's label is destroyed."""

import pytest

from drillbook.core.errors import NotOurs
from drillbook.runbook import procedures
from drillbook.stack.base import Resource

OURS = Resource("container", "drillbook-1-secrets-db-1", "1")
VOLUME = Resource("volume", "drillbook-1-secrets_pg_data", "1")
OTHER_NAME = Resource("container", "backend-x7k2", "1")
BYSTANDER = Resource("container", "team-secrets-db-1", None)
NEIGHBOUR = Resource("volume", "drillbook-2-secrets_pg_data", "2")
UNRELATED = Resource("container", "blog-db-1", None)
ALL = [OURS, VOLUME, OTHER_NAME, BYSTANDER, NEIGHBOUR, UNRELATED]


class Shelf:
    """Just enough of a stack to be wiped."""

    def __init__(self):
        self.destroyed = []

    def resources(self):
        return ALL

    def destroy(self, resources):
        doomed = list(resources)
        if any(one.run != "1" for one in doomed):
            raise NotOurs("not ours")
        self.destroyed = doomed


def test_selection_tells_ours_missed_and_bystanders():
    selection = procedures.wipe_selection(ALL, "1")
    assert selection.hit == (OURS.name, VOLUME.name)
    assert selection.missed == (OTHER_NAME.name,)
    assert selection.bystanders == (BYSTANDER.name, NEIGHBOUR.name)


def test_wipe_destroys_ours_and_nothing_else():
    shelf = Shelf()
    procedures.wipe(shelf, "1")
    assert shelf.destroyed == [OURS, VOLUME, OTHER_NAME]


def test_embedded_stack_refuses_what_is_not_its_own(embedded):
    embedded.start("redis")
    with pytest.raises(NotOurs, match="team-secrets-db-1"):
        embedded.destroy([*embedded.resources(), BYSTANDER])
    assert embedded.exec("redis", ["redis-cli", "PING"]).stdout.strip() == b"PONG"
