"""Backups in real repositories of restic and borg: found, read whole, and refused in a sentence."""

import os
import shutil
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from drillbook.backup.fetch import Repository, fetch_backup
from drillbook.core.errors import BadInput
from tests.support import backups
from tests.support.backups import KEYS
from tests.support.commands import check_backup

PROGRAMS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(not shutil.which(name), reason=f"{name} is not installed"),
    )
    for name in ("restic", "borg")
]
PASSPHRASE = "four words and a number"


class Store:
    """A repository made by the program itself, with its passphrase in a file."""

    def __init__(self, program, folder):
        self.program, self.path = program, folder / "repository"
        variables = {"restic": "RESTIC_PASSWORD_FILE", "borg": "BORG_PASSCOMMAND"}
        self.variable = variables[program]
        self.passphrase = folder / "phrase"
        self.passphrase.write_text(PASSPHRASE)
        self.passphrase.chmod(0o600)
        self.given = f"{program}:{self.path}"
        # What a user keeps of a repository, at home; the tests' own.
        self.env = {**os.environ, "HOME": str(folder), "BORG_BASE_DIR": str(folder / "home")}
        self.env |= {"RESTIC_PASSWORD": PASSPHRASE, "BORG_PASSPHRASE": PASSPHRASE}
        if program == "borg":
            self.run("borg", "init", "--encryption=repokey", str(self.path))
        else:
            self.run("restic", "init", "-q", "-r", str(self.path))

    def run(self, *words, **options):
        subprocess.run(words, env=self.env, check=True, capture_output=True, **options)

    def add(self, name, day, content, piped=False):
        """Store a file of a day; piped: as the output of pg_dump, under no name of a backup."""
        file = self.path.with_name(name)
        file.write_bytes(content)
        time = f"{day} 03:00:00"
        os.utime(file, (datetime.fromisoformat(f"{time}+00:00").timestamp(),) * 2)
        feed = {"input": content} if piped else {}
        if self.program == "restic":
            what = ["--stdin"] if piped else [name]
            words = ["restic", "backup", "-q", "-r", str(self.path), "--time", time, *what]
        else:
            place = f"{self.path}::db-{day}T03:00"
            what = ["-"] if piped else [name]
            words = ["borg", "create", f"--timestamp={time.replace(' ', 'T')}", place, *what]
        self.env["TZ"] = "UTC"
        self.run(*words, cwd=self.path.parent, **feed)
        file.unlink()

    def fetch(self, say=lambda _: None):
        return fetch_backup(self.given, say)

    def refused(self):
        with pytest.raises(BadInput) as told, self.fetch():
            pass
        said = str(told.value)
        assert "\n" not in said
        assert PASSPHRASE not in said
        return said


