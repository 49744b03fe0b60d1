"""The state oracle reads the database, compares two readings, and knows what may change."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drillbook.core.errors import StackTrouble
from drillbook.infisical.http import Unauthorized
from drillbook.stack.embedded.embedded_driver import Embedded
from fixtures.data import dumps
from fixtures.data.golden import FOLDERS, OptionalParts
from fixtures.oracle import clean_up, credentials, remains, state_tracker
from fixtures.oracle import state as oracle_state
from fixtures.oracle.allowed_changes import Allowed, allowed_by_request, find_violations
from fixtures.oracle.clean_up import has_cleaned_up
from fixtures.oracle.state import (
    Change,
    Row,
    State,
    Table,
    compare,
    describe,
    query_inside,
    read,
    survivors,
)
from fixtures.oracle.volatile import COLUMNS, TABLES, is_compared, is_read
from fixtures.session.golden_session import Installation

pytestmark = pytest.mark.slow


def state(**tables):
    """A reading of these tables: rows by key, each with a digest by column."""
    return State({name: table(rows) for name, rows in tables.items()}, {})


def table(rows):
    columns = tuple(next(iter(rows.values()), ()))
    made = {key: Row(key, "".join(f"{one:8}" for one in row.values())) for key, row in rows.items()}
    return Table(len(rows), repr(rows), columns, made)


def kinds(changes):
    return [(one.kind, one.table, one.name, one.columns) for one in changes]


def test_a_difference_says_what_and_where():
    before = state(secret_tags={"a": {"color": "1"}, "b": {"color": "1"}}, gone={"x": {}})
    after = state(secret_tags={"a": {"color": "2"}, "c": {"color": "1"}})
    assert kinds(compare(before, after)) == [
        ("removed", "gone", "x", ()),
        ("removed", "secret_tags", "b", ()),
        ("added", "secret_tags", "c", ()),
        ("changed", "secret_tags", "a", ("color",)),
    ]
    assert describe(compare(before, after)).splitlines() == [
        "gone: 1 row removed (x)",
        "secret_tags: 1 row removed (b)",
        "secret_tags: 1 row added (c)",
        "secret_tags: 1 row changed in color (a)",
    ]


def test_of_a_table_with_too_many_rows_the_number_is_compared():
    few, many = (State({"secrets": Table(n, str(n), (), None)}, {}) for n in (30_000, 30_002))
    assert kinds(compare(many, few)) == [("removed", "secrets", "2 of many", ())]
    assert compare(many, many) == []


@pytest.mark.parametrize("one", [*TABLES, *COLUMNS])
def test_what_is_volatile_has_a_reason(one):
    assert len(one.reason) > 5


def test_what_is_volatile_is_little():
    assert not is_read("audit_logs")
    assert is_read("identity_access_tokens"), "that a revoked one stays so is looked at"
    uses = ("lastUsed", "lastLoginTime", "clientSecretNumUses", "updatedAt")
    assert not [name for name in uses if is_compared("identities", name)]
    assert is_compared("secrets_v2", "updatedAt"), "no use of a secret is noted there"
    # A person's name, and a limit that an administrator has set.
    kept = ("lastName", "clientSecretNumUsesLimit", "version")
    assert all(is_compared("users", name) for name in kept)
    history = compare(state(secret_versions_v2={"a": {}}), state(secret_versions_v2={"b": {}}))
    assert kinds(history) == [("removed", "secret_versions_v2", "a", ())]


def change(kind, table, name=""):
    return Change(kind, table, name, name)


def test_a_request_for_one_secret_may_change_that_one():
    frame = allowed_by_request("PATCH", "/api/v4/secrets/MARKER", {"secretValue": "x"})
    assert find_violations([change("changed", "secrets_v2", "MARKER")], frame) == []
    other = [change("changed", "secrets_v2", "IBAN")]
    assert find_violations(other, frame) == other
    removed = [change("removed", "secrets_v2", "MARKER")]
    assert find_violations(removed, frame) == removed
    created = [Change("changed", "secrets_v2", "MARKER", "MARKER", ("createdAt", "version"))]
    assert find_violations(created, frame) == created
    shown = [Change("changed", "secrets_v2", "MARKER", "MARKER", ("skipMultilineEncoding",))]
    assert find_violations(shown, frame) == shown
    asked = {"skipMultilineEncoding": True}
    frame_asked = allowed_by_request("PATCH", "/api/v4/secrets/MARKER", asked)
    assert find_violations(shown, frame_asked) == []
    # Without names, as in mid-2024, no more may change than were asked for.
    unnamed = [change("changed", "secrets"), change("changed", "secrets")]
    assert find_violations(unnamed, frame) == unnamed[1:]


def test_a_request_for_many_secrets_may_add_as_many():
    body = {"secrets": [{"secretKey": "A"}, {"secretKey": "B"}]}
    frame = allowed_by_request("POST", "/api/v3/secrets/batch/raw", body)
    assert find_violations([change("added", "secrets_v2", one) for one in "AB"], frame) == []
    assert len(find_violations([change("added", "secrets_v2", one) for one in "ABC"], frame)) == 1


@pytest.mark.parametrize(
    ("request_line", "allowed", "refused"),
    [
        ("POST /api/v2/folders", "added secret_folders", "removed secret_folders"),
        ("POST /api/v1/secret-imports", "added folder_commits", "added secrets_v2"),
        ("POST /api/v1/projects/p/tags", "added secret_tags", "added memberships"),
        ("POST /api/v1/projects", "added memberships", "changed memberships"),
        ("PATCH /api/v1/admin/config", "changed super_admin", "changed users"),
        ("DELETE /api/v1/identities/i", "removed identities", "removed users"),
        ("DELETE /api/v1/admin/encryption/keys/k", "removed kms_root_config", "removed users"),
    ],
)
def test_a_rule_names_what_its_request_may_change(request_line, allowed, refused):
    frame = allowed_by_request(*request_line.split(), {})
    assert find_violations([change(*allowed.split())], frame) == []
    assert len(find_violations([change(*refused.split())], frame)) == 1


def test_a_deleted_secret_may_change_the_keys_of_its_project_alone():
    secret = allowed_by_request("DELETE", "/api/v4/secrets/MARKER", {})
    for column, violated in (("kmsSecretManagerKeyId", False), ("pitVersionLimit", True)):
        project = Change("changed", "projects", "", "", (column,))
        assert bool(find_violations([project], secret)) is violated


def test_a_request_that_no_rule_names_is_named_with_the_file_to_widen(installation):
    deployment = installation.pristine()
    deployment.owner.http.ask("PUT", "/api/v1/unheard-of?x=1", json={})
    deployment.stack.sql("DELETE FROM secret_versions_v2 WHERE version = 1")
    found = installation.state.describe(installation.find_changes())
    assert "secret_versions_v2" in found
    assert "allowed_changes.py names PUT /api/v1/unheard-of:" in found


def test_a_frame_counts_each_table_by_itself():
    frame = [Allowed("secrets secrets_v2", ("removed",), 1)]
    assert (
        find_violations([change("removed", "secrets"), change("removed", "secrets_v2")], frame)
        == []
    )


@pytest.fixture(scope="module")
def installation(module_home, module_recorder):
    stack = Embedded(module_home.run_id, module_recorder, module_home.path)
    yield Installation(stack, module_recorder, module_home.path, 7)
    stack.down()


def test_a_reading_holds_every_table_and_no_value(installation):
    deployment = installation.for_reading()
    seen = read(deployment.stack)
    assert seen.tables["secrets_v2"].count >= 258
    assert seen.tables["secret_v2_tag_junction"].count == 2
    assert "MARKER" in {row.name for row in seen.tables["secrets_v2"].rows.values()}
    held = repr(seen.tables["secrets_v2"].rows)
    assert not [one for one in deployment.golden.canaries.values() if one and one[:20] in held]
    # As superuser inside the container, without a password.
    assert compare(seen, read(deployment.stack, database="infisical")) == []


def test_what_nobody_asked_for_is_found_and_what_was_asked_for_is_not(installation):
    deployment = installation.pristine()
    deployment.mark("monday")
    deployment.service.write(deployment.golden.place("dev"), {"NEW": "1"})
    deployment.service.delete(deployment.golden.place("dev"), "NEW")
    assert deployment.machine_can_log_in()
    assert deployment.restart().serves
    assert installation.find_changes() == []
    deployment.stack.sql("DELETE FROM secret_v2_tag_junction")
    deployment.stack.sql("UPDATE identities SET name = 'another' WHERE name = 'ledger-service'")
    assert kinds(installation.find_changes()) == [
        ("changed", "identities", "another", ("name",)),
        *[("removed", "secret_v2_tag_junction", "", ())] * 2,
    ]
    assert installation.find_changes() == [], "it is told once"


def test_another_schema_is_found(installation):
    installation.pristine().stack.sql(
        "ALTER TABLE secret_tags ALTER slug DROP NOT NULL; "
        "ALTER SEQUENCE infisical_migrations_id_seq RESTART; "
        'ALTER TABLE secrets_v2 ALTER CONSTRAINT "secrets_v2_folderId_fkey" DEFERRABLE'
    )
    assert [(one[0], one[2]) for one in kinds(installation.find_changes())] == [
        ("changed", "slug"),
        ("changed", "secrets_v2_folderId_fkey"),
        ("removed", "infisical_migrations_id_seq"),
    ]


def test_a_shared_deployment_is_shared_no_further_after_a_finding(installation):
    installation.for_reading().stack.sql("DELETE FROM secret_v2_tag_junction")
    assert installation.find_changes()
    assert read(installation.for_reading().stack).tables["secret_v2_tag_junction"].count == 2


def test_a_restore_must_bring_the_state_of_its_backup_back(installation, monkeypatch):
    deployment = installation.pristine()
    backup = deployment.back_up()
    deployment.mark("tuesday")
    deployment.restore(backup)
    assert installation.find_changes() == []
    lines = backup.read_bytes().splitlines(keepends=True)
    at = next(
        n for n, line in enumerate(lines) if line.startswith(b"COPY public.secret_v2_tag_junction ")
    )
    backup.write_bytes(b"".join(lines[: at + 1] + lines[at + 2 :]))
    deployment.restore(backup)
    assert kinds(installation.find_changes()) == [("removed", "secret_v2_tag_junction", "", ())]


def test_a_restore_does_not_hide_what_was_changed_before_it(installation):
    deployment = installation.pristine()
    backup = deployment.back_up()
    deployment.stack.sql("DELETE FROM secret_versions_v2 WHERE version = 1")
    deployment.restore(backup)
    assert {one[:2] for one in kinds(installation.find_changes())} == {
        ("removed", "secret_versions_v2")
    }


def test_what_is_there_is_not_created_once_more(installation):
    deployment = installation.pristine()
    assert deployment.keeps_existing()
    assert installation.find_changes() == []


def test_an_instance_that_is_set_up_is_not_set_up_again(installation):
    public = installation.pristine().public
    assert not credentials.can_set_up_again(public)
    assert installation.find_changes() == []


def test_after_a_wipe_the_state_is_taken_as_it_is(installation, module_home):
    deployment = installation.pristine()
    deployment.wipe(module_home.run_id)
    assert installation.find_changes() == []
    deployment.stack.up(deployment.golden_settings)
    assert deployment.wait_for_start(0).serves
    assert installation.find_changes() == []


def test_a_database_that_does_not_answer_has_no_state(installation):
    deployment = installation.pristine()
    deployment.stack.stop("db")
    assert read(deployment.stack) is None
    assert installation.find_changes() == []
    deployment.stack.start("db")
    assert installation.find_changes() == []


def test_an_altered_password_does_not_hide_the_state(installation):
    deployment = installation.pristine()
    deployment.stack.sql("ALTER ROLE infisical PASSWORD 'another'")
    assert read(deployment.stack) is not None


def test_a_statement_that_fails_is_no_silence(installation):
    deployment = installation.pristine()
    with pytest.raises(StackTrouble, match="cannot be read"):
        query_inside(deployment.stack, "infisical")("SELECT nonsense")


def test_only_the_same_row_to_the_last_column_has_survived():
    before = state(projects={"a": {"name": "1"}, "b": {"name": "1"}}, columns={"x": {"kind": "1"}})
    after = state(projects={"a": {"name": "1"}, "b": {"name": "2"}}, columns={"x": {"kind": "1"}})
    nothing = state()
    assert survivors(nothing, before, after) == {"projects": 1}
    # Rows that every instance has from its migrations are not counted.
    assert survivors(before, before, after) == {}


def test_a_wipe_that_leaves_anything_is_found(installation, module_home, tmp_path):
    deployment = installation.pristine()
    held = remains.read_before_wipe(deployment.stack, deployment.golden, installation.empty_state)
    found = remains.find_remains(held, deployment.stack, deployment.back_up())
    assert any(one.startswith("secrets_v2: ") for one in found)
    # The cache may hold words of earlier specs, too.
    assert "mark in the cache" in next(one for one in found if one.startswith("cache: "))
    assert next(one for one in found if one.startswith("backup: ")).count("project") == 3
    assert not [one for one in found if one.startswith("log")]


def test_the_golden_state_is_what_was_written(installation):
    deployment = installation.for_reading()
    golden, seen = deployment.golden, deployment.inventory()
    assert (golden.left_out, golden.failed, golden.not_reported) == ({}, (), frozenset())
    assert (seen.values, seen.facts) == (golden.values(), golden.facts())
    assert seen.folders == golden.folders == FOLDERS
    assert deployment.misread_versions() == []
    assert deployment.read_references() == ([], [])
    assert deployment.misread_secrets(seen.values) == []


@pytest.mark.parametrize("which", ["revoked", "used up", "expired"])
def test_ended_credentials_let_nobody_in(installation, which):
    deployment = installation.for_reading()
    with pytest.raises(Unauthorized):
        deployment.public.login(deployment.golden.dead_credentials[which])


def test_what_a_release_refuses_is_left_out_and_what_it_fails_at_is_said(installation):
    deployment = installation.for_reading()
    golden = deployment.golden
    optional = OptionalParts(deployment.public, deployment.owner, deployment.service, golden)
    # Everything exists already: the second project is a new one, the rest is refused.
    again = optional.make_all()
    # Made to live for a second, and expired when everything is made: a spec may follow at once.
    with pytest.raises(Unauthorized):
        deployment.public.login(again.dead_credentials["expired"])
    assert {"reference", "import"} <= again.left_out.keys()
    assert again.failed == ()
    assert "import into archive:/" not in again.facts()
    assert ("dev", "/", "REFERENCE") not in again.values()


@pytest.mark.parametrize(
    "job", ["daily-resource-cleanup", "daily-secret-version-cleanup", "daily-snapshot-cleanup"]
)
def test_history_may_vanish_after_a_clean_up_that_the_cache_remembers(
    installation, monkeypatch, job
):
    stack = installation.for_reading().stack
    since = datetime.now(UTC) - timedelta(minutes=1)
    key = f"{{cron}}:run:{job}:1790000000000"
    states = {
        "completed, before": ("completed", since - timedelta(minutes=1)),
        "completed, later": ("completed", since + timedelta(seconds=5)),
        "running": ("running", None),
        "pending": ("pending", None),
    }
    now = since + timedelta(minutes=1)
    monkeypatch.setattr(clean_up, "is_time_of_clean_up", lambda *_: False)
    seen = {"none": has_cleaned_up(stack, since, now)}
    for name, (status, end) in states.items():
        ended = ["completed_at", str(int(end.timestamp() * 1000))] if end else []
        stack.exec("redis", ["redis-cli", "DEL", key])
        stack.exec("redis", ["redis-cli", "HSET", key, "status", status, *ended])
        seen[name] = has_cleaned_up(stack, since, now)
    stack.exec("redis", ["redis-cli", "DEL", key])
    assert [name for name, cleaned in seen.items() if cleaned] == ["completed, later", "running"]


def test_history_may_vanish_at_the_time_of_a_job_that_the_instance_has(installation):
    stack, key = installation.for_reading().stack, "bull:daily-resource-cleanup:meta"
    noon, midnight = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    minute = timedelta(minutes=1)
    assert not has_cleaned_up(stack, midnight, midnight + minute)
    stack.exec("redis", ["redis-cli", "HSET", key, "version", "x"])
    assert has_cleaned_up(stack, midnight, midnight + minute)
    assert not has_cleaned_up(stack, noon, noon + minute)
    stack.exec("redis", ["redis-cli", "DEL", key])


@pytest.mark.parametrize("job", ["frequent-resource-cleanup", "audit-log-stream-outbox-cleanup"])
def test_a_job_of_all_day_excuses_no_loss_of_history(installation, monkeypatch, job):
    stack, now = installation.for_reading().stack, datetime.now(UTC)
    key = f"{{cron}}:run:{job}:1790000000000"
    monkeypatch.setattr(clean_up, "is_time_of_clean_up", lambda *_: False)
    stack.exec("redis", ["redis-cli", "HSET", key, "status", "running"])
    cleaned = has_cleaned_up(stack, now - timedelta(minutes=1), now)
    stack.exec("redis", ["redis-cli", "DEL", key])
    assert not cleaned


def test_history_may_vanish_at_the_time_of_a_job_that_the_database_schedules(installation):
    stack = installation.for_reading().stack
    noon, midnight = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    minute, key = timedelta(minutes=1), "{cron}:run:daily-snapshot-cleanup:1790000000000"
    stack.sql("CREATE SCHEMA pgboss")
    stack.sql("CREATE TABLE pgboss.schedule (name text)")
    found = [has_cleaned_up(stack, midnight, midnight + minute)]
    stack.sql("INSERT INTO pgboss.schedule VALUES ('daily-resource-cleanup-job')")
    found += [has_cleaned_up(stack, start, start + minute) for start in (midnight, noon)]
    # A release of 2026 leaves that table behind, and remembers the runs.
    stack.exec("redis", ["redis-cli", "HSET", key, "status", "completed", "completed_at", "1"])
    found.append(has_cleaned_up(stack, midnight, midnight + minute))
    stack.exec("redis", ["redis-cli", "DEL", key])
    stack.sql("DROP SCHEMA pgboss CASCADE")
    assert found == [False, True, False, False]


def test_only_history_may_vanish_in_a_clean_up(installation, module_recorder, monkeypatch):
    tracker = state_tracker.StateTracker(installation.for_reading().stack, module_recorder)
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    before = replace(state(secret_snapshots={"a": {}}, secrets_v2={"b": {}}), read_at=noon)
    after = replace(state(secret_snapshots={}, secrets_v2={}), read_at=noon)
    found = {}
    for cleaned in (True, False):
        monkeypatch.setattr(oracle_state, "has_cleaned_up", lambda *_, is_so=cleaned: is_so)
        monkeypatch.setattr(state_tracker, "read", lambda *_: before)
        tracker.keep_for_backup(Path("backup"))
        tracker.take()
        monkeypatch.setattr(state_tracker, "read", lambda *_: after)
        tracker.check_restore(Path("backup"))
        found[cleaned] = [one.table for one in tracker.take()]
    assert found == {True: ["secrets_v2"], False: ["secret_snapshots", "secrets_v2"]}


def test_a_database_without_its_schema_is_read_as_one_without_tables(installation):
    deployment = installation.pristine()
    deployment.stack.sql("DROP SCHEMA public CASCADE")
    assert dumps.live_tables(deployment.stack) == {}
    assert read(deployment.stack).tables["columns"].count == 0
