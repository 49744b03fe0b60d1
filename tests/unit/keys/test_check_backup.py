"""`drillbook backup check`: one line for cron, what it holds against a backup, and exit codes."""

import io
import json
import os
import re
from datetime import UTC, datetime, timedelta

import pytest

from drillbook.backup import integrity
from drillbook.infisical import schema
from drillbook.keys.hierarchy import Inventory, find_losses
from tests.support.backups import KEY_OF_A_TABLE, KEY_OF_MAY_2024, KEYS, TAIL, dump, whole
from tests.support.commands import check_backup as main

NOW = datetime.now(UTC)
KEPT = 4


def fresh(sql, ago=timedelta(hours=1)):
    """A backup whose instance was in use a while ago."""
    used = f"{NOW - ago:%Y-%m-%d %H:%M:%S}+00"
    session = f'COPY public.auth_token_sessions ("lastUsed") FROM stdin;\n{used}\n\\.\n\n'
    return sql.replace(TAIL, f"\n{session}{TAIL}")


def name(ago):
    return f"infisical-{NOW - timedelta(days=ago):%Y-%m-%d}.sql"


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "backups"
    place.mkdir()
    for ago in range(KEPT):
        (place / name(ago)).write_text(fresh(whole("2024-10"), timedelta(days=ago, hours=1)))
    keys = tmp_path / "keys.env"
    keys.write_text(f"ENCRYPTION_KEY={KEYS['2024-10']}\n")
    keys.chmod(0o600)
    return place


def asked(capsys, backup, *options, key="keys.env", form="text"):
    keys = backup.parent / key if backup.is_dir() else backup.parent.parent / key
    words = [str(backup), "--env-file", str(keys), "--output", form]
    code = main([*words, *options])
    printed = capsys.readouterr()
    if code < 3 and form == "text":
        assert printed.out.count("\n") == 1
    return code, printed.out if code < 3 else printed.err


def without_secrets(sql):
    """The same, with one secret of many left."""
    return re.sub(r"(COPY public\.secrets_v2 [^\n]*\n[^\n]*\n)(?:[^\\][^\n]*\n)*", r"\1", sql)


def test_a_good_one_is_one_line(folder, capsys):
    code, line = asked(capsys, folder, "--keep-at-least", str(KEPT))
    assert code == 0, line
    assert line.startswith(f"GOOD: {name(0)} (its newest row is from ")
    assert "8 of 8 secrets of 1 projects open with the key of label" in line
    assert "instance 5a68c59e-2ed7-4287-86ca-c8e3c308c483" in line
    assert f"secrets and {re.search('([0-9,]+) bytes of rows', line)[1]} bytes on" in line
    assert line.endswith(f"; {KEPT} kept\n")


def test_fewer_secrets_are_named_with_their_project(folder, capsys):
    (folder / name(0)).write_text(without_secrets(fresh(whole("2024-10"))))
    code, line = asked(capsys, folder)
    assert code == 1
    before = NOW - timedelta(days=1)
    assert re.match(rf"BAD: {name(0)}: secrets: 10 in the backup of {before:%Y-%m-%d} ", line)
    assert ", 1 now; secrets of project drill: 8 in the backup of" in line
    assert asked(capsys, folder, "--drop", "100%")[0] == 0
    # Not only the one before counts: a loss stays one on the next day.
    (folder / name(1)).write_text(without_secrets(fresh(whole("2024-10"), timedelta(days=1))))
    oldest = NOW - timedelta(days=KEPT - 1)
    assert f"secrets: 10 in the backup of {oldest:%Y-%m-%d}" in asked(capsys, folder)[1]


def test_a_backup_without_a_secret_may_be_of_another_database(folder, capsys):
    for ago in range(1, KEPT):
        (folder / name(ago)).unlink()
    empty = re.sub(r"(COPY public\.secrets_v2 [^\n]*\n)(?:[^\\][^\n]*\n)*", r"\1", whole("2024-10"))
    (folder / name(0)).write_text(fresh(empty))
    code, line = asked(capsys, folder)
    assert code == 2
    assert "it holds no secret; look whether it is of the right database" in line


def test_fewer_backups_than_wanted_are_bad(folder, capsys):
    code, line = asked(capsys, folder, "--keep-at-least", "9")
    assert (code, "4 kept where 9 are wanted" in line) == (1, True)


