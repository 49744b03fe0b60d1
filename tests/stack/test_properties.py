"""The property specs find bugs that show only for some values, within their default budget."""

import pytest
from hypothesis import given

from drillbook.infisical.crypto import BLANK
from fixtures.data.strategies import secret_sets
from tests.stack.test_mutants import judged, verify

__all__ = ["verify"]
FOUND_BY = {
    ("BKP-1", "test_any_secret_comes_back"): (
        "TruncatesLongValues",
        "TrimsFinalNewline",
        "DropsEmptyValues",
    ),
    ("MIG-1", "test_any_secret_arrives"): (
        "ImportTruncatesAt4K",
        "ImportTrimsValues",
        "ImportDropsEmptyValues",
    ),
}


@given(secret_sets(most=12))
def test_each_set_has_what_stores_lose(secrets):
    values = secrets.values()
    assert len(secrets) <= 12
    assert any(len(value) > 4096 for value in values)
    assert "" in values
    assert any(value.endswith("\n") and value.strip(BLANK) for value in values)
    assert all(value.strip(BLANK) + "\n" * value.endswith("\n") == value for value in values)


@pytest.mark.mutant
@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize(
    ("control", "spec", "mutant"),
    [(*found, mutant) for found, mutants in FOUND_BY.items() for mutant in mutants],
)
def test_planted_loss_is_found_by_the_property_alone(verify, control, spec, mutant, seed):
    _code, evidence = verify(
        f"--mutant={mutant}", f"--controls={control}", "-k", spec, f"--seed={seed}"
    )
    assert judged(evidence)[control] == ["violated"]
    specs = next(one["specs"] for one in evidence["controls"] if one["id"] == control)
    ran = {one["id"].rpartition("::")[2] for one in specs if one["verdict"] != "not_run"}
    assert ran == {spec}
