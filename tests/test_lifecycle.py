"""Plans are varied and possible, find the bugs that are played, and shrink to a short runbook."""

import contextlib
import importlib
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest

from drillbook.core.errors import BadInput, Unsupported
from drillbook.infisical.settings import KEYS
from fixtures.lifecycle import plugin
from fixtures.lifecycle.acts import (
    KNOWN,
    ROOT_KEY,
    Act,
    Budget,
    Verb,
    count_orders,
    number_acts,
    own_seed,
)
from fixtures.lifecycle.explore import Broken, NotRepeated, carried_out, shrunk, without
from fixtures.lifecycle.machine import plan
from fixtures.lifecycle.model import Model, Value, difference, possible
from fixtures.lifecycle.plugin import Lifecycle, budget, plan_name
from tests.simulated import BUGS, Played

ROOT = Path(__file__).parents[1]


def plans(runs, seed):
    """What a run of this seed and so many plans of twelve acts makes up."""
    return [plan(12, own_seed(seed, number)) for number in range(runs)]


def first_broken(tried, begin):
    return next(filter(None, (carried_out(one, begin) for one in tried)), None)


@pytest.fixture(scope="module")
def tried():
    return plans(12, 1)


@pytest.fixture(scope="module")
def many():
    return plans(100, 1)


def test_a_seed_decides_the_plans(tried):
    assert tried == plans(12, 1)
    assert tried != plans(12, 2)


def test_a_seed_decides_the_plans_whatever_is_loaded(tried, tmp_path, monkeypatch):
    # Unheeded, one of these would now and then be how many rules a plan leaves out.
    numbers = ", ".join(map(str, range(100, 255)))
    tmp_path.joinpath("full_of_constants.py").write_text(f"WORDS = [{numbers}]\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.import_module("full_of_constants").WORDS
    assert plans(12, 1) == tried


def test_a_plan_is_the_first_of_a_run_of_its_own_seed(tried):
    for number in (0, 5, 11):
        assert plans(1, own_seed(1, number)) == [tried[number]]


def test_plans_differ_and_are_as_long_as_the_budget_says(tried):
    assert len(set(tried)) == 12
    assert max(map(len, tried)) <= 12
    assert all(map(possible, tried))


def test_plans_of_two_seeds_differ():
    seeds = [own_seed(seed, number) for seed in (1, 2) for number in range(100)]
    assert len(set(seeds)) == 200
    assert max(seeds) < 2**32


def test_a_third_of_the_plans_may_wipe_and_a_half_restores(tried):
    verbs = [{act.verb for act in one} for one in tried]
    assert sum("wipe" in one for one in verbs) <= 4
    assert sum("restore" in one for one in verbs) >= 6


def test_every_act_and_every_key_is_tried(many):
    acts = [act for plan in many for act in plan]
    assert {act.verb for act in acts} == set(get_args(Verb))
    assert {act.on for act in acts if act.verb == "rotate"} == set(KEYS)
    assert max(Counter(act.verb for act in acts).values()) < len(acts) / 2


def test_no_sequence_breaks_what_is_sound(tried):
    assert first_broken(tried, Played.begin) is None


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_the_known_plans_find_every_played_bug_whatever_the_seed(bug):
    assert first_broken(KNOWN, bug.begin)


def test_known_plans_are_possible_and_sound():
    assert len(set(KNOWN)) == 4
    assert all(map(possible, KNOWN))
    assert first_broken(KNOWN, Played.begin) is None


@pytest.fixture
def explorer(monkeypatch):
    """A function that makes a Lifecycle on a played deployment; what it noted."""
    notes = []
    recorder = SimpleNamespace(seed=1, note=notes.append)

    def made(played, **options):
        monkeypatch.setattr(Lifecycle, "_begin", lambda _self: played.begin())
        return Lifecycle(None, recorder, None, Budget(2, 12), **options), notes

    return made


def test_known_plans_come_first_and_each_says_what_is_not_found(explorer, monkeypatch):
    carried = []
    monkeypatch.setattr(plugin, "carried_out", lambda plan, _begin: carried.append(plan))
    lifecycle, notes = explorer(Played)
    for number in range(lifecycle.total):
        lifecycle.explore(number)
        assert notes[-2].startswith(f"{plan_name(number)} of 6, {len(carried[-1])} acts: ")
        assert "is not found" in notes[-1]
        assert count_orders(carried[-1:]) in notes[-1]
    assert carried == [*KNOWN, *plans(2, 1)]
    assert lifecycle.seed_of(5) == own_seed(1, 1)


def test_after_a_plan_that_broke_the_claim_others_are_not_carried_out(explorer):
    lifecycle, _ = explorer(Forgetful)
    broken = lifecycle.explore(4)
    assert lifecycle.shorten(4, broken).words
    with pytest.raises(Unsupported, match="plan-1 broke the claim"):
        lifecycle.explore(5)


def test_a_plan_is_shortened_for_so_long_as_is_allowed(explorer):
    lifecycle, _ = explorer(Forgetful, shorten_s=0.0)
    broken = Broken((*[Act("restart")] * 9, Act("write", "ALPHA", "plain")), "a secret is lost")
    assert lifecycle.shorten(0, broken) == broken
    usual, _ = explorer(Forgetful)
    assert len(usual.shorten(0, broken).plan) == 1


def test_others_are_carried_out_after_a_plan_that_broke_the_claim_only_once(explorer):
    lifecycle, _ = explorer(Played)
    with pytest.raises(NotRepeated):
        lifecycle.shorten(0, Broken(KNOWN[0], "a secret is lost"))
    assert lifecycle.explore(1) is None


def test_each_plan_is_a_spec_of_its_own():
    command = ["-m", "pytest", "suites/lifecycle", "--budget=2x3", "--collect-only", "-q"]
    done = subprocess.run(
        [sys.executable, *command, "-p", "no:cacheprovider"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.findall(r"\[(.+)\]", done.stdout)
    assert found == ["known-1", "known-2", "known-3", "known-4", "plan-1", "plan-2"]


def test_orders_are_counted_once():
    acts = [Act("restart"), Act("kill"), Act("restart"), Act("kill")]
    assert count_orders([tuple(acts), tuple(acts[:3])]).startswith("4 of the 1331 ")


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_a_bug_is_found_and_shrunk_to_what_is_needed(bug, many):
    found = shrunk(first_broken(many, bug.begin), bug.begin)
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
    found = carried_out(plan, begin)
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
    assert number_acts([Act("write", "ALPHA", "long"), Act("restore", which=1)]) == [
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
