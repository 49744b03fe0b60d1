"""How long a spec may take depends on whose backend it starts."""

from types import SimpleNamespace

import pytest

from drillbook.stack.driver_selection import Choice
from fixtures.session.stacks import CHOICE, pytest_itemcollected


class Item:
    """A collected spec, with the limit it names, if any."""

    def __init__(self, choice, named=None):
        self.config = SimpleNamespace(stash={CHOICE: choice})
        self.limit = named

    def get_closest_marker(self, name):
        return self.limit if name == "timeout" else None

    def add_marker(self, marker):
        self.limit = marker.args[0]


@pytest.mark.parametrize(
    ("driver", "rehearsal", "named", "limit"),
    [
        ("containers", False, None, 3600),
        ("containers", False, 7200, 7200),
        ("containers", True, None, None),
        ("embedded", True, None, None),
        ("remote", False, None, None),
    ],
)
def test_specs_that_start_the_product_may_take_an_hour(driver, rehearsal, named, limit):
    item = Item(Choice(driver, "asked for", rehearsal=rehearsal), named)
    pytest_itemcollected(item)
    assert item.limit == limit
