"""The plan of `make mutate-own` is true: its modules, tests and reviewed lines are there."""

import tomllib
from pathlib import Path

import pytest

from tests.planting import compiles, ignorable, selected

ROOT = Path(__file__).resolve().parents[1]
PLAN = tomllib.loads((ROOT / "tests" / "mutated.toml").read_text(encoding="utf-8"))
GROUPS = ["reports/seal/*.py", "fixtures/keyproof/*.py"]
# Nothing in it is executed that a mutant could change, or it is the list of arguments.
TOO_SMALL = ("__init__", "__main__", "facts")


@pytest.mark.parametrize("module", PLAN["modules"])
def test_module_and_its_tests_are_there(module):
    named = [module, *(test.partition("::")[0] for test in PLAN["modules"][module])]
    assert [one for one in named if not (ROOT / one).is_file()] == []


def test_every_module_that_a_verdict_hangs_on_is_planned():
    present = {
        str(path.relative_to(ROOT))
        for pattern in GROUPS
        for path in ROOT.glob(pattern)
        if path.stem not in TOO_SMALL
    }
    assert present - PLAN["modules"].keys() == set(), "add it to tests/mutated.toml"


@pytest.mark.parametrize(
    "one", PLAN["equivalent"], ids=lambda one: f"{one['module']}: {one['now']}"
)
def test_reviewed_mutant_changes_a_line_that_is_there(one):
    lines = [line.strip() for line in (ROOT / one["module"]).read_text().splitlines()]
    assert one["was"] in lines, "the line has changed: review it again, or take it out"
    assert one["now"] != one["was"]
    assert len(one["reason"]) > 20, "say why nobody can see the difference"


def test_what_is_no_python_and_what_nothing_executes_is_not_planted():
    assert not compiles("def f(a, +, b): pass")
    assert compiles("def f(a, *, b): pass")
    source = "@d(frozen=True, x=True)\nclass A:\n    a: int = 1\n"
    assert {(1, 10), (3, 7)} <= ignorable(source)
    assert {(1, 18), (3, 13)}.isdisjoint(ignorable(source))
    assert selected("core/ReplaceComparisonOperator_Lt_LtE")
    assert not selected("core/ReplaceComparisonOperator_Lt_Is")
    assert selected("core/NumberReplacer")
