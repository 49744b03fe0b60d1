"""`drillbook key recover`: secrets of a backup; encrypted, private, named if they stay shut."""

import errno
import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from shlex import quote

import pyrage
import pytest

from drillbook.cli import recover
from drillbook.core import dotenv
from drillbook.keys import decrypt_secrets
from drillbook.keys.decrypt_secrets import Place, Secret, encode_secrets
from tests.support.backups import HEAD, KEYS, SECRETS, TAIL, VERSIONS, dump, without_rows
from tests.support.commands import recover as main
from tests.support.made_backups import (
    DATA,
    KEY,
    KMS,
    PLACES,
    block,
    bot,
    kms,
    old_secret,
    project,
    root,
    secret,
    under,
)


@pytest.fixture
def files(tmp_path):
    for version in VERSIONS:
        (tmp_path / f"{version}.sql").write_text(dump(version))
        (tmp_path / f"{version}.env").write_text(f"ENCRYPTION_KEY={KEYS[version]}\n")
    return tmp_path


def run(files, version, out, *options, key=None):
    backup, env_file = files / f"{version}.sql", files / f"{key or version}.env"
    given = [str(backup), "--env-file", str(env_file), "--out", str(out)]
    return main([*given, *options])


def in_the_clear(files, version, name="secrets.json"):
    out = files / name
    code = run(files, version, out, "--plaintext")
    return code, out.read_text()


def values(text):
    found = json.loads(text)
    return {
        (one["environment"], one["path"], one["name"]): one["value"] for one in found["secrets"]
    }


def test_both_generations_give_the_same_values(files):
    old = values(in_the_clear(files, "2024-07", "old.json")[1])
    new = values(in_the_clear(files, "2024-10", "new.json")[1])
    assert old == new
    assert len(old) == 10
    assert new["dev", "/", "MULTI"].count("\n") > 0
    assert new["prod", "/", "EMPTY"] == ""


@pytest.mark.parametrize("name", ["secrets.json.age", "secrets.env.age", "all of them.age"])
def test_for_a_recipient_it_is_encrypted(files, capsys, name):
    identity = pyrage.x25519.Identity.generate()
    out = files / name
    assert run(files, "2024-10", out, "--recipient", str(identity.to_public())) == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    plain = pyrage.decrypt(out.read_bytes(), [identity]).decode()
    assert plain.rstrip().endswith("# complete" if ".env" in name else "}")
    assert "plain-value" in plain
    assert b"plain-value" not in out.read_bytes()
    said = capsys.readouterr()
    assert said.out == ""
    assert "10 of 10 secrets of 1 project written" in said.err
    assert f"Next: age --decrypt -i key.txt {quote(str(out))} | less\n" in said.err


def test_recipients_come_from_a_file_too(files):
    identities = [pyrage.x25519.Identity.generate() for _ in range(2)]
    listed = files / "recipients"
    listed.write_text("# the safe\n" + "".join(f"{one.to_public()}\n" for one in identities))
    out = files / "out.age"
    assert run(files, "2026-07", out, "--recipient", str(listed)) == 0
    for one in identities:
        assert len(values(pyrage.decrypt(out.read_bytes(), [one]))) == SECRETS["2026-07"]


def test_a_passphrase_comes_from_a_file(files):
    (files / "phrase").write_text("correct horse\n")
    out = files / "out.json.age"
    assert run(files, "2026-07", out, "--passphrase-file", str(files / "phrase")) == 0
    assert values(pyrage.passphrase.decrypt(out.read_bytes(), "correct horse"))


def test_an_environment_file_is_one_line_a_secret(files):
    code, text = in_the_clear(files, "2024-10", "secrets.env")
    assert code == 0
    assert "# project, environment, folder: drill (" in text
    assert "MULTI='a\nb\n" in text
    assert text.endswith("\n# complete\n")


HOSTILE_NAMES = [
    "$(touch ran)",
    "`touch ran`",
    "A=$(touch ran)",
    "touch ran;B",
    "C\ntouch ran",
    "D\rtouch ran",
    "E\u2028touch ran",
    "my-name",
    "8BALL",
    "with space",
    'quo"te',
    "quo'te",
    "",
    "-n",
    "A[$(touch ran)]",
]
HOSTILE_VALUES = [
    "$(touch ran)",
    "`touch ran`",
    "'; touch ran; '",
    '"; touch ran; "',
    'it\'s $HOME and \\ "quoted" `touch ran`',
    "two\nlines",
    "crlf\r\nand tab\t",
    "trailing\n\n",
    "a=b=c # no comment",
    "Überweisung 日本 🔑",
    "\\n is no line break, \\\\ are two",
    "it's\n$(touch ran)\\",
    "",
]


