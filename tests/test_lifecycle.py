"""Plans are varied and possible, find the bugs that are played, and shrink to a short runbook."""

import contextlib
import importlib
from collections import Counter
from types import SimpleNamespace
from typing import get_args

import pytest

from fixtures.errors import BadInput
from fixtures.infisical.settings import KEYS
from fixtures.lifecycle import plugin
from fixtures.lifecycle.acts import (
    KNOWN,
    PARTS,
    ROOT_KEY,
    Act,
    Budget,
    Verb,
    numbered,
    orders_tried,
    share,
)
from fixtures.lifecycle.explore import NotRepeated, carried_out, explored, shrunk, without
from fixtures.lifecycle.machine import plans
from fixtures.lifecycle.model import Model, Value, difference, possible
from fixtures.lifecycle.plugin import Lifecycle, budget
from tests.simulated import BUGS, Played

SMALL = Budget(12, 12)


@pytest.fixture(scope="module")
def tried():
    """What the default budget tries with one seed."""
    return plans(SMALL, 1)


@pytest.fixture(scope="module")
def many():
    return plans(Budget(100, 12), 1)


def test_a_seed_decides_the_plans(tried):
    assert tried == plans(SMALL, 1)
    assert tried != plans(SMALL, 2)


def test_a_seed_decides_the_plans_whatever_is_loaded(tried, tmp_path, monkeypatch):
    # Unheeded, one of these would now and then be how many rules a plan leaves out.
    numbers = ", ".join(map(str, range(100, 255)))
    tmp_path.joinpath("full_of_constants.py").write_text(f"WORDS = [{numbers}]\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.import_module("full_of_constants").WORDS
    assert plans(SMALL, 1) == tried


def test_the_parts_use_the_whole_budget_up_and_think_for_themselves():
    shares = [share(Budget(10, 5), 7, part) for part in range(PARTS)]
    assert sum(budget.runs for budget, _ in shares) == 10
    assert len({seed for _, seed in shares}) == PARTS


def test_plans_are_as_many_and_as_long_as_the_budget_says(tried):
    assert len(set(tried)) == SMALL.runs
    assert max(map(len, tried)) <= SMALL.acts
    assert all(map(possible, tried))


def test_every_act_and_every_key_is_tried(many):
    acts = [act for plan in many for act in plan]
    assert {act.verb for act in acts} == set(get_args(Verb))
    assert {act.on for act in acts if act.verb == "rotate"} == set(KEYS)
    assert max(Counter(act.verb for act in acts).values()) < len(acts) / 2


def test_no_sequence_breaks_what_is_sound(tried):
    assert explored(tried, Played.begin) is None


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_the_known_plans_find_every_played_bug_whatever_the_seed(bug):
    assert explored(KNOWN, bug.begin)


def test_each_part_has_a_known_plan_that_is_possible_and_sound():
    assert len(set(KNOWN)) == PARTS
    assert all(map(possible, KNOWN))
    assert explored(KNOWN, Played.begin) is None


@pytest.mark.parametrize("part", range(PARTS))
def test_each_part_begins_with_its_known_plan_and_says_what_it_did_not_try(part, monkeypatch):
    notes, carried = [], []
    recorder = SimpleNamespace(seed=1, note=notes.append)
    lifecycle = Lifecycle(None, recorder, None, Budget(1, 3))
    monkeypatch.setattr(plugin, "explored", lambda plans, _begin: carried.extend(plans))
    lifecycle.explore(part)
    assert carried[0] == KNOWN[part]
    assert len(carried) == (2 if part == 0 else 1)
    assert "is not found" in notes[-1]
    assert orders_tried(carried) in notes[-1]


def test_orders_are_counted_once():
    acts = [Act("restart"), Act("kill"), Act("restart"), Act("kill")]
    assert orders_tried([tuple(acts), tuple(acts[:3])]).startswith("4 of the 1331 ")


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_a_bug_is_found_and_shrunk_to_what_is_needed(bug, many):
    found = shrunk(explored(many, bug.begin), bug.begin)
    assert carried_out(found.plan, bug.begin) == found
    for position in range(len(found.plan)):
        part = without(found.plan, {position})
        assert not (part and possible(part) and carried_out(part, bug.begin)), "an act is idle"


def test_what_is_seen_once_only_proves_nothing():
    deployments = iter([Forgetful, Played])

    @contextlib.contextmanager
    def begin():
        yield next(deployments)()

    plan = (Act("write", "ALPHA", "plain"),)
    found = explored([plan], begin)
    with pytest.raises(NotRepeated, match="write the secret ALPHA"):
        shrunk(found, begin)


class Forgetful(Played):
    def look(self, _wanted):
        return {}


def test_what_refers_to_a_removed_act_is_counted_anew():
    plan = (
        Act("back up"),
        Act("write", "ALPHA", "plain"),
        Act("back up"),
        Act("rotate", ROOT_KEY),
        Act("rotate", ROOT_KEY),
        Act("restore", which=1),
        Act("put back", ROOT_KEY, which=2),
    )
    assert without(plan, {0})[-2:] == (Act("restore"), plan[-1])
    assert without(plan, {3})[-1] == Act("put back", ROOT_KEY, which=1)
    assert without(plan, {2}) is None
    assert without(plan, {4}) is None


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "nothing can be read"),
        ({}, "ALPHA, BETA is lost"),
        ({"ALPHA": Value("plain", 0)}, "BETA is lost"),
        ({"ALPHA": Value("long", 1), "BETA": Value("plain", 1)}, "ALPHA has another value"),
        (
            {"ALPHA": Value("plain", 0), "BETA": Value("plain", 1), "GAMMA": Value("plain", 2)},
            "GAMMA is there, though it was deleted",
        ),
    ],
)
def test_a_difference_is_one_sentence(found, words):
    wanted = {"ALPHA": Value("plain", 0), "BETA": Value("plain", 1)}
    assert words in difference(wanted, found)
    assert difference(wanted, dict(wanted)) is None


def test_served_under_a_wrong_key_is_a_difference_though_nothing_is_stored():
    assert "not written under" in difference(None, {})


def test_the_model_follows_keys_backups_and_wipes():
    model = Model()
    for act in (
        Act("write", "ALPHA", "plain"),
        Act("back up"),
        Act("rotate", ROOT_KEY),
        Act("wipe"),
        Act("write", "BETA", "empty"),
    ):
        assert model.can(act)
        model.do(act)
    assert model.seen == {"BETA": Value("empty", 1)}
    model.do(Act("restore"))
    assert model.seen is None
    model.do(Act("put back", ROOT_KEY))
    assert model.seen == {"ALPHA": Value("plain", 0)}
    assert not model.can(Act("put back", ROOT_KEY))
    assert not model.can(Act("restore", which=1))
    assert not model.can(Act("delete", "BETA"))


def test_a_plan_reads_as_a_runbook():
    assert numbered([Act("write", "ALPHA", "long"), Act("restore", which=1)]) == [
        "1. write the secret ALPHA, a value of the kind `long`",
        "2. restore backup 2 into an empty database and start the backend",
    ]


@pytest.mark.parametrize(
    "words", ["x", "12", "0x12", "12x0", "-1x3", "1.5x2", "twelve", "9999999x1"]
)
def test_a_budget_that_is_none_is_refused(words):
    with pytest.raises(BadInput, match="BUDGET="):
        budget(words, "embedded")


def test_a_budget_is_read_or_follows_from_the_driver():
    assert budget("100X12", "containers") == Budget(100, 12)
    assert budget(None, "embedded").runs > budget("", "containers").runs
