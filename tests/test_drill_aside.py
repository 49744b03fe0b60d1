"""What a backup tells without a key is the same, whoever reads it and however that one ends."""

import pytest

from fixtures import keyproof
from fixtures.data import soundness
from fixtures.drill import aside
from fixtures.drill.aside import Aside
from fixtures.errors import BadInput
from fixtures.stack import home
from tests.backups import dump

RUN = "5e7f0a5ide"


@pytest.fixture
def backup(tmp_path):
    path = tmp_path / "backup.sql"
    path.write_text(dump("2026-07"))
    return path


@pytest.fixture
def read(monkeypatch):
    """A reading by a process of its own, however small the backup."""
    monkeypatch.setattr(aside, "_LARGE", -1)
    made = []

    def of(backup):
        made.append(Aside(backup, backup.stat().st_size, RUN))
        return made[-1]

    yield of
    for one in made:
        one.end()
    assert list(home.processes_of(RUN)) == []


def test_another_process_finds_the_same(backup, read):
    seen = read(backup)
    assert seen.facts == keyproof.examine(backup)
    assert seen.problem == soundness.examine(backup)
    assert seen._process.wait(10) == 0


def test_what_is_wrong_is_told_with_its_line(backup, read):
    backup.write_text(backup.read_text().replace("\\\\x", "\\\\xg", 1))
    assert (seen := read(backup)).facts.rows
    assert "is no whole sequence of bytes" in str(seen.problem)
    assert seen.problem == soundness.examine(backup)


def test_what_is_no_backup_is_refused_as_ever(backup, read):
    backup.write_text("nothing")
    with pytest.raises(BadInput, match="is no backup made by pg_dump"):
        _ = read(backup).facts


def test_a_process_that_dies_is_replaced_by_ones_own_reading(backup, read):
    seen = read(backup)
    seen._process.kill()
    seen._process.wait()
    assert seen.facts == keyproof.examine(backup)
    assert seen.problem == soundness.examine(backup)


def test_one_that_was_ended_leaves_nothing_and_can_be_asked(backup, read):
    seen = read(backup)
    seen.end()
    seen.end()
    assert seen.facts == keyproof.examine(backup)


def test_a_small_one_is_read_here(backup):
    assert Aside(backup, backup.stat().st_size)._process is None