def test_a_newer_cut_one_is_bad(folder, capsys):
    (folder / name(0)).write_text(whole("2024-10")[:-100])
    code, line = asked(capsys, folder, "--max-age", "50h")
    assert code == 1
    assert line.startswith(f"BAD: not complete: {name(0)} (cut short")
    assert f"; the newest whole one is {name(1)} (its newest row is from " in line


def test_a_job_that_has_failed_for_weeks_is_one_reason(folder, capsys):
    (folder / name(0)).rename(folder / name(21))
    for ago in range(20, -1, -1):
        (folder / name(ago)).write_text("")
    code, line = asked(capsys, folder, "--keep-at-least", "7")
    assert code == 1
    newest = f"{name(0)} (empty)"
    assert line.startswith(f"BAD: 21 files are not complete, the newest of them {newest}; 1 kept ")
    assert f"1 kept where 7 are wanted; the newest whole one is {name(21)} (" in line


def test_an_encrypted_copy_is_no_further_backup(folder, capsys):
    for ago in range(KEPT):
        (folder / f"{name(ago)}.age").write_text("age-encryption.org/v1\n")
    code, line = asked(capsys, folder)
    assert (code, line.endswith(f"; {KEPT} kept\n")) == (0, True)


def test_a_newer_encrypted_one_cannot_be_judged(folder, capsys):
    (folder / name(0)).rename(folder / f"{name(0)}.gpg")
    (folder / f"{name(0)}.gpg").write_text("x")
    code, line = asked(capsys, folder, "--max-age", "50h")
    assert code == 2
    assert line.startswith(f"CANNOT TELL: {name(1)}: a newer one cannot be read: {name(0)}.gpg (")
    (folder / f"{name(0)}.gpg").write_text("")
    assert asked(capsys, folder, "--max-age", "50h")[0] == 1


def test_a_wrong_key_is_bad(folder, capsys):
    (folder.parent / "wrong.env").write_text("ENCRYPTION_KEY=0123456789abcdef0123456789abcdef\n")
    code, line = asked(capsys, folder, key="wrong.env")
    assert code == 1
    assert "does not open it: it does not open the root key" in line


def test_a_single_file_is_compared_with_nothing(folder, capsys):
    code, line = asked(capsys, folder / name(0))
    assert (code, "nothing to compare with" in line) == (0, True)
    code, said = asked(capsys, folder / name(0), "--keep-at-least", "2")
    assert (code, said.count("\n")) == (3, 1)


def test_another_file_than_its_checksum_says_is_bad(folder, capsys):
    checksum = integrity.write_checksum(folder / name(0))
    assert asked(capsys, folder)[0] == 0
    checksum.write_text(f"{'0' * 64}  {name(0)}\n")
    code, line = asked(capsys, folder)
    assert code == 1
    assert line.startswith(f"BAD: {name(0)}: checksum: differs from the checksum written next to")


def test_a_plain_dump_of_a_quiet_instance_is_good_by_the_time_of_its_file(folder, capsys):
    (folder / name(0)).write_text(whole("2024-10"))
    code, line = asked(capsys, folder / name(0))
    assert (code, line.startswith(f"GOOD: {folder / name(0)} (")) == (0, True)
    assert (
        ", its file is from 0 min ago); no row is so young, so the time of its file alone" in line
    )
    old = (NOW - timedelta(hours=30)).timestamp()
    os.utime(folder / name(0), (old, old))
    assert asked(capsys, folder / name(0))[0] == 1


def test_a_piped_dump_of_a_quiet_instance_has_no_time(folder, capsys, monkeypatch):
    piped = io.TextIOWrapper(io.BytesIO(whole("2024-10").encode()))
    monkeypatch.setattr("sys.stdin", piped)
    code = main(["-", "--env-file", str(folder.parent / "keys.env"), "--output", "json"])
    found = json.loads(capsys.readouterr().out)
    assert (code, found["answer"], found["findings"]) == (2, "CANNOT TELL", [])
    assert "it is not proven to be at most 26h old" in found["unknown"][0]


