"""What is printed for a scheduler is what the scheduler accepts, and runs what was asked for."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run
from drillbook.core.application import ROOT
from drillbook.core.options import EVERY

KEYS = ["--env-file", "keys.env"]
ODD = ["drill", "/srv/a b/$HOME/50%.sql", "--env-file", 'it\'s "x"\\y;.env']
CI = ROOT / "docs" / "ci"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    place = tmp_path / "a folder"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def printed(capsys, scheduler, *words):
    assert run(COMMANDS, ["schedule", scheduler, *words]) == 0
    return capsys.readouterr().out


def judged(schema, path):
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [program, "--builtin-schema", f"vendor.{schema}", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("every", ["daily", "half-yearly"])
def test_systemd_accepts_its_units(folder, tmp_path, capsys, every):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    # A unit of this machine's own systemd is not looked for.
    printed(capsys, "systemd", "--every", every, "--out", str(tmp_path), "--", *ODD)
    units = sorted(tmp_path.glob("drillbook-drill.*"))
    assert [unit.suffix for unit in units] == [".service", ".timer"]
    done = subprocess.run(
        ["systemd-analyze", "verify", *units],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    timer = units[1].read_text()
    assert "RandomizedDelaySec=" in timer
    assert "Persistent=true" in timer
    (when,) = re.findall("OnCalendar=(.*)", timer)
    subprocess.run(["systemd-analyze", "calendar", when], capture_output=True, check=True)


def test_cron_runs_what_it_is_given(folder, capsys):
    line = printed(capsys, "cron", "--", "status").splitlines()[-1]
    *when, _, command = line.split(" ", 6)
    assert [bool(re.fullmatch(r"[\d,*]+", one)) for one in when] == [True] * 5
    logger = folder / "logger"
    logger.write_text('#!/bin/sh\necho "logged: $*"\n')
    logger.chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", command],
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "nothing was ever proved" in done.stdout) == (1, True)
    assert "logged: -p user.alert -t drillbook drillbook-status ended with" in done.stdout
    assert done.stdout.endswith("exit code 1\n")


def test_odd_names_come_through_cron(folder, capsys):
    line = printed(capsys, "cron", "--", *ODD).splitlines()[-1]
    # cron ends a command at a bare %, and takes the backslash off another.
    assert not re.search(r"(?<!\\)%", line)
    words = shlex.split(line.replace("\\%", "%").split(" ", 6)[6])
    assert (words[1], words[4 : 4 + len(ODD)]) == (str(folder), ODD)


def test_each_schedule_carries_an_alarm(folder, capsys):
    line = ["--", "backup", "check", "backups", *KEYS]
    assert "\nMAILTO=" in printed(capsys, "cron", *line)
    units = printed(capsys, "systemd", *line)
    assert "OnFailure=drillbook-alarm@%N.service" in units
    assert "# drillbook-alarm@.service\n[Unit]" in units
    assert "kube_job_status_failed" in printed(capsys, "kubernetes", *line)
    assert 'event "Scheduled Task Failure"' in printed(capsys, "coolify", *line)


@pytest.mark.parametrize("every", EVERY.kind.choices)
def test_kubernetes_accepts_the_job(folder, capsys, every):
    job = yaml.safe_load(printed(capsys, "kubernetes", "--every", every, "--", *ODD))
    kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["args"] == ODD
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    assert job["spec"]["jobTemplate"]["spec"]["backoffLimit"] == 0


def test_coolify_gets_a_resource_and_a_task(folder, tmp_path, capsys):
    text = printed(capsys, "coolify", "--command-image", "drillbook:1", "--", *ODD)
    file = tmp_path / "compose.yaml"
    file.write_text(text)
    judged("compose-spec", file)
    (line,) = re.findall(r"# +Command: +drillbook (.*)", text)
    assert shlex.split(line) == ODD
    assert "#   Timeout:   3600 " in text, "a drill takes longer than Coolify waits by default"


@pytest.mark.parametrize("scheduler", ["kubernetes", "coolify"])
def test_it_is_said_what_a_container_has(folder, capsys, scheduler):
    text = printed(capsys, scheduler, "--", "drill", "/backups", *KEYS)
    assert "a command with --image" in text
    assert "# The container has the folders /work and /etc/drillbook: mount what else" in text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("dril x.sql", "no command dril; did you mean drill?"),
        ("drill x.sql --env-fil y", "drill has no option --env-fil; did you mean --env-file?"),
        ("runbook", "no command runbook"),
        ("drillbook drill x.sql --env-file y", "without the word drillbook"),
        ("key recover x.sql --env-file y --out z.age --recipient age1", "from the second time on"),
        ("key recover x.sql --env-file y --out - --plaintext", "ends up in a log"),
        ("drill https://u:T0ken@bucket/b", "an address holds a credential or a query (?), and"),
        (f"key check b.sql --env-file {'T0ken'.ljust(32, '0')}", "a key would stand in a file"),
        (f"key check b.sql --env-file=K={'T0ken'.ljust(43, '0')}=", "a key would stand in a file"),
        ("drill --rto=4h https://T0ken@bucket/b", "put it into the environment"),
        ("drill restic:rest:https://u:T0ken@bucket/", "put it into the environment"),
        ("qualify --image a:1 --stack embedded", "--image is not used here"),
    ],
)
def test_a_wrong_line_is_refused(folder, capsys, line, said):
    assert run(COMMANDS, ["schedule", "cron", "--", *line.split()]) == 3
    told = capsys.readouterr()
    assert (told.out, said in told.err, "T0ken" in told.err) == ("", True, False)


def test_a_user_of_ssh_alone_is_no_credential(folder, capsys):
    assert "sftp://ada@host/b" in printed(capsys, "cron", "--", "drill", "sftp://ada@host/b", *KEYS)


def test_a_second_job_does_not_replace_the_first(folder, capsys):
    for code, backup in ((0, "/backups/a"), (0, "/backups/a"), (3, "/backups/b")):
        words = ["schedule", "cron", "--out", str(folder), "--", "drill", backup, *KEYS]
        assert run(COMMANDS, words) == code
    assert "drillbook-drill is there already and is something else" in capsys.readouterr().err
    assert "/backups/a" in (folder / "drillbook-drill").read_text()


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        ("github-actions", "action.yml"),
        ("github-workflows", "github-workflow.yml"),
        ("gitlab-ci", "gitlab-ci.yml"),
    ],
)
def test_ci_files_are_what_their_hosts_accept(schema, name):
    judged(schema, CI / name)


@pytest.mark.slow
@pytest.mark.parametrize("sarif", ["", "found.sarif"])
def test_the_action_ends_with_the_exit_code(folder, sarif):
    """Its script, as GitHub runs it, with this environment in the place of what it installs."""
    steps = yaml.safe_load((CI / "action.yml").read_text("utf-8"))["runs"]["steps"]
    tools = folder / "temp" / "drillbook" / "bin"
    tools.mkdir(parents=True)
    (tools / "drillbook").symlink_to(Path(sys.executable).with_name("drillbook"))
    (folder / "runbook.md").write_text("```sh\ndocker logs <backend-container>\n```\n")
    env = {**os.environ, "RUNNER_TEMP": str(folder / "temp"), "SARIF": sarif}
    env |= {"COMMAND": "runbook lint runbook.md" if sarif else "status"}
    env |= {name: str(folder / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    script = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", steps[1]["run"]]
    done = subprocess.run(script, env=env, capture_output=True, text=True, check=False)
    code = 0 if sarif else 1
    assert done.returncode == code, done.stderr
    summary = (folder / "GITHUB_STEP_SUMMARY").read_text()
    assert f"exit code {code}" in summary
    assert ("0 findings" if sarif else "OVERDUE") in summary


def test_every_line_of_the_ci_files_is_one_of_ours():
    text = "".join(path.read_text("utf-8") for path in CI.glob("git*.yml"))
    lines = re.findall(r'(?:command: "?|- drillbook )(\w(?:[^"\n>}]|"\$\w+")*)', text)
    assert len(lines) == 8
    for line in lines:
        assert run(COMMANDS, ["schedule", "cron", "--", *shlex.split(line)]) == 0


@pytest.mark.parametrize("scheduler", ["cron", "systemd", "kubernetes", "coolify"])
@pytest.mark.parametrize("odd", ["a\n* * * * * root touch ran\n", "a\rb", "bad\udcff"])
def test_a_folder_whose_name_would_begin_another_line_is_refused(
    tmp_path, monkeypatch, capsys, scheduler, odd
):
    (tmp_path / odd).mkdir()
    monkeypatch.chdir(tmp_path / odd)
    assert run(COMMANDS, ["schedule", scheduler, "--", "drill", "b.sql", *KEYS]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "has a control character, as a line break, which" in printed.err
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("drill", "drill would fail each time: BACKUP is missing; for example: drillbook drill b"),
        ("drill --rto 4h", "drill would fail each time: BACKUP is missing"),
        ("drill b.sql", "drill would fail each time: --env-file is missing"),
        (
            "drill b.sql c.sql --env-file=k",
            "drill would fail each time: c.sql is one word too many",
        ),
        ("drill b.sql --env-file", "option '--env-file' requires an argument"),
        ("backup check --env-file k", "backup check would fail each time: BACKUP is missing"),
    ],
)
def test_a_line_that_would_always_fail_is_refused(folder, capsys, line, said):
    assert run(COMMANDS, ["schedule", "cron", "--", *line.split()]) == 3
    (told,) = capsys.readouterr().err.splitlines()
    assert said in told


def test_what_the_environment_sets_is_not_missing(folder, capsys, monkeypatch):
    monkeypatch.setenv("DRILLBOOK_ENV_FILE", "keys.env")
    assert "drill b.sql" in printed(capsys, "cron", "--", "drill", "b.sql")
    assert "to-database" in printed(capsys, "cron", "--", "rehearse", "b.sql", "--to-database=17")
