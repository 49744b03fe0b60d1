"""A wrong ENCRYPTION_KEY serves nothing and changes nothing, and the right one recovers."""

import pytest

from drillbook.infisical.client import create_first_admin
from drillbook.infisical.crypto import openssl_rand_hex
from drillbook.keys.key_check import prove
from fixtures.data.dumps import differing_tables, fingerprint, tables
from fixtures.faults import temporary_faults
from fixtures.oracle.volatile import without_rows
from fixtures.probes.read_probe import ExposureProbe


@pytest.mark.control("KEY-3")
@pytest.mark.golden("stopped")
def test_nothing_is_served_under_a_wrong_key(deployment, observe, step):
    probe = ExposureProbe(deployment, deployment.inventory_before_stop)
    asking = "redeploy with another ENCRYPTION_KEY, asking for health, and while it is good for all"
    with step(asking), probe.watching():
        start = deployment.change(ENCRYPTION_KEY=openssl_rand_hex(16))

    with step("no value of a secret was served, right or wrong"):
        if probe.word:
            observe(probe.word)
        if start.serves and deployment.takes_new_data():
            observe("new_data_taken_under_wrong_key")
        values = probe.values
        assert values == 0, probe

    with step("no answer was a success, and the exit code shows the failure"):
        good = probe.health_was_good
        assert good == 0, probe
        assert not start.serves
        assert start.exit_code not in (None, 0)

    with step("each restart fails visibly, and still nothing is served"):
        with probe.watching():
            failures = deployment.wait_for_restarts(at_least=3)
        good = probe.health_was_good
        assert failures >= 3
        assert good == 0, probe


@pytest.mark.control("KEY-3")
@pytest.mark.golden("stopped")
def test_an_instance_without_secrets_takes_no_other_key(deployment, step):
    with step("remove all data, and redeploy without ENCRYPTION_KEY: it does not serve"):
        deployment.empty()
        assert not deployment.change(ENCRYPTION_KEY=None).serves

    with step("nor does it under one of 16 characters, again on an empty database"):
        # Whether a release makes its tables before it reads its key is its own affair.
        deployment.empty()
        assert not deployment.change(ENCRYPTION_KEY=openssl_rand_hex(8)).serves

    with step("remove all data, start, and create an administrator but no secret"):
        deployment.empty()
        assert deployment.redeploy(deployment.golden_settings).serves
        create_first_admin(deployment.public.http)

    with step("redeploy with another ENCRYPTION_KEY: it does not serve, even without a secret"):
        assert not deployment.change(ENCRYPTION_KEY=openssl_rand_hex(16)).serves

    with step("its own ENCRYPTION_KEY starts it again"):
        assert deployment.redeploy(deployment.golden_settings).serves


@pytest.mark.control("KEY-4")
@pytest.mark.golden("stopped")
def test_a_wrong_key_changes_nothing(deployment, observe, step):
    old = deployment.golden_settings["ENCRYPTION_KEY"]
    with step("everything was read and the backend stopped; back up"):
        before = deployment.inventory_before_stop
        backup = deployment.back_up()
        temporary_faults.leave_mark(deployment.stack)

    with step("start with another ENCRYPTION_KEY, more than once if it fails; then stop"):
        if deployment.change(ENCRYPTION_KEY=openssl_rand_hex(16)).serves:
            observe("served_under_wrong_key")
        else:
            deployment.wait_for_restarts(at_least=2)
        deployment.stack.stop("backend")
        if not temporary_faults.has_mark(deployment.stack):
            observe("cache_emptied_under_wrong_key")

    with step(
        "a second backup is identical apart from logs, jobs, locks, sessions and notes of tokens, "
        "and the old key opens it offline"
    ):
        after = deployment.back_up()
        if not prove(after, old).opens_everything:
            observe("old_key_opens_no_longer")
        rows, rows_after = tables(backup), tables(after)
        ignored = without_rows(rows, rows_after)
        changed = differing_tables(rows, rows_after)
        assert [one for one in changed if one not in ignored] == []
        assert fingerprint(backup, ignored) == fingerprint(after, ignored)

    with step("the old key still opens everything"):
        assert deployment.redeploy(deployment.golden_settings).serves
        assert deployment.differences(before) == ""


@pytest.mark.control("KEY-5")
def test_old_keys_bring_everything_back(deployment, procedures, observe, step):
    with step("write a marker and read everything"):
        deployment.mark("before the accident")
        before = deployment.inventory()

    with step("redeploy with all five keys changed, whether the backend fails or serves"):
        if deployment.redeploy(deployment.fresh_keys()).serves:
            observe("served_under_wrong_key")
        else:
            deployment.wait_for_restarts(at_least=2)

    with step("put the old keys back in Coolify and redeploy"):
        old = deployment.golden_settings
        assert deployment.start_by(lambda stack: procedures.restore_keys(stack, old)).serves

    with step("everything reads as before, and a write works"):
        if different := deployment.differences(before):
            observe("not_everything_back_under_old_keys")
        assert different == ""
        assert deployment.writes()
        deployment.mark("after the recovery")
        recovered = deployment.inventory()

    with step("both survive one more restart"):
        assert deployment.restart().serves
        assert deployment.marker() == "after the recovery"
        assert deployment.differences(recovered) == ""
        assert deployment.writes()
