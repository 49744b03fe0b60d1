"""What happens when one of the five keys is changed after data exists."""

import pytest

from drillbook.infisical.crypto import openssl_rand_hex
from fixtures.probes.observations import KEY_SYMPTOM

KEYS = [
    ("ENCRYPTION_KEY", 16, "KEY-2.ENC"),
    ("AUTH_SECRET", 64, "KEY-2.AUTH"),
    ("JWT_AUTH_SECRET", 64, "KEY-2.JWTA"),
    ("JWT_REFRESH_SECRET", 64, "KEY-2.JWTR"),
    ("JWT_SERVICE_SECRET", 64, "KEY-2.JWTS"),
]


@pytest.mark.parametrize(
    ("variable", "size"),
    [pytest.param(*key, marks=pytest.mark.control(control), id=key[0]) for *key, control in KEYS],
)
@pytest.mark.golden("stopped")
def test_changed_key_stops_the_backend(
    deployment, procedures, record, observe, step, variable, size
):
    with step("every stored secret was read"):
        before = deployment.inventory_before_stop
        assert before.values

    with step(f"redeploy with another {variable}"):
        key = openssl_rand_hex(size)
        record.secret(variable, key)
        start = deployment.start_by(lambda stack: procedures.change_key(stack, variable, key))

    with step("the backend has stopped with the documented error"):
        observe(what_happened(deployment, start, before))
        if variable == "AUTH_SECRET" and start.serves:
            taken = deployment.accepts(deployment.golden.token)
            observe("earlier_tokens_accepted" if taken else "earlier_tokens_refused")
        assert not start.serves
        assert start.exit_code != 0
        assert start.says(KEY_SYMPTOM)


def what_happened(deployment, start, before):
    if start.serves and not deployment.differences_after_login(before):
        return "started_and_read_everything"
    if start.serves:
        return "started_without_secrets"
    if start.exit_code == 0:
        return "stopped_with_status_zero"
    return "stopped_as_documented" if start.says(KEY_SYMPTOM) else "stopped_otherwise"
