"""A password mismatch heals, awkward passwords work, and what a rotation costs is known."""

import secrets

import pytest

from fixtures import runbook
from fixtures.data.probing import Prober
from fixtures.faults import looks

AWKWARD = "p@ss:w/o#r?d% &ü日'\"\\$ß"


@pytest.fixture
def new_password(record):
    password = secrets.token_urlsafe(32)
    record.secret("NEW_POSTGRES_PASSWORD", password)
    return password


def passwords():
    # Imported here: it takes a while to load.
    from hypothesis import strategies as st

    return st.text("@:/#%? äß日'\"\\$abc019", min_size=8, max_size=40)


def passwords_that_name_no_host():
    # Imported here: it takes a while to load.
    from hypothesis import strategies as st

    # Behind an @ that nobody encoded stands a host, to which a backend would turn.
    return st.text(":/#%? äß日'\"\\$abc019", min_size=8, max_size=40).map("pw".__add__)


@pytest.mark.control("DBP-4")
def test_procedure_heals_a_changed_environment(resting, new_password, step):
    with step("deploy a password the database does not know: it fails"):
        before = resting.held
        assert not resting.change(POSTGRES_PASSWORD=new_password).serves

    with step("follow the procedure: alter to the password that was typed, restart the backend"):
        runbook.alter_password(resting.stack, new_password)
        assert resting.restart().serves

    with step("everything reads as before, and a write works"):
        assert resting.inventory() == before
        assert resting.writes()


@pytest.mark.control("DBP-4")
def test_procedure_heals_a_changed_database(resting, new_password, step):
    with step("alter the role only, and start: it fails"):
        before = resting.held
        runbook.alter_password(resting.stack, secrets.token_urlsafe(32))
        assert not resting.started().serves

    with step("follow the procedure with another password"):
        since = resting.printed()
        runbook.rotate_password(resting.stack, new_password)
        assert resting.settled(since).serves

    with step("everything reads as before, and a write works"):
        assert resting.inventory() == before
        assert resting.writes()


@pytest.mark.control("DBP-5")
def test_any_password_works_when_encoded(resting, explore, record, step):
    def works(password):
        record.secret("AWKWARD_PASSWORD", password)
        since = resting.printed()
        runbook.rotate_password(resting.stack, password)
        assert resting.settled(since).serves
        assert resting.marker() == "golden"

    with step("rotate to a password with every letter that means something in a URL"):
        works(AWKWARD)

    with step("rotate to arbitrary passwords of such letters: each serves, and a secret reads"):
        explore(passwords(), works)


@pytest.mark.control("DBP-5")
def test_password_as_it_is_works_or_is_refused_aloud(resting, explore, record, step):
    def deployed_raw(password):
        record.secret("RAW_PASSWORD", password)
        runbook.alter_password(resting.stack, password)
        return resting.change(POSTGRES_PASSWORD=password, POSTGRES_PASSWORD_ENCODED=password)

    def works_or_is_refused(password):
        start = deployed_raw(password)
        assert looks.refuses_password_aloud(start) or resting.marker() == "golden"

    with step("put a password with / # and ? into the connection string as it is: it is refused"):
        assert looks.refuses_password_aloud(deployed_raw("half/of#it?is lost"))

    with step("put arbitrary ones there: each works, or stops the backend, which says why"):
        explore(passwords_that_name_no_host(), works_or_is_refused)


@pytest.mark.control("DBP-6")
def test_outage_of_a_rotation_is_known(deployment, new_password, record, step):
    prober = Prober(deployment)
    with step("a burst of parallel reads is answered"):
        assert prober.burst().failed == 0

    with step("alter, look how reads go on, redeploy, asking ten times a second"):
        with prober.probing() as reads:
            runbook.alter_password(deployment.stack, new_password)
            record.note(f"between alter and redeploy, all at once: {prober.burst()}")
            assert deployment.change(POSTGRES_PASSWORD=new_password).serves
        record.note(f"one by one: {reads}; longest outage {reads.outage_s:.1f} s")

    with step("the outage has ended, within the time a start may take, and nothing fails any more"):
        assert reads.outage_s < deployment.patience_s
        assert prober.burst().failed == 0
        assert deployment.marker() == "golden"
