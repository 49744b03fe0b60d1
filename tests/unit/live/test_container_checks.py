"""How a running cache loses jobs, by its command and its mounts."""

import pytest

from drillbook.live.container_checks import Container, find_lost_jobs

NAMED = {"Type": "volume", "Name": "k4cc_redis-data", "Destination": "/data"}
NAMELESS = {"Type": "volume", "Name": "0f" * 32, "Destination": "/data"}
FOLDER = {"Type": "bind", "Source": "/srv/redis", "Destination": "/data"}
MEMORY = {"Type": "tmpfs", "Destination": "/data"}
EVICTS, NOTHING, NOWHERE = "evicts data", "keeps nothing over a restart", "on no named volume"


def cache(command, mounts):
    described = {"Config": {"Cmd": command}, "Mounts": mounts}
    return Container("1", "redis-1", "redis", "redis", "p", described)


@pytest.mark.parametrize(
    ("command", "mounts", "says"),
    [
        (["redis-server"], [NAMED], []),
        (None, [FOLDER], []),
        (["redis-server", "--maxmemory-policy", "allkeys-lru"], [NAMED], [EVICTS]),
        (["redis-server", "--save", ""], [NAMED], [NOTHING]),
        (["redis-server", "--save", "", "--appendonly", "yes"], [NAMED], []),
        (["redis-server"], [NAMELESS], [NOWHERE]),
        (["redis-server"], [MEMORY], [NOWHERE]),
        (["redis-server"], None, [NOWHERE]),
    ],
)
def test_a_cache_that_loses_jobs(command, mounts, says):
    found = find_lost_jobs(cache(command, mounts))
    assert len(found) == len(says)
    assert all(word in sentence for word, sentence in zip(says, found, strict=True))
