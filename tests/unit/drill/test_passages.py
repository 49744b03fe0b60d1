"""Of several passages the one that is judged is told; a lock is taken back while nothing starts."""

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest

from drillbook.core.errors import StackTrouble, Unsupported
from drillbook.drill import drill_report
from drillbook.drill.api_readers import Member
from drillbook.drill.comparison import Comparison, Kept, Reading
from drillbook.drill.database_move import DatabaseMove
from drillbook.drill.drill import Drill
from drillbook.drill.outage_probe import Outage
from drillbook.drill.release_snapshot import (
    Look,
    differences,
    find_lost_keys,
    lasting_rows,
    missing_rows,
    restored_access,
)
from drillbook.drill.upgrade import Change, Passage, Upgrade
from drillbook.stack import releases
from drillbook.stack.base import BackendState
from drillbook.stack.waiting import Start

NOTHING = Look({}, {}, frozenset(), {})


def passage(serves=True):
    start = Start(serves, None if serves else 1, 2.0, "")
    return Passage(start, Outage([(1.0, True), (2.0, True)]), NOTHING, NOTHING, (), 0.0)


class Repeated(Upgrade):
    """An upgrade whose passages are given, and which is back at the old release before each."""

    def __init__(self, *passages):
        super().__init__(None, Change(*releases.rehearsal_pair()))
        self.passages = list(passages)

    def start_before(self):
        return Start(True, None, 1.0, "")

    def _upgrade(self, _old):
        return self.passages.pop(0)

    def upgrade(self):
        self._at = ""
        return super().upgrade()


@pytest.mark.parametrize(("second", "told"), [(passage(), 0), (passage(serves=False), 1)])
def test_first_passage_is_told_as_long_as_a_later_one_comes_up(second, told):
    both = passage(), second
    upgrade = Repeated(*both)
    assert upgrade.upgrade() is both[0]
    assert upgrade.upgrade() is both[told]
    assert upgrade.passage is both[told]
    assert upgrade.passages == []


def test_a_change_that_failed_is_not_told_as_one_without_migrations():
    notes, facts = [], {}
    change = Change(*releases.rehearsal_pair(), asked=True)
    drill = SimpleNamespace(removed=("older",))
    record = SimpleNamespace(note=notes.append, change=lambda **more: facts.update(more))
    for serves, told in ((True, "no migration was pending"), (False, "no migration was completed")):
        notes.clear()
        seen = SimpleNamespace(change=change, passage=passage(serves), drill=drill)
        drill_report.passage(seen, record)
        assert told in notes
    drill_report.report_change(seen, record)
    assert "the release removed 1 of the secrets" in facts["differences"][0]


WHOLE = Comparison(Kept(1, (), (), ()), Reading())
LOST = Comparison(Kept(1, ("one",), (), ()), Reading())


@pytest.mark.parametrize(
    ("serves", "found", "why"),
    [(True, WHOLE, ""), (True, LOST, r"1 lost: one"), (False, None, "exit code 1")],
)
def test_change_of_a_copy_that_was_not_whole_before_shows_nothing(serves, found, why):
    seen, restores, start = [found], [], Start(serves, 1, 1.0, "")
    drill = SimpleNamespace(compare=seen.pop)
    upgrade = Upgrade(drill, Change(*releases.rehearsal_pair()))
    upgrade.restore_whole, upgrade.start_old = lambda: restores.append(1), lambda: start
    for _ in range(2):
        with pytest.raises(StackTrouble, match=why) if why else nullcontext():
            assert upgrade.start_before() is start
    assert len(restores) == 1
    assert upgrade.before is found


def test_an_image_that_hides_its_migrations_is_not_killed_in_them():
    stack = SimpleNamespace(
        product=lambda: releases.Product(frozenset(), None),
        backend=lambda: BackendState("running"),
        switch_release=lambda _: None,
    )
    drill = SimpleNamespace(stack=stack, log_out=lambda: None)
    upgrade = Upgrade(drill, Change(*releases.rehearsal_pair()))
    with pytest.raises(Unsupported, match="does not show its migrations"):
        upgrade.kill_during_start()


