"""No command of the operator's own document reaches anything but this deployment."""

import pytest

pytestmark = [pytest.mark.control("RBK-1"), pytest.mark.timeout(7200), pytest.mark.closing]


def test_section_reaches_nothing_else(document, section, step):
    with step("carry the section out next to what others run, some of it named alike"):
        done = document.carry_out(section)

    with step("no command was aimed at anything but this deployment"):
        hit = "; ".join(done.host.strayed)
        assert not hit, hit
        done.refuse_incomplete()
