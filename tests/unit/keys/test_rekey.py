"""Rekeying backups of three eras: what is sealed anew, what stays, what is refused."""

import gzip
import re
import stat
from pathlib import Path

import fsspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from drillbook.cli import commands
from drillbook.infisical.crypto import seal_bytes, seal_columns
from drillbook.keys import rekey
from drillbook.keys.key_check import prove
from fixtures.rekey import rekey_command
from fixtures.rekey.rekey_command import STEPS
from tests.support.backups import HEAD, KEYS, TAIL, VERSIONS, dump
from tests.support.commands import rekey as main
from tests.support.planting import planting

NEW = "fedcba9876543210fedcba9876543210"
SEALED = {"2024-07": 6, "2024-10": 5, "2026-07": 1}


@pytest.fixture
def files(tmp_path):
    (tmp_path / "new.env").write_text(f"ENCRYPTION_KEY={NEW}\n")
    for name in ("old.env", "new.env"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o600)
    return tmp_path


@pytest.fixture
def run_rekey(files, capsys):
    def done(version, change=lambda text: text, new="new.env", out="new.sql", more=()):
        (files / "old.env").write_text(f"ENCRYPTION_KEY={KEYS[version]}\n")
        (files / "old.sql").write_text(change(dump(version)), newline="")
        options = {"env-file": "old.env", "new-env-file": new, "out": out}
        arguments = [f"--{name}={files / value}" for name, value in options.items()]
        code = main([files / "old.sql", *arguments, *more])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return done


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_only_the_key_is_another(run_rekey, files, version, ends):
    code, said = run_rekey(version, lambda text: text.replace("\n", ends))
    assert code == 0, said
    assert said.startswith("EXPERIMENTAL")
    assert "PROVED, NOT REHEARSED: no backend was started" in said
    assert len(re.findall("^  sealed ", said, re.M)) == SEALED[version]
    source, target = files / "old.sql", files / "new.sql"
    assert source.read_text(newline="") == dump(version).replace("\n", ends)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert prove(target, NEW).opens_everything
    assert prove(target, KEYS[version]).opens_nothing
    assert len(source.read_bytes()) == len(target.read_bytes())
    assert source.stat().st_mtime == target.stat().st_mtime
    assert NEW not in said
    assert KEYS[version] not in said


@pytest.mark.parametrize("version", VERSIONS)
def test_what_nothing_here_can_rehearse_is_proved_and_says_so(run_rekey, files, version):
    named = with_block(block("infisical_migrations", ["id", "name"], "1", "20240101000000_its.mjs"))
    code, said = run_rekey(version, named, more=["--stack=embedded"])
    assert code == 2, said
    assert "REKEYED: only the key is another" in said
    assert "What to do with a rekeyed backup" in said
    assert said.rstrip().splitlines()[-1].startswith("PROVED, NOT REHEARSED")
    assert prove(files / "new.sql", NEW).opens_everything


def test_keys_that_others_can_read_are_warned_of(run_rekey, files):
    assert "others can read it" not in run_rekey("2024-07", out="first.sql")[1]
    for name in ("old.env", "new.env"):
        (files / name).chmod(0o644)
    code, said = run_rekey("2024-07")
    assert code == 0
    for name in ("old.env", "new.env"):
        assert f"drillbook key rekey: warning: {files / name} holds a key, and others can" in said


def test_there_and_back_again_is_the_same(run_rekey, files):
    run_rekey("2024-07")
    check = rekey.check_rekey(files / "old.sql", files / "new.sql", KEYS["2024-07"], NEW)
    back = rekey.check_rekey(files / "new.sql", files / "old.sql", NEW, KEYS["2024-07"])
    assert check.holds
    assert back.holds


def test_a_packed_backup_is_unpacked(files, capsys):
    (files / "old.env").write_text(f"ENCRYPTION_KEY={KEYS['2024-10']}\n")
    (files / "old.sql.gz").write_bytes(gzip.compress(dump("2024-10").encode()))
    names = {"env-file": "old.env", "new-env-file": "new.env", "out": "new.sql"}
    arguments = [f"--{name}={files / value}" for name, value in names.items()]
    assert main([files / "old.sql.gz", *arguments]) == 0
    assert prove(files / "new.sql", NEW).opens_everything


