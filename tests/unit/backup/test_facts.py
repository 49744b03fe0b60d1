"""What a backup says of itself: of when it is, of which schema, and which keys it names."""

import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.backup.facts import Backup, age, examine, stated_time
from tests.support.backups import HEAD, TAIL
from tests.support.made_backups import block

pytestmark = pytest.mark.slow

TIMES = [
    ("super_admin", "updatedAt"),
    ("secrets", "updatedAt"),
    ("secrets_v2", "updatedAt"),
    ("auth_token_sessions", "lastUsed"),
    ("identity_access_tokens", "updatedAt"),
    ("identity_access_tokens", "accessTokenLastUsedAt"),
    ("identity_ua_client_secrets", "updatedAt"),
]
LATER = datetime(2026, 11, 24, 13, 41, 9, tzinfo=UTC)
# Whole hours and others, both sides of Greenwich, as the places that have them.
ZONES = [-12, -3.5, -2.5, -1, 0, 1, 2, 3.5, 5.75, 9.5, 10.5, 12]
NIGHTS = (datetime(2026, 3, 28), datetime(2026, 3, 30))


@pytest.fixture
def examined(tmp_path):
    def found(*blocks):
        backup = tmp_path / "backup.sql"
        backup.write_text(HEAD + "".join(blocks) + TAIL)
        return examine(backup)

    return found


def at(time):
    return {"id": "1", "updatedAt": time}


@pytest.mark.parametrize(("table", "column"), TIMES)
def test_newest_time_of_each_table_that_people_move_counts(examined, table, column):
    rows = [at(None) | {column: f"2026-11-24 {hour}+00"} for hour in ("09:00:00", "13:41:09")]
    other = "super_admin" if table != "super_admin" else "secrets"
    earlier = block(other, at("2020-01-01 00:00:00+00"))
    lasts = table in ("super_admin", "secrets", "secrets_v2")
    for order in (rows, rows[::-1]):
        found = examined(earlier, block(table, *order))
        changed = LATER if lasts else datetime(2020, 1, 1, tzinfo=UTC)
        assert (found.newest, found.changed) == (LATER, changed)


@pytest.mark.parametrize(
    ("one", "newer"),
    [
        ("2026-11-24 10:00:00+00", "2026-11-24 10:00:00.5+00"),
        ("2026-11-24 10:00:00-03", "2026-11-24 10:00:00.5-03"),
        ("2026-10-25 02:50:00+02", "2026-10-25 02:10:00+01"),
        ("2026-04-05 02:50:00+10:30", "2026-04-05 02:10:00+09:30"),
        ("1993-08-20 23:59:00-12", "1993-08-22 00:01:00+12"),
        ("infinity", "2026-11-24 10:00:00+00"),
        ("0044-03-15 10:00:00+00 BC", "2026-11-24 10:00:00+00"),
        ("9999-99-99 10:00:00", "2026-11-24 10:00:00+00"),
        (None, "2026-11-24 10:00:00+00"),
    ],
)
def test_newer_of_two_times_is_told_however_they_are_written(examined, one, newer):
    expected = datetime.fromisoformat(newer)
    for order in ((one, newer), (newer, one)):
        assert examined(block("secrets_v2", *map(at, order))).newest == expected


@given(
    st.lists(
        st.tuples(st.datetimes(*NIGHTS), st.sampled_from(ZONES)),
        min_size=1,
    )
)
def test_newest_is_the_last_moment_in_whatever_zones(tmp_path_factory, given_times):
    times = [time.replace(tzinfo=timezone(timedelta(hours=zone))) for time, zone in given_times]
    path = tmp_path_factory.getbasetemp() / "zones.sql"
    path.write_text(HEAD + block("secrets_v2", *(at(f"{time}") for time in times)) + TAIL)
    assert examine(path).newest == max(times)


def test_backup_without_any_time_does_not_say_of_when_it_is(examined):
    assert examined(block("secrets_v2", at(None), at("infinity"))).newest is None
    assert examined().newest is None


def test_schema_is_the_newest_migration_and_one_without_a_name_counts(examined):
    names = ("20241014084900_identity-multiple-auth.mjs", "20250101000000_last.mjs", None)
    rows = [{"id": str(number), "name": name} for number, name in enumerate(names)]
    for order in (rows, rows[::-1]):
        found = examined(block("infisical_migrations", *order))
        assert (found.schema, found.migrations) == (names[1], 3)


def test_labels_of_all_keys_and_the_first_instance_are_told(examined):
    keys = [{"id": str(number), "kekLabel": one} for number, one in enumerate(("aa", None, "bb"))]
    owners = [{"id": "1", "instanceId": one} for one in (None, "first", "second")]
    found = examined(block("kms_root_config", *keys), block("super_admin", *owners))
    assert (found.labels, found.instance) == (("aa", "bb"), "first")


def test_times_of_many_rows_take_no_more_memory_than_those_of_few(tmp_path):
    path = tmp_path / "backup.sql"

    def peak(count):
        many = (at(f"{LATER + timedelta(seconds=7 * number)}") for number in range(count))
        path.write_text(HEAD + block("secrets_v2", *many) + TAIL)
        tracemalloc.start()
        examine(path)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(160_000) < peak(80_000) * 1.2


def test_a_bound_of_a_name_is_no_date_in_the_future():
    now = datetime(2026, 11, 27, 4, 0, tzinfo=UTC)
    tonight = age(None, Path("infisical-2026-11-27_0300.sql"), None, now)
    assert (tonight.in_future, tonight.least_s) == (False, 0)
    assert age(None, Path("infisical-2026-11-27.sql"), None, now).least_s == 0
    assert age(None, Path("infisical-2026-11-29.sql"), None, now).in_future


@pytest.mark.parametrize("seconds", [1e12, -1e12, 1e30])
def test_a_time_that_no_calendar_has_is_none(seconds):
    file, epoch = Path("backup.sql"), datetime.fromtimestamp(0, UTC)
    assert stated_time(file.name, seconds) == (epoch, epoch)
    found = age(None, file, seconds, LATER)
    assert (found.most_s, found.said) == (None, ())


@pytest.mark.parametrize("year", ["0001-01-01", "9999-12-31"])
def test_a_backup_may_state_the_end_of_the_calendar(year):
    dated = datetime.fromisoformat(f"{year}T00:00:00")
    backup = Backup(Path("backup.sql"), 0, "plain", dumped_at=dated)
    assert "pg_dump dates it" in str(age(backup, backup.path, None, LATER))
