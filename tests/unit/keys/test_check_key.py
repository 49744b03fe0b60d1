"""`drillbook key check`: three words, their reasons, exit codes, and what is never shown."""

import base64
import errno
import gzip
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from drillbook.backup.tables import open_dump
from drillbook.core.errors import BadInput
from drillbook.infisical.crypto import label
from tests.support.backups import HEAD, KEYS, SAMPLES, TAIL, dump, without_rows
from tests.support.commands import check_key as main

WRONG = "0123456789abcdef0123456789abcdef"
COMMAND = [sys.executable, "-m", "drillbook.cli", "key", "check", "-"]


@pytest.fixture
def backup(tmp_path):
    path = tmp_path / "last night.sql"
    path.write_text(dump("2024-10"))
    return path


@pytest.fixture
def key_file(tmp_path):
    def written(name, text):
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    return written


@pytest.fixture
def right(key_file):
    return key_file("right.env", f"ENCRYPTION_KEY={KEYS['2024-10']}\n")


@pytest.fixture
def wrong(key_file):
    return key_file("wrong key.env", f"ENCRYPTION_KEY={WRONG}\n")


def asked(capsys, backup, *key_files, form="json"):
    files = [part for one in key_files for part in ("--env-file", one)]
    code = main([str(backup), *files, "--output", form])
    printed = capsys.readouterr()
    return code, (json.loads(printed.out) if form == "json" and code < 3 else printed)


def test_the_right_key_opens(capsys, backup, right):
    code, told = asked(capsys, backup, right)
    assert (code, told["answer"], told["reasons"]) == (0, "OPENS", [])
    [key] = told["keys"]
    assert (key["secrets"], key["secrets_opened"], key["empty"]) == (8, 8, 2)
    assert key["by_project"][0]["secrets_opened"] == 8
    assert told["backup"]["instance"] == "5a68c59e-2ed7-4287-86ca-c8e3c308c483"


def test_a_wrong_key_does_not_open(capsys, backup, wrong):
    code, told = asked(capsys, backup, wrong)
    assert (code, told["answer"]) == (1, "DOES NOT OPEN")
    assert told["reasons"] == ["it does not open the root key"]


@pytest.mark.parametrize("order", [1, -1])
def test_which_of_several_keys_it_is(capsys, backup, right, wrong, order):
    code, told = asked(capsys, backup, *[right, wrong][::order])
    assert (code, told["answer"]) == (0, "OPENS")
    answers = {key["file"]: key["answer"] for key in told["keys"]}
    assert answers == {right: "OPENS", wrong: "DOES NOT OPEN"}
    folder = str(backup.parent)
    assert asked(capsys, backup, f"{folder}/*.env".replace(" ", "?"))[0] == 0


def test_a_missing_key_file_does_not_end_the_comparison(capsys, backup, right, tmp_path):
    code, told = asked(capsys, backup, f"{tmp_path}/nope.env", right)
    assert (code, told["answer"]) == (0, "OPENS")
    assert told["not_tried"] == [
        f"environment file {tmp_path}/nope.env does not exist; check the path"
    ]
    _, printed = asked(capsys, backup, f"{tmp_path}/nope.env", right, form="text")
    assert f"not tried  environment file {tmp_path}/nope.env does not exist" in printed.out
    assert "set ENCRYPTION_KEY to this key and redeploy (where the image's tag moves" in printed.out


@pytest.mark.parametrize("order", [1, -1])
def test_a_file_that_was_not_tried_leaves_the_answer_open(capsys, backup, wrong, key_file, order):
    notes = key_file("notes.txt", f"the key is {KEYS['2024-10']}\n")
    code, told = asked(capsys, backup, *[wrong, notes][::order])
    assert (code, told["answer"], len(told["not_tried"])) == (2, "CANNOT TELL", 1)
    _, printed = asked(capsys, backup, wrong, notes, form="text")
    assert printed.out.startswith("CANNOT TELL: ")
    assert "Next: write each key that was not tried into a file of its own" in printed.out
    assert f"not tried  environment file {notes}, line 1" in printed.out


