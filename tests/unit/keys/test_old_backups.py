"""A backup from before mid-2024 has no root key; its key opens it all the same, and is proved."""

import json

import pytest

from drillbook.backup import integrity
from drillbook.core.errors import Unsupported
from drillbook.drill.drill import refusal
from drillbook.keys.key_check import prove
from drillbook.preflight import backupfile
from tests.support.backups import HEAD, KEY_OF_MAY_2024, TAIL, dump, whole
from tests.support.commands import check_key, recover

RIGHT, WRONG = KEY_OF_MAY_2024, "0123456789abcdef0123456789abcdef"
MIGRATIONS = "COPY public.infisical_migrations (id, name) FROM stdin;\n{}\\.\n\n"


@pytest.fixture
def backup(tmp_path):
    path = tmp_path / "may.sql"
    path.write_text(dump("2024-05"))
    return path


@pytest.fixture
def env_file(tmp_path):
    def written(key):
        path = tmp_path / f"{key}.env"
        path.write_text(f"ENCRYPTION_KEY={key}\n")
        return str(path)

    return written


def checked(capsys, backup, key_file, *options):
    code = check_key([str(backup), "--env-file", key_file, *options])
    return code, capsys.readouterr().out


def answered(capsys, backup, key_file):
    code, said = checked(capsys, backup, key_file, "--output", "json")
    return code, json.loads(said)


def test_right_key_opens_it_and_the_way_back_is_told(capsys, backup, env_file):
    code, told = answered(capsys, backup, env_file(RIGHT))
    [key] = told["keys"]
    assert (code, told["answer"], told["reasons"]) == (0, "OPENS", [])
    assert (key["projects_opened"], key["secrets_opened"], key["secrets"]) == (1, 16, 16)
    said = checked(capsys, backup, env_file(RIGHT))[1]
    assert "restore it into a release of July 2024 or newer" in said
    assert "Any key starts there" in said


def test_wrong_key_opens_nothing_of_it(capsys, backup, env_file):
    code, told = answered(capsys, backup, env_file(WRONG))
    assert (code, told["answer"]) == (1, "DOES NOT OPEN")
    assert (code, told["answer"]) == (1, "DOES NOT OPEN")
    assert told["reasons"] == ["it opens no project's key"]
    assert told["keys"][0]["by_project"][0]["reason"] == ""


def test_all_its_secrets_are_recovered(capsys, backup, env_file, tmp_path):
    out = tmp_path / "may.json"
    given = [str(backup), "--env-file", env_file(RIGHT), "--out", str(out), "--plaintext"]
    assert recover(given) == 0
    found = {one["name"]: one["value"] for one in json.loads(out.read_text())["secrets"]}
    written = {f"OLD_{n}": f"value {n} ü" for n in range(12)} | {"OLD_3": "changed"}
    assert found == {**written, "DEEP_ONE": "one", "EMPTY": "", "LINES": "a\r\nb\n", "PROD": "p"}
    said = capsys.readouterr().err
    assert said.count("restore it into a release of July 2024 or newer") == 1


@pytest.mark.parametrize(
    "kept",
    [
        MIGRATIONS.format("78\t20240603075514_kms.ts\n"),
        'COPY public.internal_kms (id, "encryptedKey") FROM stdin;\n\\.\n\n',
    ],
)
def test_newer_backup_that_lost_its_root_key_is_not_taken_for_an_old_one(
    capsys, backup, env_file, kept
):
    backup.write_text(
        backup.read_text().replace("COPY public.project_bots", kept + "COPY public.project_bots")
    )
    code, told = answered(capsys, backup, env_file(RIGHT))
    assert (code, told["answer"]) == (2, "CANNOT TELL")
    assert "kms_root_config is missing or empty" in told["reasons"][0]


def test_earlier_migrations_do_not_make_it_a_newer_one(capsys, backup, env_file):
    text = backup.read_text()
    listed = MIGRATIONS.format("77\t20240531220007_secret-replication.ts\n")
    backup.write_text(text.replace("COPY public.project_bots", listed + "COPY public.project_bots"))
    assert answered(capsys, backup, env_file(RIGHT))[0] == 0


def test_cut_off_before_what_opens_its_projects_it_does_not_blame_the_key(capsys, backup, env_file):
    text = backup.read_text()
    backup.write_text(text[: text.index("COPY public.user_encryption_keys")])
    code, told = answered(capsys, backup, env_file(RIGHT))
    assert (code, told["answer"]) == (2, "CANNOT TELL")
    assert "ends without pg_dump's last words" in told["reasons"][0]


def test_rows_that_cannot_be_read_are_no_evidence_against_the_key(backup):
    backup.write_text(f"{HEAD}INSERT INTO public.projects VALUES ('a', 'b');\n{TAIL}")
    read = backupfile.load(backup)
    for find in (backupfile.find_wrong_key, backupfile.find_other_instance):
        [found] = find(read, RIGHT)
        assert "holds no root key that can be read" in str(found)
    assert refusal(prove(backup, RIGHT)) == "the backup holds no root key that can be read"
    with pytest.raises(Unsupported, match="its rows are statements"):
        integrity.examine(backup)


def test_preflight_tells_its_right_key_from_a_wrong_one(backup):
    read = backupfile.load(backup)
    assert (
        backupfile.find_wrong_key(read, RIGHT) == backupfile.find_other_instance(read, RIGHT) == []
    )
    [unopened], [foreign] = (
        backupfile.find_wrong_key(read, WRONG),
        backupfile.find_other_instance(read, WRONG),
    )
    assert "does not open with the deployed ENCRYPTION_KEY" in str(unopened)
    assert "is of another instance, or the deployed key is another" in str(foreign)
    assert "key check) before you deploy" in foreign.cure


def test_it_is_whole_without_a_root_key_and_a_newer_one_is_not(backup):
    backup.write_text(whole("2024-05"))
    assert integrity.examine(backup) is None
    newer = whole("2024-07")
    start = newer.index("COPY public.kms_root_config")
    backup.write_text(newer[:start] + newer[newer.index("\\.\n", start) + 3 :])
    assert "makes kms_root_config, of which none follow" in str(integrity.examine(backup))
