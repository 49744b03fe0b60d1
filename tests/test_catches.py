"""Every known-bad deployment that a control must catch is planted, and dies by that control."""

import tomllib
from pathlib import Path

import pytest

from fixtures.mutants.base import registry

TABLE = tomllib.loads(Path(__file__).with_name("catches.toml").read_text(encoding="utf-8"))
CELLS = [
    pytest.param(control, names, id=f"{control}: {words}")
    for control, cell in TABLE["catches"].items()
    for words, names in cell.items()
]


@pytest.mark.parametrize(("control", "names"), CELLS)
def test_what_a_control_must_catch_is_planted_for_it(control, names):
    known = registry()
    assert [known[name].control for name in names] == [control] * len(names) != []


@pytest.mark.parametrize("words", TABLE["nasty"])
def test_the_nasty_ones_are_planted(words):
    for name in TABLE["nasty"][words]:
        assert name in registry()


def test_no_bug_stands_for_two_cells_of_a_control():
    for control, cell in TABLE["catches"].items():
        names = [name for found in cell.values() for name in found]
        assert len(names) == len(set(names)), control
