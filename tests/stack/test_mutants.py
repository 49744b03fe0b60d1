"""Instances with features that `drillbook qualify` does not offer get the expected verdicts."""

import json
import re
import tomllib

import pytest

from drillbook.core.application import ROOT
from tests.support.own_suite import run_specs

# Each runs the whole suite, which takes many minutes on a busy machine.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

OBSERVED = tomllib.loads((ROOT / "suites" / "controls.toml").read_text())["observations"]
TABLES = tomllib.loads((ROOT / "tests" / "predicted.toml").read_text())


def predicted(table):
    """The expected verdict by control, with the observations in one sentence if there are any."""
    return {
        control: [verdict, *(["; ".join(OBSERVED[word] for word in words)] if words else [])]
        for control, (verdict, *words) in TABLES[table].items()
    }


NEWEST, PRINTING = predicted("newest"), predicted("printing")


@pytest.fixture
def verify(tmp_path):
    """Runs the suites on the embedded stack in a process of their own; exit code and evidence."""

    def run(*options):
        fixed = ("suites", "--only-evidence", "--stack=embedded")
        done, written = run_specs(tmp_path, *fixed, *options)
        assert written.exists(), done.stdout + done.stderr
        return done.returncode, json.loads(written.read_text())

    return run


def judged(evidence):
    return {
        one["id"]: [one["verdict"], *([one["observed"]] if one["observed"] else [])]
        for one in evidence["controls"]
    }


@pytest.mark.mutant
@pytest.mark.parametrize(
    ("offer", "expected"),
    [("rotation", NEWEST), ("printed-address,printed-mails", PRINTING)],
    ids=["newest, with a licence", "log of 2024"],
)
def test_an_instance_with_features_behaves_as_it_was_seen_or_its_source_says(
    verify, offer, expected
):
    _code, evidence = verify(f"--offer={offer}", f"--controls={','.join(expected)}")
    found = judged(evidence)
    assert {control: found[control] for control in expected} == expected
    messages = [spec["message"] or "" for one in evidence["controls"] for spec in one["specs"]]
    assert [one for one in messages if re.search(r"\b\d{6}\b", one)] == [], "a code is shown"
