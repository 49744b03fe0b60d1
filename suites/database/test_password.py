"""Which procedure changes the database password, and that the old one stops working."""

import secrets

import pytest

from drillbook.runbook.procedures import alter_password, rotate_password
from fixtures.probes.observations import names_refused_password, opens_database, stored_password


@pytest.mark.control("DBP-1")
def test_documented_procedure_leaves_the_service_healthy(
    deployment, procedures, new_password, observe, step
):
    with step("read everything"):
        before = deployment.inventory()

    with step("change the role's password, enter it in Coolify, `docker restart` the backend"):
        start = deployment.rotate_password(new_password, procedures.rotate_password_by_runbook)

    with step("the backend is healthy and everything reads as before"):
        if start.serves:
            observe("restart_took_new_password")
        elif names_refused_password(start):
            observe("restart_kept_old_password")
        assert start.serves
        assert deployment.differences(before) == ""


@pytest.mark.control("DBP-7")
def test_redeploying_leaves_the_service_healthy(deployment, procedures, new_password, step):
    with step("read everything"):
        before = deployment.inventory()

    with step("change the role's password, enter it in Coolify, redeploy"):
        assert deployment.rotate_password(new_password, procedures.rotate_password).serves

    with step("everything reads as before and a write works, also after a restart"):
        assert deployment.differences(before) == ""
        assert deployment.writes()
        assert deployment.restart().serves
        assert deployment.differences(before) == ""


@pytest.mark.control("DBP-2")
@pytest.mark.golden("stopped")
def test_only_the_new_password_opens_the_database(deployment, new_password, step):
    old = deployment.stack.settings["POSTGRES_PASSWORD"]
    with step("over the network the database accepts the old password and no random one"):
        assert opens_database(deployment.stack, old)
        assert not opens_database(deployment.stack, secrets.token_urlsafe(32))

    with step("rotate the password by the procedure that works"):
        deployment.rotate_password(new_password, rotate_password)

    with step("over the network the database accepts the new password only"):
        assert opens_database(deployment.stack, new_password)
        assert not opens_database(deployment.stack, old)
        assert not opens_database(deployment.stack, "")
        assert not opens_database(deployment.stack, secrets.token_urlsafe(32))

    with step("the password is stored as a SCRAM verifier"):
        assert stored_password(deployment.stack).startswith("SCRAM-SHA-256$")


@pytest.mark.control("DBP-3")
@pytest.mark.golden("stopped")
def test_password_changed_in_the_environment_only(deployment, new_password, observe, step):
    with step("redeploy with a password that the database does not accept"):
        start = deployment.change(POSTGRES_PASSWORD=new_password)

    with step("the backend exits and its log names the failed authentication"):
        named = names_refused_password(start)
        observe("mismatch_named" if named else "mismatch_not_named")
        assert not start.serves
        assert named


@pytest.mark.control("DBP-3")
@pytest.mark.golden("stopped")
def test_password_changed_in_the_database_only(deployment, new_password, observe, step):
    with step("change the role's password and start the backend with the old one"):
        alter_password(deployment.stack, new_password)
        start = deployment.start()

    with step("the backend exits and its log names the failed authentication"):
        named = names_refused_password(start)
        observe("mismatch_named" if named else "mismatch_not_named")
        assert not start.serves
        assert named
