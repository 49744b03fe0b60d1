"""The product has no supported rotation of ENCRYPTION_KEY; where it has one, no secret is lost."""

import pytest

from fixtures import keyproof
from fixtures.infisical import rotation

pytestmark = pytest.mark.control("KEY-12")


def test_encryption_key_can_be_rotated_where_that_is_offered(deployment, observe, step):
    with step("ask the instance to stage a new key"):
        old = deployment.golden_settings["ENCRYPTION_KEY"]
        before, backup = deployment.inventory(), deployment.back_up()
        new = rotation.stage(deployment.owner)

    with step("redeploy with the staged key, which promotes it; everything reads, writes work"):
        lossless = deployment.change(ENCRYPTION_KEY=new).serves
        lossless = lossless and deployment.inventory() == before and deployment.writes()

    with step("the old key still starts within its window, and the backup of before needs it"):
        window = deployment.change(ENCRYPTION_KEY=old).serves
        needs_old = keyproof.prove(backup, old).opens_everything
        needs_old = needs_old and keyproof.prove(backup, new).opens_nothing

    with step("a rotation that is offered contradicts the runbook, however it went"):
        kept = lossless and window and needs_old
        observe("rotation_supported" if kept else "rotation_offered_and_broken")
        assert not new
