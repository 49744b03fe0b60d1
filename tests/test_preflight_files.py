"""Environment files, keys, repositories and backups: what is accepted, what is found."""

import base64
import gzip
import io
import os
import secrets
import shutil
import string
import subprocess

import pytest

from fixtures import keyproof
from fixtures.errors import BadInput, Unsupported
from fixtures.infisical.settings import Settings
from fixtures.mutants.files import SOUND, backup, commit, encrypted_root, repository
from fixtures.preflight import backupfile, composefile, envfile, keycheck, strength
from fixtures.preflight.git import pieces
from fixtures.preflight.gitscan import Repository
from fixtures.preflight.needles import first_lines, needles
from tests.backups import KEYS, SAMPLES

KEY = "3f9c1a7e5b2d8046c1e9f7a35d0b8264"


def read(tmp_path, text):
    file = tmp_path / "x.env"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.chmod(0o600)
    return envfile.read(file)


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
        deployed = keycheck.Deployed(env, composefile.read(SOUND, env))
        assert keycheck.keys(deployed) == []
        assert keycheck.passwords(deployed) == []


@pytest.mark.parametrize(
    "value",
    ["infisical", "Summer2026!", "password" * 5, "0123456789abcdef" * 2, "a" * 40, "ab" * 16],
)
def test_weak_value_is_estimated_weak(value):
    assert strength.bits(value) < 96


def test_product_samples_are_known_by_label():
    assert strength.is_sample("infisical")
    assert strength.is_sample("6c1fe4e407b8911c104518103505b218")
    assert not strength.is_sample(KEY)


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
    for _twice in range(2):
        found = Repository(repo).search({"ENCRYPTION_KEY": KEY}).known
        assert [(one.file, one.line) for one in found] == [("a.txt", 2)]
        assert f"since commit {commit_of(repo, 'HEAD~1')}" in str(found)
        assert KEY not in str(found)


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


def test_what_was_searched_is_not_read_again_until_the_key_is_another(tmp_path):
    repo = repository(tmp_path)
    commit(repo, "a.txt", f"AUTH={KEY}\n")
    assert Repository(repo).search({"K": "another value of some length"}).known == []
    again = Repository(repo).search({"K": "another value of some length"})
    assert (again.known, again.note.split(" ")[0]) == ([], "0.0")
    assert [one.file for one in Repository(repo).search({"K": KEY}).known] == ["a.txt"]
    commit(repo, "b.txt", f"OTHER={KEY}\n")
    assert {one.file for one in Repository(repo).search({"K": KEY}).known} == {"a.txt", "b.txt"}


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
    with pytest.raises(BadInput, match="no folder"):
        Repository(tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="no git program"):
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


def test_backup_gzipped_cut_and_in_a_folder(tmp_path):
    plain = backup(tmp_path, encrypted_root(KEY))
    packed = tmp_path / "newer.sql.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    os.utime(plain, (1, 1))
    found = backupfile.read(tmp_path)
    assert (found.path, found.complete, backupfile.faults(found, KEY)) == (packed, True, [])
    packed.write_bytes(packed.read_bytes()[:-40])
    assert "cut short" in str(backupfile.faults(backupfile.read(packed), KEY))


def test_backup_of_another_instance_is_told_by_its_id(tmp_path):
    found = backupfile.read(backup(tmp_path, encrypted_root(KEY)))
    assert "INSTANCE_ID" in str(backupfile.faults(found, KEY, "another"))


def test_backup_in_another_form_is_judged_too(tmp_path):
    archive = SAMPLES / "archives" / "pg18-gzip-2024-07.dump"
    file = shutil.copy(archive, tmp_path / "x.dump")
    made = keyproof.examine(file, count=False).dumped_at.timestamp()
    os.utime(file, (made, made))
    found = backupfile.read(file, now=made + 3600)
    assert backupfile.faults(found, KEYS["2024-07"]) == []
    os.utime(file, (made + 71 * 3600,) * 2)
    touched = backupfile.read(file, now=made + 72 * 3600)
    assert "60 hours old, more than 24" in str(backupfile.worn(touched))
    assert backupfile.unopened(found, KEYS["2024-07"]) == []
    assert "another instance" in str(backupfile.faults(found, KEY))


def test_what_is_no_backup_is_bad_input(tmp_path):
    file = tmp_path / "x.dump"
    file.write_bytes(b"no backup")
    with pytest.raises(BadInput, match="no backup made by pg_dump"):
        backupfile.read(file)
    with pytest.raises(BadInput, match="does not exist"):
        backupfile.read(tmp_path / "none")


def test_settings_of_the_harness_are_strong():
    for value in Settings.generate().sensitive().values():
        assert strength.bits(value) > 96