@contextmanager
def at_home(store):
    """What the programs keep for a user goes to a folder of the test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(store.path.parent))
        patch.setenv("BORG_BASE_DIR", store.env["BORG_BASE_DIR"])
        patch.setenv("RESTIC_PASSWORD_FILE", str(store.passphrase))
        patch.setenv("BORG_PASSCOMMAND", f"cat {store.passphrase}")
        yield store


@pytest.fixture(scope="module")
def filled(request, tmp_path_factory):
    """Three snapshots, of which the last is cut."""
    made = Store(request.param, tmp_path_factory.mktemp("filled"))
    made.add("infisical.sql", "2026-10-01", whole("2024-10"))
    made.add("infisical.sql", "2026-10-02", whole("2026-07"))
    made.add("infisical.sql", "2026-10-03", whole()[:-1000])
    with at_home(made):
        yield made


@pytest.fixture
def empty(request, tmp_path):
    with at_home(Store(request.param, tmp_path)) as made:
        yield made


def whole(version="2024-10"):
    return backups.whole(version).encode()


@pytest.mark.slow
@pytest.mark.parametrize("filled", PROGRAMS, indirect=True)
def test_one_snapshot_of_several_is_read(filled):
    heard = []
    with filled.fetch(say=heard.append) as found:
        assert found.path.read_bytes() == whole("2026-07")
        assert found.path.stat().st_mode & 0o777 == 0o600
        changed = datetime.fromtimestamp(found.path.stat().st_mtime, UTC)
        assert changed.isoformat()[:10] == "2026-10-02"
        assert "the newest of 3 in " in heard[-1]
        assert "; 1 NEWER BUT NOT TAKEN: " in heard[-1]
        with found.open(min(found.candidates)) as oldest:
            assert oldest.read_bytes() == whole("2024-10")
        kept = found.home.path
    assert not kept.exists()
    locks = [one for one in filled.path.rglob("*lock*/*") if one.is_file()]
    assert locks == []


@pytest.mark.slow
@pytest.mark.parametrize("filled", PROGRAMS, indirect=True)
def test_nightly_check_reads_a_repository(filled, tmp_path, capsys):
    keys = tmp_path / "keys.env"
    keys.write_text(f"ENCRYPTION_KEY={KEYS['2026-07']}\n")
    words = [filled.given, "--env-file", str(keys)]
    assert check_backup([*words, "--max-age", "366d", "--keep-at-least", "3"]) == 1
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "BAD: not complete: " in said
    assert "2 kept where 3 are wanted" in said
    assert "and the backup of 2026-10-01 03:00 UTC is of 5a68c59e" in said


@pytest.mark.slow
@pytest.mark.parametrize("empty", PROGRAMS, indirect=True)
def test_snapshots_of_other_files_are_left_out(empty, tmp_path, capsys):
    for day in (1, 3):
        empty.add("infisical.sql", f"2026-10-0{day}", whole())
    for day in (2, 4):
        empty.add("hosts", f"2026-10-0{day}", b"127.0.0.1 localhost\n")
    with empty.fetch() as found:
        assert f"{found.candidate.at:%Y-%m-%d}" == "2026-10-03"
        assert (len(found.candidates), found.skipped) == (4, ())
    keys = tmp_path / "keys.env"
    keys.write_text(f"ENCRYPTION_KEY={KEYS['2024-10']}\n")
    words = [empty.given, "--env-file", str(keys)]
    check_backup([*words, "--max-age", "366d"])
    assert "bytes on 2026-10-01" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("empty", PROGRAMS, indirect=True)
def test_what_cannot_be_read_is_one_sentence(empty, monkeypatch):
    assert "holds no snapshot" in empty.refused()
    empty.passphrase.write_text("another phrase")
    said = empty.refused()
    assert said.endswith(f"; give {empty.variable} in the environment")
    empty.passphrase.write_text(PASSPHRASE)
    empty.add("stdin", "2026-10-02", whole(), piped=True)
    with empty.fetch() as found:
        assert found.path.read_bytes() == whole()
    empty.given = f"{empty.program}:{empty.path.parent}/nowhere"
    assert "cannot be read: " in empty.refused()
    monkeypatch.setenv("PATH", "/nowhere")
    assert f"needs the program {empty.program}, " in empty.refused()


@pytest.mark.skipif(not shutil.which("restic"), reason="restic is not installed")
def test_the_message_of_restic_is_read_out_of_its_json(tmp_path, monkeypatch):
    monkeypatch.setenv("RESTIC_PASSWORD", "x")
    with pytest.raises(BadInput) as told, fetch_backup(f"restic:{tmp_path}/none", print):
        pass
    assert "cannot be read: " in str(told.value)
    assert '{"' not in str(told.value)


def test_restic_gets_one_repository(monkeypatch):
    monkeypatch.setenv("RESTIC_REPOSITORY_FILE", "/srv/another")
    env = Repository("restic:/srv/this")._env
    assert env["RESTIC_REPOSITORY"] == "/srv/this"
    assert "RESTIC_REPOSITORY_FILE" not in env
