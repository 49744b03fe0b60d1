"""Under a wrong ENCRYPTION_KEY nothing is served and nothing is changed; the right one heals."""

import pytest

from fixtures.data.dumps import changed, fingerprint, tables
from fixtures.infisical.keys import openssl_rand_hex


@pytest.mark.control("KEY-3")
def test_nothing_is_served_under_a_wrong_key(resting, step):
    asking = "redeploy with another ENCRYPTION_KEY, asking the health check all the while"
    with step(asking), resting.watching() as watch:
        start = resting.change(ENCRYPTION_KEY=openssl_rand_hex(16))

    with step("no answer was a success, and the exit code says failure"):
        assert watch.successes() == 0
        assert not start.serves
        assert start.exit_code not in (None, 0)

    with step("the restart policy keeps failing visibly, and still nothing is served"):
        with resting.watching() as watch:
            failures = resting.restarts_seen(at_least=3)
        assert failures >= 3
        assert watch.successes() == 0


@pytest.mark.control("KEY-4")
def test_a_wrong_key_changes_nothing(resting, step):
    with step("everything was read and the backend stopped; back up"):
        before = resting.held
        backup = resting.back_up()

    with step("start with another ENCRYPTION_KEY; it fails, more than once"):
        assert not resting.change(ENCRYPTION_KEY=openssl_rand_hex(16)).serves
        resting.restarts_seen(at_least=2)
        resting.stack.stop("backend")

    with step("a second backup differs in nothing"):
        after = resting.back_up()
        assert changed(tables(backup), tables(after)) == []
        assert fingerprint(backup) == fingerprint(after)

    with step("the old key still opens everything"):
        assert resting.redeploy(resting.golden_settings).serves
        assert resting.inventory() == before


@pytest.mark.control("KEY-5")
def test_old_keys_bring_everything_back(deployment, step):
    with step("write a marker and read everything"):
        deployment.mark("before the accident")
        before = deployment.inventory()

    with step("redeploy with all five keys changed; the backend stops"):
        assert not deployment.redeploy(deployment.rekeyed()).serves
        deployment.restarts_seen(at_least=2)

    with step("put the old keys back in Coolify and redeploy"):
        assert deployment.redeploy(deployment.golden_settings).serves

    with step("everything reads as it was, and a write works"):
        assert deployment.inventory() == before
        assert deployment.writes()
        deployment.mark("after the recovery")

    with step("both survive one more restart"):
        assert deployment.restart().serves
        assert deployment.marker() == "after the recovery"
        assert deployment.writes()
