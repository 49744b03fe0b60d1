"""The examples in the help, the README and docs/ run as printed.

Sample files stand for what a reader fills in.
"""

import contextlib
import gzip
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run as command_line
from drillbook.core.application import ROOT
from tests.support.backups import KEYS, whole
from tests.support.boot_logs import KEY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

COMMAND = r"(?:\.venv/bin/)?(drillbook [a-z]"
SHOWN = re.compile(rf"(?m)^ *{COMMAND}.*?)(?: +#.*)?$|`{COMMAND}[^`]+)`")
# The example recipient of age's own documentation.
RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
RELEASE = r"(?:OLD\b|NEW\b|…(?::\S+)?|\S+:<\w+>)"
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
# What a reader fills in, and its sample here.
SAMPLES = {
    r"\bBACKUP\b": "backup.sql.gz",
    r"\bFOLDER\b": "backups",
    r"\bLOG\b": "backend.log",
    r"\bFILE\b…?": "ops.md",
    r"--env-file (?:KEYS\b|…)": "--env-file keys.env",
    r"--env-file A --env-file B\b": "--env-file a.env --env-file b.env",
    rf"--from {RELEASE}": "--from infisical/infisical:v0.159.0",
    rf"--(to|image) {RELEASE}": r"--\1 infisical/infisical:v0.165.16",
    r"(check|recover|rehearse) …": r"\1 backup.sql.gz",
    r"(timestamp|export) …": r"\1 bundle.zip",
    r"--recipient age1…": f"--recipient {RECIPIENT}",
    r"--out …": "--out secrets.json.age",
    r"--signing-key …": "--signing-key drill.key",
    r"--pubkey …": "--pubkey drill.key.pub",
    r"--compose …": "--compose docker-compose.yml",
    r"--instance NAME": "--instance payments",
    r"env diff OLD NEW": "env diff old.env new.env",
    r"folder/NAME": "folder/PASSWORD",
    r"--seed …": "--seed 7",
    r"--shard …": "--shard 1/5",
    r"--generated …": "--generated 3",
    r"https://…": "https://tsa.example.com",
    r"folder folder(?: …)?$": "runs/one runs/two",
    r"<Name>": "ForgetsEmptyFolders",
    r" &$": "",
}
# Lines that take minutes are shortened: to controls without a stack, and few steps.
LESS = {
    r"--control 'WIP-\*' --control DBP-1": "--control 'DEP-4*' --control DEP-6",
}
# Lines that are only parsed, and the reason; all others are run.
PARSED = {
    r"images": "assembles images from packages, as root, in minutes",
    r"qualify": "takes many minutes; CI runs it by itself",
    r"lifecycle": "takes minutes; LIF-1 is part of each whole run",
    r"drill .*--to-database": "takes a stack; test_drill.py has one",
    r"verify --stack embedded": "takes half a minute; the test of the wheel runs one",
    r"verify --stack containers(?! --image \S+$)": "takes an engine, an image and minutes",
    r"verify --sign \S+ --tsa": "takes a time-stamp authority, as evidence timestamp does here",
    r"rehearse .*reference:": "takes a minute and a whole backup; test_drill.py has one",
    r"rehearse .*(--from|--to) infisical": "its images are not here; image:now stands for all",
    r"live rehearsal": "takes half a minute; tests/unit/live has it",
    r"fleet \w+ .*(queue\.txt|runs/eu)": "takes a PostgreSQL, or runs of other machines",
    r"runbook run": "takes a stack; test_runbook_run.py has some",
}


def lines_of(text):
    """The command lines in a page, filled in with samples."""
    shown = (" ".join("".join(pair).split()) for pair in SHOWN.findall(text))
    return [fill_in(line, SAMPLES) for line in shown]


def fill_in(line, samples):
    for placeholder, sample in samples.items():
        line = re.sub(placeholder, sample, line)
    return line


