"""What a start or an upgrade may not change is named, with how many rows, and without a value."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from drillbook.core.errors import StackTrouble
from drillbook.drill import api_readers
from drillbook.drill.drill import Drill
from drillbook.drill.release_snapshot import (
    Look,
    _count_audited,
    differences,
    is_locked,
    name_losses,
)
from drillbook.drill.unchanged_rows import changes, read, read_kept
from drillbook.stack.waiting import Start

OF_2024 = """
CREATE TABLE projects (id text, name text, "autoCapitalization" boolean);
INSERT INTO projects VALUES ('p', 'Ledger', false), ('q', 'Treasury', false);
CREATE TABLE project_environments (id uuid, name text, slug text, "projectId" text);
INSERT INTO project_environments VALUES
  ('00000000-0000-0000-0000-00000000000a', 'Production', 'prod', 'p'),
  ('00000000-0000-0000-0000-00000000000b', 'Staging', 'staging', 'p');
CREATE TABLE secret_folders (id text, name text, "envId" uuid, "parentId" text,
  "isReserved" boolean);
INSERT INTO secret_folders SELECT 'root of ' || slug, 'root', id, NULL, false
  FROM project_environments;
CREATE TABLE secrets_v2 (id text, key text, type text, "folderId" text, "updatedAt" timestamptz,
  "encryptedValue" bytea);
INSERT INTO secrets_v2 VALUES ('s', 'IBAN', 'shared', 'root of prod', '2026-06-02', 'value');
CREATE TABLE secret_imports (id text, "importEnv" uuid, position integer, "folderId" text);
INSERT INTO secret_imports VALUES
  ('i', '00000000-0000-0000-0000-00000000000a', 1, 'root of staging');
CREATE TABLE webhooks (id text, "isDisabled" boolean, "envId" uuid);
INSERT INTO webhooks SELECT 'w', false, id FROM project_environments WHERE slug = 'prod';
CREATE TABLE identities (id text, name text);
INSERT INTO identities VALUES ('m', 'clerk');
CREATE TABLE identity_org_memberships ("identityId" text);
INSERT INTO identity_org_memberships VALUES ('m');
CREATE TABLE service_tokens (id text, scopes jsonb, permissions text[], "projectId" text);
INSERT INTO service_tokens VALUES
  ('t', '[{"environment": "staging", "secretPath": "/"}]', ARRAY['read'], 'p');
CREATE TABLE groups (id uuid, name text, slug text, role text);
INSERT INTO groups VALUES ('00000000-0000-0000-0000-00000000000c', 'Audit', 'audit', 'member');
CREATE TABLE identity_ua_client_secrets (id text, "clientSecretTTL" bigint);
INSERT INTO identity_ua_client_secrets VALUES ('c', 60);
CREATE TABLE identity_project_memberships (id text, "identityId" text, "projectId" text);
INSERT INTO identity_project_memberships VALUES ('mp', 'm', 'p'), ('mq', 'm', 'q');
CREATE TABLE identity_project_membership_role (id text, role text, "projectMembershipId" text);
INSERT INTO identity_project_membership_role VALUES ('1', 'viewer', 'mp'), ('2', 'member', 'mq');
"""
# As the migrations do it between July 2024 and July 2026.
TO_2026 = """
ALTER TABLE projects ADD "deleteAfter" timestamptz, ADD type text DEFAULT 'secret-manager';
ALTER TABLE project_environments ADD "deleteAfter" timestamptz;
UPDATE project_environments SET "projectId" = 'q' WHERE slug = 'staging';
UPDATE service_tokens SET "projectId" = 'q';
UPDATE groups SET name = 'Audit (1)';
ALTER TABLE groups DROP role;
ALTER TABLE identities ADD "orgId" text DEFAULT 'o';
CREATE TABLE memberships (id text, scope text, "scopeProjectId" text, "actorUserId" text,
  "actorIdentityId" text, "isActive" boolean);
INSERT INTO memberships SELECT id, 'project', "projectId", NULL, "identityId", true
  FROM identity_project_memberships;
CREATE TABLE membership_roles (id text, role text, "isTemporary" boolean, "customRoleId" uuid,
  "membershipId" text);
INSERT INTO membership_roles SELECT id, role, false, NULL, "projectMembershipId"
  FROM identity_project_membership_role;
