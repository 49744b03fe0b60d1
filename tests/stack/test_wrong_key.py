"""A backend that starts with a wrong key is judged by what it returns and what it destroys."""

import json

import pytest

from tests.support.own_suite import run_specs

CONTROLS = ("KEY-2.ENC", "KEY-3", "KEY-4", "KEY-5", "KEY-6", "BKP-2")


def judged(folder, mutant):
    asked = (f"--mutant={mutant}", f"--controls={','.join(CONTROLS)}")
    _, record = run_specs(folder, "suites", "--only-evidence", "--stack=embedded", *asked)
    evidence = json.loads(record.read_text())
    return {
        one["id"]: (
            one["verdict"],
            {word for spec in one["specs"] for word in spec["observations"]},
        )
        for one in evidence["controls"]
        if one["id"] in CONTROLS
    }


@pytest.mark.mutant
def test_a_start_that_harms_nothing_is_not_one_that_loses_everything(tmp_path):
    served = "answered_without_secrets_under_wrong_key"
    assert judged(tmp_path / "harmless", "HealthyWithoutKey") == {
        "KEY-2.ENC": ("contradicted", {"started_without_secrets"}),
        "KEY-3": ("violated", {served}),
        "KEY-4": ("satisfied", {"served_under_wrong_key"}),
        "KEY-5": ("satisfied", {"served_under_wrong_key"}),
        "KEY-6": ("satisfied", {"nothing_accessible"}),
        "BKP-2": ("satisfied", {served}),
    }
    # It also changes the database. Every control that sees this reports it, and it is a matter of
    # safety even if the control checks a claim of the runbook.
    changed = "changed_beyond_its_frame"
    assert judged(tmp_path / "deadly", "RecreatesRootKey") == {
        "KEY-2.ENC": ("violated", {"started_without_secrets", changed}),
        "KEY-3": ("violated", {served, "new_data_taken_under_wrong_key", changed}),
        "KEY-4": ("violated", {"served_under_wrong_key", "old_key_opens_no_longer", changed}),
        "KEY-5": (
            "violated",
            {"served_under_wrong_key", "not_everything_back_under_old_keys", changed},
        ),
        "KEY-6": ("violated", {"nothing_accessible", changed}),
        "BKP-2": ("violated", {served, changed}),
    }
