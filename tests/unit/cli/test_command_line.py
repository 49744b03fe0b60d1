"""The command `drillbook`: what is wrong with a line is one sentence, exit 3, before anything."""

import os
import re
import resource
import shlex
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run
from drillbook.core import options
from drillbook.core.application import ROOT
from fixtures.lifecycle import plugin as lifecycle
from fixtures.session import (
    drill_fixtures,
    file_fixtures,
    live_fixtures,
    stacks,
    workers,
)
from reports.record import run_metadata
from reports.session import plugin
from tests.support.backups import KEYS, dump

PROGRAM = Path(sys.executable).with_name("drillbook")
FILES = ("backup.sql.gz", "backup.sql", "keys.env", ".env", "new.env", "drill.key", "token.env")
FILES += (
    "bundle.zip",
    "drill.key.pub",
    "backend.log",
    "docker-compose.yml",
    "phrase.txt",
    "runbook.md",
    "ops.md",
    "grace.key",
    "fleet.toml",
    "queue.txt",
)
# What the documents show, without comments: in blocks of commands, and in tables.
SHOWN = re.compile(r"(?m)^(drillbook .*?)(?: +#.*)?$|`(drillbook [^`]+)`")
# In documents: what the reader puts in.
PLACES = re.compile(r"\$|\b(LOG|BACKUP|KEYS|FOLDER|COMMAND|NAME|OLD|NEW|A|B|FILE)\b|…|<")
DRILL = ["drill", "backup.sql.gz", "--env-file", "keys.env"]
RECOVER = ["key", "recover", "backup.sql.gz", "--env-file", ".env"]

