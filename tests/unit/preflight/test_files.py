"""Environment files, keys, repositories and backups: what is accepted, what is found."""

import base64
import contextlib
import errno
import gzip
import io
import json
import os
import re
import secrets
import shutil
import string
import subprocess

import pytest

from drillbook.backup.facts import examine
from drillbook.backup.integrity import write_checksum
from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run
from drillbook.core import dotenv
from drillbook.core.display import Finding, Result, write_sarif
from drillbook.core.errors import BadInput, StackTrouble, Unsupported
from drillbook.infisical.settings import Settings
from drillbook.preflight import backupfile, git_scan, key_strength
from drillbook.preflight.file_checks import Answer
from drillbook.preflight.git_scan import Repository, first_lines, needles, pieces
from drillbook.preflight.given_files import GivenFiles
from drillbook.stack import compose_file
from fixtures.mutants.file_bugs import SOUND, backup, commit, encrypted_root, repository
from fixtures.session import file_fixtures
from tests.support.backups import KEYS, SAMPLES, without_rows

KEY = "3f9c1a7e5b2d8046c1e9f7a35d0b8264"
OTHER = "b4617d0e9a3c58f21d6be8047c95a3f0"


def read(tmp_path, text):
    file = tmp_path / "x.env"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.chmod(0o600)
    return dotenv.load(file)


@pytest.mark.parametrize(
    ("row", "value"),
    [
        ("A=b", "b"),
        ("export A=b", "b"),
        ("A = b", "b"),
        ("A=b # why", "b"),
        ("A=b#c", "b#c"),
        ("A='b # $c'", "b # $c"),
        ('A="b\\n"', "b\n"),
        ('A="say \\"b\\""', 'say "b"'),
        ('A="two\nlines"', "two\nlines"),
        ("A=b ", "b "),
        ("A=", ""),
        ("A=b==", "b=="),
        ("\ufeffA=b", "b"),
        ("A=b\r\n", "b"),
    ],
)
def test_row_is_read_as_compose_reads_it(tmp_path, row, value):
    assert read(tmp_path, f"# first\n{row}\nZ=1\n" if row[0] != "\ufeff" else row)["A"] == value


@pytest.mark.parametrize(
    "content", [b"", b" \n", b"\0\0", b"\xff\xfe", b"# only\n", b"secret words\n", b"A='open\n"]
)
def test_bad_env_file_is_refused_in_one_sentence(tmp_path, content):
    with pytest.raises(BadInput) as refused:
        read(tmp_path, content)
    assert "\n" not in str(refused.value)
    assert "secret words" not in str(refused.value)


def test_values_are_not_represented(tmp_path):
    env = read(tmp_path, f"ENCRYPTION_KEY={KEY}\n")
    assert KEY not in repr(env) + repr(env["ENCRYPTION_KEY"]) + repr(dict(env))


@pytest.mark.parametrize("_", range(20))
def test_keys_made_by_coolify_and_openssl_are_accepted(tmp_path, _):
    letters = string.ascii_letters + string.digits
    for key in ("".join(secrets.choice(letters) for _ in range(32)), secrets.token_hex(16)):
        auth = base64.b64encode(secrets.token_bytes(64)).decode()
        password = "".join(secrets.choice(letters) for _ in range(32))
        rows = {"ENCRYPTION_KEY": key, "AUTH_SECRET": auth, "POSTGRES_PASSWORD": password}
        env = read(tmp_path, "".join(f"{name}={value}\n" for name, value in rows.items()))
        deployed = key_strength.Deployed(env, compose_file.load(SOUND, env))
        assert key_strength.keys(deployed) == []
        assert key_strength.passwords(deployed) == []


@pytest.mark.parametrize(
    "value",
    ["infisical", "Summer2026!", "password" * 5, "0123456789abcdef" * 2, "a" * 40, "ab" * 16],
)
def test_weak_value_is_estimated_weak(value):
    assert key_strength.bits(value) < 96


def test_product_samples_are_known_by_label():
    assert key_strength.is_sample("infisical")
    assert key_strength.is_sample("6c1fe4e407b8911c104518103505b218")
    assert not key_strength.is_sample(KEY)


