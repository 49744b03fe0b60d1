"""No order of an operator's acts loses a secret, or serves one under a wrong key.

After each act the operator reads everything and compares it with the model of what must be there:
`operator.fault` says what differed, and after which acts.
"""

import pytest

from drillbook.infisical.settings import KEYS

pytestmark = [pytest.mark.control("LIF-1"), pytest.mark.timeout(7200), pytest.mark.slow]

ENCRYPTION_KEY, AUTH_SECRET, *_ = KEYS


def test_a_start_under_a_wrong_key_and_then_the_right_one(operator, step):
    with step("write two secrets, start twice under another key, and put the key back"):
        operator.write("ALPHA", "plain")
        operator.write("BETA", "empty")
        operator.rotate(ENCRYPTION_KEY)
        operator.restart()
        operator.put_back(ENCRYPTION_KEY)
        assert operator.fault is None, operator.fault

    with step("what is written, deleted and emptied after that outlasts a restart"):
        operator.write("GAMMA", "long")
        operator.write("ALPHA", "lines")
        operator.delete("BETA")
        operator.write("ALPHA", "empty")
        operator.restart()
        assert operator.fault is None, operator.fault


def test_a_restore_of_the_newest_and_of_an_older_backup(operator, step):
    with step("back up twice, with writes before, between and after"):
        operator.write("ALPHA", "unicode")
        operator.write("GAMMA", "empty")
        operator.back_up()
        operator.write("BETA", "plain")
        operator.back_up()
        operator.delete("ALPHA")
        assert operator.fault is None, operator.fault

    with step("restore the newest backup; it outlasts a restart"):
        operator.restore(1)
        operator.restart()
        operator.write("GAMMA", "long")
        assert operator.fault is None, operator.fault

    with step("restore the older backup; it outlasts a restart"):
        operator.restore(0)
        operator.restart()
        assert operator.fault is None, operator.fault


def test_other_passwords_and_keys_with_restarts_an_outage_and_a_kill(operator, step):
    with step("rotate the database password, and restart"):
        operator.write("ALPHA", "lines")
        operator.rotate_password()
        operator.restart()
        assert operator.fault is None, operator.fault

    with step("replace AUTH_SECRET, restart, and lose the cache for a moment"):
        operator.rotate(AUTH_SECRET)
        operator.restart()
        operator.stop_cache()
        assert operator.fault is None, operator.fault

    with step("write, kill the backend, put AUTH_SECRET back, and rotate the password again"):
        operator.write("BETA", "long")
        operator.kill()
        operator.put_back(AUTH_SECRET)
        operator.rotate_password()
        assert operator.fault is None, operator.fault


def test_a_wipe_under_another_key_and_the_earlier_backup(operator, step):
    with step("back up, replace ENCRYPTION_KEY, wipe, and write to the new instance"):
        operator.write("ALPHA", "plain")
        operator.back_up()
        operator.rotate(ENCRYPTION_KEY)
        operator.wipe()
        operator.write("BETA", "unicode")
        operator.restart()
        assert operator.fault is None, operator.fault

    with step("restore the earlier backup, put its key back, and write"):
        operator.restore(0)
        operator.put_back(ENCRYPTION_KEY)
        operator.write("GAMMA", "plain")
        operator.restart()
        assert operator.fault is None, operator.fault


def test_random_sequences_of_acts(lifecycle, record, step):
    with step("carry out random sequences; after each act everything is as the model says"):
        record.note(
            f"{lifecycle.budget.sequences} sequences of up to {lifecycle.budget.acts} acts; an "
            "order that none of them has is not tried: a larger --budget tries more"
        )
        fault = lifecycle.explore()
        assert fault is None, fault