def test_a_key_after_a_colon_is_read_as_compose_reads_it(capsys, backup, wrong, key_file):
    colon = key_file("colon.env", f"AUTH_SECRET: x\nENCRYPTION_KEY: {KEYS['2024-10']}\n")
    code, told = asked(capsys, backup, wrong, colon)
    assert (code, told["answer"], told["not_tried"]) == (0, "OPENS", [])
    other = key_file("other.env", f"ENCRYPTION_KEY: {WRONG}\n")
    assert asked(capsys, backup, wrong, other)[0] == 1


def test_a_key_that_others_can_read_is_warned_of(capsys, backup, right):
    Path(right).chmod(0o644)
    code, printed = asked(capsys, backup, right, form="text")
    assert (code, printed.err.count("\n")) == (0, 1)
    assert f"warning: {right} holds a key, and others can read it" in printed.err


def test_of_a_cut_backup_it_cannot_tell(capsys, backup, right):
    backup.write_text(backup.read_text()[:-60])
    code, told = asked(capsys, backup, right)
    assert (code, told["answer"]) == (2, "CANNOT TELL")
    assert "last words" in told["reasons"][0]
    assert told["keys"][0]["secrets_opened"] == 8


@pytest.mark.parametrize("table", ["secrets_v2", "kms_root_config"])
def test_of_a_backup_without_the_rows_of_a_table_it_cannot_tell(capsys, backup, right, table):
    backup.write_text(without_rows("2024-10", table))
    code, told = asked(capsys, backup, right)
    assert (code, told["answer"], told["backup"]["complete"]) == (2, "CANNOT TELL", False)
    assert f"makes {table}, of which none follow" in told["reasons"][0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace("kms_root_config", "other"), "holds no root key"),
        (lambda _: HEAD + TAIL, "--schema-only or --globals-only"),
        (lambda text: text.replace("39d8f9f772", "39d8f9f7"), "59 bytes, its layout 60"),
    ],
)
def test_of_another_database_it_cannot_tell(capsys, backup, right, change, reason):
    backup.write_text(change(backup.read_text()))
    code, told = asked(capsys, backup, right)
    assert (code, told["answer"]) == (2, "CANNOT TELL")
    assert reason in told["reasons"][0]


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        ("\\! touch /tmp/x\n", "holds a command for psql"),
        ("ALTER ROLE infisical SUPERUSER;\n", "makes or changes a role"),
        ("COPY public.x FROM PROGRAM 'id';\n", "has the server run a program"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_backup_made_to_do_harm_is_refused(capsys, tmp_path, right, harm, what, pack):
    backup = tmp_path / "harm.sql"
    backup.write_bytes(pack(dump("2024-10").replace("SET lock", harm + "SET lock").encode()))
    code, printed = asked(capsys, backup, right)
    assert (code, printed.out) == (3, "")
    assert f"{backup} is more than data, and may be made to do harm: line" in printed.err
    assert what in printed.err


def test_output_of_pg_dumpall_is_called_that(capsys, backup, right):
    head = "--\n-- PostgreSQL database cluster dump\n--\n\nCREATE ROLE infisical;\n\n"
    backup.write_text(head + backup.read_text())
    code = main([str(backup), "--env-file", str(right)])
    said = capsys.readouterr().out
    assert (code, said.partition(":")[0]) == (0, "OPENS")
    assert "pg_dumpall writes the server's roles and all its databases" in said


def test_a_dump_that_makes_its_database_is_read_and_not_restored(capsys, backup, right):
    made = "CREATE DATABASE infisical WITH TEMPLATE = template0;\n\\connect infisical\n\n"
    backup.write_text(backup.read_text().replace("SET lock", made + "SET lock", 1))
    code = main([str(backup), "--env-file", str(right)])
    assert code == 0
    assert "dump it by pg_dump without --create" in capsys.readouterr().out
    with open_dump(backup) as opened:
        assert "makes or changes a database" in opened.orders()
        with pytest.raises(BadInput, match="dump it by pg_dump without --create"):
            opened.refuse_harm("x")


@pytest.mark.parametrize(
    "connect", ["", "\\connect infisical\n\n", "\\connect -reuse-previous=on x\n"]
)
@pytest.mark.parametrize("cluster", ["", "-- PostgreSQL database cluster dump\n\nCREATE ROLE x;\n"])
def test_a_made_database_hides_no_harm(capsys, backup, right, connect, cluster):
    harm = "COPY (SELECT '') TO PROGRAM 'id';\n"
    made = f"CREATE DATABASE infisical;\n{connect}{harm}"
    backup.write_text(cluster + backup.read_text().replace("SET lock", made + "SET lock", 1))
    code, printed = asked(capsys, backup, right)
    assert (code, printed.out) == (3, "")
    assert "may be made to do harm" in printed.err
    assert "has the server run a program" in printed.err


def test_a_dump_that_only_connects_elsewhere_is_read_and_not_restored(backup):
    moved = "\\connect infisical\n\n"
    backup.write_text(backup.read_text().replace("SET lock", moved + "SET lock", 1))
    with open_dump(backup) as opened:
        assert "connects to another database" in opened.beyond()


def test_two_databases_in_one_output_of_pg_dumpall_are_no_harm(capsys, backup, right):
    head = (
        "--\n-- PostgreSQL database cluster dump\n--\n\nSET default_transaction_read_only = off;\n"
    )
    first = f"CREATE ROLE infisical;\n\n\\connect template1\n\n{HEAD}{TAIL}"
    backup.write_text(
        f"{head}{first}\nCREATE DATABASE infisical;\n\\connect infisical\n{backup.read_text()}"
    )
    code, told = asked(capsys, backup, right)
    assert (code, told["answer"]) == (0, "OPENS")
    assert "pg_dumpall writes the server's roles" in told["backup"]["beyond"]


def test_of_two_instances_in_one_output_of_pg_dumpall_it_cannot_tell(capsys, backup, right):
    head = "--\n-- PostgreSQL database cluster dump\n--\n\nCREATE ROLE infisical;\n\n"
    other = f"CREATE DATABASE staging;\n\\connect staging\n{dump('2026-07')}"
    backup.write_text(f"{head}\\connect infisical\n{backup.read_text()}{other}")
    code, printed = asked(capsys, backup, right, form="text")
    assert code == 2
    assert (
        "because the backup holds the databases of 2 instances, and this key opens 8 of all their "
        "10 secrets: dump the database of one instance alone, by pg_dump"
    ) in printed.out
    assert "rotation" not in printed.out
    # Nothing stays shut where both have the same key.
    backup.write_text(
        f"{head}\\connect infisical\n{dump('2024-10')}\\connect old\n{dump('2024-10')}"
    )
    code, printed = asked(capsys, backup, right, form="text")
    assert (code, "rotation" in printed.out) == (0, False)


def test_a_dump_of_a_monitored_and_replicated_server_is_no_harm(capsys, backup, right):
    made = (
        "CREATE EXTENSION IF NOT EXISTS pg_stat_statements WITH SCHEMA public;\n\n"
        "CREATE PUBLICATION cdc FOR ALL TABLES WITH (publish = 'insert');\n\n"
        "SECURITY LABEL FOR anon ON COLUMN public.users.email IS 'MASKED';\n\n"
    )
    backup.write_text(backup.read_text().replace("SET lock", made + "SET lock", 1))
    with open_dump(backup) as opened:
        assert opened.orders() == ""
    code, told = asked(capsys, backup, right)
    assert (code, told["answer"]) == (0, "OPENS")
    for what in ("the extension pg_stat_statements (line ", "publications (", "security labels ("):
        assert what in told["backup"]["not_restored"]
    code, printed = asked(capsys, backup, right, form="text")
    assert "Note: the backup makes the extension pg_stat_statements" in printed.out


def test_what_does_harm_under_the_name_of_pg_dumpall_is_refused(capsys, backup, right):
    head = "--\n-- PostgreSQL database cluster dump\n--\n\nALTER SYSTEM SET a = 1;\n\n"
    backup.write_text(head + backup.read_text())
    code, printed = asked(capsys, backup, right)
    assert (code, "may be made to do harm" in printed.err) == (3, True)


def test_two_backups_in_one_file_are_refused(capsys, backup, right):
    backup.write_text(dump("2024-10") + dump("2024-07"))
    code, printed = asked(capsys, backup, right)
    assert code == 3
    assert "last words, as a second dump does that >> appends. Do not restore it" in printed.err


@pytest.mark.parametrize("name", sorted(one.name for one in (SAMPLES / "archives").iterdir()))
def test_an_archive_as_pg_dump_makes_it_is_not_taken_for_harm(name):
    file = SAMPLES / "archives" / name
    if "folder" not in name:
        with open_dump(file, ()) as archive:
            archive.refuse_harm(name)
            assert (archive.harm, archive.orders()) == (None, "")


def test_a_packed_archive_made_to_do_harm_is_refused(tmp_path):
    archive = (SAMPLES / "archives" / "pg16-gzip-2024-07.dump").read_bytes()
    order = b"SELECT pg_catalog.set_config('search_path', '', false);"
    assert order in archive
    harm = b"CREATE ROLE a_friend SUPERUSER;".ljust(len(order))
    hostile = tmp_path / "backup.dump.gz"
    hostile.write_bytes(gzip.compress(archive.replace(order, harm)))
    with (
        open_dump(hostile, ()) as read,
        pytest.raises(BadInput, match="makes or changes a role"),
    ):
        read.refuse_harm("backup.dump.gz")


def test_a_label_in_the_backup_is_compared(capsys, backup, right, wrong):
    mine = label(KEYS["2024-10"])
    text = backup.read_text().replace('"encryptedRootKey")', '"encryptedRootKey", "kekLabel")')
    row = text.index("\n", text.index("\\\\x", text.index("COPY public.kms_root_config")))
    backup.write_text(f"{text[:row]}\t{mine}{text[row:]}")
    assert asked(capsys, backup, right)[0] == 0
    _, told = asked(capsys, backup, wrong)
    assert told["reasons"][1] == f"the backup names the label {mine}; this key's is {label(WRONG)}"
    damaged = text[: row - 1] + ("0" if text[row - 1] != "0" else "1") + f"\t{mine}" + text[row:]
    backup.write_text(damaged)
    code, told = asked(capsys, backup, right)
    assert (code, told["answer"]) == (2, "CANNOT TELL")
    assert "damaged" in told["reasons"][0]


def test_next_step_names_the_variable_that_the_product_takes_the_key_by(capsys, backup, key_file):
    packed = base64.b64encode(KEYS["2024-10"].encode()).decode()
    _, printed = asked(capsys, backup, key_file("a.env", f"ENCRYPTION_KEY={packed}\n"), form="text")
    assert "sets it as ENCRYPTION_KEY, with which no backend starts" in printed.out
    assert "set ROOT_ENCRYPTION_KEY to this key and redeploy" in printed.out


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("AUTH_SECRET=x\n", "sets no ENCRYPTION_KEY"),
        ("", "is empty"),
        ("nonsense\n", "line 1: this is not NAME=value"),
    ],
)
def test_no_key_ends_in_one_sentence(capsys, backup, key_file, key, said):
    code, printed = asked(capsys, backup, key_file("none.env", key))
    assert (code, printed.out) == (3, "")
    assert said in printed.err
    assert printed.err.count("\n") == 1