def test_key_is_found_across_pieces_and_in_its_line():
    text = b"first\nsecond " + KEY.encode() + b"\nthird"
    assert first_lines(text, needles({"K": KEY})) == {"K": ("as it is", 2)}
    big = b"x\n" * (1 << 21)
    for before in (b"", b"x" * 10, b"\n" * 20):
        whole = big[len(before) + 40 :] + before + text
        found = [
            (line + above, how)
            for data, above in pieces(io.BytesIO(whole), len(whole))
            for how, line in first_lines(data, needles({"K": KEY})).values()
        ]
        assert set(found) == {(1 + whole[: whole.index(KEY.encode())].count(b"\n"), "as it is")}


@pytest.mark.parametrize(
    "written",
    [
        KEY,
        KEY.upper(),
        base64.b64encode(f"x{KEY}".encode()).decode(),
        KEY.encode().hex(),
        base64.b64encode(bytes.fromhex(KEY)).decode(),
    ],
)
def test_key_is_found_in_any_encoding(tmp_path, written):
    repo = repository(tmp_path)
    commit(repo, "a.txt", f"one\n{written}\n")
    commit(repo, "a.txt", "gone\n")
    found = Repository(repo).search({"ENCRYPTION_KEY": KEY}).known
    assert [(one.file, one.line) for one in found] == [("a.txt", 2)]
    assert f"since commit {commit_of(repo, 'HEAD~1')}" in str(found)
    assert KEY not in str(found)


def test_short_values_are_named_as_not_searched_for(tmp_path):
    repo = repository(tmp_path)
    commit(repo, "a.txt", "Tr0ub4dor&3\n")
    found = Repository(repo).search({"K": KEY, "SHORT": "Tr0ub4dor&3"})
    assert (found.sought, found.known) == (("K",), [])
    assert "not searched for, as shorter than 12 characters: SHORT" in found.note


def commit_of(repo, name):
    return subprocess.check_output(["git", "-C", repo, "rev-parse", name], text=True)[:10]


TOKEN = "ghp_" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(36))


def test_foreign_token_is_found_once_and_can_be_allowed(tmp_path):
    repo = repository(tmp_path)
    commit(repo, "deploy.sh", f"one\nlogin {TOKEN}\n")
    commit(repo, "deploy.sh", f"one\ntwo\nlogin {TOKEN}\n")
    (found,) = Repository(repo).search({}).leaks
    assert (found.file, found.line) == ("deploy.sh", 2)
    assert f"(github-pat), since commit {commit_of(repo, 'HEAD~1')}" in str(found)
    assert TOKEN not in str(found)
    (repo / ".gitleaksignore").write_text(f"# a sample\n{'0' * 40}:deploy.sh:github-pat:2\n")
    assert Repository(repo).search({}).leaks == []


def test_placeholder_sample_and_reference_are_no_credentials(tmp_path):
    repo = repository(tmp_path)
    rows = [
        "ENCRYPTION_KEY=6c1fe4e407b8911c104518103505b218",
        "ENCRYPTION_KEY=<32-byte-hex-goes-here-please-change-it>",
        "POSTGRES_PASSWORD=${SERVICE_PASSWORD_POSTGRES}",
        "AUTH_SECRET=change-me-to-a-long-random-string",
    ]
    commit(repo, ".env.example", "\n".join(rows))
    assert Repository(repo).search({}).leaks == []


def git(repo, *arguments, **more):
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    done = subprocess.run(
        ["git", *who, *arguments], cwd=repo, check=True, capture_output=True, text=True, **more
    )
    return done.stdout.strip()


def test_key_in_a_message_is_told_with_its_commit_and_one_in_a_tag_without(tmp_path):
    repo = repository(tmp_path)
    git(repo, "commit", "-q", "--allow-empty", "-m", f"the key\n\n{KEY}")
    git(repo, "tag", "-a", "v1", "-m", KEY)
    of_commit, of_tag = sorted(Repository(repo).search({"K": KEY}).known, key=str)
    at = commit_of(repo, "HEAD")
    assert of_commit.file == f"commit {at}"
    assert f"since commit {at}" in of_commit.sentence
    assert (of_tag.file, of_tag.sentence) == ("v1", "K stands there as it is")