@pytest.mark.parametrize("where", ["{}/backups", "memory:/{}"])
def test_the_very_file_that_was_rekeyed_is_rehearsed(files, monkeypatch, where):
    (files / "backups").mkdir()
    (files / "backups" / "of-noon.sql").write_text(dump("2024-10"))
    fsspec.filesystem("memory").pipe_file(f"{files}/of-noon.sql", dump("2024-10").encode())
    (files / "old.env").write_text(f"ENCRYPTION_KEY={KEYS['2024-10']}\n")
    heard = []

    def rehearse(words, _folders, _plugins=()):
        [word] = [word for word in words if word.startswith("--backup=")]
        heard.append(Path(word.partition("=")[2]))
        assert heard[0].is_file()
        assert heard[0].read_text() == dump("2024-10")
        return 0

    monkeypatch.setattr(commands, "_call_pytest", rehearse)
    names = {"env-file": "old.env", "new-env-file": "new.env", "out": "new.sql"}
    arguments = [f"--{name}={files / value}" for name, value in names.items()]
    assert main([where.format(files), *arguments, "--stack=embedded"]) == 0
    assert heard[0].exists() == heard[0].is_relative_to(files)


PLANTED = {
    "RekeyForgetsOneTable": "still under the old key: org_bots.encryptedPrivateKey: 1",
    "RekeyLeavesOneRow": "still under the old key: user_encryption_keys",
    "RekeyChangesAValue": "opens to something else: project_bots, row 1",
}


@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.parametrize("version", ["2024-07", "2024-10"])
def test_a_rekey_that_is_not_right_is_taken_back(run_rekey, files, name, version):
    with planting(name):
        code, said = run_rekey(version)
    assert code == 1
    assert PLANTED[name] in said
    assert "NOT REKEYED" in said
    assert not (files / "new.sql").exists()


def block(table, columns, *values):
    head = ", ".join(f'"{name}"' for name in columns)
    row = "\t".join(values)
    return f"COPY public.{table} ({head}) FROM stdin;\n{row}\n\\.\n\n"


def with_block(made):
    return lambda text: text.replace(
        "COPY public.kms_root_config", f"{made}COPY public.kms_root_config"
    )


def sealed(key):
    return "\\\\x" + seal_bytes(AESGCM(key.encode()), b"something").hex()


KEY = KEYS["2024-10"]
COLUMNS = ("id", "encryptedThing", "thingIV", "thingTag")
THING = seal_columns(AESGCM(KEY.encode()), b"something", 16)
NOT_UNDERSTOOD = {
    "a column no one knows": (
        with_block(block("novelties", ("id", "blob"), "7", sealed(KEY))),
        "novelties.blob: 1 values lie under the key, in a place not known",
    ),
    "three columns no one knows": (
        with_block(block("novelties", COLUMNS, "7", *THING)),
        "novelties.encryptedThing: 1 values lie under the key",
    ),
    "an encoding no one knows": (
        with_block(block("novelties", ("id", "keyEncoding"), "7", "utf8")),
        "novelties, row 7: this table is not known",
    ),
    "a row under another key": (
        with_block(block("webhooks", ("id", "urlCipherText", "urlIV", "urlTag"), "9", *THING)),
        None,
    ),
    "half a value": (
        with_block(block("webhooks", ("id", "urlCipherText", "urlIV"), "9", *THING[:2])),
        "webhooks, row 9: urlCipherText does not open with the old key",
    ),
    "no root key": (
        lambda text: text.replace("39d8f9f772", "39d8f9f773"),
        "kms_root_config, row 00000000-0000-0000-0000-000000000000",
    ),
    "another schema": (
        lambda text: text.replace("COPY public.", "COPY infisical."),
        "its tables are in the schema infisical; only public is rekeyed",
    ),
    "a rotation of its own": (
        lambda text: text.replace(
            'kms_root_config (id, "encryptedRootKey")', 'kms_root_config (id, "kekLabel")'
        ),
        "prove a new backup with it, and only then remove the old one",
    ),
}


