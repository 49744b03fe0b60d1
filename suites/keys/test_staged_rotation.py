"""No rotation of ENCRYPTION_KEY is offered; where one is, it goes through its stages losslessly."""

import pytest

from drillbook.infisical import key_rotation
from drillbook.infisical.crypto import openssl_rand_hex
from drillbook.keys.proof import prove


@pytest.mark.control("KEY-12")
def test_no_rotation_of_the_encryption_key_is_offered(deployment, observe, step):
    with step("ask the instance to stage a new key"):
        before = deployment.inventory()
        new = key_rotation.stage(deployment.owner)

    with step("redeploy with the staged key, which promotes it; everything reads, writes work"):
        lossless = deployment.change(ENCRYPTION_KEY=new).serves
        lossless = lossless and deployment.inventory() == before and deployment.writes()

    with step("a rotation that is offered contradicts the runbook, however it went"):
        observe("rotation_supported" if lossless else "rotation_offered_and_broken")
        assert not new


@pytest.mark.control("KEY-12.STAGED")
def test_staged_rotation_loses_nothing_and_locks_nobody_out(deployment, step):
    old = deployment.golden_settings["ENCRYPTION_KEY"]
    with step("stage a new key: nothing changes, the deployed one starts as before"):
        before = deployment.inventory()
        new = key_rotation.stage(deployment.owner)
        assert deployment.restart().serves
        assert deployment.inventory() == before

    with step("redeploy with the staged key, which promotes it; it starts again, reads and writes"):
        assert deployment.change(ENCRYPTION_KEY=new).serves
        assert deployment.restart().serves
        assert deployment.inventory() == before
        assert deployment.writes()

    with step("within its window the old key starts as well, and takes nothing back"):
        assert deployment.change(ENCRYPTION_KEY=old).serves
        assert deployment.inventory() == before
        assert deployment.change(ENCRYPTION_KEY=new).serves

    with step("a key that was never staged is refused, and does no harm"):
        assert not deployment.change(ENCRYPTION_KEY=openssl_rand_hex(16)).serves
        assert deployment.change(ENCRYPTION_KEY=new).serves
        assert deployment.inventory() == before


@pytest.mark.control("KEY-12.STAGED")
def test_a_backup_needs_the_key_of_its_day(deployment, step):
    old = deployment.golden_settings["ENCRYPTION_KEY"]
    with step("back up before staging, while a key is staged, and after its promotion"):
        before, early = deployment.inventory(), deployment.back_up()
        new = key_rotation.stage(deployment.owner)
        staged = deployment.back_up()
        assert deployment.change(ENCRYPTION_KEY=new).serves
        late = deployment.back_up()

    with step("offline, the early one needs the old key, the staged one opens with either"):
        assert prove(early, old).opens_everything
        assert prove(early, new).opens_nothing
        assert prove(staged, old).opens_everything
        assert prove(staged, new).opens_everything
        assert prove(late, new).opens_everything

    with step("restored, the early one is refused under the new key and starts under the old"):
        deployment.restored(early)
        assert not deployment.change(ENCRYPTION_KEY=new).serves
        assert deployment.change(ENCRYPTION_KEY=old).serves
        assert deployment.inventory() == before
