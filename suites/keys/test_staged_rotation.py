"""The runbook knows no rotation of ENCRYPTION_KEY; if the product offers one, it loses nothing."""

import pytest

from drillbook.infisical import key_rotation
from drillbook.infisical.crypto import label, openssl_rand_hex
from drillbook.infisical.http import Refused
from drillbook.keys.key_check import prove
from fixtures.data.first_generation import plant


@pytest.fixture
def rotating(installation):
    """The golden deployment to change; raises if the instance cannot rotate its key."""
    key_rotation.require(installation.for_reading().stack.sql)
    return installation.pristine()


@pytest.fixture
def root_keys(rotating):
    """A function that reads the rows of the root key from the database."""
    return lambda: key_rotation.root_keys(rotating.stack.sql)


def promoted(deployment):
    """Stage a key and deploy it; return the previous and the new key."""
    old = deployment.stack.settings["ENCRYPTION_KEY"]
    new = key_rotation.stage(deployment.owner).key
    assert deployment.change(ENCRYPTION_KEY=new).serves
    return old, new


@pytest.mark.control("KEY-12")
def test_no_rotation_of_the_encryption_key_is_offered(rotating, observe, step):
    with step("ask the instance to stage a new key"):
        before = rotating.inventory()
        new = key_rotation.stage(rotating.owner).key

    with step("redeploy with the staged key, which promotes it; everything reads, writes work"):
        lossless = rotating.change(ENCRYPTION_KEY=new).serves
        lossless = lossless and not rotating.differences(before) and rotating.writes()

    with step("a rotation that the product offers contradicts the runbook, whatever its result"):
        observe("rotation_supported" if lossless else "rotation_offered_and_broken")
        assert not new


@pytest.mark.control("KEY-12.STAGED")
def test_staged_rotation_loses_nothing(rotating, step):
    with step("stage a new key: nothing changes, the deployed one starts as before"):
        before = rotating.inventory()
        new = key_rotation.stage(rotating.owner).key
        assert rotating.restart().serves
        assert rotating.differences(before) == ""

    with step("redeploy with the staged key, which promotes it; it starts again, reads and writes"):
        assert rotating.change(ENCRYPTION_KEY=new).serves
        assert rotating.restart().serves
        assert rotating.differences(before) == ""
        assert rotating.writes()

    with step("a key that was never staged is refused, and does no damage"):
        assert not rotating.change(ENCRYPTION_KEY=openssl_rand_hex(16)).serves
        assert rotating.change(ENCRYPTION_KEY=new).serves
        assert rotating.differences(before) == ""


@pytest.mark.control("KEY-12.LABEL")
def test_a_key_is_named_by_its_label_and_no_other_is_removed(rotating, root_keys, step):
    other = label(openssl_rand_hex(16))
    with step("stage a key: the displayed label matches the key and its row"):
        staged = key_rotation.stage(rotating.owner)
        assert staged.label == label(staged.key)
        assert root_keys().staged == (staged.label,)

    with step("staging another is refused unless it replaces the first"):
        with pytest.raises(Refused):
            key_rotation.stage(rotating.owner)
        assert root_keys().staged == (staged.label,)

    with step(
        "discarding it under another label is refused with 409, and under its own it is gone"
    ):
        assert key_rotation.discard(rotating.owner, other) == 409
        assert root_keys().staged == (staged.label,)
        assert key_rotation.discard(rotating.owner, staged.label) < 300
        assert root_keys().staged == ()

    with step("a key that no longer exists is answered with 404"):
        assert key_rotation.discard(rotating.owner, staged.label) == 404
        assert key_rotation.remove(rotating.owner, staged.label) == 404


@pytest.mark.control("KEY-12.DISCARD")
def test_a_staged_key_opens_the_database_until_it_is_discarded(rotating, step):
    old = rotating.golden_settings["ENCRYPTION_KEY"]
    with step("stage a key and do not deploy it: a backup made now opens with it, every secret"):
        first = key_rotation.stage(rotating.owner)
        assert prove(rotating.back_up(), first.key).opens_everything

    with step("replace it: the first opens nothing of the next backup, the second everything"):
        second = key_rotation.stage(rotating.owner, instead=True)
        backup = rotating.back_up()
        assert prove(backup, first.key).opens_nothing
        assert prove(backup, second.key).opens_everything

    with step("discard that one: it opens nothing, the deployed key everything"):
        assert key_rotation.discard(rotating.owner, second.label) < 300
        backup = rotating.back_up()
        assert prove(backup, second.key).opens_nothing
        assert prove(backup, old).opens_everything

    with step("deployed, the discarded key does not start the backend, and does no damage"):
        assert not rotating.change(ENCRYPTION_KEY=second.key).serves
        assert rotating.change(ENCRYPTION_KEY=old).serves