@pytest.mark.parametrize(("serves", "found"), [(True, LOST), (False, None)])
def test_move_of_a_copy_that_was_not_whole_before_shows_nothing(serves, found):
    start = Start(serves, 1, 1.0, "")
    old = SimpleNamespace(bring_up=lambda: start, compare_first=lambda: found)
    with pytest.raises(StackTrouble, match="does not serve this copy whole"):
        DatabaseMove(old, None).move()


@pytest.mark.parametrize(("serves", "told"), [(True, "for 9 s"), (False, "for at least 9 s")])
def test_an_outage_that_the_move_did_not_end_took_at_least_so_long(serves, told):
    stack = SimpleNamespace(owner=("u", "d"))
    moved = SimpleNamespace(seconds=9, dump_s=1, serves=serves)
    move = SimpleNamespace(
        move=lambda: moved, releases=lambda: ("14.1", "17.2"), old=SimpleNamespace(stack=stack)
    )
    assert told in DatabaseMove.steps(move)[0]


@pytest.mark.parametrize(
    ("after", "found"),
    [
        ({"a": True, "b": True, "c": False}, []),
        ({"a": True, "b": False, "c": False}, ["credentials isRevoked: 1 of 2 no longer"]),
        ({"a": True, "c": False}, []),
        (None, []),
    ],
)
def test_access_that_was_ended_stays_so(after, found):
    name, was = "credentials isRevoked", {"a": True, "b": True, "c": False}
    now = {name: after} if after else {}
    looks = (Look({}, {}, frozenset(), {}, revoked) for revoked in ({name: was}, now))
    assert restored_access(*looks) == found


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"allowSignUp": False}, {"allowSignUp": True}, ["allowSignUp: false became true"]),
        ({"allowSignUp": True}, {"allowSignUp": True}, []),
        ({"allowSignUp": False}, {"allowSignUp": False}, []),
        ({"allowSignUp": False}, {}, []),
        ({}, {"allowSignUp": True}, []),
        (
            {"allowSignUp": True, "allowedSignUpDomain": "example.com"},
            {"allowSignUp": True, "allowedSignUpDomain": None},
            ['allowedSignUpDomain: "example.com" became null'],
        ),
        ({"allowedSignUpDomain": "example.com"}, {}, []),
        (
            {"allowSignUp": False, "allowedSignUpDomain": "example.com"},
            {"allowSignUp": False, "allowedSignUpDomain": None},
            [],
        ),
    ],
)
def test_sign_up_is_opened_to_no_one_else(before, after, found):
    looks = (Look({}, settings, frozenset(), {}) for settings in (before, after))
    assert restored_access(*looks) == found


def test_members_that_an_upgrade_loses_are_told():
    ann, bob = (Member("user", name, "p", True) for name in ("ann", "bob"))
    before, after = (
        Look({}, {}, frozenset(), {}, members=frozenset(found))
        for found in ({ann, bob}, {ann, replace(bob, admin=False)})
    )
    assert differences(before, before) == []
    assert differences(before, after) == [
        "members of projects: 1 of 2 are gone or administer no longer"
    ]


class CrashLooping:
    """A stack whose engine starts the refused backend again and again, until it is stopped."""

    def __init__(self):
        self.acts = []

    def backend(self):
        return BackendState("restarting", 1, 0 if "stop" in self.acts else 2)

    def stop(self, _service):
        self.acts.append("stop")

    def switch_release(self, _release):
        pass

    def connect(self):
        return nullcontext(SimpleNamespace(execute=self.execute, commit=lambda: None))

    def execute(self, statement):
        if not str(statement).startswith(("SET", "b'SET")):
            self.acts.append("unlock")


def test_lock_is_taken_back_while_nothing_starts():
    stack = CrashLooping()
    served = Start(True, None, 1.0, "")

    def deploy(_settings):
        stack.acts.append("start")
        return served

    drill = SimpleNamespace(stack=stack, settings=None, deploy=deploy, log_out=lambda: None)
    upgrade = Upgrade(drill, Change(*releases.rehearsal_pair()))
    assert upgrade.unlock_and_start() is served
    assert stack.acts == ["stop", "unlock", "start"]