def test_what_is_committed_is_not_told_as_new_under_any_of_its_names(tmp_path):
    repo = repository(tmp_path)
    (repo / "a.env").write_text(f"K={KEY}\n")
    commit(repo, "b.env", f"K={KEY}\n")
    (found,) = Repository(repo).search({"K": KEY}).known
    assert f"since commit {commit_of(repo, 'HEAD')}" in found.sentence


def test_what_is_not_committed_is_kept_out_and_not_replaced(tmp_path):
    repo = repository(tmp_path)
    commit(repo, "b.env", f"K={KEY}\n")
    (repo / "a.env").write_text(f"ENCRYPTION_KEY={OTHER}\n")
    found = Repository(repo).search({"K": KEY, "ENCRYPTION_KEY": OTHER}).known
    todos = {one.file: one.cure for one in found}
    assert todos["a.env"].startswith("do not commit it: add the file to .gitignore")
    assert "take it out of the file, once it is kept elsewhere" in todos["a.env"]
    # The commit of `git rm --cached` deletes the file of a deployment that pulls.
    assert "copy it first" in todos["a.env"]
    assert todos["b.env"].startswith("deleting the file is not enough")


def test_a_key_in_git_may_have_opened_a_backup(tmp_path):
    repo = repository(tmp_path)
    commit(repo, "b.env", f"ENCRYPTION_KEY={KEY}\nSMTP_PASSWORD={OTHER}\n")
    found = Repository(repo).search({"ENCRYPTION_KEY": KEY, "SMTP_PASSWORD": OTHER}).known
    told = {one.sentence.partition(" ")[0]: "change the secrets" in one.cure for one in found}
    assert told == {"ENCRYPTION_KEY": True, "SMTP_PASSWORD": False}


def test_each_of_very_many_findings_has_its_commit(tmp_path):
    repo = repository(tmp_path)
    for number in range(510):
        (repo / f"{number}.env").write_text(f"{number} {KEY}\n")
    commit(repo, "z", "z\n")
    found = Repository(repo).search({"K": KEY}).known
    assert len(found) == 510
    assert all("since commit" in one.sentence for one in found)


def test_replaced_commit_is_searched_nevertheless(tmp_path):
    repo = repository(tmp_path)
    commit(repo, "a.env", f"K={KEY}\n")
    git(repo, "replace", commit_of(repo, "HEAD"), commit_of(repo, "HEAD~1"))
    (repo / "a.env").unlink()
    git(repo, "rm", "-q", "--cached", "--ignore-unmatch", "a.env")
    (found,) = Repository(repo).search({"K": KEY}).known
    assert found.file == "a.env"


@pytest.mark.parametrize("lost", ["HEAD~1^{tree}", "HEAD~1:a.txt", "HEAD~2"])
def test_history_that_cannot_be_read_to_its_end_is_refused(tmp_path, lost):
    repo = repository(tmp_path)
    commit(repo, "a.txt", "one\n")
    commit(repo, "a.txt", "two\n")
    sha = git(repo, "rev-parse", lost)
    (repo / ".git" / "objects" / sha[:2] / sha[2:]).unlink()
    with pytest.raises(BadInput, match="clone it anew"):
        Repository(repo).search({"K": KEY})


def test_no_program_that_a_repository_configures_is_run(tmp_path):
    repo = repository(tmp_path)
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch '{tmp_path}/run'\n")
    program.chmod(0o755)
    commit(repo, ".gitattributes", "* diff=own filter=own\n")
    commit(repo, "a.env", f"K={KEY}\n")
    head = git(repo, "cat-file", "commit", "HEAD") + "\n"
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\n"
    signed = head.replace("\n\n", f"\n{signature}", 1)
    sha = git(repo, "hash-object", "-t", "commit", "-w", "--stdin", input=signed)
    git(repo, "update-ref", "refs/heads/signed", sha)
    for name in (
        *("gpg.program", "core.fsmonitor", "core.pager", "diff.external"),
        *("diff.own.command", "diff.own.textconv", "filter.own.clean", "filter.own.process"),
    ):
        git(repo, "config", name, str(program))
    git(repo, "config", "log.showSignature", "true")
    (repo / "a.env").write_text(f"now K={KEY}\n")
    assert Repository(repo).search({"K": KEY}).known
    assert not (tmp_path / "run").exists()


