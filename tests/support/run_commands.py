"""Runs key commands on a small real backup, for tests of failures such as a full disk."""

import os
import resource
import subprocess
import sys

import pyrage
import pytest

from tests.support.backups import KEYS, dump

VERSION = "2024-10"
PUBLIC = str(pyrage.x25519.Identity.generate().to_public())
WAYS = {
    "for a recipient": ["--recipient", PUBLIC],
    "for a passphrase": ["--passphrase-file", "passphrase"],
    "in the clear": ["--plaintext"],
}
NAMES = {"check_key": "key check", "recover": "key recover"}


@pytest.fixture
def files(tmp_path, monkeypatch):
    (tmp_path / "backup.sql").write_text(dump(VERSION))
    (tmp_path / "keys.env").write_text(f"ENCRYPTION_KEY={KEYS[VERSION]}\n")
    (tmp_path / "passphrase").write_text("correct horse battery staple\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def words(module, out="out.json", *more):
    given = {
        "recover": ["--out", out],
        "check_key": [],
    }
    return ["backup.sql", "--env-file=keys.env", *given[module], *more]


def limited():
    """Limit files to 100 bytes, which acts like a full disk without a mount."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))


def alone(module, *words, **options):
    """The exit code and standard error of a command in its own process."""
    done = subprocess.run(
        [sys.executable, "-m", "drillbook.cli", *NAMES[module].split(), *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        **options,
    )
    return done.returncode, done.stderr
