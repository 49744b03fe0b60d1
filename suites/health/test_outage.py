"""Health turns bad within its time when cache or database is gone, and good again after."""

import pytest

from fixtures.faults.outage import outage
from fixtures.probes import observations

WORDS = {
    (True, True): "outages_reported",
    (True, False): "database_outage_unreported",
    (False, True): "cache_outage_unreported",
    (False, False): "no_outage_reported",
}


@pytest.mark.control("HLT-3")
def test_health_follows_cache_and_database(deployment, observe, step):
    with step("stop the cache and poll the health check"), outage(deployment.stack, "redis"):
        without_cache = observations.health_turns_bad(deployment)

    with step("start the cache; health is good again"):
        assert observations.comes_up(deployment)

    with step("stop the database and poll the health check"), outage(deployment.stack, "db"):
        without_database = observations.health_turns_bad(deployment)

    with step("start the database; health is good again, and secrets read"):
        assert observations.reads_again(deployment)

    with step("health had become bad each time"):
        seen = WORDS[without_cache, without_database]
        observe(seen)
        assert seen == "outages_reported"
