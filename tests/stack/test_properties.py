"""The property spec of imports finds losses of some values alone, within its default budget.

`drillbook qualify` asks it of the spec of backups.
"""

import pytest
from hypothesis import given

from drillbook.infisical.crypto import BLANK
from fixtures.data.strategies import secret_sets
from tests.stack.test_mutants import judged, verify

__all__ = ["verify"]


@given(secret_sets(most=12))
def test_each_set_has_what_stores_lose(secrets):
    values = secrets.values()
    assert len(secrets) <= 12
    assert any(len(value) > 4096 for value in values)
    assert "" in values
    assert any(value.endswith("\n") and value.strip(BLANK) for value in values)
    assert all(value.strip(BLANK) + "\n" * value.endswith("\n") == value for value in values)


@pytest.mark.mutant
@pytest.mark.parametrize("mutant", ["ImportTruncatesAt4K", "ImportDropsEmptyValues"])
def test_planted_loss_is_found_by_the_property_alone(verify, mutant):
    spec = "test_any_secret_arrives"
    _code, evidence = verify(f"--mutant={mutant}", "--controls=MIG-1", "-k", spec, "--seed=1")
    assert judged(evidence)["MIG-1"] == ["violated"]
    specs = next(one["specs"] for one in evidence["controls"] if one["id"] == "MIG-1")
    ran = {one["id"].rpartition("::")[2] for one in specs if one["verdict"] != "not_run"}
    assert ran == {spec}
