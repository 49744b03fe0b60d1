"""What a proof amounts to: everything, nothing, or something between."""

from pathlib import Path

import pytest

from drillbook.backup.facts import Backup
from drillbook.keys.hierarchy import Project, Proof

ALL = {"root_keys": 1, "roots_opened": 1, "projects": 2, "projects_opened": 2}
ALL |= {"secrets": 3, "secrets_opened": 3}


def test_proof_begins_with_nothing():
    fresh = Proof()
    counted = (fresh.root_keys, fresh.roots_opened, fresh.projects, fresh.projects_opened)
    assert (*counted, fresh.secrets, fresh.secrets_opened, fresh.empty) == (0,) * 7
    assert (fresh.by_project, fresh.unproven, fresh.damage) == ([], [], "")
    assert fresh.opens_nothing
    assert not fresh.opens_everything
    assert Proof().by_project is not fresh.by_project


def test_project_begins_shut_and_empty():
    one = Project("p", "Ledger", 3)
    assert (one.key_opened, one.secrets, one.secrets_opened, one.reason) == (False, 0, 0, "")


@pytest.mark.parametrize(
    "less",
    [
        {"roots_opened": 0},
        {"projects_opened": 1},
        {"secrets_opened": 2},
        {"damage": "ends"},
        {"unproven": ["an HSM"]},
    ],
)
def test_all_opens_only_when_nothing_is_missing(less):
    assert Proof(**ALL).opens_everything
    assert not Proof(**ALL | less).opens_everything


@pytest.mark.parametrize("one", ["roots_opened", "projects_opened", "secrets_opened"])
def test_whatever_opens_is_something(one):
    assert not Proof(**{one: 1}).opens_nothing
    assert Proof(root_keys=1, projects=1, secrets=1).opens_nothing


def test_backup_of_which_nothing_is_known_says_so():
    bare = Backup(Path("b.sql"), 1, "plain")
    assert (bare.migrations, bare.labels, bare.rows, bare.packed) == (0, (), {}, "")
    assert (bare.server, bare.dumped_at, bare.schema, bare.instance) == (None,) * 4
    assert bare.complete is True
    assert Backup(Path("b.sql"), 1, "plain", damage="ends").complete is False
