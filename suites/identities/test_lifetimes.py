"""Tokens of machine identities live for hours, not days, both as configured and as issued."""

import pytest

from drillbook.infisical.client import DAY_S, issued_for, lifetimes, observation
from fixtures.oracle import credentials


@pytest.mark.control("SEC-3")
@pytest.mark.golden("shared")
def test_tokens_of_machines_live_for_hours(deployment, record, observe, step):
    with step("list every machine identity with the longest lifetime of its tokens"):
        stated = lifetimes(deployment.owner, deployment.golden.admin.organization)
        record.note("; ".join(map(str, stated)))
        assert stated

    with step("log a machine in, and read the lifetime from its token"):
        issued = issued_for(deployment.public.login(deployment.golden.machine))
        record.note(f"issued for {issued / 3600:g} h" if issued else "issued without an end")

    with step("none lives for a day or longer"):
        lasting = {one.identity for one in stated if one.in_days}
        observe(observation(lasting, issued))
        assert issued is not None
        assert issued < DAY_S
        assert lasting == set()


@pytest.mark.control("SEC-8")
@pytest.mark.slow
def test_renewals_end_with_the_maximum_lifetime(deployment, observe, step):
    with step("renew a token again and again; it ends no later than all renewals together may"):
        organization = deployment.golden.admin.organization
        beyond_s = credentials.renewal_beyond_maximum(
            deployment.owner, deployment.public, organization
        )
        if beyond_s > credentials.ROUNDING_S:
            observe("renewed_beyond_maximum")
        assert beyond_s <= credentials.ROUNDING_S
