"""The restore comes after the proof, and not at all where that failed."""

import contextlib
import gzip
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import psycopg
import pytest
from psycopg.pq import ConnStatus

from drillbook.backup.plain_dump import Statement
from drillbook.backup.restore import Overrun, Refused
from drillbook.backup.restore import refusal as refuse_statement
from drillbook.core.errors import BadInput, StackTrouble
from drillbook.core.run_directory import Home, new_run_id
from drillbook.drill import comparison, drill
from drillbook.drill import drill as drill_module
from drillbook.drill.comparison import Copy
from drillbook.drill.drill import Drill, NotBegun, Order, Targets, load_key, refusal
from drillbook.keys.hierarchy import Proof
from tests.support.backups import KEYS, dump, whole
from tests.support.recorder import SecretRecorder

OPENS = Proof(root_keys=1, roots_opened=1)


@pytest.mark.parametrize(
    ("proof", "why"),
    [
        (Proof(root_keys=1), "these keys do not open this backup"),
        (Proof(damage="breaks off"), "the backup breaks off"),
        (Proof(root_keys=1, roots_opened=1, damage="breaks off"), "the backup breaks off"),
        (Proof(projects=1, projects_opened=1), ""),
        (OPENS, ""),
    ],
)
def test_nothing_is_started_on_a_proof_that_failed(proof, why):
    assert refusal(proof) == why


@pytest.mark.parametrize("text", ["{}\n", "SERVICE_PASSWORD_ENCRYPTIONKEY={}\n"])
def test_the_key_of_any_file_that_was_checked_is_taken(tmp_path, text):
    file = tmp_path / "key"
    file.write_text(text.format(KEYS["2024-10"]))
    assert load_key(file) == {"ENCRYPTION_KEY": KEYS["2024-10"]}


def test_a_phase_takes_what_its_parts_took_together():
    found = drill.Phases()
    for name, seconds in (("proof", 5.0), ("restore", 6.0), ("proof", 2.0)):
        found.add(name, seconds)
    assert found.seconds == {"proof": 7.0, "restore": 6.0}
    assert (found.recovery_s, found.verification_s) == (None, 7.0)


class Stack:
    """Stands by, cannot be reached, and counts how often it is asked to stand by."""

    def __init__(self):
        self.stood = 0

    def prepare(self, _settings):
        self.stood += 1

    def connect(self):
        raise BadInput("no one is there")

    def kill(self, _service):
        pass

    def down(self):
        pass


@pytest.fixture
def drilled(tmp_path):
    """A drill of a backup that was changed, and the stack that it would use."""
    made = []

    def of(change=lambda dumped: dumped, key=KEYS["2026-07"]):
        backup = tmp_path / "backup.sql"
        backup.write_text(change(dump("2026-07")))
        order = Order(backup, {"ENCRYPTION_KEY": key}, Targets())
        stack, place = Stack(), Home(new_run_id())
        made.append(Drill(order, lambda: stack, SecretRecorder(), place, 1, rehearsal=True))
        return made[-1], stack

    yield of
    for one in made:
        one.close()


def broken(dumped):
    """A row of a secret that has a value too many: seen only where the secrets are read."""
    head, mark, rows = dumped.partition("COPY public.secrets_v2 ")
    return head + mark + rows.replace("\t", "\tmore\t", 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda dumped: dumped.rpartition("-- PostgreSQL database dump complete")[0],
        lambda dumped: dumped.replace("COPY", "\\! id\nCOPY", 1),
        broken,
    ],
    ids=["cut", "hostile", "broken among the secrets"],
)
def test_what_is_wrong_with_the_backup_starts_nothing(drilled, change):
    drill, stack = drilled(change)
    with pytest.raises(NotBegun, match="nothing was started"):
        drill.prepare()
    assert not stack.stood


def test_a_packed_backup_is_sound_whatever_its_name(drilled, tmp_path):
    drill, _ = drilled()
    packed = tmp_path / "stdin"
    packed.write_bytes(gzip.compress(whole("2026-07").encode()))
    drill.order = replace(drill.order, backup=packed)
    assert drill.problem is None


def test_a_wrong_key_starts_nothing(drilled):
    drill, stack = drilled(key=KEYS["2026-07"][::-1])
    assert drill.try_keys().proof.opens_nothing
    with pytest.raises(NotBegun, match="these keys do not open"):
        drill.prepare()
    assert not stack.stood
    assert drill.made is None