def test_ignored_file_is_no_finding_and_a_new_one_is(tmp_path):
    repo = repository(tmp_path)
    commit(repo, ".gitignore", ".env\n")
    (repo / ".env").write_text(f"ENCRYPTION_KEY={KEY}\n")
    assert Repository(repo).search({"K": KEY}).known == []
    (repo / "other.env").write_text(f"ENCRYPTION_KEY={KEY}\n")
    found = Repository(repo).search({"K": KEY})
    assert [one.file for one in found.known] == ["other.env"]
    assert found.leaks == []


def test_repository_that_is_none_is_refused(tmp_path, monkeypatch):
    with pytest.raises(BadInput, match="git says"):
        Repository(tmp_path)
    with pytest.raises(BadInput, match="not a folder"):
        Repository(tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="git program is not on PATH"):
        Repository(tmp_path)


def test_empty_repository_and_shallow_clone(tmp_path):
    empty = tmp_path / "empty"
    subprocess.run(["git", "init", "-q", empty], check=True)
    assert Repository(empty).search({"K": KEY}).known == []
    repo = repository(tmp_path)
    commit(repo, "b", "b\n")
    shallow = tmp_path / "shallow"
    url = f"file://{repo}"
    subprocess.run(["git", "clone", "-q", "--depth=1", url, shallow], check=True)
    with pytest.raises(Unsupported, match="shallow"):
        Repository(shallow)


def test_clone_that_left_contents_behind_is_refused(tmp_path):
    repo = repository(tmp_path)
    git(repo, "config", "uploadpack.allowFilter", "true")
    commit(repo, "a.txt", KEY)
    commit(repo, "a.txt", "gone")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--filter=blob:none", f"file://{repo}", str(clone))
    with pytest.raises(BadInput, match="clone it anew"):
        Repository(clone).search({"K": KEY})


def test_backup_gzipped_cut_and_in_a_folder(tmp_path):
    plain = backup(tmp_path, encrypted_root(KEY))
    packed = tmp_path / "newer.sql.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    os.utime(plain, (1, 1))
    found = backupfile.load(tmp_path)
    assert (found.path, found.facts.complete, backupfile.faults(found, KEY)) == (packed, True, [])
    packed.write_bytes(packed.read_bytes()[:-40])
    assert "is cut short or damaged: it " in str(backupfile.faults(backupfile.load(packed), KEY))


def test_backup_without_the_rows_of_a_table_is_found(tmp_path):
    file, key = tmp_path / "b.sql", KEYS["2024-10"]
    file.write_text(without_rows("2024-10", "secrets_v2"))
    found = backupfile.load(file)
    assert "lacks rows: " in str(backupfile.faults(found, key))
    with pytest.raises(StackTrouble, match=r"not the whole backup \(lacks rows"):
        backupfile.find_wrong_key(found, key)


def test_backup_that_cannot_be_restored_or_differs_from_its_checksum_is_found(tmp_path):
    file = backup(tmp_path, encrypted_root(KEY))
    assert backupfile.find_damage(backupfile.load(file)) == []
    write_checksum(file)
    file.write_text(re.sub("CREATE TABLE .*\n", "", file.read_text()))
    found = str(backupfile.find_damage(backupfile.load(file)))
    assert "holds rows and no table for them" in found
    assert "differs from the checksum" in found


def test_backup_of_another_instance_is_told_by_its_id(tmp_path):
    found = backupfile.load(backup(tmp_path, encrypted_root(KEY)))
    assert "INSTANCE_ID" in str(backupfile.faults(found, KEY, "another"))


