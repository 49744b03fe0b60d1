"""Proxies of a store by their images."""

import pytest

from drillbook.stack.compose_services import store_behind


@pytest.mark.parametrize(
    ("image", "role"),
    [
        ("edoburu/pgbouncer:v1.24", "db"),
        ("bitnami/pgpool:4", "db"),
        ("bitnami/redis-sentinel:7", "redis"),
        ("prometheuscommunity/pgbouncer-exporter:v0.10", None),
        ("leominov/redis_sentinel_exporter:1.7", None),
        ("fbonalair/traefik-crowdsec-bouncer:0.5", None),
        ("crowdsec/firewall-bouncer:v0.0.31", None),
    ],
)
def test_only_proxies_of_a_store_count_as_one(image, role):
    assert store_behind({"image": image}) == role
