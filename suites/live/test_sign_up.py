"""A running instance's public configuration says that strangers cannot sign up."""

import pytest

from drillbook.live.instance import sign_up


@pytest.mark.control("SEC-9")
def test_running_instance_takes_no_stranger(instance, observe, record, step):
    with step("read, without a log-in, the public configuration"):
        config = instance.config
        if newer := instance.newer_release:
            record.note(newer)

    with step("it says that sign-up is closed, or open to one domain alone"):
        seen = sign_up(config)
        observe(seen)
        assert seen != "sign_up_open"