DROP TABLE identity_project_membership_role, identity_project_memberships;
DELETE FROM identity_ua_client_secrets;
"""


@pytest.fixture
def own(isolated):
    """A connection to a database with the rows of a release of 2024."""
    isolated.empty_database()
    with isolated.connect() as connection:
        connection.execute(OF_2024)
        connection.commit()
        yield connection


def test_what_migrations_have_done_since_2024_is_no_change(own):
    before = read(own)
    assert {name: len(rows) for name, rows in before.items() if rows}.keys() >= {
        *("projects", "secret_folders", "secrets_v2", "secret_imports", "webhooks"),
        *("service_tokens", "groups", "the roles of machines"),
    }
    own.execute(TO_2026)
    assert changes(before, read(own)) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE projects SET name = 'x'", "projects.name: changed in 2 of 2 rows"),
        (
            "UPDATE projects SET \"autoCapitalization\" = true WHERE id = 'p'",
            "projects.autoCapitalization: changed in 1 of 2 rows",
        ),
        ("DELETE FROM secret_imports", "secret_imports: 1 of 1 rows are gone"),
        ('UPDATE webhooks SET "isDisabled" = true', "webhooks.isDisabled: changed in 1 of 1 rows"),
        ("UPDATE secrets_v2 SET key = 'X'", "secrets_v2.key: changed in 1 of 1 rows"),
        (
            'UPDATE identity_ua_client_secrets SET "clientSecretTTL" = 0',
            "identity_ua_client_secrets.clientSecretTTL: changed in 1 of 1 rows",
        ),
        (
            "UPDATE service_tokens SET permissions = ARRAY['read', 'write']",
            "service_tokens.permissions: changed in 1 of 1 rows",
        ),
        ("DELETE FROM service_tokens", "service_tokens: 1 of 1 rows are gone"),
        ("UPDATE groups SET slug = 'x'", "groups.slug: changed in 1 of 1 rows"),
        ("ALTER TABLE secret_imports RENAME TO imports", None),
        ('ALTER TABLE webhooks RENAME "isDisabled" TO off', None),
        ("DELETE FROM identity_ua_client_secrets", None),
        (
            "UPDATE identity_project_membership_role SET role = 'admin' WHERE id = '1'",
            "the roles of machines.roles: changed in 1 of 2 rows",
        ),
        (
            "DELETE FROM identity_project_memberships WHERE id = 'mp'",
            "the roles of machines: 1 of 2 rows are gone",
        ),
    ],
)
def test_a_change_is_named_without_its_value(own, change, found):
    before = read(own)
    own.execute(change)
    assert changes(before, read(own)) == ([found] if found else [])


def test_what_the_product_removes_by_itself_may_go(isolated, own):
    own.execute(TO_2026)
    own.execute("""
UPDATE project_environments SET "deleteAfter" = now() WHERE slug = 'prod';
UPDATE projects SET "deleteAfter" = now() WHERE id = 'q';
INSERT INTO secret_folders VALUES ('copies', '__reserve_1', NULL, NULL, true)""")
    own.commit()
    before = read_kept(isolated)
    for table in ("project_environments", "secret_folders", "secrets_v2", "secret_imports"):
        assert not before[table]
        own.execute(f"DELETE FROM {table}")
    own.execute("DELETE FROM projects WHERE id = 'q'; DELETE FROM memberships WHERE id = 'mq'")
    own.execute("DELETE FROM webhooks")
    assert changes(before, read(own)) == []


def test_people_may_be_merged_and_keep_their_roles():
    name = "the roles of people"
    before = {name: {"p ann": {"roles": {"admin"}}, "p bob": {"roles": {"viewer"}}}}
    assert changes(before, {name: {"p ann": {"roles": {"admin"}}}}) == []
    found = changes(before, {name: {"p bob": {"roles": {"admin"}}}})
    assert found == [f"{name}.roles: changed in 1 of 2 rows"]


def test_memberships_of_a_release_that_no_longer_uses_them_do_not_count(own):
    own.execute(TO_2026.partition("DROP TABLE")[0])
    own.execute("DELETE FROM memberships WHERE id = 'mp'")
    assert [*api_readers.members(own)] == ["q"]


def test_lines_of_the_audit_log_go_only_when_their_time_is_over(own):
    own.execute(
        'CREATE TABLE audit_logs (id int, "createdAt" timestamptz, "expiresAt" timestamptz)'
    )
    own.execute("""INSERT INTO audit_logs VALUES (1, now(), NULL), (2, now(), '2100-01-01'),
      (3, now(), now() + interval '1 hour'), (4, now() + interval '1 hour', NULL)""")
    (until,) = own.execute("SELECT now()").fetchone()
    assert _count_audited(own, until) == 2
    before = replace(Look({}, {}, frozenset(), {}), audited=2, kept={"secret_imports": {}})
    after = replace(before, audited=1, kept={})
    assert name_losses(before, after) == ["audit_logs: 1 of 2 are gone"]
    assert name_losses(after, before) == []
    (note,) = differences(before, after)
    assert note == "no longer in the database, or under another name: secret_imports"


def test_a_lock_is_seen_where_there_is_one(own):
    assert not is_locked(own)
    own.execute("CREATE TABLE infisical_migrations_lock (is_locked integer)")
    own.execute("INSERT INTO infisical_migrations_lock VALUES (0)")
    assert not is_locked(own)
    own.execute("UPDATE infisical_migrations_lock SET is_locked = 1")
    assert is_locked(own)


@pytest.mark.parametrize("serves", [True, False])
def test_a_backup_that_lacks_tables_is_read_once_it_is_migrated(serves):
    answers = [StackTrouble("the copy does not answer: undefined table"), {"projects": {}}]

    def read_kept():
        answer = answers.pop(0)
        if isinstance(answer, StackTrouble):
            raise answer
        return answer

    drill = SimpleNamespace(
        read_kept=read_kept,
        first_start=None,
        restore=lambda: SimpleNamespace(trouble=""),
        refuse_wrong_backend=lambda: None,
        stack=None,
        settings=None,
        deploy=lambda *_, **__: Start(serves, None, 1.0, ""),
        _restored={},
        _recorder=SimpleNamespace(note=lambda text: notes.append(text)),
    )
    notes = []
    assert Drill.start(drill).serves == serves
    assert drill._restored == ({"projects": {}} if serves else {})
    assert ["was not compared" in one for one in notes] == [True] * serves
