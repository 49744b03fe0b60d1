"""Under a wrong ENCRYPTION_KEY nothing is served and nothing is changed; the right one heals."""

import pytest

from fixtures.data.dumps import changed, fingerprint, tables
from fixtures.infisical.keys import openssl_rand_hex


@pytest.mark.control("KEY-3")
def test_nothing_is_served_under_a_wrong_key(deployment, step):
    with step("stop the backend, so that no answer is still the healthy one's"):
        deployment.stack.stop("backend")

    asking = "redeploy with another ENCRYPTION_KEY, asking the health check all the while"
    with step(asking), deployment.watching() as watch:
        start = deployment.change(ENCRYPTION_KEY=openssl_rand_hex(16))

    with step("no answer was a success, and the exit code says failure"):
        assert watch.successes() == 0
        assert not start.serves
        assert start.exit_code not in (None, 0)

    with step("the restart policy keeps failing visibly, and still nothing is served"):
        with deployment.watching() as watch:
            failures = deployment.restarts_seen(at_least=3)
        assert failures >= 3
        assert watch.successes() == 0


@pytest.mark.control("KEY-4")
def test_a_wrong_key_changes_nothing(deployment, step):
    with step("back up while all is well"):
        before = deployment.inventory()
        deployment.stack.stop("backend")
        backup = deployment.back_up()

    with step("start with another ENCRYPTION_KEY; it fails, more than once"):
        assert not deployment.change(ENCRYPTION_KEY=openssl_rand_hex(16)).serves
        deployment.restarts_seen(at_least=2)
        deployment.stack.stop("backend")

    with step("a second backup differs in nothing"):
        after = deployment.back_up()
        assert changed(tables(backup), tables(after)) == []
        assert fingerprint(backup) == fingerprint(after)

    with step("the old key still opens everything"):
        assert deployment.redeploy(deployment.golden_settings).serves
        assert deployment.inventory() == before


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