WRONG = [
    # Commands.
    ("verfy", "no command verfy; did you mean verify?"),
    ("check-key backup.sql.gz", "did you mean key check?"),
    ("key", "missing command; drillbook key --help lists the commands"),
    ("key chek backup.sql.gz", "no command key chek; did you mean key check?"),
    ("evidence verfy bundle.zip", "did you mean evidence verify?"),
    ("frobnicate", "no command frobnicate; drillbook --help lists them"),
    # Names of options.
    ("verify --stak embedded", "no option --stak; did you mean --stack?"),
    ("live --url https://example.com", "url is given without a name; for example: drillbook live"),
    ("verify --certfied", "did you mean --certified?"),
    ("verify --signingkey drill.key", "did you mean --signing-key?"),
    ("verify --cntrol KEY-1", "did you mean --control?"),
    ("verify --qqq", "drillbook verify --help lists them"),
    ("verify -q", "no option -q"),
    ("lifecycle --controls KEY-1", "no option --controls"),
    ("STACK=embedded", "no command STACK=embedded"),
    ("verify STACK=embedded", "unexpected extra argument (STACK=embedded)"),
    # Words.
    ("verify --stack embeded", "--stack: embeded is none of auto, containers, embedded; did you"),
    ("verify --stack podman", "--stack: podman is none of"),
    ("verify --offer printed-mails,rotaton", "did you mean rotation?"),
    ("verify --control KEY-333", "--control: KEY-333 matches no control"),
    ("verify --controls KEY-333", "--controls: KEY-333 matches no control"),
    ("verify --control 'KYE-*'", "KYE-* matches no control; did you mean KEY-*?"),
    ("verify --budget 0x0", "0x0 has a zero; give at least 1x1"),
    ("verify --controls 'KEE-*'", "KEE-* matches no control; did you mean KEY-*?"),
    ("verify --control ,", "--control: , names no control; give one, or leave it out"),
    ("verify --mutant LosesLongValue", "did you mean LosesLongValues?"),
    ("verify --tsa ftp://ada:geheim@host", "not a web address"),
    ("live secrets.example.com", "not a web address; give one such as https://"),
    ("catalogue --output jsn", "did you mean json?"),
    ("evidence sign-off bundle.zip --act aproved --name Ada", "did you mean approved?"),
    ("evidence export bundle.zip --format oscl", "did you mean oscal?"),
    # Flags take no value.
    ("verify --certified=no", "drillbook verify: option '--certified' does not take a value; d"),
    ("verify --certified no", "unexpected extra argument (no)"),
    # Numbers and durations.
    ("verify --workers 0", "--workers: 0: give a number from 1 to 16, or auto"),
    ("verify --workers 1e3", "give a number"),
    ("verify --seed abc", "--seed: abc: give a number from 0"),
    ("verify --seed -1", "give a number"),
    ("qualify --shard 3/2", "such as 2/5"),
    ("verify --budget 12", "is not of the form 100x12"),
    ("qualify --healthy some", "give a number from 0 to 1000"),
    (shlex.join([*DRILL, "--rto", "4x"]), "--rto: 4x: write a duration such as 4h"),
    (shlex.join([*DRILL, "--rpo", "0h"]), "give more than zero"),
    # Files and folders.
    ("drill backup.sq.gz --env-file keys.env", "does not exist; did you mean backup.sql.gz?"),
    ("drill backup.sql.gz --env-file key.env", "--env-file: key.env does not exist; did you mean"),
    ("verify --signing-key folder", "--signing-key: folder is a folder; give a file"),
    ("verify --repo keys.env", "keys.env is a file; give a folder"),
    ("verify --run-dir keys.env", "keys.env is a file; give a folder"),
    ("diagnose backend.lg", "did you mean backend.log?"),
    ("diagnose dangling.log", "LOG: dangling.log is a link to what does not exist; check it"),
    ("evidence verify bundel.zip", "did you mean bundle.zip?"),
    ("drill 'cost$5.sql' --env-file keys.env", "BACKUP: cost$5.sql does not exist"),
    ("drill 'a b.sql' --env-file keys.env", "BACKUP: a b.sql does not exist"),
    ("drill 'a\"b.sql' --env-file keys.env", 'BACKUP: a"b.sql does not exist'),
    ("drill 'one\ntwo.sql' --env-file keys.env", "BACKUP: a value with a line break in it"),
    ("drill 'one\x1btwo.sql' --env-file keys.env", "control characters"),
    ("verify --image ''", "--image: an empty value; give IMAGE, or leave it out"),
    ("diagnose ''", "LOG: an empty value; give FILE|-\n"),
    ("verify --env-file=", "--env-file: an empty value; give FILE, or leave it out"),
    ("key check backup.sql --env-file=", "--env-file: an empty value; give FILE\n"),
    (f"key check backup.sql {'geheim'.ljust(32, '0')}", "unexpected extra argument (…); drillbook"),
    *(
        (f"{command} --env-file {given}", "a key is a secret; write it to a file of mode 0600")
        for command in ("drill backup.sql", "key check backup.sql")
        for given in ("geheim".ljust(32, "0"), f"ENCRYPTION_KEY={'geheim'.ljust(43, '0')}=")
    ),
    ("verify --image 'a b'", "not the name of an image"),
    # What is missing, and what excludes each other.
    ("drill", "BACKUP is missing; for example: drillbook drill backup.sql.gz"),
    ("drill backup.sql.gz", "--env-file is missing; for example: drillbook drill"),
    ("drill backup.sql.gz keys.env", "unexpected extra argument (keys.env)"),
    ("rehearse backup.sql.gz --env-file keys.env --from a:1", "--to is missing"),
    ("rehearse backup.sql.gz --env-file keys.env --from-database 14", "--from is missing"),
    (
        "rehearse backup.sql.gz --env-file keys.env --to-database 17 --from a:1 --to a:2",
        "--to and --to-database exclude each other",
    ),
    ("key check backup.sql.gz", "--env-file is missing"),
    (shlex.join([*DRILL, "--env-file=.env"]), "--env-file is given more than once; give it once"),
    ("evidence seal . --sign drill.key --signing-key=x", "--signing-key is given more than once"),
    (shlex.join(RECOVER), "--out is missing"),
    (
        shlex.join([*RECOVER, "--out", "x", "--plaintext", "--recipient", "age1x"]),
        "--recipient and --plaintext exclude each other",
    ),
    *(
        (f"live rehearsal {words}", f"{words.split()[0]} is not used with URL rehearsal")
        for words in (
            *("--credential token.env", "--docker", "--env-file .env", "--ca .env"),
            *("--project x", "--backup folder", "--plain-url http://h"),
        )
    ),
    ("live https://h.example.com --project x", "--project is not used without --docker; leave it"),
    *(
        (
            f"rehearse backup.sql.gz --env-file keys.env --to-database 17 {name} runs/on-v1",
            f"{name} is not used with --to-database 17",
        )
        for name in ("--verify-from", "--verify-to")
    ),
    *(
        (
            f"schedule {name} --command-image a:1 -- sweep",
            f"--command-image is not used with SCHEDULER {name}",
        )
        for name in ("systemd", "cron")
    ),
    (
        "fleet enqueue --queue keys.env --instance a --pubkey drill.key.pub",
        "--pubkey is not used with --instance; leave it out",
    ),
    ("qualify --image a:1 --stack embedded", "--image is not used with --stack embedded"),
    ("verify --certified --control KEY-1", "--certified and --control exclude each other"),
    ("verify --certified --mutant LosesLongValues", "exclude each other"),
    ("verify --quiet --verbose", "--quiet and --verbose exclude each other"),
    ("verify --sign drill.key --signing-key-env KEY", "exclude each other"),
    ("evidence verify bundle.zip --unsigned --pubkey drill.key.pub", "exclude each other"),
    ("evidence sign-off bundle.zip --act approved", "--name is missing"),
    ("preflight", "nothing to check: give --compose, --env-file, --repo, --escrow or --backup"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with files of every name, and a run that `latest` names."""
    for name in FILES:
        (tmp_path / name).write_text("ENCRYPTION_KEY=x\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling.log").symlink_to("nowhere")
    (tmp_path / "runs" / "one").mkdir(parents=True)
    for name in ("two", "on-v1", "on-v2"):
        (tmp_path / "runs" / name).mkdir()
    kept = tmp_path / "drillbook-runs"
    (kept / "earlier").mkdir(parents=True)
    (kept / "latest").symlink_to("earlier")
    (tmp_path / "reports" / "runs" / "latest").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(folder, line, **env):
    return subprocess.run(
        [PROGRAM, *shlex.split(line)],
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def seen(folder):
    return {path: path.lstat().st_mtime_ns for path in [folder, *folder.rglob("*")]}


@pytest.mark.parametrize(("line", "sentence"), WRONG, ids=[repr(line) for line, _ in WRONG])
def test_a_wrong_line_is_one_sentence_and_nothing_happens(folder, line, sentence, capsys):
    before, carried_out = seen(folder), []
    heard = [replace(one, run=carried_out.append) for one in COMMANDS if one.name != "preflight"]
    heard += [one for one in COMMANDS if one.name == "preflight"]
    assert run(heard, shlex.split(line)) == 3
    told = capsys.readouterr()
    assert sentence in told.err
    assert len(told.err.splitlines()) == 1
    assert told.out == ""
    assert "geheim" not in told.err
    assert carried_out == []
    assert seen(folder) == before


def test_the_command_alone_prints_its_help(folder, capsys):
    assert run(COMMANDS, []) == 0
    assert capsys.readouterr().out.startswith("Usage: drillbook [OPTIONS] COMMAND")
    assert run(COMMANDS, ["evidence"]) == 3


def test_a_folder_that_this_user_cannot_enter_is_no_defect(folder, capsys):
    """As by `su` from the folder of root."""
    user = os.geteuid()
    folder.chmod(0)
    try:
        os.seteuid(user or 65534)
        code = run(COMMANDS, ["--version"])
    finally:
        os.seteuid(user)
        folder.chmod(0o700)
    assert (code, capsys.readouterr().err) == (0, "")


def test_the_catalogue_does_not_depend_on_the_locale(folder):
    done = call(folder, "catalogue", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (done.returncode, done.stderr) == (0, "")


def what_it_loads(folder, *words):
    """Exit code, standard error, and the packages that a command line has loaded at its end."""
    script = "import sys; from drillbook.cli.__main__ import main\n"
    script += "try: main()\nexcept SystemExit as end: code = end.code\n"
    script += "print('|', code, *sorted({name.partition('.')[0] for name in sys.modules}))"
    command = [sys.executable, "-c", script, *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    code, *loaded = done.stdout.rpartition("|")[2].split()
    return code, done.stderr, set(loaded)


HEAVY = {"pytest", "fixtures", "reports", "suites", "pydantic", "docker", "psycopg", "redis"}
HEAVY |= {"httpx2", "jinja2", "pikepdf", "rich", "testcontainers", "typst"}


@pytest.mark.parametrize("line", ["--version", "verify --help", "key check {} --env-file {}"])
def test_a_command_loads_what_it_uses(folder, line):
    (folder / "real.sql").write_text(dump("2024-10"))
    (folder / "real.env").write_text(f"ENCRYPTION_KEY={KEYS['2024-10']}\n")
    (folder / "real.env").chmod(0o600)
    code, told, loaded = what_it_loads(folder, *line.format("real.sql", "real.env").split())
    assert (code, told) == ("0", "")
    assert HEAVY & loaded == set()


def test_a_wrong_line_loads_no_heavy_library_and_is_refused_soon(folder):
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    code, told, loaded = what_it_loads(folder, "verify", "--stak", "embedded")
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert code == "3"
    assert "did you mean --stack?" in told
    assert (HEAVY | {"cryptography"}) & loaded == set()
    # Of the processor: a crowded machine makes everybody wait.
    spent = ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
    assert spent < 2


@pytest.mark.parametrize(
    "line",
    [
        *("evidence render", "evidence export --format=ctrf", "evidence verify --unsigned"),
        *("evidence seal", "key check --env-file=keys.env"),
        *("evidence sign-off --act=approved --name=Ada", "env diff keys.env", "runbook lint"),
    ],
)
def test_an_error_names_the_command_it_is_of(folder, line, capsys):
    (folder / "empty").touch()
    name = " ".join(word for word in line.split() if word.isalpha() or word == "sign-off")
    assert run(COMMANDS, [*line.split(), "empty"]) == 3
    assert capsys.readouterr().err.startswith(f"drillbook {name}: ")


PERIOD = "--from 2026-01-01 --to 2026-12-31 --out period"


WRONG_VARIABLES = [
    (
        "history",
        {"DRILLBOOK_STAK": "embedded"},
        "DRILLBOOK_STAK in the environment is not an option",
    ),
    ("verify", {"DRILLBOOK_STACK": "podman"}, "DRILLBOOK_STACK: podman is none of"),
    ("verify", {"DRILLBOOK_CERTIFIED": "perhaps"}, "DRILLBOOK_CERTIFIED: 'perhaps' is not a"),
    ("drill", {"DRILLBOOK_BACKUP": "nope.sql"}, "DRILLBOOK_BACKUP: nope.sql does not exist"),
    (
        "evidence sign-off bundle.zip --act approved",
        {"NAME": "DESKTOP-7X", "ACT": "reviewed"},
        "--name is missing",
    ),
    ("rehearse backup.sql.gz --env-file .env", {"FROM": "a:1", "TO": "a:2"}, "--from is missing"),
    (
        "verify --signing-key-env K",
        {"DRILLBOOK_SIGNING_KEY": "drill.key"},
        "DRILLBOOK_SIGNING_KEY and --signing-key-env exclude each other",
    ),
]


@pytest.mark.parametrize(("line", "env", "sentence"), WRONG_VARIABLES)
def test_a_variable_counts_only_by_its_own_name_and_is_judged_like_an_option(
    folder, line, env, sentence, capsys, monkeypatch
):
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    before = seen(folder)
    assert run(COMMANDS, shlex.split(line)) == 3
    told = capsys.readouterr().err
    assert sentence in told
    assert len(told.splitlines()) == 1
    assert seen(folder) == before


def test_the_ci_templates_set_no_variable_that_is_refused(monkeypatch, capsys):
    for file in [ROOT / "docs/ci.md", *sorted((ROOT / "docs/ci").iterdir())]:
        for name in re.findall(r"\bDRILLBOOK_\w+", file.read_text()):
            monkeypatch.setenv(name, "https://ping.example.com/a")
    assert run(COMMANDS, ["--help"]) == 0, capsys.readouterr().err


def kept(line):
    """What a command is given by a line, with nothing carried out."""
    found = []
    heard = [replace(one, run=lambda given: found.append(given) or 0) for one in COMMANDS]
    assert run(heard, shlex.split(line)) == 0
    (given,) = found
    return given


def test_a_backup_that_the_environment_names_is_in_the_line(folder, monkeypatch):
    monkeypatch.setenv("DRILLBOOK_BACKUP", "sftp://ada:geheim@h/b c")
    given = kept("drill --env-file .env")
    assert given.line == "drillbook drill --env-file .env 'sftp://ada:geheim@h/b c'"
    assert run_metadata.command([], given.line).endswith(" 'sftp://…@h/b c'")


def test_a_variable_of_an_options_name_sets_it(folder, monkeypatch):
    monkeypatch.setenv("DRILLBOOK_STACK", "embedded")
    monkeypatch.setenv("DRILLBOOK_CERTIFIED", "1")
    given = kept("verify")
    assert (given[options.STACK], given[options.CERTIFIED]) == ("embedded", True)
    # The record names what the environment gave: a planted bug would count as none.
    assert given.line == "drillbook verify --stack=embedded --certified"
    monkeypatch.setenv("DRILLBOOK_CERTIFIED", "no")
    assert kept("verify --stack auto")[options.STACK] == "auto"
    assert not kept("verify")[options.CERTIFIED]


def test_what_is_set_for_every_command_may_be_ignored_by_one(folder, monkeypatch):
    monkeypatch.setenv("DRILLBOOK_ENV_FILE", ".env")
    given = kept("live rehearsal")
    assert given.values["env_file"] == ".env"
    # The line in the record can be given again.
    assert given.line == "drillbook live rehearsal"


def test_a_variable_of_several_files_may_have_a_blank_in_a_name(folder, monkeypatch):
    monkeypatch.setenv("DRILLBOOK_ENV_FILE", "/srv/my keys/.env:new.env")
    given = kept("key check backup.sql")
    assert given[options.KEY_FILES] == ("/srv/my keys/.env", "new.env")


@pytest.mark.parametrize("command", COMMANDS, ids=[one.name for one in COMMANDS])
def test_help_has_a_sentence_an_example_and_every_option(command, capsys):
    assert run(COMMANDS, [*command.name.split(), "--help"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert f" {command.sentence} " in words
    assert command.sentence.endswith((".", "?"))
    assert f"Example: {command.example}" in words
    for one in command.options:
        assert all(flag in words for flag in one.flags)
    for one in command.arguments:
        assert one.name.upper() in words


@pytest.mark.parametrize("command", ["drill", "rehearse"])
def test_the_keys_of_a_command_on_a_backup_are_those_of_the_backup(command, capsys):
    assert run(COMMANDS, [*command.split(), "--help"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "file with the ENCRYPTION_KEY of the backup" in words
    assert "environment file of the deployment" not in words


@pytest.mark.parametrize("command", ["drill", "rehearse --from a:1 --to a:2"])
def test_a_key_that_others_can_read_is_warned_of(folder, monkeypatch, capsys, command):
    monkeypatch.setattr("drillbook.cli.commands._call_pytest", lambda *_: 0)
    line = [*command.split(), "backup.sql.gz", "--env-file", "keys.env"]
    (folder / "keys.env").chmod(0o600)
    assert (run(COMMANDS, line), capsys.readouterr().err) == (0, "")
    (folder / "keys.env").chmod(0o644)
    said = f"drillbook {line[0]}: warning: keys.env holds a key, and others can read it"
    assert run(COMMANDS, line) == 0
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.parametrize("command", COMMANDS, ids=[one.name for one in COMMANDS])
@pytest.mark.usefixtures("folder")
def test_the_example_of_a_command_is_a_line_it_takes(command):
    program, *words = shlex.split(command.example)
    assert program == "drillbook"
    assert kept(shlex.join(words)).command.name == command.name


def lines_shown(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    found = {block or span for block, span in SHOWN.findall(text)}
    return sorted(line for line in found if not PLACES.search(line))


PASTED = ("README.md", "docs/on-call.md")
DOCUMENTS = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.usefixtures("folder")
def test_each_line_of_a_document_is_one_that_the_command_takes(name, capsys):
    shown = [line.removeprefix("drillbook ") for line in lines_shown(name)]
    assert len(shown) > 3 or name not in PASTED
    # In a sentence a command may be named without all that it needs.
    text = (ROOT / name).read_text(encoding="utf-8")
    for words in (one for one in shown if not one.startswith("-")):
        told = taken_once_files_are_there(shlex.split(words, comments=True), capsys)
        mentioned = name not in PASTED and f"`drillbook {words}`" in text
        assert told == "" or (mentioned and "is missing; for example" in told)


def taken_once_files_are_there(words, capsys):
    """What is wrong with a line but that it names files of its reader's; those are made here."""
    heard = [replace(one, run=lambda _: 0) for one in COMMANDS]
    words = [str(Path.cwd() / one.lstrip("/")) if one.startswith("/") else one for one in words]
    for _ in range(9):
        if run(heard, words) == 0:
            return ""
        told = capsys.readouterr().err
        if missing := re.search(r"(?:: |folder )(\S+) does not exist", told):
            path = Path(missing[1])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir() if "the folder" in told else path.touch()
        elif kind := re.search(r": (\S+) is a (file|folder); give", told):
            path = Path(kind[1])
            path.unlink() if kind[2] == "file" else path.rmdir()
            path.mkdir() if kind[2] == "file" else path.touch()
        else:
            return told
    return told


def test_a_defect_is_one_sentence_that_repeats_no_message(folder, capsys):
    def fail(_given):
        raise ValueError("geheim")

    table = [replace(one, run=fail) for one in COMMANDS]
    assert run(table, ["history"]) == 3
    said = capsys.readouterr().err
    assert "a defect of Drillbook, ValueError at test_command_line.py:" in said
    assert "geheim" not in said


def test_a_command_may_have_commands_below_it(folder, capsys):
    heard = []
    table = [replace(one, run=lambda it: heard.append(it.line) or 0) for one in COMMANDS]
    for line in ("history", "history --run-dir=runs", f"history report {PERIOD}"):
        assert run(table, line.split()) == 0
        assert heard.pop() == f"drillbook {line}"
    assert run(table, ["history", "reprot"]) == 3
    assert "did you mean history report?" in capsys.readouterr().err
    assert run(table, ["history", "--run-dir=runs", "report"]) == 3
    assert "unexpected extra argument (report)" in capsys.readouterr().err
    assert run(table, ["history", "--help"]) == 0
    assert "drillbook history report: " in " ".join(capsys.readouterr().out.split())
    assert heard == []


def test_commands_are_listed_and_the_version_is_that_of_the_package(capsys):
    assert run(COMMANDS, ["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(f"  {one.name} " in listed for one in COMMANDS)
    assert run(COMMANDS, ["--version"]) == 0
    assert capsys.readouterr().out == f"drillbook {version('drillbook')}\n"


def test_runs_are_kept_with_the_checkout_or_else_in_a_folder_of_their_own(folder, monkeypatch):
    assert kept("verify")[options.RUN_DIR] == "drillbook-runs"
    monkeypatch.chdir(ROOT)
    assert kept("verify")[options.RUN_DIR] == "reports/runs"


CODES = [
    (0, "key check 2024-10.sql --env-file 2024-10.env"),
    (1, "key check 2024-10.sql --env-file 2024-07.env"),
    (2, "diagnose quiet.log"),
    (3, "key check quiet.log --env-file 2024-10.env"),
    (0, "key recover 2024-10.sql --env-file 2024-10.env --out secrets.json --plaintext"),
]


@pytest.mark.parametrize(("code", "line"), CODES)
def test_the_exit_code_of_an_answer_reaches_the_shell(code, line, folder):
    (folder / "quiet.log").write_text("nothing of note\n")
    (folder / "2024-10.sql").write_text(dump("2024-10"))
    for name in ("2024-07", "2024-10"):
        (folder / f"{name}.env").write_text(f"ENCRYPTION_KEY={KEYS[name]}\n")
    assert call(folder, line).returncode == code


class Declared:
    """Takes what a plugin declares to pytest."""

    def __init__(self):
        self.names = set()

    def getgroup(self, *_names):
        return self

    def addoption(self, *names, **_more):
        self.names |= set(names)


def test_pytest_knows_every_option_of_a_command_that_runs_specs():
    declared = Declared()
    # These pytest has itself.
    declared.addoption("--quiet", "--verbose")
    plugins = (plugin, stacks, workers, file_fixtures, drill_fixtures, live_fixtures, lifecycle)
    for one in plugins:
        one.pytest_addoption(declared)
    specs = [one for one in COMMANDS if {options.SEED, options.VERBOSE} < {*one.options}]
    assert len(specs) == 6
    for one in specs:
        own = {options.ON_END, options.PING_FILE, options.RECEIVERS_FILE}
        assert {f"--{option.name}" for option in set(one.options) - own} <= declared.names


def test_make_refuses_a_value_and_shows_the_command():
    told = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    done = subprocess.run(
        ["make", "--no-print-directory", "drill", "BACKUP=sftp://ada:geheim@h/b.sql"],
        cwd=ROOT,
        env=told,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert '".venv/bin/drillbook drill --name=value"' in line
    assert "geheim" not in line


def test_a_path_of_the_home_folder_is_found_behind_an_equals_sign(folder):
    done = call(folder, "key check --env-file=~/.env -- '~/backup.sql.gz'", HOME=str(folder))
    assert "does not exist" not in done.stderr
    done = call(folder, "history --run-dir=~/runs", HOME=str(folder))
    assert (done.returncode < 3, (folder / "~").exists()) == (True, False), done.stderr
