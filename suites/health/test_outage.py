"""Health turns bad in time when the cache or database stops, and good again afterwards."""

from contextlib import suppress

import pytest

from drillbook.infisical.http import ApiError
from fixtures.faults.temporary_faults import outage
from fixtures.probes import observations

WORDS = {
    (True, True): "outages_reported",
    (True, False): "database_outage_unreported",
    (False, True): "cache_outage_unreported",
    (False, False): "no_outage_reported",
}


@pytest.mark.control("HLT-3")
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_health_follows_cache_and_database(deployment, record, observe, step):
    with step("stop the cache and poll the health check"), outage(deployment.stack, "redis"):
        record.note(f"polled for at most {observations.longest_poll_s(deployment):.0f} s")
        without_cache = observations.health_turns_bad(deployment)

    with step("start the cache; health is good again"):
        assert observations.comes_up(deployment)

    # The product keeps settings there for a minute, and needs the database when they expire.
    with step("empty the cache; health is good"):
        deployment.stack.exec("redis", ["redis-cli", "FLUSHALL"])
        assert observations.comes_up(deployment)

    with step("stop the database and poll the health check"), outage(deployment.stack, "db"):
        without_database = observations.health_turns_bad(deployment)
        # A failed write, so that the leak search after the spec finds a logged value.
        with suppress(ApiError):
            deployment.mark(deployment.golden.canaries["PLAIN"])

    with step("start the database; health is good again, and secrets read"):
        assert observations.reads_again(deployment)

    with step("health had become bad each time"):
        seen = WORDS[without_cache, without_database]
        observe(seen)
        assert seen == "outages_reported"
