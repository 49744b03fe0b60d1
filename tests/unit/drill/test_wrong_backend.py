"""What a drill does not start on a backup, because the start would say nothing of the backup."""

from types import SimpleNamespace

import pytest

from drillbook.drill import drill
from drillbook.drill.drill import Drill, NotBegun
from drillbook.stack.releases import Product


def refuse(monkeypatch, recorded, known, *, rehearsal=False, rehearsed=False):
    monkeypatch.setattr(drill, "recorded_migrations", lambda _stack: frozenset(recorded))
    product = Product(frozenset(known), migrates_itself=bool(known) or None)
    one = SimpleNamespace(
        stack=SimpleNamespace(product=lambda: product),
        rehearsal=rehearsal,
        order=SimpleNamespace(rehearsed=rehearsed),
    )
    Drill.refuse_wrong_backend(one)


def test_a_release_that_lacks_migrations_of_the_backup_is_not_started(monkeypatch):
    with pytest.raises(NotBegun, match="earlier release than the backup, which records 2 "):
        refuse(monkeypatch, {"1", "2", "3"}, {"1"})


def test_the_reference_backend_is_not_started_on_a_real_backup(monkeypatch):
    with pytest.raises(NotBegun, match="not Infisical"):
        refuse(monkeypatch, {"1", "2"}, {"1"}, rehearsal=True)


@pytest.mark.parametrize(
    ("recorded", "known"),
    [({"1"}, {"1"}), ({"1"}, {"1", "2"}), ({"1"}, set()), (set(), {"1"})],
    ids=["the same", "a later release", "an image that shows none", "a backup that records none"],
)
def test_everything_else_is_started(monkeypatch, recorded, known):
    refuse(monkeypatch, recorded, known)


def test_a_backup_of_our_own_is_started(monkeypatch):
    refuse(monkeypatch, {"1", "2"}, {"1"}, rehearsal=True, rehearsed=True)
