"""The record names the file that was drilled: its digest, and what it says of itself."""

import hashlib
import os
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from drillbook.backup.fetch import LocalBackup, fetch_backup
from drillbook.core.run_directory import Home, new_run_id
from drillbook.drill import drill_report
from drillbook.drill.comparison import Comparison, Kept, Reading, look
from drillbook.drill.drill import Drill, Order, Targets
from reports.evidence.model import Subject
from reports.record.recorder import Recorder
from reports.render.context_sections import subject
from tests.support import sample_run
from tests.support.backups import KEYS, dump

DAYS = [datetime.now(UTC) - timedelta(days=days) for days in (5, 4, 3)]


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
    assert found.backup.cipher == "none", "no reader takes an encrypted file"
    rows = dict(subject(sample_run.run(subject=found)))
    assert rows["Backup encrypted with"] == "nothing: the file was read as it lay"
    assert re.search(r", \d+ values to compare, ", rows["Data"]), "nothing was started"
    assert found.backup.server == "PostgreSQL 14.23"
    assert found.backup.taken_by == "pg_dump 14.23"
    assert re.fullmatch("[0-9a-f-]{36}", found.backup.instance)
    assert found.backup.taken_at is None, "a dump without --verbose has no date"


def test_how_it_was_chosen_is_recorded_with_what_it_was_chosen_from(tmp_path):
    for day, name in zip(DAYS, ("a.sql", "b.sql", "c.sql"), strict=True):
        (tmp_path / name).write_text(dump("2026-07") if name != "c.sql" else "")
        os.utime(tmp_path / name, (day.timestamp(),) * 2)
    with fetch_backup(str(tmp_path), lambda _: None) as origin:
        found = stated(origin.path, origin=origin).backup
    assert (found.name, found.selection, found.population) == ("b.sql", "newest", 3)
    assert found.passed_over == ("c.sql (empty)",)
    rows = dict(subject(sample_run.run(subject=Subject(backup=found))))
    assert rows["Backup chosen"] == "newest, of 3 that lay there"
    assert rows["Backup found in"] == "a file"
    assert rows["Newer, and not taken"] == "c.sql (empty)"


@pytest.mark.parametrize(("shown", "cipher"), [("restic:/r", "restic"), ("borg:/r", None)])
def test_of_a_repository_only_what_its_program_always_does_is_known(tmp_path, shown, cipher):
    backup = tmp_path / "nightly.sql"
    backup.write_text(dump("2026-07"))
    found = stated(backup, origin=LocalBackup(backup, "", shown=shown)).backup
    assert (found.source, found.cipher) == ("repository", cipher)
    rows = dict(subject(sample_run.run(subject=Subject(backup=found))))
    assert rows["Backup encrypted with"] == cipher


def test_one_that_is_named_was_not_chosen(tmp_path):
    backup = tmp_path / "nightly.sql"
    backup.write_text(dump("2026-07"))
    with fetch_backup(str(backup), lambda _: None) as origin:
        found = stated(backup, origin=origin).backup
    assert (found.selection, found.population) == ("named", 1)
    rows = dict(subject(sample_run.run(subject=Subject(backup=found))))
    assert rows["Backup chosen"] == "named by the operator"


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


def compared(lost=(), **read):
    return Comparison(Kept(1, lost, (), ()), Reading(**read))
