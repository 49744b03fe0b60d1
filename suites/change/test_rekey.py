"""Experimental: a rekeyed backup opens with the new key alone, and holds the same secrets."""

import pytest

pytestmark = pytest.mark.control("KEY-14")


def test_rekeyed_backup_holds_the_same_under_the_new_key_alone(rekeying, step):
    with step("encrypt everything directly under the key again, in a new backup"):
        source = rekeying.digest()
        survey = rekeying.write()
        assert survey.troubles == []
        assert rekeying.digest() == source

    with step("the new key opens every secret of it, the old key opens nothing"):
        check = rekeying.check()
        assert check.left == []
        assert check.lost == []
        assert check.old.opens_nothing
        assert check.new.opens_everything

    with step("every secret is the same, and so is every byte that is not encrypted with the key"):
        assert check.altered == []
        assert check.changed == []
        assert check.same_secrets


# Four starts and a restore, each of which takes minutes on a slow machine.
@pytest.mark.timeout(18_000)
def test_rekeyed_backup_starts_with_the_new_key_alone(rekeying, step):
    with step("rekey, and restore into an empty database"):
        rekeying.write()
        restored = rekeying.restore()

    with step("start with the new key: everything reads as before"):
        assert restored.start(rekeying.new).serves
        assert restored.reads_as_before()

    with step("restart: everything reads again, and a write works"):
        assert restored.restart().serves
        assert restored.reads_as_before()
        assert restored.writes()

    with step("redeploy with the old key: it does not start"):
        refused = restored.start(rekeying.old)
        assert not refused.serves
        assert refused.exit_code not in (None, 0)

    with step("the new key again: everything is there"):
        assert restored.start(rekeying.new).serves
        assert restored.reads_as_before()