def hostile():
    place = Place("led\nger$(touch ran)", "id\ntouch ran", "dev`touch ran`", "/a\ntouch ran")
    for at, value in enumerate(HOSTILE_VALUES):
        yield Secret(place, f"v{at}", f"V{at}", 1, "shared", value.encode(), b"")
        yield Secret(place, f"p{at}", f"P{at}", 1, "personal", value.encode(), b"")
    for at, name in enumerate(HOSTILE_NAMES):
        for value in HOSTILE_VALUES:
            yield Secret(place, f"n{at}", name, 1, "shared", value.encode(), value.encode())
        yield Secret(place, f"s{at}", name, 1, "shared", None, None, "shut\ntouch ran")
        yield Secret(place, f"q{at}", name, 1, "per\ntouch ran", b"x", b"")


def written_as(form, tmp_path):
    about = {"backup": "x\ntouch ran", "instance": "$(touch ran)"}
    file = tmp_path / f"out.{form}"
    file.write_bytes(b"".join(encode_secrets(form, hostile(), about, lambda: True)))
    return file


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_hostile_names_and_values_run_nothing_where_the_file_is_sourced(tmp_path, shell):
    file = written_as("env", tmp_path)
    names = [f"V{at}" for at in range(len(HOSTILE_VALUES))]
    dump = f"import os, json; print(json.dumps([os.environ.get(name) for name in {names}]))"
    done = subprocess.run(
        [shell, "-c", f'set -e -a; . "{file}"; exec "{sys.executable}" -c "{dump}"'],
        cwd=tmp_path,
        capture_output=True,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout) == HOSTILE_VALUES
    assert not (tmp_path / "ran").exists()


def test_hostile_names_and_values_are_read_back_from_an_environment_file(tmp_path):
    values = dotenv.load(written_as("env", tmp_path))
    # Lines of such a file end in either way, so a line break within a value is one.
    wanted = {f"V{at}": value.replace("\r\n", "\n") for at, value in enumerate(HOSTILE_VALUES)}
    assert dict(values) == wanted
    everything = written_as("env", tmp_path).read_text()
    for name in HOSTILE_NAMES:
        for value in HOSTILE_VALUES:
            assert (
                f"\n# not a variable of a shell: {json.dumps(name)}={json.dumps(value)}\n"
                in everything
            )