def test_nothing_given_ends_in_one_sentence(capsys, backup, right, tmp_path):
    assert "BACKUP: an empty value; give FILE" in asked(capsys, "", right)[1].err
    assert "--env-file is missing" in asked(capsys, backup)[1].err
    assert "does not exist" in asked(capsys, tmp_path / "none.sql", right)[1].err
    (tmp_path / "nothing").mkdir()
    assert "no toc.dat" in asked(capsys, tmp_path / "nothing", right)[1].err


def test_disk_that_fails_is_no_wrong_key(capsys, monkeypatch, backup, right):
    def failing(*_given):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("drillbook.keys.key_check.prove_all", failing)
    code, printed = asked(capsys, backup, right)
    assert (code, printed.out) == (3, "")
    said = f"drillbook key check: backup {backup}: Input/output error; check it, and the space in"
    assert printed.err.startswith(said)
    assert printed.err.count("\n") == 1


def test_people_read_it_and_see_no_key(capsys, backup, right, wrong):
    code, printed = asked(capsys, backup, right, wrong, form="text")
    assert code == 0
    assert printed.out.startswith("OPENS: this key opens this backup, to the last secret\n")
    assert "8 of 8 open; 2 empty" in printed.out
    assert not any(key in printed.out for key in (WRONG, KEYS["2024-10"]))


