"""No command of the operator's own document affects anything but this deployment."""

import pytest

from drillbook.core.errors import Unsupported

pytestmark = [pytest.mark.control("RBK-1"), pytest.mark.timeout(7200), pytest.mark.closing]


def test_section_reaches_nothing_else(document, section, step):
    with step("carry out the section next to other workloads, some with similar names"):
        done = document.carry_out(section)

    with step("no command targeted anything but this deployment"):
        hit = "; ".join(done.host.strayed)
        assert not hit, hit
        done.refuse_incomplete()
        document.refuse_unchecked(section)
        if done.early_end:
            raise Unsupported(f"{done.early_end}: what follows there was not seen")