ACTED_ON = """
BASH BASHPID BASHOPTS BASH_ENV BASH_ALIASES BASH_ARGV BASH_ARGV0 BASH_CMDS BASH_COMPAT
BASH_VERSINFO BASH_XTRACEFD CDPATH COLUMNS DIRSTACK EGID ENV EPOCHREALTIME EUID EXECIGNORE
FUNCNAME FUNCNEST GLOBIGNORE GROUPS HISTCMD HISTCONTROL HISTFILE IFS HISTFILESIZE HISTIGNORE
HISTSIZE HISTTIMEFORMAT KEYTIMEOUT LD_PRELOAD LINENO LINES MAIL MAILCHECK MAILPATH NULLCMD
OPTARG OPTERR OPTIND PATH PIPESTATUS POSIXLY_CORRECT PPID PROMPT PROMPT_COMMAND PS4 RANDOM
READNULLCMD SAVEHIST SECONDS SHELLOPTS SHLVL SRANDOM TMOUT UID ZDOTDIR argv cdpath fpath
histchars path prompt psvar status
"""
ONLY_KEPT = """
MAILGUN_API_KEY MAIL_PASSWORD MAILER BASH_TOKEN BASHRC HISTORY_TOKEN HISTOGRAM_KEY RANDOM_SEED
ENVIRONMENT GROUPS_TOKEN STATUS APP_PATH apipath EPOCH_KEY PATHS LINES_KEY
"""


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_a_shell_neither_calculates_nor_runs_the_value_of_any_name(tmp_path, shell):
    secrets = [
        Secret(Place("p", "p", "dev", "/"), at, at, 1, "shared", b"a[$(touch ran)]", b"")
        for at in (*ACTED_ON.split(), *ONLY_KEPT.split(), "LAST")
    ]
    file = tmp_path / "all.env"
    file.write_bytes(b"".join(encode_secrets("env", secrets, {}, lambda: True)))
    kept = f"import os; print([os.environ.get(one) for one in {[*ONLY_KEPT.split(), 'LAST']}])"
    done = subprocess.run(
        [shell, "-c", f'set -e -a; . "{file}"; exec "{sys.executable}" -c "{kept}"'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == str(["a[$(touch ran)]"] * (len(ONLY_KEPT.split()) + 1))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ACTED_ON.split())
def test_names_that_a_shell_acts_on_are_comments(tmp_path, name):
    secrets = [
        Secret(Place("p", "p", "dev", "/"), at, at, 1, "shared", b"$(touch ran)", b"")
        for at in (name, f"APP_{name}", "LAST")
    ]
    text = b"".join(encode_secrets("env", secrets, {}, lambda: True)).decode()
    assert f'\n# a shell acts on this name: "{name}"="$(touch ran)"\n' in text
    assert f"\nAPP_{name}='$(touch ran)'\nLAST='$(touch ran)'\n" in text


def test_of_a_backup_that_is_more_than_data_all_is_written_with_a_warning(files, capsys):
    backup = files / "2024-10.sql"
    backup.write_text(backup.read_text() + "\\! touch ran\n")
    assert run(files, "2024-10", files / "out.json", "--plaintext") == 0
    assert "more than data, and may be made to do harm: line" in capsys.readouterr().err


def test_hostile_names_and_values_are_read_back_from_json(tmp_path):
    found = json.loads(written_as("json", tmp_path).read_text())["secrets"]
    there = [(one["name"], one["value"]) for one in found if one["id"].startswith("n")]
    assert there == [(name, value) for name in HOSTILE_NAMES for value in HOSTILE_VALUES]


def test_what_no_shell_can_set_is_counted_in_the_summary(files, capsys):
    backup = files / "2024-10.sql"
    backup.write_text(backup.read_text().replace("\tMULTI\t", "\t$(touch ran)\t"))
    code, text = in_the_clear(files, "2024-10", "secrets.env")
    assert code == 0
    assert '# not a variable of a shell: "$(touch ran)"="a\\nb' in text
    assert "2 of them have a name that is not a variable of a shell" in capsys.readouterr().err


def test_what_stays_shut_is_named_and_the_rest_is_written(files, capsys):
    backup = files / "2024-10.sql"
    whole = backup.read_text()
    at = whole.index("\\\\x", whole.index("COPY public.secrets_v2")) + 40
    backup.write_text(f"{whole[:at]}{'1' if whole[at] != '1' else '0'}{whole[at + 1 :]}")
    code, text = in_the_clear(files, "2024-10")
    found = json.loads(text)
    assert (code, found["complete"]) == (1, False)
    [shut] = [one for one in found["secrets"] if "reason" in one]
    assert shut["name"] in capsys.readouterr().err
    assert len(found["secrets"]) == 10


def test_of_a_cut_backup_the_rest_is_not_called_all(files, capsys):
    backup = files / "2024-10.sql"
    backup.write_text(backup.read_text()[:-60])
    code, text = in_the_clear(files, "2024-10")
    assert (code, json.loads(text)["complete"]) == (2, False)
    said = capsys.readouterr().err
    assert said.index("NOT ALL") < said.index("If it is a copy, fetch it again")


def test_of_a_backup_without_the_rows_of_a_table_the_rest_is_not_called_all(files, capsys):
    (files / "2024-10.sql").write_text(without_rows("2024-10", "secrets_v2"))
    code, text = in_the_clear(files, "2024-10")
    assert (code, json.loads(text)["complete"]) == (2, False)
    assert "NOT ALL: the backup lacks rows: line " in capsys.readouterr().err


def test_a_cut_that_left_no_key_accuses_the_backup_first(files, capsys):
    backup = files / "cut.sql"
    whole = dump("2024-10")
    backup.write_text(whole[: whole.index("COPY public.kms_root_config")])
    out = files / "out.json"
    code = run(files, "cut", out, "--plaintext", key="2024-10")
    said = capsys.readouterr().err
    assert (code, out.exists()) == (3, False)
    assert "if it is a copy, fetch it again, else take an earlier backup" in said
    assert said.index("pg_dump's last words") < said.index("opens nothing")


def test_a_wrong_key_writes_nothing(files, capsys):
    out = files / "out.json"
    assert run(files, "2024-10", out, "--plaintext", key="2024-07") == 3
    assert "opens nothing" in capsys.readouterr().err
    assert sorted(one.suffix for one in files.iterdir()) == [".env"] * 3 + [".sql"] * 3


def test_a_backup_without_a_root_key_accuses_no_key(files, capsys):
    backup, out = files / "2024-10.sql", files / "out.json"
    backup.write_text(backup.read_text().replace("kms_root_config", "other"))
    assert run(files, "2024-10", out, "--plaintext") == 3
    said = capsys.readouterr().err
    assert "holds no root key" in said
    assert "opens nothing" not in said


def test_nothing_is_overwritten(files, capsys):
    out = files / "out.json"
    out.write_text("mine")
    assert run(files, "2024-10", out, "--plaintext") == 3
    assert "is not overwritten" in capsys.readouterr().err
    assert out.read_text() == "mine"
    out.unlink()
    out.symlink_to(files / "elsewhere")
    assert run(files, "2024-10", out, "--plaintext") == 3


def test_of_several_keys_the_one_that_opens_is_taken(files, capsys):
    out = files / "out.json"
    keys = [f"--env-file={files}/{name}.env" for name in ("2024-07", "nope", "2024-10")]
    given = [str(files / "2024-10.sql"), *keys]
    assert main([*given, "--out", str(out), "--plaintext"]) == 0
    assert len(values(out.read_text())) == 10
    said = capsys.readouterr().err
    assert f"Opened by the key in {files}/2024-10.env" in said
    assert f"Not tried: environment file {files}/nope.env does not exist" in said


def test_of_several_keys_none_of_which_opens_each_is_named(files, capsys):
    out = files / "out.json"
    keys = [f"--env-file={files}/{name}.env" for name in ("2024-07", "2026-07")]
    given = [str(files / "2024-10.sql"), *keys]
    assert main([*given, "--out", str(out), "--plaintext"]) == 3
    said = capsys.readouterr().err
    assert f"2024-07.env, and the one in {files}/2026-07.env opens nothing" in said
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "give --recipient"),
        (["--plaintext", "--recipient", "age1x"], "exclude each other"),
        (["--recipient", "age1nonsense"], "not a public key of age"),
        (["--recipient", "nowhere"], "nor a file that lists them"),
        (["--passphrase-file", "nowhere"], "--passphrase-file: nowhere does not exist"),
    ],
)
def test_in_the_clear_only_when_asked_twice(files, capsys, options, said):
    assert run(files, "2024-10", files / "out.json", *options) == 3
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert not (files / "out.json").exists()