def test_what_a_terminal_would_obey_is_not_printed(capsys, backup, right):
    backup.write_text(backup.read_text().replace("\tdrill\t", "\tdr\x1b[31mill\t"))
    _, printed = asked(capsys, backup, right, form="text")
    assert "dr\N{REPLACEMENT CHARACTER}[31mill: 8 of 8" in printed.out
    assert "\x1b" not in printed.out


def piped(monkeypatch, content):
    pipe = io.BufferedReader(io.BytesIO(content))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(pipe))


def test_standard_input_is_judged_as_a_file_is(capsys, monkeypatch, right, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "kept"))
    (tmp_path / "kept").mkdir()
    whole = dump("2024-10").encode()
    piped(monkeypatch, whole)
    code, told = asked(capsys, "-", right)
    assert (code, told["backup"]["path"]) == (0, "standard input")
    piped(monkeypatch, whole + b"DROP ROLE x;")
    code, printed = asked(capsys, "-", right)
    assert (code, "made to do harm" in printed.err) == (3, True)
    piped(monkeypatch, b"hello\n")
    assert "standard input is not a backup made by pg_dump" in asked(capsys, "-", right)[1].err
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.timeout(60)
@pytest.mark.parametrize("endless", ["/dev/zero", "/dev/full"])
def test_standard_input_without_end_is_no_backup(right, endless):
    command = [*COMMAND, "--env-file", right]
    with open(endless, "rb") as source:  # noqa: PTH123 - a device
        done = subprocess.run(command, stdin=source, capture_output=True, env={**os.environ})
    assert done.returncode == 3
    assert b"standard input is not a backup made by pg_dump" in done.stderr


