"""Stored data is unreadable without the keys, and the keys are not stored in the instance."""

import pytest

from drillbook.infisical.crypto import openssl_rand_hex
from drillbook.keys.key_check import prove
from fixtures.data.golden import COMMENT, ENVIRONMENTS
from fixtures.data.plaintext_search import Search, find_keys, storage_places
from fixtures.deployment import judged_answers
from fixtures.oracle import sealing
from fixtures.probes.read_probe import ExposureProbe

# More values than a start may encrypt before them, so that a restarted nonce counter repeats.
NOTES = 40


@pytest.mark.control("KEY-1")
def test_no_value_is_stored_in_a_readable_form(deployment, step):
    with step("read everything, so that caches and logs are filled; write once more"):
        deployment.inventory()
        assert deployment.writes()

    with step("restart, which resets any counter; write again, and back up"):
        assert deployment.restart().serves
        # Pairs of equal texts, because their ciphertexts must differ too.
        deployment.fill({f"NOTE_{number}": f"note {number // 2}" for number in range(NOTES)})
        backup = deployment.back_up()

    with step("search backup, database files, cache and logs, in every encoding, and for digests"):
        search = Search({**deployment.golden.canaries, "COMMENT": COMMENT}, digests=True)
        assert search.blind_to == ["EMPTY"]
        places = storage_places(deployment.stack, backup, search)
        readable = {place: found for place, chunks in places if (found := search.find(chunks))}
        shown = "; ".join(f"{place}: {', '.join(found)}" for place, found in readable.items())
        assert not readable, shown

    with step("offline the deployed key opens the backup, and another key opens nothing of it"):
        key = deployment.golden_settings["ENCRYPTION_KEY"]
        assert prove(backup, key).opens_everything
        assert prove(backup, openssl_rand_hex(16)).opens_nothing

    with step(
        "nonces and keys are random, and a project's key opens all its data and no other project's"
    ):
        assert sealing.find_flaws(backup, key) == []

    with step("flip a bit in every stored value: what is read is not served in its altered form"):
        assert not deployment.serves_altered_value()


@pytest.mark.control("KEY-1")
@pytest.mark.golden("stopped")
def test_each_database_has_a_root_key_of_its_own(deployment, step):
    with step("back up; start on an empty database under the same key, and back up again"):
        backups = [deployment.back_up()]
        deployment.empty()
        assert deployment.redeploy(deployment.golden_settings).serves
        backups.append(deployment.back_up())

    with step("that key opens a root key in each, and they differ"):
        key = deployment.golden_settings["ENCRYPTION_KEY"]
        first, second = (sealing.root_keys(one, key) for one in backups)
        assert first
        assert second
        assert first.isdisjoint(second)


@pytest.mark.control("KEY-6")
@pytest.mark.golden("stopped")
def test_nothing_is_accessible_under_a_wrong_key(deployment, observe, step):
    wrong, probe = openssl_rand_hex(16), ExposureProbe(deployment, deployment.inventory_before_stop)
    with step("back up"):
        backup = deployment.back_up()

    asking = "redeploy with another ENCRYPTION_KEY, asking for every secret while health is good"
    with step(asking), probe.watching():
        deployment.change(ENCRYPTION_KEY=wrong)

    with step("try the other key on the backup, offline"):
        backup_opens = not prove(backup, wrong).opens_nothing

    with step("neither the instance nor the backup disclosed a secret"):
        if probe.true_values:
            observe("secrets_served_under_wrong_key")
        if backup_opens:
            observe("backup_opened_by_wrong_key")
        if not probe.true_values and not backup_opens:
            probe.check_answers()
            observe("nothing_accessible")
        true_values = probe.true_values
        assert true_values == 0, probe
        assert not backup_opens


@pytest.mark.control("KEY-10")
def test_keys_are_not_stored_in_the_instance(deployment, step):
    @judged_answers()
    def kept():
        places = [deployment.golden.place(name) for name in ENVIRONMENTS]
        seen = [one for place in places for one in deployment.service.secrets(place)]
        return find_keys(seen, deployment.golden_settings)

    with step("compare every readable secret with every key, by label and within longer values"):
        assert kept() == []

    with step("the search works: a key between other words is found, then removed"):
        place = deployment.golden.place("dev")
        key = deployment.golden_settings["AUTH_SECRET"]
        deployment.service.write(place, {"NOTE": f"  the key:\n{key}\nkeep it  "})
        assert kept() == ["NOTE holds AUTH_SECRET"]
        deployment.service.delete(place, "NOTE")
