"""Each example of a command's help, and each line of the README, is run as it is printed."""

import gzip
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from drillbook.cli.commands import COMMANDS
from drillbook.core.application import ROOT
from tests.support.backups import KEYS, dump
from tests.support.boot_logs import KEY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SHOWN = re.compile(r"(?m)^(drillbook .*?)(?: +#.*)?$|`(drillbook [a-z][^`]+)`")
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = [one.example for one in COMMANDS] + [row or span for row, span in SHOWN.findall(README)]
# What assembles images, qualifies, and measures takes many minutes and has runs of its own in CI.
ELSEWHERE = re.compile("drillbook (images|qualify|bench)|COMMAND")
# A line begins with what a later one needs.
FIRST = ("evidence sign-key", "verify --sign")
# Where it is not 0: the exit code, and words of what is printed. These name an image, a server or a
# backup that a reader has and this machine has not.
ANSWERS = {
    r"drill ": (2, "DRL-1"),
    r"rehearse ": (3, "--from|--to"),
    r"verify .*--image": (3, "--image|embedded"),
    r"verify --certified": (3, "certified"),
    r"live ": (3, "secrets.example.com"),
    r"preflight ": (1, "findings"),
    r"evidence timestamp": (3, "tsa.example.com"),
    r"status": (1, "due"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder that holds what the lines name, with runs kept where a checkout keeps them."""
    folder = tmp_path_factory.mktemp("examples")
    for name in ("suites", "reports"):
        (folder / name).mkdir()
    (folder / "suites" / "controls.toml").touch()
    backup, key = dump("2024-10"), f"ENCRYPTION_KEY={KEYS['2024-10']}\n"
    (folder / "backup.sql.gz").write_bytes(gzip.compress(backup.encode()))
    files = {
        "backup.sql": backup,
        ".env": key,
        "keys.env": key,
        "new.env": f"ENCRYPTION_KEY={'f' * 32}\n",
        "phrase.txt": "four words and a number 7\n",
        "token.env": "TOKEN=none\n",
        "backend.log": f"Error: {KEY}\n",
        "runbook.md": "# Logs\n\nRead them with `docker logs backend`.\n",
        "ops.md": "# Logs\n\nRead them with `docker logs backend`.\n",
        "docker-compose.yml": (ROOT / "compose" / "docker-compose.coolify.yml").read_text(),
    }
    for name, content in files.items():
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    return folder


def ask(folder, line):
    """The exit code of a line, and all that it prints; specs of one control, embedded."""
    program = Path(sys.executable).with_name("drillbook")
    env = {**os.environ, "DRILLBOOK_CONTROLS": "HLT-1", "DRILLBOOK_STACK": "embedded"}
    done = subprocess.run(
        [program, *shlex.split(line, comments=True)[1:]],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    return done.returncode, done.stdout + done.stderr


def test_each_line_does_what_it_says(folder):
    lines = [one for one in dict.fromkeys(LINES) if not ELSEWHERE.search(one)]
    lines.sort(key=lambda one: [not one.startswith(f"drillbook {word}") for word in FIRST])
    wrong = []
    for line in lines:
        found = (row for words, row in ANSWERS.items() if re.match(f"drillbook {words}", line))
        wanted, words = next(found, (0, ""))
        code, printed = ask(folder, line)
        if code != wanted or not re.search(words, printed) or "Traceback" in printed:
            wrong.append(f"{line}\nexit {code}, not {wanted}:\n{printed[-600:]}")
        if "verify --sign" in line:
            keep_bundle(folder)
    assert not wrong, "\n\n".join(wrong)


def keep_bundle(folder):
    """What the lines on bundles and runs name."""
    run = (folder / "reports" / "runs" / "latest").resolve()
    shutil.copy(run / "bundle.zip", folder)
    for name in ("one", "two", "on-v1", "on-v2"):
        shutil.copytree(run, folder / "runs" / name)
