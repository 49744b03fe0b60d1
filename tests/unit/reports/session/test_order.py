"""Specs run in an order that the seed decides, and that a filter does not change."""

from itertools import groupby
from types import SimpleNamespace

import pytest

from drillbook.stack.driver_selection import Choice
from fixtures.session.stacks import CHOICE, pytest_itemcollected
from reports.session.spec_selection import READING, shuffle
from reports.session.xdist_workers import units

SPECS = [
    f"suites/{folder}/test_{file}.py::test_{number}"
    for folder in ("keys", "wipe", "backup")
    for file in ("first", "second")
    for number in range(3)
]


def item(name, *marks):
    return SimpleNamespace(nodeid=name, get_closest_marker=lambda mark: mark in marks or None)


def order(seed, specs=SPECS, closing=(), reading=()):
    marks = {"closing": closing, "reading": reading}
    items = [item(one, *(mark for mark in marks if one in marks[mark])) for one in specs]
    return [one.nodeid for one in shuffle(items, seed)]


def test_a_seed_is_an_order():
    assert order(7) == order(7) == order(7, list(reversed(SPECS)))
    assert sorted(order(7)) == sorted(SPECS)
    assert len({tuple(order(seed)) for seed in range(50)}) == 50


def test_every_spec_comes_first_by_some_seed():
    assert {order(seed)[0] for seed in range(400)} == set(SPECS)


def test_parameters_of_a_spec_keep_their_order():
    plans = [f"suites/lifecycle/test_plans.py::test_a_plan[{name}]" for name in "cab"]
    for seed in range(20):
        assert [one for one in order(seed, [*SPECS, *plans]) if one in plans] == plans


def test_folders_and_files_stay_together():
    for depth in (2, 3):
        blocks = [name for name, _ in groupby(one.split("/")[:depth] for one in order(11))]
        assert len(blocks) == len({tuple(one) for one in blocks})


def test_what_closes_a_folder_comes_last_in_it():
    closing = SPECS[0]
    folder = closing.split("/")[1]
    for seed in range(50):
        found = order(seed, closing=(closing,))
        assert [one for one in found if f"/{folder}/" in one][-1] == closing
        others = [one for one in order(seed) if one != closing]
        assert [one for one in found if one != closing] == others


def test_specs_that_only_read_are_together_wherever_they_stand():
    reading = SPECS[1], SPECS[8], SPECS[13]
    firsts = set()
    for seed in range(200):
        found = order(seed, reading=reading)
        places = sorted(found.index(one) for one in reading)
        assert places == list(range(places[0], places[0] + 3))
        firsts.add(found[places[0]])
        others = [one for one in order(seed) if one not in reading]
        assert [one for one in found if one not in reading] == others
    assert firsts == set(reading)


def test_side_by_side_specs_that_only_read_are_one_unit_as_long_as_all_of_them():
    items = [item("a", "reading"), item("b"), item("c", "reading")]
    assert units(items, {"a": 30.0, "b": 20.0, "c": 50.0}) == [["a", "c"], ["b"]]
    assert units(items, {"a": 0.1, "b": 20.0, "c": 0.2}) == [["b"], ["a", "c"]]


def test_side_by_side_specs_without_an_earlier_run_start_with_the_slow_ones():
    items = [item("a"), item("b", "slow"), item("c")]
    assert units(items, {}) == [["b"], ["a"], ["c"]]
    assert units(items, {"b": 20.0, "c": 30.0}) == [["a"], ["b"], ["c"]]


def test_side_by_side_specs_of_one_group_do_not_start_last():
    items = [item("a"), item("b", "reading"), item("c", "slow"), item("d", "reading")]
    assert units(items, {}) == [["c"], ["b", "d"], ["a"]]


@pytest.mark.parametrize(
    ("state", "asked", "reads"),
    [
        ("shared", ["deployment", "step"], True),
        ("shared", ["deployment", "neighbour"], False),
        ("stopped", ["deployment"], False),
        (None, ["deployment"], False),
    ],
)
def test_a_spec_is_marked_that_asks_for_the_golden_state_to_read_alone(state, asked, reads):
    marks, golden = [], pytest.mark.golden(state).mark if state else None
    config = SimpleNamespace(stash={CHOICE: Choice("embedded", "asked for")})
    item = SimpleNamespace(
        fixturenames=asked,
        add_marker=marks.append,
        get_closest_marker=lambda _name: golden,
        config=config,
    )
    pytest_itemcollected(item)
    assert [one.name for one in marks] == [READING] * reads


def test_a_filter_moves_no_spec():
    some = SPECS[::2]
    assert order(3, some) == [one for one in order(3) if one in some]


def test_side_by_side_specs_of_a_length_stay_in_the_order_of_the_seed():
    names = ["b", "a", "long", "c"]
    items = [SimpleNamespace(nodeid=one, get_closest_marker=lambda _: None) for one in names]
    seconds = {"a": 0.01, "b": 0.3, "c": 0.2, "long": 40.0}
    assert units(items, seconds) == [["long"], ["b"], ["a"], ["c"]]


def test_specs_that_share_a_fixture_of_their_file_stay_as_they_stand():
    wiped = SimpleNamespace(name2fixturedefs={"wiped": [SimpleNamespace(scope="module")]})
    names = [f"suites/wipe/test_wipe.py::test_{number}" for number in range(4)]
    items = [SimpleNamespace(nodeid=one, get_closest_marker=lambda _: None) for one in names]
    items[2]._fixtureinfo = wiped
    for seed in range(20):
        assert [one.nodeid for one in shuffle(items, seed)] == names