@pytest.mark.parametrize("kind", [name for name, (_, said) in NOT_UNDERSTOOD.items() if said])
def test_what_is_not_understood_is_listed_and_nothing_written(run_rekey, files, kind):
    change, sentence = NOT_UNDERSTOOD[kind]
    code, said = run_rekey("2024-10", change)
    assert code == 2
    assert sentence in said
    assert not (files / "new.sql").exists()


def test_a_value_under_the_key_in_a_table_that_was_empty_is_sealed_anew(run_rekey):
    code, said = run_rekey("2024-10", NOT_UNDERSTOOD["a row under another key"][0])
    assert code == 0
    assert "1 in webhooks.urlCipherText" in said


def test_a_backup_that_the_old_key_does_not_open_whole_is_not_rekeyed(run_rekey, files):
    shut = block("secrets_v2", ("id", "encryptedValue", "folderId"), "1", "\\\\x00", "nowhere")
    code, said = run_rekey("2024-10", with_block(shut))
    assert code == 3
    assert f"the old key does not open all of backup {files / 'old.sql'}: `drillbook key" in said
    assert "report this" not in said
    assert not (files / "new.sql").exists()


def test_an_interruption_does_not_deny_the_new_backup(run_rekey, files, monkeypatch):
    def interrupt(_given):
        raise KeyboardInterrupt

    monkeypatch.setattr(rekey_command, "_exit_code_without_rehearsal", interrupt)
    code, said = run_rekey("2024-10")
    assert code == 3
    assert said.endswith(f"interrupted; yet {files / 'new.sql'} is written, and right\n")
    assert prove(files / "new.sql", NEW).opens_everything


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text: text[:-60], "only a whole one is rekeyed"),
        (lambda text: text.replace("SET lock", "CREATE TABLE t (a int);\nSET lock"), "lacks rows"),
        (lambda _: "PGDMP" + "x" * 600, "pg_restore -f backup.sql /"),
        (lambda _: "hello\n", "is not a backup made by pg_dump"),
        (lambda text: text.replace("SET lock", "\\! id\nSET lock"), "may be made to do harm"),
        (lambda text: text + text, "stands behind pg_dump's last words"),
    ],
)
def test_what_is_no_whole_plain_backup_is_bad_input(run_rekey, files, change, sentence):
    code, said = run_rekey("2024-10", change)
    assert code == 3
    assert sentence in said
    assert not (files / "new.sql").exists()


def test_keys_that_make_no_sense_are_bad_input(run_rekey, files):
    assert "are the same" in run_rekey("2024-10", new="old.env")[1]
    (files / "short.env").write_text("ENCRYPTION_KEY=abc\n")
    assert "the new key has 3 bytes" in run_rekey("2024-10", new="short.env")[1]
    root = "ROOT_ENCRYPTION_KEY=ODdhY2M4YmI1MjhiNjgxYWUwYjhjNjc0NWI4YTJmNWY=\n"
    (files / "root.env").write_text(root)
    assert "by the old one's name" in run_rekey("2024-10", new="root.env")[1]
    (files / "misnamed.env").write_text(root.replace("ROOT_ENC", "ENC").replace("ODd", "ODe"))
    assert "with which no backend starts" in run_rekey("2024-10", new="misnamed.env")[1]
    assert "is not overwritten" in run_rekey("2024-10", out="old.sql")[1]
    (files / "sample.env").write_text("ENCRYPTION_KEY=6c1fe4e407b8911c104518103505b218\n")
    assert "the new key is a published sample" in run_rekey("2024-10", new="sample.env")[1]


def test_a_backup_without_rows_is_not_taken_for_an_old_one(run_rekey, files):
    code, said = run_rekey("2024-10", lambda _: f"{HEAD}INSERT INTO public.t VALUES ('1');\n{TAIL}")
    assert code == 2
    assert "or with --inserts: then restore it, and dump that without the option" in said
    assert not (files / "new.sql").exists()


def test_steps_name_the_variable_that_coolify_takes_the_key_from():
    assert STEPS.index("SERVICE_PASSWORD_ENCRYPTIONKEY") < STEPS.index("to the new key")
    assert STEPS.index("redeploy (where the image's tag moves, with --pull never") > 0
    assert max(map(len, STEPS.splitlines())) <= 100
    assert "backup job" in STEPS.partition("Rollback")[2], "they point at the new database"
