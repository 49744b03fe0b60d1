"""One of several backups: the newest that is whole, or the one that was asked for, as it is."""

import os
from datetime import UTC, datetime, timedelta

import pytest

from drillbook.backup.location import Selection, members, pick_from
from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run
from drillbook.core.errors import BadInput
from tests.support.backups import dump

TODAY = datetime.now(UTC) - timedelta(hours=12)


def nightly(folder, days):
    """Whole backups by the names of their days, all copied just now."""
    for ago in days:
        (folder / f"db-{TODAY - timedelta(days=ago):%Y%m%dT%H%MZ}.sql").write_text(dump("2024-07"))
    return folder


def picked(folder, word, seed=0):
    return pick_from(folder, Selection(word, seed))


def named(ago):
    return f"db-{TODAY - timedelta(days=ago):%Y%m%dT%H%MZ}.sql"


def test_order_follows_names_of_copies(tmp_path):
    nightly(tmp_path, [3, 1, 2])
    os.utime(tmp_path / named(3))
    assert [one.name for one in sorted(members(tmp_path))] == [named(3), named(2), named(1)]
    assert picked(tmp_path, "newest").member.name == named(1)
    assert picked(tmp_path, "oldest").member.name == named(3)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_second_name_of_a_file_is_no_second_backup(tmp_path, link):
    nightly(tmp_path, [1, 2])
    link(tmp_path / named(1), tmp_path / "latest.sql")
    found = picked(tmp_path, "newest")
    assert [one.name for one in found.members] == [named(1), named(2)]


def test_state_as_of_a_day(tmp_path):
    nightly(tmp_path, [1, 5, 9])
    found = picked(tmp_path, f"at:{TODAY - timedelta(days=4):%Y-%m-%d}")
    assert found.member.name == named(5)
    assert f"is {named(5)}, of {TODAY - timedelta(days=5):%Y-%m-%d %H:%M} UTC" in found.said
    with pytest.raises(BadInput, match="has none of that time; its backups are of"):
        picked(tmp_path, "at:2020-01-01")


def test_chance_follows_the_seed(tmp_path):
    nightly(tmp_path, range(1, 50))
    drawn = {picked(tmp_path, "random:10d", seed).member.name for seed in range(60)}
    assert drawn == {named(ago) for ago in range(1, 10)}
    one = picked(tmp_path, "random:10d", 7)
    assert one == picked(tmp_path, "random:10d", 7)
    assert "random:10d among 9 with seed 7 of folder" in one.said
    assert "there are 49, the oldest" in one.said


def test_only_the_newest_passes_over_what_is_cut(tmp_path):
    nightly(tmp_path, [1, 2])
    for name in (named(1), named(2)):
        whole = (tmp_path / name).read_text()
        (tmp_path / name).write_text(whole[:-100])
        if name == named(1):
            (tmp_path / named(3)).write_text(whole)
    found = picked(tmp_path, "newest")
    assert found.member.name == named(3)
    assert [words.partition(" (")[0] for words in found.skipped] == [named(1), named(2)]
    assert picked(tmp_path, f"at:{TODAY:%Y-%m-%d}").member.name == named(1)


@pytest.mark.parametrize("word", ["youngest", "random:", "random:soon", "at:", "at:2026-13-01"])
def test_other_words_are_refused(tmp_path, capsys, word):
    nightly(tmp_path, [1])
    line = ["key", "check", str(tmp_path), "--env-file", "none.env", "--select", word]
    assert run(COMMANDS, line) == 3
    said = capsys.readouterr().err
    assert "--select: " in said
    assert said.count("\n") == 1


def test_a_backup_that_coolify_made_is_found_by_its_name(tmp_path):
    names = ["pg-dump-infisical-1764300000.dmp", "pg-dump-all-1764300000.gz", "x.pgdump"]
    for name in (*names, "notes.gz", "infisical.txt", "compose.yml.bak"):
        (tmp_path / name).write_text("x")
    assert sorted(one.name for one in members(tmp_path)) == sorted(names)