def test_a_file_that_lists_no_recipients_is_not_quoted(files, capsys):
    """It may be the file of the key, or of a passphrase."""
    given = ["--recipient", str(files / "2024-10.env")]
    assert run(files, "2024-10", files / "out.json", *given) == 3
    said = capsys.readouterr().err
    assert "2024-10.env is not a public key of age or SSH, or holds a line that is none" in said
    assert KEYS["2024-10"] not in said


def test_a_passphrase_that_no_one_can_type_is_refused(files, capsys):
    """age asks for one line; the file may be one of keys."""
    (files / "phrase").write_text("one\ntwo\n")
    assert run(files, "2024-10", files / "out.age", "--passphrase-file", str(files / "phrase")) == 3
    assert "phrase has more than one line; write the passphrase alone" in capsys.readouterr().err
    assert not (files / "out.age").exists()


def test_a_key_that_fits_nothing_is_told_why(files, capsys):
    (files / "quoted.env").write_text(f"ENCRYPTION_KEY=\u201c{KEYS['2024-10']}\u201d\n")
    assert run(files, "2024-10", files / "out.json", "--plaintext", key="quoted") == 3
    assert (
        "quoted.env: it has 38 bytes where the product takes exactly 32" in capsys.readouterr().err
    )


def test_a_folder_that_is_not_there_is_told(files, capsys):
    assert run(files, "2024-10", files / "none" / "out.json", "--plaintext") == 3
    assert "none does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("trouble", "said"),
    [(KeyboardInterrupt(), "interrupted"), (OSError(errno.ENOSPC, "No space left"), "No space")],
)
def test_a_write_that_fails_leaves_nothing(files, capsys, monkeypatch, trouble, said):
    def seal(pieces, file):
        file.write(next(pieces))
        raise trouble

    monkeypatch.setattr(decrypt_secrets, "write_plain", seal)
    before = sorted(files.iterdir())
    assert run(files, "2024-10", files / "out.json", "--plaintext") == 3
    assert said in capsys.readouterr().err
    assert sorted(files.iterdir()) == before