def test_what_the_product_clears_is_no_loss():
    before = Inventory(
        {"secrets_v2": 10, "users": 3, "old_table": 17}, {"p": 10}, 1000, migration="1"
    )
    now = Inventory({"secrets_v2": 9, "users": 1}, {"p": 9}, 900, migration="2")
    assert find_losses(before, "May", now, 0.2) == ["rows of users: 3 in the backup of May, 1 now"]
    gone = Inventory({"secrets": 9, "users": 3}, {}, 900, migration="1")
    assert find_losses(before, "May", gone, 0.2) == [
        "secrets of project p: 10 in the backup of May, 0 now",
        "rows of old_table: 17 in the backup of May, 0 now",
    ]


CLEARED = """
audit_log_stream_outbox pki_scep_transactions pki_scep_dynamic_challenges certificates
certificate_bodies certificate_secrets certificate_syncs certificate_requests
certificate_requests_20260701_20260801 pki_acme_order_auths pki_alert_history_certificate
pki_certificate_installation_certs pki_collection_items
"""
MADE = """
users internal_kms_key_version kms_key_versions audit_log_streams certificate_authorities
certificate_authority_secret certificate_cleanup_configs certificate_templates
pki_scep_enrollment_configs pki_collections resource_metadata secret_syncs ssh_certificates
"""


def test_a_table_of_a_clean_up_job_is_no_loss_and_one_of_an_operator_is():
    # An inventory of an older Drillbook may still count the table.
    before, now = (Inventory(dict.fromkeys(CLEARED.split(), count), {}, 9) for count in (120, 3))
    assert find_losses(before, "May", now, 0.2) == []
    assert not [table for table in (*MADE.split(), *schema.CONTENT) if schema.CLEARED.match(table)]


def test_an_older_newest_row_is_a_loss_only_where_what_lasts_is_older_too():
    lost = f"the newest row is of {NOW - timedelta(days=40):%Y-%m-%d %H:%M} UTC, and was of "

    def losses(newest, changed):
        before = Inventory({}, {}, 9, NOW, changed=NOW - timedelta(days=9))
        days = (timedelta(days=newest), timedelta(days=changed))
        now = Inventory({}, {}, 9, NOW - days[0], changed=NOW - days[1])
        return find_losses(before, "May", now, 0.2)

    # A token expired; someone with a session deleted the newest secret; an earlier state.
    assert losses(newest=9, changed=9) == []
    assert losses(newest=0, changed=40) == []
    assert [loss.startswith(lost) for loss in losses(newest=40, changed=40)] == [True]


def test_an_expired_token_does_not_make_a_backup_bad(folder, capsys):
    token = 'COPY public.identity_access_tokens ("updatedAt") FROM stdin;\n{}\n\\.\n\n'
    for ago in range(KEPT):
        # Only a token was used: it expired before the newest backup.
        used = f"{NOW - (timedelta(days=ago) if ago else timedelta(days=30)):%Y-%m-%d %H:%M:%S}+00"
        sql = whole("2024-10").replace(TAIL, f"\n{token.format(used)}{TAIL}")
        (folder / name(ago)).write_text(sql)
    code, answer = asked(capsys, folder, form="json")
    assert (code, json.loads(answer)["findings"]) == (0, [])


@pytest.mark.parametrize(
    ("table", "then", "left", "lost"),
    [
        ("webhooks", 1, 0, False),
        ("webhooks", 9, 0, False),
        ("webhooks", 10, 0, True),
        ("identities", 4, 3, False),
        ("identities", 4, 2, True),
        ("users", 3, 0, True),
        ("secret_folders", 3, 2, False),
        ("secrets_v2", 4, 3, False),
        ("secrets_v2", 4, 2, True),
    ],
)
def test_a_single_deletion_is_no_loss(table, then, left, lost):
    def losses(share):
        return find_losses(
            Inventory({table: then}, {}, 9), "May", Inventory({table: left}, {}, 9), share
        )

    assert bool(losses(0.2)) is lost
    # Who accepts no loss at all hears of each.
    assert losses(0.0)


@pytest.mark.parametrize(("left", "lost"), [(3, False), (2, True)])
def test_a_single_deleted_secret_of_a_small_project_is_no_loss(left, lost):
    before, now = (Inventory({}, {"p": count}, 9) for count in (4, left))
    assert bool(find_losses(before, "May", now, 0.2)) is lost


@pytest.mark.parametrize(
    ("instance", "said"), [("two", "it is of instance two"), (None, "it names no instance")]
)
def test_a_backup_of_another_instance_is_one_reason(instance, said):
    before, now = (Inventory({"users": 9}, {}, 9, None, one) for one in ("one", instance))
    assert find_losses(before, "May", now, 0.2) == [f"{said}, and the backup of May is of one"]


