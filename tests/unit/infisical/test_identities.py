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
        self.settings = {"accessTokenMaxTTL": 3600}

    def call(self, _method, path, params=None):
        if "/auth/" in path:
            return {"identityUniversalAuth": self.settings}
        self.asked += 1
        names = [f"machine {number}" for number in range(MANY)]
        ways = {"authMethod": "universal-auth"}
        every = [{"identity": {"id": name, "name": name, **ways}} for name in names]
        if not self.paged:
            return {"identityMemberships": every}
        start = params["offset"]
        return {"identityMemberships": every[start : start + params["limit"]], "totalCount": MANY}


@pytest.mark.parametrize(
    ("settings", "shown", "in_days"),
    [
        ({"accessTokenMaxTTL": 3600}, "1 h", False),
        ({"accessTokenMaxTTL": 3600, "accessTokenPeriod": 0}, "1 h", False),
        ({"accessTokenMaxTTL": 3600, "accessTokenPeriod": 600}, "no end", True),
        ({"accessTokenMaxTTL": 0}, "no end", True),
        ({"accessTokenMaxTTL": 86400}, "24 h", True),
    ],
)
def test_tokens_with_a_period_are_renewed_without_end(settings, shown, in_days):
    listing = Listing(paged=False)
    listing.settings = settings
    found = lifetimes(SimpleNamespace(http=listing), "org")[0]
    assert (str(found), found.in_days) == (f"machine 0 (universal-auth): {shown}", in_days)


@pytest.mark.parametrize(("paged", "asked"), [(True, 2), (False, 1)])
def test_all_of_them_and_no_page_twice(paged, asked):
    listing = Listing(paged)
    found = lifetimes(SimpleNamespace(http=listing), "org")
    assert len({one.identity for one in found}) == len(found) == MANY
    assert listing.asked == asked
