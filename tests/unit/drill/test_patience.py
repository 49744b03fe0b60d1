"""A spec is not ended while the harness itself would still wait for what it asked."""

import importlib.util

import pytest

from drillbook.core.application import ROOT
from drillbook.drill import drill

SUITES = ROOT / "suites"


def loaded(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def allowed_s(module):
    """Seconds that the marks of a whole file allow each of its specs; None: those of pyproject."""
    marks = getattr(module, "pytestmark", [])
    marks = marks if isinstance(marks, list) else [marks]
    return next((mark.args[0] for mark in marks if mark.name == "timeout"), None)


@pytest.mark.parametrize("path", sorted((SUITES / "drill").glob("test_*.py")), ids=lambda p: p.stem)
def test_whoever_asks_first_for_a_drill_may_wait_for_all_of_it(path):
    # Fetch, proof, restore and two starts under keys, one of them wrong, may fall to one spec.
    assert allowed_s(loaded(path)) >= 3 * drill._PATIENCE_S["containers"]