def test_one_secret_alone_is_written(files, capsys):
    out = files / "one.json"
    assert run(files, "2024-10", out, "--plaintext", "--only", "drill/dev/MULTI") == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    [found] = values(out.read_text())
    assert found == ("dev", "/", "MULTI")
    assert "1 of 1 secrets of 1 project written" in capsys.readouterr().err
    assert (
        run(files, "2024-10", files / "old.json", "--plaintext", "--only", "drill/dev/MULTI") == 0
    )


@pytest.mark.parametrize("wanted", ["drill/dve/MULTI", "drill/dev/MULTY", "dev/MULTI"])
def test_a_name_that_is_none_is_refused_with_the_nearest(files, capsys, wanted):
    assert run(files, "2024-10", files / "one.json", "--plaintext", "--only", wanted) == 3
    said = capsys.readouterr().err
    assert f"--only {wanted}: there is no such secret; did you mean drill/dev/MULTI" in said
    assert said.count("\n") == 1
    assert not (files / "one.json").exists()


def test_a_name_of_two_projects_is_refused(files, capsys, monkeypatch):
    twins = [
        Secret(Place("shop", f"id-{n}", "dev", "/pay"), f"{n}", "KEY", 1, "shared", b"v", b"")
        for n in (1, 2)
    ]
    mine = replace(twins[0], type="personal", id="3")
    monkeypatch.setattr(recover.Reader, "secrets", lambda _: iter([mine, *twins]))
    assert (
        run(files, "2024-10", files / "one.json", "--plaintext", "--only", "shop/dev/pay/KEY") == 3
    )
    assert "2 secrets have this name; name the project by its id" in capsys.readouterr().err
    assert (
        run(files, "2024-10", files / "one.json", "--plaintext", "--only", "id-1/dev/pay/KEY") == 0
    )


@pytest.mark.parametrize("given", ["itself", "in a file"])
def test_a_private_key_for_a_recipient_is_not_quoted(files, capsys, given):
    private = "AGE-SECRET-KEY-1" + "Q" * 58
    identity = files / "identity.txt"
    identity.write_text(f"# created today\n{private}\n")
    recipient = private if given == "itself" else str(identity)
    assert run(files, "2024-10", files / "out.age", "--recipient", recipient) == 3
    said = capsys.readouterr().err
    assert "holds a private key of age; give its public key (age1…)" in said
    assert "QQQQ" not in said


@pytest.mark.parametrize("option", ["--env-file", "--recipient"])
def test_the_home_of_an_unknown_user_is_a_sentence(files, capsys, option):
    assert run(files, "2024-10", files / "out.age", option, "~nosuchuser/k") == 3
    assert "the home folder of an unknown user" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["secrets.json", "secrets.env"])
def test_a_backup_whose_name_is_not_text_is_recovered(files, name):
    folder, out = files / "backups", files / name
    folder.mkdir()
    (folder / os.fsdecode(b"bad\xff.sql")).write_text(dump("2024-10"))
    given = [str(folder), "--env-file", str(files / "2024-10.env"), "--out", str(out)]
    assert main([*given, "--plaintext"]) == 0
    assert "bad\N{REPLACEMENT CHARACTER}.sql" in out.read_text()


def test_rows_older_than_their_projects_upgrade_are_left_out_aloud(tmp_path, capsys):
    upgraded = project("old", data=under(KMS, DATA)) | {"version": "3"}
    around = [block("kms_root_config", root()), block("internal_kms", kms("kms-1")), *PLACES]
    current = secret("in-old") | {"id": "s1", "key": "NAME", "type": "shared", "version": "2"}
    stale = old_secret() | {"id": "gone", "type": "shared"}
    rows = [block("projects", upgraded), *bot(), block("secrets", stale)]
    content = "".join([HEAD, *around, *rows, block("secrets_v2", current), TAIL])
    (tmp_path / "made.sql").write_text(content)
    (tmp_path / "made.env").write_text(f"ENCRYPTION_KEY={KEY}\n")
    assert run(tmp_path, "made", tmp_path / "secrets.json", "--plaintext") == 0
    assert "secrets that are older than their project's upgrade: 1;" in " ".join(
        capsys.readouterr().err.split()
    )