def test_what_was_restored_goes_also_where_the_stack_cannot_be_taken_down(drilled):
    one, stack = drilled()
    one.made, closed = stack, []
    home = SimpleNamespace(close=lambda: closed.append(1))
    one.order = replace(one.order, origin=SimpleNamespace(home=home))
    stack.down = Mock(side_effect=[StackTrouble("the engine is gone"), None])
    with pytest.raises(StackTrouble, match="the engine is gone"):
        one.close()
    assert (closed, one.place.path.exists()) == ([1], False)


def test_a_restore_that_failed_is_not_tried_again(drilled):
    drill, stack = drilled()

    def refuse(_settings):
        stack.stood += 1
        raise StackTrouble("the disk is full")

    stack.prepare = refuse
    with pytest.raises(StackTrouble, match="the disk is full"):
        drill.prepare()
    with pytest.raises(NotBegun, match="the restore failed earlier: the disk is full"):
        drill.restore()
    assert stack.stood == 1


def test_rows_that_cannot_be_counted_end_the_drill_and_accuse_no_one(drilled, monkeypatch):
    drill, stack = drilled()
    monkeypatch.setattr("drillbook.drill.drill.restore_copy", lambda *_: Copy(0))
    stack.connect = lambda: contextlib.nullcontext(Lost())
    with pytest.raises(StackTrouble, match="the count of the rows of the copy: "):
        drill.restore()
    with pytest.raises(NotBegun, match="the restore failed earlier: the count"):
        drill.restore()


class Lost:
    """A connection that is lost."""

    def execute(self, *_):
        raise psycopg.OperationalError("lost")


@pytest.mark.parametrize(
    "problem", [Overrun("line 7: the restore was stopped: 4 h"), StackTrouble("line 7: full")]
)
def test_a_slow_machine_or_a_full_disk_says_nothing_about_the_backup(monkeypatch, problem):
    def end(*_):
        raise problem

    monkeypatch.setattr("drillbook.backup.restore.restore_file", end)
    with pytest.raises(StackTrouble, match="line 7"):
        comparison.restore_copy(Stack(), Path("backup.sql"))


@pytest.mark.parametrize(
    ("code", "kind"),
    [("53100", StackTrouble), ("53200", StackTrouble), ("58030", StackTrouble), ("23505", Refused)],
)
def test_only_an_answer_about_the_backup_refuses_it(code, kind):
    connection = SimpleNamespace(pgconn=SimpleNamespace(status=ConnStatus.OK))
    assert type(refuse_statement(Statement(7, b"", ""), connection, "why", code)) is kind


@pytest.mark.parametrize(
    ("bare", "kind"),
    [
        ('CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public', StackTrouble),
        ("CREATE INDEX one ON projects USING btree (id)", Refused),
    ],
)
@pytest.mark.parametrize("code", ["58P01", "0A000"])
def test_an_extension_that_the_server_lacks_says_nothing_about_the_backup(bare, kind, code):
    connection = SimpleNamespace(pgconn=SimpleNamespace(status=ConnStatus.OK))
    assert type(refuse_statement(Statement(7, b"", bare), connection, "why", code)) is kind


@pytest.mark.parametrize(("reads", "recovery_s"), [(True, 14.0), (False, None)])
def test_a_slow_comparison_is_no_part_of_the_recovery(drilled, monkeypatch, reads, recovery_s):
    drill, stack = drilled()
    now = SimpleNamespace(s=0.0)
    stack.driver = "embedded"
    monkeypatch.setattr(drill_module, "clock", lambda: now.s)

    def takes(seconds, result):
        def work(*_args, **_kept):
            now.s += seconds
            return result

        return work

    monkeypatch.setattr(drill_module.comparison, "look", takes(7200, Mock()))
    monkeypatch.setattr(drill_module, "compare_database", takes(3600, Mock()))
    monkeypatch.setattr(drill_module, "summary", takes(0, ""))
    readers = Mock(read_first=takes(2, reads))
    monkeypatch.setattr(drill, "start", takes(0, None))
    monkeypatch.setattr(drill, "log_in", takes(1, readers))
    for name, seconds in (("restore", 4.0), ("migrate", 3.0), ("boot", 4.0)):
        drill.phases.add(name, seconds)
    drill.prepare()
    drill.compare_first()
    assert drill.phases.recovery_s == recovery_s
    assert drill.phases.verification_s >= 10800
