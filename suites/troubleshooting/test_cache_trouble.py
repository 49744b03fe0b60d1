"""No secret is lost if a running backend's cache is emptied, protected, failed over or stopped."""

import secrets

import pytest

from drillbook.core.errors import DrillbookError
from drillbook.stack.waiting import wait_until
from fixtures.faults import temporary_faults
from fixtures.faults.temporary_faults import outage
from fixtures.probes import observations

pytestmark = pytest.mark.control("TRB-5")


def test_emptied_cache_costs_no_secret(deployment, record, observe, step):
    stack = deployment.stack
    with step("read everything, list the schedules that the cache holds, and empty it"):
        before, held = deployment.inventory(), temporary_faults.schedules(stack)
        temporary_faults.command(stack, "FLUSHALL")

    with step("with the same token everything reads as before, and a write works"):
        assert deployment.differences(before) == ""
        assert deployment.writes()

    with step("restart the backend: everything reads as before"):
        left = temporary_faults.schedules(stack)
        temporary_faults.leave_mark(stack)
        assert deployment.restart().serves
        assert deployment.differences(before) == ""

    with step("the start has not emptied the cache, which may hold jobs that wait"):
        assert temporary_faults.has_mark(stack)

    with step("look for the schedules again"):
        back = temporary_faults.schedules(stack)
        record.note(f"schedules: {len(held)}, then {len(left)}, after a restart {len(back)}")
        observe(what_happened_to_schedules(held, back))


def test_password_of_the_cache_costs_no_secret(deployment, record, observe, step):
    with step("read everything"):
        before = deployment.inventory()
        password = secrets.token_urlsafe(24)
        record.secret("CACHE_PASSWORD", password)

    under = "give the cache a password, cut its connections, read, and restart the backend"
    with step(under), temporary_faults.under_password(deployment.stack, password):
        observe(reading(deployment, record))
        mark = deployment.log_mark()
        deployment.stack.restart("backend")
        named = observations.log_names_cause(deployment, mark, "cache_password")
        observe("cache_password_named" if named else "cache_password_not_named")

    with (
        step("give it a password that REDIS_URL has as well: everything reads, a write works"),
        temporary_faults.under_password(deployment.stack, password),
        temporary_faults.cache_password_on_redeploy(deployment.stack, password),
    ):
        assert deployment.redeploy(deployment.golden_settings).serves
        assert deployment.differences(before) == ""
        assert deployment.writes()

    with step("take the password away from both: everything reads as before, a write works"):
        assert deployment.redeploy(deployment.golden_settings).serves
        assert deployment.differences(before) == ""
        assert deployment.writes()


def test_failover_of_the_cache_costs_no_secret(deployment, record, observe, step):
    with step("read everything"):
        before = deployment.inventory()

    over = "have the cache take no writes, as a replica does; cut its connections, and read"
    with step(over), temporary_faults.failover(deployment.stack):
        observe(reading(deployment, record))

    with step("it takes writes again, and holds nothing; everything reads as before"):
        assert observations.reads_again(deployment)
        assert deployment.differences(before) == ""

    with step("a write works, and everything reads after a restart"):
        assert deployment.writes()
        assert deployment.restart().serves
        assert deployment.differences(before) == ""


@pytest.mark.slow
def test_outage_of_the_cache_costs_no_secret(deployment, record, observe, step):
    with step("read everything"):
        before = deployment.inventory()

    # Releases of 2024 give a command up after ten seconds; that must not be for good.
    over = "stop the cache, and read until that is answered or refused"
    with step(over), outage(deployment.stack, "redis"):
        observe(reading(deployment, record))

    with step("start the cache: everything reads as before"):
        assert observations.reads_again(deployment)
        assert deployment.differences(before) == ""

    with step("the machine logs in, and a write works"):
        # A queue may wait for 20 s before it connects again.
        wait_until(lambda: deployment.try_to_mark("sunday"), 60.0, every_s=0.5)
        assert deployment.machine_can_log_in()
        assert deployment.writes()

    with step("everything still reads after a restart"):
        before = deployment.inventory()
        assert deployment.restart().serves
        assert deployment.differences(before) == ""


def reading(deployment, record):
    found = deployment.try_inventory()
    if isinstance(found, DrillbookError):
        record.note(f"in between: {found}")
        return "secrets_unread_meanwhile"
    return "secrets_read_meanwhile"


def what_happened_to_schedules(held, back):
    if not held:
        return "no_schedule_in_cache"
    return "schedules_back_after_restart" if held <= back else "schedules_not_back_after_restart"
