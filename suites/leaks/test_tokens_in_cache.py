"""The cache holds no token in a form in which a reader of the cache can use it."""

import pytest

from drillbook.preflight.exposure import cache_is_reachable
from fixtures.oracle.access import Caller

pytestmark = pytest.mark.control("SEC-13")


def test_no_token_is_kept_by_routes_of_log_in(
    deployment, exposure, leak_search, asked, stranger, observe, step
):
    exposure(cache_is_reachable)
    with step("send the token of a new machine to each route of log-in; the cache is searched"):
        token = deployment.public.login(stranger("sends its token"))
        asked.send_token(Caller("a new machine", token))
        leak_search.search_cache(deployment.stack)

    day = "read, write and log in; what the cache is sent is searched"
    with step(day), leak_search.watch_cache(deployment.stack):
        assert deployment.writes()
        assert deployment.machine_can_log_in()

    with step("the cache does not hold it, nor another token"):
        if leak_search.tokens_in_cache:
            observe("tokens_in_cache")
        assert leak_search.tokens_in_cache == []