def emptied(sql, table):
    return re.sub(rf"(COPY public\.{table} [^\n]*\n)(?:[^\\][^\n]*\n)*", r"\1", sql)


def without(sql, table):
    made = rf"CREATE TABLE public\.{table} [^\n]*\n"
    return re.sub(rf"{made}|COPY public\.{table} [^\n]*\n(?:[^\\][^\n]*\n)*\\\.\n", "", sql)


def with_rows(sql, table, columns, *values):
    """The same, with one more table."""
    made = f"CREATE TABLE public.{table} ({columns.replace(',', ' text,')} text);\n"
    block = "".join(f"{value}\n" for value in values)
    return sql.replace(
        TAIL, f"\n{made}COPY public.{table} ({columns}) FROM stdin;\n{block}\\.\n{TAIL}"
    )


REFERS = (
    "ALTER TABLE ONLY public.projects\n    ADD CONSTRAINT of_organization FOREIGN KEY "
    '("orgId") REFERENCES public.organizations(id) ON DELETE CASCADE;\n'
)
WHOLE = whole("2024-10")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (dump("2024-10"), "it holds rows and no table for them: dump again, by pg_dump without "),
        (WHOLE.replace(KEY_OF_A_TABLE, ""), "it makes its tables without their keys: dump again"),
        (without(WHOLE, "super_admin"), "it holds no row of super_admin: an instance restored"),
        (emptied(WHOLE, "super_admin"), "it holds no row of super_admin: an instance restored"),
        (without(WHOLE, "kms_root_config"), "it holds no row of kms_root_config: an instance"),
        (emptied(WHOLE, "organizations"), "it holds no row of organizations: an instance"),
        (emptied(WHOLE, "internal_kms"), "it holds no row of internal_kms: an instance restored"),
        (with_rows(WHOLE, "kms_keys", "id"), "it holds no row of kms_keys: an instance restored"),
        (with_rows(WHOLE, "users", "id"), "it holds no row of users: an instance restored"),
        (with_rows(WHOLE, "memberships", "id"), "it holds no row of memberships: an instance"),
        (
            with_rows(WHOLE, "infisical_migrations", "name"),
            "it holds no row of infisical_migrations: an instance restored from it migrates from",
        ),
        (
            without(WHOLE, "organizations").replace(TAIL, REFERS + TAIL),
            "it lacks the table organizations, to which line ",
        ),
        (
            with_rows(WHOLE, "infisical_migrations_lock", "index, is_locked", "1\t1"),
            "it was dumped during a migration, or after one was killed",
        ),
    ],
)
def test_what_cannot_be_used_when_restored_is_bad(folder, capsys, sql, said):
    (folder / name(0)).write_text(fresh(sql))
    code, line = asked(capsys, folder / name(0))
    assert (code, f": {said}" in line) == (1, True), line


def test_a_whole_one_with_all_that_is_referred_to_is_good(folder, capsys):
    for table, columns, row in (
        ("kms_keys", "id", "0c75ef54-aab6-421e-a603-64f5d9e0cabe"),
        ("users", "id", "1"),
        ("memberships", "id", "1"),
        ("infisical_migrations", "name", "20241014084900_identity-multiple-auth.mjs"),
        ("infisical_migrations_lock", "index, is_locked", "1\t0"),
    ):
        sql = with_rows(WHOLE, table, columns, row)
        (folder / name(0)).write_text(fresh(sql.replace(TAIL, REFERS + TAIL)))
        assert asked(capsys, folder / name(0))[0] == 0


def test_one_from_before_root_keys_is_good_without_them(folder, capsys):
    (folder.parent / "old.env").write_text(f"ENCRYPTION_KEY={KEY_OF_MAY_2024}\n")
    (folder / name(0)).write_text(fresh(whole("2024-05")))
    assert asked(capsys, folder / name(0), key="old.env")[0] == 0


def test_secrets_without_their_folders_are_not_called_damaged(folder, capsys):
    (folder / name(0)).write_text(fresh(emptied(WHOLE, "secret_folders")))
    code, line = asked(capsys, folder / name(0))
    assert code == 1
    assert (
        "8 of 8 secrets stay shut: its folder, or the project of it, is not in the backup" in line
    )
    assert "damaged" not in line