@pytest.mark.control("KEY-12.WINDOW")
def test_the_key_before_starts_until_it_is_removed(rotating, root_keys, step):
    before = rotating.inventory()
    with step("rotate; within its window the old key starts the backend too, and reverts nothing"):
        old, new = promoted(rotating)
        assert rotating.change(ENCRYPTION_KEY=old).serves
        assert rotating.differences(before) == ""
        assert root_keys().active == label(new)
        started = root_keys().last_started

    with step("each start under it restarts its window"):
        assert rotating.restart().serves
        assert root_keys().last_started > started

    with step(
        "back under the new key, removing the old one is refused: an instance may still use it"
    ):
        assert rotating.change(ENCRYPTION_KEY=new).serves
        assert key_rotation.remove(rotating.owner, label(new)) == 409
        assert 400 <= key_rotation.remove(rotating.owner, label(old)) < 500
        assert root_keys().previous == (label(old),)

    with step(
        "remove it by force: it no longer starts the backend, and the new one reads everything"
    ):
        assert key_rotation.remove(rotating.owner, label(old), force=True) < 300
        assert not rotating.change(ENCRYPTION_KEY=old).serves
        assert rotating.change(ENCRYPTION_KEY=new).serves
        assert rotating.differences(before) == ""


@pytest.mark.control("KEY-12.TWICE")
def test_two_rotations_behind_does_not_start(rotating, root_keys, step):
    before = rotating.inventory()
    with step("rotate twice: only the previous key is kept"):
        oldest, old = promoted(rotating)
        replaced = key_rotation.replaced_keys(rotating.stack.sql)
        _, new = promoted(rotating)
        assert root_keys().previous == (label(old),)

    with step(
        "the history of keys says when each was replaced; the second rotation changes no time of it"
    ):
        history = key_rotation.replaced_keys(rotating.stack.sql)
        assert history.keys() >= {label(oldest), label(old)}
        assert history.items() >= replaced.items()

    with step("an instance two rotations behind does not start, one rotation behind does"):
        assert not rotating.change(ENCRYPTION_KEY=oldest).serves
        assert rotating.change(ENCRYPTION_KEY=old).serves

    with step("the current key starts the backend, and reads everything"):
        assert rotating.change(ENCRYPTION_KEY=new).serves
        assert rotating.differences(before) == ""


@pytest.mark.control("KEY-12.BACKUP")
def test_a_backup_needs_the_key_of_its_day(rotating, step):
    old = rotating.golden_settings["ENCRYPTION_KEY"]
    with step("back up before staging, while a key is staged, after its promotion, and at the end"):
        before, early = rotating.inventory(), rotating.back_up()
        new = key_rotation.stage(rotating.owner).key
        staged = rotating.back_up()
        assert rotating.change(ENCRYPTION_KEY=new).serves
        late = rotating.back_up()
        assert key_rotation.remove(rotating.owner, label(old), force=True) < 300
        done = rotating.back_up()

    with step(
        "offline, the first backup needs the old key, the one with a staged key opens with either"
    ):
        assert prove(early, old).opens_everything
        assert prove(early, new).opens_nothing
        assert prove(staged, old).opens_everything
        assert prove(staged, new).opens_everything

    with step("so does the one within the window; the last one needs the new key"):
        assert prove(late, old).opens_everything
        assert prove(late, new).opens_everything
        assert prove(done, new).opens_everything
        assert not prove(done, old).roots_opened

    with step(
        "restored, the first backup is refused under the new key and starts under the old one"
    ):
        rotating.restore(early)
        assert not rotating.change(ENCRYPTION_KEY=new).serves
        assert rotating.change(ENCRYPTION_KEY=old).serves
        assert rotating.differences(before) == ""


@pytest.mark.control("KEY-12.LEGACY")
def test_a_rotation_takes_everything_from_the_old_key(rotating, observe, step):
    with step("count what is encrypted directly with the key, besides the root key"):
        with rotating.change_by_hand():
            # Add tables with such values if the instance lacks them.
            plant(rotating.stack, rotating.stack.settings)
        under = prove(rotating.back_up(), rotating.stack.settings["ENCRYPTION_KEY"])

    with step(
        "rotate, and remove the old key: what it encrypted is read with the key that is kept"
    ):
        old, new = promoted(rotating)
        assert key_rotation.remove(rotating.owner, label(old), force=True) < 300
        backup = rotating.back_up()
        after = prove(backup, new)
        if after.kept != [label(old)] or not after.opens_everything:
            observe("kept_key_lost")
        assert after.opens_everything
        assert after.kept == [label(old)]

    with step("the old key no longer opens anything of that backup"):
        left = prove(backup, old).under_this_key
        if left:
            observe("old_key_opens_first_generation")
        assert not left, f"{left} of {under.first_generation} values lie under the old key for good"