def test_backup_in_another_form_is_judged_too(tmp_path):
    archive = SAMPLES / "archives" / "pg18-gzip-2024-07.dump"
    file = shutil.copy(archive, tmp_path / "x.dump")
    made = examine(file).dumped_at.timestamp()
    os.utime(file, (made, made))
    found = backupfile.load(file, now=made + 3600)
    # The sample has no tables, which are the product's own code.
    (only,) = backupfile.faults(found, KEYS["2024-07"])
    assert only.sentence.startswith("holds rows and no table for them")
    os.utime(file, (made + 71 * 3600,) * 2)
    touched = backupfile.load(file, now=made + 72 * 3600)
    assert "60 hours old, more than 24" in str(backupfile.find_damage(touched))
    assert "back up now" in backupfile.find_damage(touched)[0].cure
    assert backupfile.find_wrong_key(found, KEYS["2024-07"]) == []
    assert "another instance" in str(backupfile.faults(found, KEY))


def test_what_is_no_backup_is_bad_input(tmp_path):
    file = tmp_path / "x.dump"
    file.write_bytes(b"no backup")
    with pytest.raises(BadInput, match="not a backup made by pg_dump"):
        backupfile.load(file)
    with pytest.raises(BadInput, match="does not exist"):
        backupfile.load(tmp_path / "none")


def test_a_compose_file_that_was_not_given_is_no_place_of_a_finding(tmp_path):
    (tmp_path / "own.env").write_text("AUTH_SECRET=x\n")
    env = dotenv.load(tmp_path / "own.env")
    reference = compose_file.load(SOUND, env)
    for given in (True, False):
        [found] = key_strength.address(key_strength.Deployed(env, reference, given=given))
        assert found.sentence == "SITE_URL is not set"
        assert (found.file == env.name) is not given


def test_settings_of_the_harness_are_strong():
    for value in Settings.generate().sensitive().values():
        assert key_strength.bits(value) > 96


