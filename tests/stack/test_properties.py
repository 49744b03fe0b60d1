"""The property spec of imports finds losses of some values alone, within its default budget.

`drillbook qualify` asks it of the spec of backups.
"""

import importlib

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from drillbook.infisical.crypto import BLANK
from fixtures.data.strategies import deterministic_draws, secret_sets
from tests.stack.test_mutants import judged, verify

__all__ = ["verify"]


@given(secret_sets(most=12))
def test_each_set_has_what_stores_lose(secrets):
    every = secrets.values()
    assert len(secrets) <= 12
    assert any(len(value) > 4096 for value in every)
    assert "" in every
    assert any(value.endswith("\n") and value.strip(BLANK) for value in every)
    assert all(value.strip(BLANK) + "\n" * value.endswith("\n") == value for value in every)


def test_a_seed_decides_the_examples_whatever_is_loaded(tmp_path, monkeypatch):
    def drawn():
        found = []
        with deterministic_draws():
            seed(1)(
                settings(max_examples=300, database=None)(
                    given(st.text())(lambda one: found.append(one))
                )
            )()
        return found

    before = drawn()
    # Unheeded, one of these would be drawn now and then.
    words = ", ".join(f'"constant {number}"' for number in range(100))
    tmp_path.joinpath("full_of_constants.py").write_text(f"WORDS = [{words}]\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.import_module("full_of_constants").WORDS
    assert drawn() == before


@pytest.mark.mutant
@pytest.mark.parametrize("mutant", ["ImportTruncatesAt4K", "ImportDropsEmptyValues"])
def test_planted_loss_is_found_by_the_property_alone(verify, mutant):
    spec = "test_any_secret_arrives"
    _code, evidence = verify(f"--mutant={mutant}", "--controls=MIG-1", "-k", spec, "--seed=1")
    assert judged(evidence)["MIG-1"] == ["violated"]
    specs = next(one["specs"] for one in evidence["controls"] if one["id"] == "MIG-1")
    ran = {one["id"].rpartition("::")[2] for one in specs if one["verdict"] != "not_run"}
    assert ran == {spec}
