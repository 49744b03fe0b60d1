"""A password mismatch is repaired, awkward passwords work, and a rotation's outage is known."""

import secrets

import pytest

from drillbook.core.errors import NotReady
from drillbook.runbook import procedures
from fixtures.data.golden import GOLDEN_MARKER
from fixtures.probes import observations
from fixtures.probes.read_probe import Prober

END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
# Decoded twice, %41 would be a letter.
AWKWARD = "p@ss:w/o#r?d% %41&ü日'\"\\$ß"


def ended_at_random(password):
    """A password of this run alone: a constant may be in any copy of this file."""
    return f"{password}{secrets.token_hex(6)}"


def passwords():
    # Imported here: it takes a while to load.
    from hypothesis import strategies as st

    return st.text("@:/#%? äß日'\"\\$abc019", min_size=8, max_size=40)


def passwords_that_name_no_host():
    # Imported here: it takes a while to load.
    from hypothesis import strategies as st

    # Without @, after which a backend would take the rest for a host to connect to.
    return st.text(":/#%? äß日'\"\\$abc019", min_size=8, max_size=40).map("pw".__add__)


@pytest.mark.control("DBP-4")
@pytest.mark.golden("stopped")
def test_procedure_heals_a_changed_environment(deployment, new_password, step):
    with step("deploy a password that the database does not accept: it fails"):
        before = deployment.inventory_before_stop
        assert not deployment.change(POSTGRES_PASSWORD=new_password).serves

    with step(
        "follow the procedure: give the role the password that was entered, restart the backend"
    ):
        procedures.alter_password(deployment.stack, new_password)
        assert deployment.restart().serves

    with step("everything reads as before, and a write works"):
        assert deployment.differences(before) == ""
        assert deployment.writes()


@pytest.mark.control("DBP-4")
@pytest.mark.golden("stopped")
def test_procedure_heals_a_changed_database(deployment, new_password, step):
    with step("change the role's password only, and start: it fails"):
        before = deployment.inventory_before_stop
        procedures.alter_password(deployment.stack, secrets.token_urlsafe(32))
        assert not deployment.start().serves

    with step("follow the procedure with another password"):
        assert deployment.rotate_password(new_password, procedures.rotate_password).serves

    with step("everything reads as before, and a write works"):
        assert deployment.differences(before) == ""
        assert deployment.writes()


@pytest.mark.control("DBP-5")
@pytest.mark.golden("stopped")
def test_any_password_works_when_encoded(deployment, explore, record, step):
    def works(password):
        record.secret("AWKWARD_PASSWORD", password)
        start = deployment.rotate_password(password, procedures.rotate_password)
        assert start.serves
        assert deployment.marker() == GOLDEN_MARKER

    with step("rotate to a password with every character that has a meaning in a URL"):
        works(ended_at_random(AWKWARD))

    with step("rotate to random passwords of such characters: each serves, and a secret reads"):
        explore(passwords(), works)


@pytest.mark.control("DBP-5")
@pytest.mark.golden("stopped")
def test_unencoded_password_works_or_is_refused(deployment, explore, record, step):
    def deployed_raw(password):
        record.secret("RAW_PASSWORD", password)
        procedures.alter_password(deployment.stack, password)
        return deployment.change(POSTGRES_PASSWORD=password, POSTGRES_PASSWORD_ENCODED=password)

    def works_or_is_refused(password):
        start = deployed_raw(password)
        # A backend that has ended answers nothing.
        works = start.serves and deployment.marker() == GOLDEN_MARKER
        assert works or observations.reports_password_refusal(start)

    with step("put a password with / # and ? into the connection string unencoded: it is refused"):
        refused = deployed_raw(ended_at_random("half/of#it?is lost"))
        assert observations.reports_password_refusal(refused)

    with step("one with + ~ ! and *, which mean nothing in that place, works as it is"):
        assert deployed_raw(ended_at_random("half+of~it!is*kept")).serves
        assert deployment.marker() == GOLDEN_MARKER

    with step("put random ones there: each works, or the backend stops and says why"):
        explore(passwords_that_name_no_host(), works_or_is_refused)


@pytest.mark.control("DBP-6")
def test_outage_of_a_rotation_is_known(deployment, new_password, record, step):
    prober = Prober(deployment)
    with step(
        "a burst of parallel reads is answered; its duration is the measure for the next steps"
    ):
        quiet = prober.quiet_burst()
        assert quiet.count("refused") == 0
        record.note(
            f"slowest quiet read {quiet.slowest_s:.2f} s; waiting {prober.patience_s:.0f} s"
        )

    with step("change the password, read on, redeploy, with ten requests a second"):
        with prober.probing() as reads:
            procedures.alter_password(deployment.stack, new_password)
            record.note(f"between alter and redeploy, all at once: {prober.burst()}")
            start = deployment.change(POSTGRES_PASSWORD=new_password)
            assert start.serves
        record.note(f"one by one: {reads}; longest outage {told(reads)}")

    with step("the outage has ended, and every request is answered again"):
        # A machine that stalls looks the same as a backend that does not answer.
        if reads.ended_late:
            raise NotReady(f"a read after the rotation: not within {prober.patience_s:.0f} s")
        assert reads.last_worked
        after = prober.burst()
        assert after.count("refused") == 0
        if late := after.count("unanswered"):
            raise NotReady(f"{late} reads after the rotation: not within {prober.patience_s:.0f} s")
        assert deployment.marker() == GOLDEN_MARKER


@pytest.mark.control("DBP-6")
def test_a_refused_password_is_got_over(deployment, new_password, observe, step):
    stack, old = deployment.stack, deployment.golden_settings["POSTGRES_PASSWORD"]
    restarts = stack.backend().restarts
    with step("change the password in the database only, end the sessions, and read"):
        procedures.alter_password(stack, new_password)
        stack.sql(END_SESSIONS, as_password=new_password)
        # More reads than a pool has connections.
        for _ in range(2):
            Prober(deployment).burst()

    with step("put the earlier password back: everything reads without a redeployment"):
        procedures.alter_password(stack, old)
        assert observations.reads_again(deployment)

    # Noted only: the engine starts a backend again that ended. An end is sure to be seen by now.
    with step("look whether the backend has ended meanwhile"):
        if stack.backend().restarts != restarts:
            observe("backend_ended_on_refused_password")


def told(reads):
    return f"{'' if reads.last_worked else 'at least '}{reads.outage_s:.1f} s"