def test_a_command_line_does_all_this(backup, right):
    command = [*COMMAND, "--env-file", right]
    done = subprocess.run(
        command, input=dump("2024-10").encode(), capture_output=True, env={**os.environ}
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"OPENS")


def test_an_answer_that_nobody_can_read_is_no_success(backup, right):
    command = ["sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, "--env-file", right]
    done = subprocess.run(command, input=dump("2024-10").encode(), stderr=subprocess.PIPE)
    assert done.returncode == 3
    assert b"standard output is closed, so no answer could be written" in done.stderr


def test_a_root_key_that_cannot_be_resolved_hides_no_encryption_key(capsys, backup, right):
    file = Path(right)
    file.write_text(f"{file.read_text()}\nROOT_ENCRYPTION_KEY=${{ROOT_ENCRYPTION_KEY}}\n")
    code, told = asked(capsys, backup, right)
    assert (code, told["answer"]) == (0, "OPENS")
    assert "ROOT_ENCRYPTION_KEY" in " ".join(told["not_tried"])


@pytest.mark.parametrize(
    ("newest", "variable", "is_noted"),
    [
        ("20240719182539_bypass.ts", "ROOT_ENCRYPTION_KEY", True),
        ("20240719182539_bypass.ts", "ENCRYPTION_KEY", True),
        ("20241007202149_roles.ts", "ROOT_ENCRYPTION_KEY", False),
        ("20240719182539_bypass.ts", None, False),
    ],
)
def test_a_release_that_reads_nothing_with_a_root_key_is_noted(
    tmp_path, capsys, newest, variable, is_noted
):
    migrations = f"COPY public.infisical_migrations (name) FROM stdin;\n{newest}\n\\.\n\n"
    backup, keys = tmp_path / "b.sql", tmp_path / "k.env"
    backup.write_text(dump("2024-07").replace(TAIL, migrations + TAIL))
    key = KEYS["2024-07"]
    in_base64 = base64.b64encode(key.encode()).decode()
    keys.write_text(f"{variable}={in_base64}\n" if variable else f"ENCRYPTION_KEY={key}\n")
    code, printed = asked(capsys, backup, str(keys), form="text")
    assert code == 0
    assert ("the release of July 2024 starts with ROOT_ENCRYPTION_KEY" in printed.out) is is_noted
