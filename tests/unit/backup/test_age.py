"""The age of a backup is what its rows and pg_dump prove; names and headers only add to it."""

import gzip
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drillbook.backup.facts import UNDATED, Backup, age
from drillbook.core.errors import StackTrouble
from drillbook.preflight import backupfile

NOW = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)
DAY = 24 * 3600


def ago(**time):
    return NOW - timedelta(**time)


def found(name="backup.sql", newest=None, dumped=None, changed=None):
    facts = Backup(Path(name), 1, "plain", newest=newest, dumped_at=dumped)
    stamp = changed.timestamp() if changed else None
    return age(facts, Path("/none") / name, stamp, NOW)


def test_copy_of_an_old_backup_does_not_become_fresh():
    copied = found(newest=ago(hours=44), changed=ago(minutes=32))
    assert copied.within(DAY) is None
    assert str(copied) == "its newest row is from 44 h ago, its file is from 32 min ago"
    with pytest.raises(StackTrouble, match=r"not proven to be at most 24 h old \(its newest row"):
        copied.prove(DAY)
    assert copied.within(45 * 3600) is True
    assert copied.prove(45 * 3600)


@pytest.mark.parametrize(
    ("facts", "within"),
    [
        ({"newest": ago(hours=2), "changed": ago(hours=1)}, True),
        ({"newest": ago(hours=2)}, True),
        ({"changed": ago(minutes=1)}, None),
        ({}, None),
        ({"newest": ago(days=5), "changed": ago(days=3)}, False),
        ({"newest": ago(hours=44), "name": "db-2026-11-24.sql.gz"}, None),
        ({"newest": ago(days=9), "name": "db-2026-11-20.sql.gz", "changed": NOW}, False),
        ({"newest": ago(days=9), "name": "db_20261125T110000Z.sql", "changed": NOW}, None),
        ({"newest": ago(days=9), "name": "db_20261125T090000Z.sql", "changed": NOW}, False),
        ({"newest": ago(days=9), "dumped": datetime(2026, 11, 26, 3), "changed": NOW}, True),
        ({"newest": ago(days=9), "dumped": datetime(2026, 11, 25, 20), "changed": NOW}, None),
        ({"newest": ago(hours=15), "dumped": datetime(2026, 11, 25, 20)}, True),
        ({"newest": ago(days=9), "dumped": datetime(2026, 11, 20, 3), "changed": NOW}, False),
        # Touched back, or a name of another day: the rows contradict it.
        ({"newest": ago(hours=1), "changed": ago(days=3)}, None),
        ({"newest": ago(hours=1), "name": "db-2026-11-20.sql"}, None),
        # A row from the future proves nothing.
        ({"newest": NOW + timedelta(days=1), "changed": NOW}, None),
    ],
)
def test_age_is_proven_by_rows_and_pg_dump_alone(facts, within):
    assert found(**facts).within(DAY) is within


def test_of_a_dated_dump_the_missing_zone_is_the_reason():
    said = found(newest=ago(days=9), dumped=datetime(2026, 11, 25, 17, 30)).doubt("it", "26h")
    assert "at most 26h old (its newest row is from 9 days ago, pg_dump dates it 16 h ago)" in said
    assert said.endswith("up to 14 h older: check sooner after the dump, or allow more")


def test_header_of_gzip_tells_of_an_old_stream(tmp_path):
    file = tmp_path / "backup.sql.gz"
    file.write_bytes(gzip.compress(b"x", mtime=int(ago(days=3).timestamp())))
    facts = Backup(file, 1, "plain", packed="gzip", newest=ago(days=4))
    fresh = age(facts, file, NOW.timestamp(), NOW)
    assert fresh.within(DAY) is False
    assert "its gzip header is from 3 days ago" in str(fresh)
    file.write_bytes(gzip.compress(b"x", mtime=0))
    assert age(facts, file, NOW.timestamp(), NOW).within(DAY) is None


def test_preflight_holds_a_copied_backup_to_its_rows(tmp_path):
    file = tmp_path / "backup.sql"
    file.write_text(
        "--\n-- PostgreSQL database dump\n--\n\n"
        'COPY public.super_admin (id, "updatedAt") FROM stdin;\n'
        "1\t2026-11-24 13:41:00+00\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n"
    )
    os.utime(file, (NOW.timestamp(),) * 2)
    copied = backupfile.load(file, now=NOW.timestamp())
    with pytest.raises(StackTrouble, match="newest row is from 44 h ago"):
        backupfile.prove_fresh(copied)
    assert not [one for one in backupfile.find_damage(copied) if "hours old" in str(one)]
    os.utime(file, (UNDATED, UNDATED))
    with pytest.raises(StackTrouble):
        backupfile.prove_fresh(backupfile.load(file, now=NOW.timestamp()))
    backupfile.prove_fresh(backupfile.load(file, now=NOW.timestamp() - 43 * 3600))
