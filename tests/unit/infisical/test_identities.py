"""Every machine identity is listed, of a release with pages and of one without."""

from types import SimpleNamespace

import pytest

from drillbook.infisical.client import lifetimes

MANY = 150


class Listing:
    """An instance with many machines; it answers in pages, or with all of them and no count."""

    def __init__(self, paged):
        self.paged = paged
        self.asked = 0

    def call(self, _method, path, params=None):
        if "/auth/" in path:
            return {"identityUniversalAuth": {"accessTokenMaxTTL": 3600}}
        self.asked += 1
        names = [f"machine {number}" for number in range(MANY)]
        ways = {"authMethod": "universal-auth"}
        every = [{"identity": {"id": name, "name": name, **ways}} for name in names]
        if not self.paged:
            return {"identityMemberships": every}
        start = params["offset"]
        return {"identityMemberships": every[start : start + params["limit"]], "totalCount": MANY}


@pytest.mark.parametrize(("paged", "asked"), [(True, 2), (False, 1)])
def test_all_of_them_and_no_page_twice(paged, asked):
    listing = Listing(paged)
    found = lifetimes(SimpleNamespace(http=listing), "org")
    assert len({one.identity for one in found}) == len(found) == MANY
    assert listing.asked == asked
