"""The record names the file that was drilled: its digest, and what it says of itself."""

import hashlib
import re
from contextlib import closing

from drillbook.core.run_directory import Home, new_run_id
from drillbook.drill import drill_report
from drillbook.drill.comparison import look
from drillbook.drill.drill import Drill, Order, Targets
from reports.evidence.model import Subject
from reports.record.recorder import Recorder
from tests.support.backups import KEYS, dump


def stated(backup, **more):
    """The subject that the record of a drill of this backup has."""
    order = Order(backup, {"ENCRYPTION_KEY": KEYS["2026-07"]}, Targets(), **more)
    record = Recorder(seed=1)
    made = Drill(order, lambda: None, record, Home(new_run_id()), 1, rehearsal=False)
    with closing(made):
        drill_report.backup(made, record)
    return Subject.model_validate(record.facts)


def test_the_file_is_named_by_its_digest(tmp_path):
    backup = tmp_path / "nightly.sql"
    backup.write_text(dump("2026-07"))
    found = stated(backup)
    assert found.backup.sha256 == hashlib.sha256(backup.read_bytes()).hexdigest()
    assert (found.backup.name, found.backup.bytes) == ("nightly.sql", backup.stat().st_size)
    assert (found.backup.form, found.backup.source) == ("plain", "file")
    assert found.backup.server == "PostgreSQL 14.23"
    assert found.backup.taken_by == "pg_dump 14.23"
    assert re.fullmatch("[0-9a-f-]{36}", found.backup.instance)
    assert found.backup.taken_at is None, "a dump without --verbose has no date"


def test_a_folder_is_named_by_the_digests_of_its_files(tmp_path):
    for name in ("toc.dat", "1.dat"):
        (tmp_path / name).write_text(name)
    names = ("1.dat", "toc.dat")
    lines = [f"{hashlib.sha256(one.encode()).hexdigest()}  {one}\n" for one in names]
    assert look(tmp_path).sha256 == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_our_own_backup_is_not_the_subject(tmp_path):
    backup = tmp_path / "own.sql"
    backup.write_text(dump("2026-07"))
    assert stated(backup, rehearsed=True).backup is None
