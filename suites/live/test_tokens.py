"""The tokens of a running instance's machine identities live for hours, not days."""

import pytest

from drillbook.core.errors import Unsupported
from drillbook.infisical.client import DAY_S, observation


@pytest.mark.control("SEC-3")
def test_tokens_of_a_running_instance_live_for_hours(instance, record, observe, step):
    with step("list every machine identity with the longest lifetime of its tokens"):
        stated = instance.lifetimes()
        record.note("; ".join(map(str, stated)) or "the credential sees no machine identity")

    with step("read the lifetime from the credential's own token"):
        issued = instance.token_lifetime_s()
        record.note(f"issued for {issued / 3600:g} h" if issued else "issued without an end")

    with step("none lives for a day or longer"):
        lasting = {one.identity for one in stated if one.in_days}
        if not stated and issued is not None and issued < DAY_S:
            raise Unsupported(
                "the credential sees no machine identity, so only its own token was judged; if "
                "there are others, give the credential of an administrator"
            )
        observe(observation(lasting, issued))
        assert lasting == set()
        assert issued is not None
        assert issued < DAY_S