@pytest.mark.parametrize("printed", ["", "0123", "0123456789 blob 500 name\\ncut"])
def test_a_git_that_never_ends_is_one_sentence(tmp_path, monkeypatch, printed):
    searched = Repository(repository(tmp_path))
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    git.write_text(f"#!/bin/sh\nprintf '{printed}'\nexec sleep 60\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{git.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(git_scan, "_SEARCH_S", 0.3)
    with pytest.raises(BadInput, match=r"git took more than 0\.3 s"):
        searched.search({})


@pytest.mark.parametrize(
    "module", ["drillbook.backup.location", "drillbook.backup.facts"], ids=["choose", "read"]
)
def test_file_of_another_user_in_a_folder_of_backups_is_named(tmp_path, monkeypatch, module):
    hidden = backup(tmp_path, encrypted_root(KEY))

    def refuse(file):
        raise PermissionError(errno.EACCES, "Permission denied", str(file))

    monkeypatch.setattr(f"{module}.packed_at", refuse)
    words = f"^backup {hidden}: Permission denied; check --backup, and who may read it$"
    with pytest.raises(BadInput, match=words):
        backupfile.load(tmp_path)


def test_pipe_as_backup_is_called_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(BadInput, match="is not an ordinary file"):
        backupfile.newest(pipe)
    with pytest.raises(BadInput, match="does not exist"):
        backupfile.newest(tmp_path / "nothing")


@pytest.mark.parametrize("name", [b"bad\xff.env", b"a\x1b[2J.env", b"a\npreflight: 0 findings"])
def test_a_credential_in_a_file_of_any_name_is_found_and_can_be_allowed(tmp_path, name):
    repo = repository(tmp_path)
    (repo / os.fsdecode(name)).write_text(f"login {TOKEN}\n")
    (found,) = Repository(repo).search({}).leaks
    assert found.file == os.fsdecode(name)
    allowed = found.cure.partition("put ")[2].partition(" into")[0]
    (repo / ".gitleaksignore").write_text(f"{allowed}\n")
    assert Repository(repo).search({}).leaks == []


def test_a_name_that_is_not_text_is_printed_and_placed(tmp_path, capsys):
    name = os.fsdecode(b"bad\xff\x1b[2J\n.env")
    (tmp_path / "repo").mkdir()
    subprocess.run(["git", "init", "-q", tmp_path / "repo"], check=True)
    (tmp_path / "repo" / name).write_text(f"login {TOKEN}\n")
    assert run(COMMANDS, ["preflight", "--repo", str(tmp_path / "repo")]) == 1
    assert "bad\ufffd\ufffd[2J\ufffd.env:1: looks like a cred" in capsys.readouterr().out
    write_sarif("t", {"R": {}}, [Result("R", "text", name, 1)])
    (result,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place["uri"] == "bad%FF%1B%5B2J%0A.env"


@pytest.mark.parametrize("broken", [{}, {"KEY-11": "the git history cannot be read"}])
def test_a_check_that_did_not_end_is_in_sarif_and_not_read_as_no_finding(capsys, broken):
    answer = Answer({name: {"title": "T", "claim": "C"} for name in ("KEY-8", "DEP-5")})
    answer.not_finished = broken
    answer.findings = [("KEY-8", Finding(".env", 1, "too short", "make another"))]
    answer.corrections = [("DEP-5", Finding("", None, "the runbook says otherwise", ""))]
    answer.write_sarif()
    (document,) = json.loads(capsys.readouterr().out)["runs"]
    # A correction of the runbook fails nothing.
    levels = {result["ruleId"]: result["level"] for result in document["results"]}
    assert levels == {"KEY-8": "error", "DEP-5": "warning"}
    (call,) = document["invocations"]
    said = [note["message"]["text"] for note in call["toolExecutionNotifications"]]
    assert said == [f"not finished: {control}: {why}" for control, why in broken.items()]
    assert call["executionSuccessful"] is not bool(broken)


def test_a_preflight_that_was_interrupted_answers_nothing(capsys, monkeypatch, tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Answer, "carry_out", interrupt)
    (tmp_path / ".env").write_text("A=b\n")
    line = ["preflight", "--env-file", str(tmp_path / ".env"), "--output", "json"]
    assert run(COMMANDS, line) == 3
    said = "drillbook preflight: interrupted; nothing is decided\n"
    assert tuple(capsys.readouterr()) == ("", said)


def make_endless(file, kind):
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    else:
        with file.open("wb") as sparse:
            sparse.truncate(1 << 40)


@pytest.mark.parametrize("kind", ["pipe", "device", "sparse"])
def test_an_endless_list_of_what_is_allowed_is_refused(tmp_path, kind):
    repo = repository(tmp_path)
    commit(repo, "deploy.sh", f"login {TOKEN}\n")
    make_endless(repo / ".gitleaksignore", kind)
    if kind == "sparse":
        (tmp_path / "repo" / ".git" / "info" / "exclude").write_text(".gitleaksignore\n")
    with pytest.raises(BadInput, match=r"\.gitleaksignore: .*; mend or remove it"):
        Repository(repo).search({})


def test_a_huge_dotenv_next_to_the_compose_file_is_refused(tmp_path):
    make_endless(tmp_path / ".env", "sparse")
    given = GivenFiles(compose=tmp_path / "compose.yml")
    with pytest.raises(BadInput, match=r"\.env: more than 1 MiB.*; mend it, or give --env-file"):
        _ = given.variables_of_dotenv


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    ["A='" + "x\n" * 500_000, 'A="' + "x\n" * 500_000, "A=b" + " " * 1_000_000 + "c"],
)
def test_a_large_environment_file_is_read_in_no_time(tmp_path, text):
    with contextlib.suppress(BadInput):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("row", "value"),
    [
        ('A="one\\\ntwo"', "one\ntwo"),
        ('A="one\\\\\ntwo"', "one\\\ntwo"),
        ('A="one\n\\"two"', 'one\n"two'),
        ("A='one\\\n'", "one\\\n"),
    ],
)
def test_a_backslash_at_the_end_of_a_quoted_row(tmp_path, row, value):
    assert dict(read(tmp_path, row)) == {"A": value}


def test_a_finding_is_shown_whole():
    one = Finding("x.env", 1, "a" * 300, "b" * 300)
    compare = file_fixtures.pytest_assertrepr_compare
    assert compare("==", [one], []) == [
        "findings == []",
        "",
        f"Left contains one more item: {one}",
    ]
    said = compare("==", [one, one, one], [])
    assert said[-1] == f"Left contains 3 more items, first extra item: {one}"
    assert compare("==", ["a"], []) is None
    assert compare("==", [], [one]) is None
