"""Each example of a command's help, and each line of the README and of the pages for operators and
auditors, is run as it is printed."""

import gzip
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from drillbook.cli.commands import COMMANDS
from drillbook.core.application import ROOT
from drillbook.stack.embedded.bubblewrap import why_unavailable
from tests.support.backups import KEYS, dump
from tests.support.boot_logs import KEY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SHOWN = re.compile(r"(?m)^(drillbook .*?)(?: +#.*)?$|`(drillbook [a-z][^`]+)`")
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ("on-call", "tutorial", "auditor", "drill", "evidence", "sealing", "rewrap", "runbook-run")
DOCS = "".join((ROOT / "docs" / f"{one}.md").read_text("utf-8") for one in PAGES)
# A line with a placeholder in it is parsed by a test of the command line, and not run.
PLACEHOLDER = re.compile(r"…|<|age1|\b[A-Z]{3,}\b| folder folder")
NAMES = {f"drillbook {one.name}" for one in COMMANDS}
LINES = [one.example for one in COMMANDS] + ["".join(pair) for pair in SHOWN.findall(README)]
LINES += [
    line
    for pair in SHOWN.findall(DOCS)
    if (line := "".join(pair)) not in NAMES and not PLACEHOLDER.search(line)
]
# These take many minutes and have runs of their own in CI; the wheel's test runs that example.
ELSEWHERE = re.compile(r"drillbook (images|qualify|bench)|COMMAND|verify --stack embedded")
# Some lines begin with what later ones need.
ORDER = ("evidence sign-key", "verify (?!--sign)", "verify", "evidence", "fleet enqueue", "")
FLEET = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "fleet.md").read_text(), re.DOTALL)[0]
LOGS = "# Logs\n\n```bash\ndocker logs <backend-container>\n```\n"
# Where it is not 0: the exit code, and words of what is printed. These name an image, a server or a
# backup that a reader has and this machine has not.
ANSWERS = {
    r"drill --env-file": (3, "backup"),
    r"drill .*--image": (3, "--image|Docker engine"),
    r"drill ": (1, "DRL-2"),
    r"rehearse ": (3, "--from|--to|Docker engine"),
    r"verify .*--image": (3, "--image|embedded"),
    r"verify --certified": (3, "certified"),
    r"live ": (3, "secrets.example.com"),
    r"runbook run .*--image": (3, "image|Docker engine"),
    r"runbook run": (3 if why_unavailable() else 0, "bubblewrap|RBK-1"),
    # The sample has the rows of a backup, and not all of its tables.
    r"key rekey (?!.*--no-rehearsal)": (2, "KEY-14"),
    r"preflight ": (1, "findings"),
    r"evidence timestamp": (3, "tsa.example.com"),
    r"evidence sign-off": (3, "a rehearsal, no evidence"),
    r"status": (1, "due"),
    r"fleet (plan|report)": (1, "payments"),
    # Its backup is a folder of another server.
    r"fleet work": (1, "payments: not passed, exit code 3"),
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
        "a.env": f"ENCRYPTION_KEY={'a' * 32}\n",
        "b.env": key,
        "c.env": f"ENCRYPTION_KEY={'c' * 32}\n",
        "old.env": key,
        "new.env": f"ENCRYPTION_KEY={'f' * 32}\n",
        "phrase.txt": "four words and a number 7\n",
        "token.env": "TOKEN=none\n",
        "backend.log": f"Error: {KEY}\n",
        "fleet.toml": FLEET,
        "runbook.md": LOGS,
        "ops.md": LOGS,
        "docker-compose.yml": (ROOT / "compose" / "docker-compose.coolify.yml").read_text(),
    }
    for name, content in files.items():
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    (folder / "backups").mkdir()
    shutil.copy(folder / "backup.sql.gz", folder / "backups")
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    assert ask(folder, "drillbook evidence sign-key grace.key")[0] == 0
    return folder


def place(line):
    """Where a line stands among those that are run."""
    return next(
        number for number, words in enumerate(ORDER) if re.match(f"drillbook {words}", line)
    )


@pytest.fixture(scope="module")
def queue():
    """Runs of a queue on this machine: as root, its database has a user who enters none of ours."""
    with tempfile.TemporaryDirectory(prefix="drillbook-queue-") as name:
        Path(name).chmod(0o711)
        yield name


def ask(folder, line, queue=""):
    """The exit code of a line, and all that it prints; of specs, one that starts nothing."""
    program = Path(sys.executable).with_name("drillbook")
    env = {**os.environ, "DRILLBOOK_STACK": "embedded"}
    (folder / "new.sql").unlink(missing_ok=True)
    # A server's folders.
    line = line.replace("/backups", "backups").replace("/etc/drillbook/", "")
    if "--queue local" in line:
        env["DRILLBOOK_RUN_DIR"] = queue
    if line.startswith("drillbook verify"):
        env["DRILLBOOK_CONTROLS"] = "DEP-4"
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


def test_each_line_does_what_it_says(folder, queue):
    lines = sorted((one for one in set(LINES) if not ELSEWHERE.search(one)), key=place)
    wrong = []
    for line in lines:
        found = (row for words, row in ANSWERS.items() if re.match(f"drillbook {words}", line))
        wanted, words = next(found, (0, ""))
        code, printed = ask(folder, line, queue)
        if code != wanted or not re.search(words, printed) or "Traceback" in printed:
            wrong.append(
                f"{line}\nexit {code}, not {wanted} (or without {words}):\n{printed[-600:]}"
            )
        if "verify --sign" in line:
            keep_bundle(folder)
    assert not wrong, "\n\n".join(wrong)


def keep_bundle(folder):
    """What the lines on bundles and runs name: the last bundle, and the last two runs."""
    runs = folder / "reports" / "runs"
    for name in ("bundle.zip", "evidence.json"):
        shutil.copy(runs / "latest" / name, folder)
    shutil.copy(folder / "drill.key.pub", folder / "operator.pub")
    first, second = sorted(one for one in runs.glob("2*") if (one / "evidence.json").exists())[-2:]
    for name, run in {"one": first, "two": second, "on-v1": first, "on-v2": second}.items():
        shutil.copytree(run, folder / "runs" / name)
