"""No command of the operator's own document affects anything but this deployment."""

import pytest

pytestmark = [pytest.mark.control("RBK-1"), pytest.mark.timeout(7200), pytest.mark.closing]


def test_procedure_reaches_nothing_else(document, procedure, step):
    with step("carry out the procedure next to two other applications with similar names"):
        hit = document(procedure)

    with step("their containers, volumes and files are as they were, and none was restarted"):
        assert hit == [], "; ".join(hit)