NAMES = {f"drillbook {one.name}" for one in COMMANDS}
EXAMPLES = [one.example for one in COMMANDS]
ALONE = [line for line in lines_of((ROOT / "README.md").read_text("utf-8")) if line in NAMES]
SHOWN_LINES = [line for page in PAGES for line in lines_of((ROOT / page).read_text("utf-8"))]
# A page may name a command in a sentence; the README's lines are all meant to be typed.
EVERY = {*EXAMPLES, *ALONE, *(line for line in SHOWN_LINES if line not in NAMES)}
LINES = {fill_in(line, LESS) for line in EVERY}
# Every line runs on the embedded driver here, so one of two such lines is enough.
LINES -= {one for one in LINES if one.replace(" --stack embedded", "") in LINES - {one}}
IS_PARSED = re.compile(f"drillbook ({'|'.join(PARSED)})")
# Commands that run specs or other processes get a process of their own. The others run in this one,
# which need not load everything again.
APART = re.compile(r"drillbook (verify|drill|rehearse|live|preflight|doctor|fleet)")
# Lines that make files which later lines need come first.
ORDER = ("evidence sign-key", "verify (?!--sign)", "verify", "evidence", "(?!.*--write)", "")
FLEET = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "fleet.md").read_text(), re.DOTALL)[0]
LOGS = "# Logs\n\n```bash\ndocker logs <backend-container>\n```\n"
# The exit code, if not 0, and words in the output. Such lines name an image, a server or a backup
# that this machine does not have.
ANSWERS = {
    # The sample's rows are old, and its file is new.
    r"backup check .*--keep-at-least": (1, "1 kept where 7 are wanted"),
    r"backup check ": (0, "the time of its file alone"),
    r"env diff ": (1, "DANGEROUS: ENCRYPTION_KEY"),
    r"drill --env-file": (3, "backup"),
    r"drill .*--image": (3, "--image|Docker engine"),
    r"drill ": (1, "DRL-2"),
    r"rehearse ": (3, "--from|--to|Docker engine|cannot be pulled"),
    r"verify .*--image": (3, "--image|Docker engine|docker program"),
    r"verify --certified": (3, "certified"),
    r"live ": (3, "secrets.example.com"),
    # The sample has a backup's rows, but not all of its tables.
    r"key recover (?!.*--(recipient|pass))": (3, "--recipient"),
    r"preflight --compose \S+$": (0, "findings"),
    r"preflight ": (1, "findings"),
    r"evidence timestamp": (3, "tsa.example.com|time-stamp"),
    r"evidence sign-off": (3, "a rehearsal, no evidence"),
    r"runbook mark .*--write": (0, "marks were written"),
    r"runbook mark ": (1, "marks are proposed"),
    r"status": (1, "due"),
    r"fleet report": (1, "payments"),
    r"history report": (1, "missed"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return sample_folder(tmp_path_factory.mktemp("examples"))


@pytest.fixture(scope="module")
def later_folder(tmp_path_factory):
    """A folder as it is after the lines have run that make what others name."""
    folder = sample_folder(tmp_path_factory.mktemp("parsed"))
    for name in ("runs/eu", "runs/us"):
        (folder / name).mkdir(parents=True)
    for name in ("drill.key", "drill.key.pub"):
        shutil.copy(folder / name.replace("drill", "grace"), folder / name)
    return folder


def sample_folder(folder):
    """A folder with what the lines name, and with runs where a checkout keeps them."""
    for name in ("suites", "reports"):
        (folder / name).mkdir()
    (folder / "suites" / "controls.toml").touch()
    backup, key = whole("2024-10"), f"ENCRYPTION_KEY={KEYS['2024-10']}\n"
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
        "answer.tsr": "not an answer\n",
        "queue.txt": "postgresql://queue.example.com/queue\n",
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
    shutil.copy(folder / "grace.key.pub", folder / "workers.pub")
    return folder


def place(line):
    """The position of a line in the order in which lines are run."""
    return next(
        number for number, words in enumerate(ORDER) if re.match(f"drillbook {words}", line)
    )


def ask(folder, line):
    """The exit code of a line and its output; `verify` runs one control, which starts nothing."""
    # Loading everything in another worker takes longer than the specs of a line.
    env = {**os.environ, "DRILLBOOK_STACK": "embedded", "DRILLBOOK_WORKERS": "1"}
    for name in ("new.sql", "secrets.json.age"):
        (folder / name).unlink(missing_ok=True)
    # Folders of a server.
    line = line.replace("/backups", "backups").replace("/etc/drillbook/", "")
    line = line.replace("/etc/infisical/", "")
    if line.startswith("drillbook verify"):
        env["DRILLBOOK_CONTROLS"] = "DEP-4"
    words = shlex.split(line, comments=True)[1:]
    return (call if APART.match(line) else call_here)(folder, words, env)


def call(folder, words, env):
    done = subprocess.run(
        [Path(sys.executable).with_name("drillbook"), *words],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    return done.returncode, done.stdout + done.stderr


def call_here(folder, words, env):
    printed = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    with (
        contextlib.chdir(folder),
        patch.dict(os.environ, env, clear=True),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
    ):
        try:
            code = command_line(COMMANDS, words)
        except SystemExit as end:
            code = end.code
    return code, printed.buffer.getvalue().decode()


def test_each_line_does_what_it_says(folder):
    lines = sorted((one for one in LINES if not IS_PARSED.match(one)), key=place)
    wrong = []
    for line in lines:
        found = (row for words, row in ANSWERS.items() if re.match(f"drillbook {words}", line))
        wanted, words = next(found, (0, ""))
        code, printed = ask(folder, line)
        if code == 3 and line not in EXAMPLES and "is missing; for example" in printed:
            # A sentence may name a command without its required options.
            continue
        if code != wanted or not re.search(words, printed) or "Traceback" in printed:
            wrong.append(
                f"{line}\nexit {code}, not {wanted} (or without {words}):\n{printed[-600:]}"
            )
        if "verify --sign" in line:
            keep_bundle(folder)
    assert not wrong, "\n\n".join(wrong)


def test_no_placeholder_is_left():
    assert [
        one for one in LINES if re.search(r"…|<\w|\b(BACKUP|KEYS|OLD|NEW|FILE|NAME)\b", one)
    ] == []


@pytest.mark.parametrize("words", PARSED)
def test_what_is_only_parsed_is_a_line_that_the_command_takes(
    later_folder, monkeypatch, capsys, words
):
    monkeypatch.chdir(later_folder)
    heard = [replace(one, run=lambda _: 0) for one in COMMANDS]
    lines = [one for one in LINES if re.match(f"drillbook ({words})", one)]
    assert lines
    for line in lines:
        code, said = command_line(heard, shlex.split(line)[1:]), capsys.readouterr().err
        assert code == 0 or "is missing; for example" in said, f"{line}: {said}"


def keep_bundle(folder):
    """Keep what the lines on bundles and runs name: the last bundle, and the last two runs."""
    runs = folder / "reports" / "runs"
    for name in ("bundle.zip", "evidence.json"):
        shutil.copy(runs / "latest" / name, folder)
    shutil.copy(folder / "drill.key.pub", folder / "operator.pub")
    first, second = sorted(one for one in runs.glob("2*") if (one / "evidence.json").exists())[-2:]
    for name, run in {"one": first, "two": second, "on-v1": first, "on-v2": second}.items():
        shutil.copytree(run, folder / "runs" / name, dirs_exist_ok=True)
