"""`--output json`: one document alone on standard output, which names its form."""

import json
import subprocess
import tomllib

import pytest

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run
from drillbook.core import options
from drillbook.core.application import ROOT
from drillbook.stack import sweep
from tests.support.backups import KEYS, whole
from tests.support.bundles import key, latest, sealed

PHRASINGS = tomllib.loads((ROOT / "tests" / "runbook_phrasings.toml").read_text())
RUNBOOK = f"# Infisical\n\n{next(iter(PHRASINGS.values()))['finds'][0]}\n"
FLEET = "[[instance]]\nname = 'a'\nlabel = 'b'\ncadence = 'weekly'\nbackup = 'c'\nenv_file = 'd'\n"
COMPOSE = "services:\n  backend:\n    image: infisical/infisical:latest\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with something for each command to answer on."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "backup.sql").write_text(whole("2024-10"))
    (tmp_path / ".env").write_text(f"ENCRYPTION_KEY={KEYS['2024-10']}\n")
    (tmp_path / ".env").chmod(0o600)
    (tmp_path / "backend.log").write_text('{"level":50,"msg":"","err":{"message":"WRONGPASS"}}\n')
    (tmp_path / "runbook.md").write_text(RUNBOOK)
    (tmp_path / "docker-compose.yml").write_text(COMPOSE)
    (tmp_path / "fleet.toml").write_text(FLEET)
    runs = tmp_path / "drillbook-runs"
    signer, _ = key(tmp_path)
    latest(runs, sealed(runs, signer))
    return tmp_path


def call(line, capsys):
    """The exit code of a command, and its standard output."""
    return run(COMMANDS, line.split()), capsys.readouterr().out


CASES = [
    ("key check backup.sql --env-file .env", 0),
    ("backup check backup.sql --env-file .env", 0),
    ("env diff .env .env", 0),
    ("preflight --env-file .env --compose docker-compose.yml", 1),
    ("preflight --env-file .env --backup backup.sql", 1),
    ("diagnose backend.log", 0),
    ("runbook lint runbook.md", 1),
    ("evidence verify drillbook-runs/latest --pubkey drill.key.pub", 0),
    ("evidence verify drillbook-runs/latest", 1),
    ("history", 0),
    ("history report --from 2026-01-01 --to 2026-12-31 --out period", 1),
    ("status", 1),
    ("fleet report drillbook-runs --pubkey drill.key.pub", 1),
    ("catalogue", 0),
    ("doctor --stack embedded", None),
    ("sweep", 0),
    ("images", 0),
]


@pytest.mark.parametrize(("line", "code"), CASES, ids=[line for line, _ in CASES])
def test_what_a_command_answers_is_one_document(folder, capsys, monkeypatch, line, code):
    # Neither other runs of this machine nor its images are a test's to touch.
    monkeypatch.setattr(sweep, "sweep", lambda **_: ["process 1"])
    if line == "images":
        monkeypatch.setattr(subprocess, "run", lambda *a, **_: subprocess.CompletedProcess(a, 0))
    found, told = call(f"{line} --output json", capsys)
    assert code in (None, found)
    name = max((one.name for one in COMMANDS if line.startswith(one.name)), key=len)
    answer = json.loads(told)
    # The catalogue is a list of controls.
    assert name == "catalogue" or answer["schema"] == f"drillbook/{name.replace(' ', '-')}/1"


def test_each_command_that_answers_is_tried():
    forms = {options.OUTPUT, options.FINDINGS, options.LISTING}
    answering = {command.name for command in COMMANDS if forms & {*command.options}}
    tried = {
        max((c.name for c in COMMANDS if line.startswith(c.name)), key=len) for line, _ in CASES
    }
    assert answering - tried == {"fleet enqueue"}, "which needs a queue: tests/system/test_fleet.py"


def test_preflight_says_less_or_more_when_asked(folder, capsys):
    line = "preflight --env-file .env --compose docker-compose.yml"
    found = {how: call(f"{line} {how}", capsys) for how in ("--quiet", "", "--verbose")}
    assert {code for code, _ in found.values()} == {1}
    quiet, plain, verbose = (told.splitlines() for _, told in found.values())
    assert quiet == plain[-1:]
    assert set(plain) < set(verbose)
    assert any(one.startswith("held: ") for one in verbose)


def test_each_command_that_makes_a_record_is_quiet_or_verbose():
    for one in COMMANDS:
        if options.SIGNING_KEY in one.options and options.RUN_DIR in one.options:
            assert {options.QUIET, options.VERBOSE} < {*one.options}, one.name


@pytest.mark.parametrize(
    "line", ["preflight --compose docker-compose.yml", "runbook lint runbook.md"]
)
def test_findings_have_a_place_as_code_hosts_show_them(folder, capsys, line):
    code, told = call(f"{line} --output sarif", capsys)
    assert code == 1
    (found,) = json.loads(told)["runs"]
    assert found["results"]
    for one in found["results"]:
        assert found["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] == one["ruleId"]
    places = [place for one in found["results"] for place in one.get("locations", ())]
    named = [one["physicalLocation"]["artifactLocation"]["uri"] for one in places]
    assert line.split()[-1] in named