CREDENTIALS = """
CREATE TABLE identity_ua_client_secrets (id text, "isClientSecretRevoked" boolean,
  "clientSecretTTL" bigint, "clientSecretNumUsesLimit" bigint);
INSERT INTO identity_ua_client_secrets VALUES ('lasts', false, 0, 0), ('revoked', true, 0, 0),
  ('expires', false, 60, 0), ('used up', false, 0, 3);
CREATE TABLE secret_v2_tag_junction ("secrets_v2Id" text, "secret_tagsId" text);
INSERT INTO secret_v2_tag_junction VALUES ('a', '1'), ('a', '2'), ('b', '1');
"""


def test_rows_that_the_product_removes_itself_need_not_last(isolated):
    isolated.empty_database()
    with isolated.connect() as own:
        own.execute(CREDENTIALS)
        own.commit()
        before = lasting_rows(isolated)
        assert before["identity_ua_client_secrets"] == {"lasts"}
        own.execute("DELETE FROM identity_ua_client_secrets WHERE id <> 'lasts'")
        own.commit()
        assert missing_rows(before, lasting_rows(isolated)) == []
        own.execute("DELETE FROM identity_ua_client_secrets")
        own.commit()
    (lost,) = missing_rows(before, lasting_rows(isolated))
    assert lost == "identity_ua_client_secrets: 1 of 1 are gone"


SECRETS = """
CREATE TABLE projects (id text, "deleteAfter" timestamptz);
INSERT INTO projects VALUES ('p', NULL), ('gone', '2026-07-14');
CREATE TABLE project_environments (id text, "projectId" text, "deleteAfter" timestamptz);
INSERT INTO project_environments VALUES ('e', 'p', NULL), ('past', 'p', '2026-07-14'),
  ('of gone', 'gone', NULL);
CREATE TABLE secret_folders (id text, "envId" text);
INSERT INTO secret_folders SELECT 'in ' || id, id FROM project_environments;
CREATE TABLE secrets_v2 (id text, "folderId" text, "encryptedComment" text, key text, type text,
  "updatedAt" timestamptz);
INSERT INTO secrets_v2 VALUES ('a', 'in e', 'x'), ('b', 'in past', 'x'), ('c', 'in of gone', 'x');
UPDATE secrets_v2 SET key = 'N', type = 'shared', "updatedAt" = '2026-06-02';
CREATE TABLE secret_v2_tag_junction ("secrets_v2Id" text, "secret_tagsId" text);
INSERT INTO secret_v2_tag_junction SELECT id, '1' FROM secrets_v2;
CREATE TABLE users (id text, "isGhost" boolean);
INSERT INTO users VALUES ('ada', false), ('ghost', true);
"""
LASTING = {
    "users": {"ada"},
    "comments in secrets_v2": {"a"},
    "tags in secret_v2_tag_junction": {"a 1"},
}


def test_what_was_deleted_before_the_change_need_not_last(isolated):
    isolated.empty_database()
    with isolated.connect() as own:
        own.execute(SECRETS)
        own.commit()
    assert lasting_rows(isolated) == LASTING


def test_releases_that_delete_at_once_lose_none_of_these(isolated):
    isolated.empty_database()
    with isolated.connect() as own:
        own.execute(SECRETS)
        own.execute('ALTER TABLE projects DROP "deleteAfter"')
        own.execute('ALTER TABLE project_environments DROP "deleteAfter"')
        own.commit()
    assert lasting_rows(isolated)["comments in secrets_v2"] == set("abc")


def test_the_older_of_two_secrets_of_one_name_need_not_last(isolated):
    isolated.empty_database()
    with isolated.connect() as own:
        own.execute(SECRETS)
        older = "'in e', 'x', 'N', 'shared', '2026-06-01'"
        own.execute(f"INSERT INTO secrets_v2 VALUES ('older', {older})")
        own.execute("INSERT INTO secret_v2_tag_junction VALUES ('older', '1')")
        own.commit()
    assert lasting_rows(isolated) == LASTING


