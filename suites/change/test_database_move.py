"""A move to another PostgreSQL release keeps everything, and the old database is the rollback."""

import pytest

from drillbook.core.errors import StackTrouble
from drillbook.drill.database_move import describe, differences

pytestmark = [
    pytest.mark.control("UPG-5"),
    pytest.mark.xdist_group("change"),
    pytest.mark.timeout(18_000),
]


def test_everything_is_there_after_the_move(database_move, record, step, try_write):
    with step("restore the backup into the present PostgreSQL: every secret is there"):
        database_move.start_old()

    with step("stop the backend, dump, restore into the other PostgreSQL, and start on it"):
        moved = database_move.move()
        for sentence in database_move.steps():
            record.note(sentence)
        assert moved.copy.trouble == ""
        assert moved.serves

    with step("every table has as many rows as before, and every secret its earlier value"):
        assert moved.copy.miscounted == {}
        assert database_move.missing_secrets() == []
        assert database_move.new.compare().faults == []

    with step("extensions, collation, owners, sequences, indexes and constraints are the same"):
        assert moved.differences == []

    with step("a write works, and everything is there after one more start"):
        assert try_write(database_move.new) in ("written", "not taken")
        assert database_move.new.restart().serves
        assert database_move.new.compare().faults == []


def test_old_database_is_the_way_back(database_move, step, try_write):
    with step("move, and write in the new database"):
        moved = database_move.move()
        if moved.serves:
            database_move.new.write_probe()

    with step("the old database is unchanged; start the backend on it: every secret is there"):
        assert differences(moved.before, describe(database_move.old.stack)) == []
        assert database_move.go_back().serves
        assert database_move.old.compare().faults == []

    with step("a write works, and everything is there after one more start"):
        assert try_write(database_move.old) in ("written", "not taken")
        assert database_move.old.restart().serves
        assert database_move.old.compare().faults == []


def test_time_without_service_is_within_its_target(database_move, outage_target, record, step):
    with step("move, and read a secret from the new database"):
        moved = database_move.move()
        assert moved.serves
        record.note(f"no secret could be read for {moved.seconds} s")

    with step(
        "the outage was measured: it took at least as long as the dump and half of the start"
    ):
        if moved.seconds < moved.dump_s + moved.start.duration_s / 2:
            raise StackTrouble(f"{moved.seconds} s: less than dump and start took")

    with step("it is no longer than the target"):
        assert moved.seconds <= outage_target