MACHINES = """
CREATE TABLE identities (id text);
INSERT INTO identities VALUES ('m'), ('lone');
CREATE TABLE identity_universal_auths (id text, "identityId" text);
INSERT INTO identity_universal_auths SELECT 'ua of ' || id, id FROM identities;
CREATE TABLE identity_ua_client_secrets (id text, "identityUAId" text);
INSERT INTO identity_ua_client_secrets SELECT 's of ' || id, id FROM identity_universal_auths;
"""
EARLIER = """
CREATE TABLE identity_org_memberships ("identityId" text);
INSERT INTO identity_org_memberships VALUES ('m')
"""
NEWER = """
CREATE TABLE memberships ("actorIdentityId" text, scope text);
INSERT INTO memberships VALUES ('m', 'organization'), ('lone', 'project')
"""
NEWEST = """
ALTER TABLE identities ADD "orgId" text;
UPDATE identities SET "orgId" = 'o' WHERE id = 'm';
CREATE TABLE memberships ("actorIdentityId" text, scope text);
INSERT INTO memberships VALUES ('m', 'project');
"""
OF_DELETED = """
ALTER TABLE identities ADD "projectId" text;
CREATE TABLE projects (id text, "deleteAfter" timestamptz);
INSERT INTO projects VALUES ('p', NULL), ('gone', '2026-07-14');
UPDATE identities SET "projectId" = CASE id WHEN 'm' THEN 'p' ELSE 'gone' END
"""


@pytest.mark.parametrize("members", [EARLIER, NEWER, NEWEST, OF_DELETED])
def test_a_machine_of_no_organization_or_of_a_deleted_project_need_not_last(isolated, members):
    isolated.empty_database()
    with isolated.connect() as own:
        own.execute(MACHINES)
        own.execute(members)
        own.commit()
    assert lasting_rows(isolated) == {
        "identities": {"m"},
        "identity_universal_auths": {"ua of m"},
        "identity_ua_client_secrets": {"s of ua of m"},
    }


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        # A migration that empties one pair and deletes another.
        (
            'UPDATE secret_v2_tag_junction SET "secret_tagsId" = NULL WHERE "secrets_v2Id" = \'b\';'
            "DELETE FROM secret_v2_tag_junction WHERE \"secret_tagsId\" = '2'",
            ["tags in secret_v2_tag_junction: 2 of 3 are gone"],
        ),
        ("DELETE FROM secret_v2_tag_junction", ["tags in secret_v2_tag_junction: 3 of 3 are gone"]),
        ('ALTER TABLE secret_v2_tag_junction RENAME "secret_tagsId" TO "tagId"', []),
    ],
)
def test_lost_tags_are_found_and_a_renamed_column_is_no_loss(isolated, change, lost):
    isolated.empty_database()
    with isolated.connect() as own:
        own.execute(CREDENTIALS)
        own.commit()
        before = lasting_rows(isolated)
        own.execute(change)
        own.commit()
    assert missing_rows(before, lasting_rows(isolated)) == lost


def test_a_second_restore_begins_with_an_empty_cache(isolated, monkeypatch):
    isolated.exec("redis", ["redis-cli", "SET", "list", "of the newer release"])
    monkeypatch.setattr("drillbook.drill.drill.restore_copy", lambda *_: "the copy")
    order = SimpleNamespace(backup=None, statement_limit_s=1.0)
    drill = SimpleNamespace(stack=isolated, order=order, _count=lambda copy: copy)
    assert Drill.restore_again(drill) == "the copy"
    assert isolated.exec("redis", ["redis-cli", "DBSIZE"]).stdout.strip() == b"0"


def test_a_table_that_keeps_its_name_keeps_its_primary_key():
    was = {"tags": True, "dropped": True, "never": False}
    before, after = (
        Look({}, {}, frozenset(), {}, {}, keyed)
        for keyed in (was, {"tags": False, "never": False, "new": False})
    )
    assert find_lost_keys(before, after) == ["tags"]
    assert find_lost_keys(before, before) == []
