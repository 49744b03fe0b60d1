"""A fleet as objects of Kubernetes: by their schema, with secrets by name alone."""

import re
import subprocess

import pytest
import yaml

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run
from drillbook.core.application import ROOT
from drillbook.core.errors import BadInput
from drillbook.fleet.kubernetes import render, schedule
from reports.config.fleet_file import Instance

PYTHON = ROOT / ".tools" / "interop" / "bin" / "python"
VALIDATE = """
import sys, yaml, kubernetes_validate
for one in yaml.safe_load_all(open(sys.argv[1])):
    kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)
    print(one["kind"])
"""


def instance(name, **more):
    given = {"label": "eu", "cadence": "monthly", "backup": f"/backups/{name}", **more}
    return Instance(name=name, env_file=f"/etc/drillbook/{name}.env", **given)


FLEET = (
    instance("ada", credential="/etc/drillbook/token.env"),
    instance("bob", backup="s3://backups/bob", backup_options="/etc/drillbook/s3.env"),
    instance("cyd", backup="/backups/cyd/last night's.sql.gz", cadence="weekly"),
)


@pytest.fixture
def objects():
    return list(yaml.safe_load_all(render(FLEET, "drillbook:1")))


@pytest.mark.interop
def test_the_schema_of_kubernetes_takes_them(tmp_path):
    (tmp_path / "fleet.yaml").write_text(render(FLEET, "drillbook:1"))
    command = [PYTHON, "-c", VALIDATE, tmp_path / "fleet.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["CronJob", "CronJob", "CronJob", "Job"]


def test_a_cron_job_has_the_files_of_its_instance_alone(objects):
    pod = objects[0]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    secrets = {
        one["name"]: one["secret"]["secretName"] for one in pod["volumes"] if "secret" in one
    }
    assert secrets == {"signing-key": "drillbook-signing-key", "files-ada": "drillbook-ada"}
    mounts = {one["mountPath"]: one for one in pod["containers"][0]["volumeMounts"]}
    assert {path: one.get("subPath") for path, one in mounts.items()} == {
        "/var/lib/drillbook/runs": None,
        "/etc/drillbook-signing-key": None,
        "/etc/drillbook/ada.env": "ada.env",
        "/etc/drillbook/token.env": "token.env",
        "/backups/ada": None,
    }
    assert all(one["readOnly"] for path, one in mounts.items() if "runs" not in path)
    assert pod["containers"][0]["args"][0] == "drill"
    assert "--instance=ada" in pod["containers"][0]["args"]


def test_the_index_of_the_job_is_the_instance(objects):
    spec = objects[-1]["spec"]
    assert (spec["completionMode"], spec["completions"], spec["suspend"]) == ("Indexed", 3, True)
    *shell, script = spec["template"]["spec"]["containers"][0]["command"]
    called = script.replace("exec drillbook", "printf '%s\\n'")
    for index, one in enumerate(FLEET):
        done = subprocess.run(
            [*shell, called],
            env={"JOB_COMPLETION_INDEX": str(index)},
            capture_output=True,
            text=True,
            check=True,
        )
        words = done.stdout.splitlines()
        assert words[-len(one.words) :] == one.words


def test_instances_are_spread_over_the_nights():
    when = {schedule(f"instance-{number}", "quarterly") for number in range(20)}
    assert len(when) == 20
    for one in when:
        minute, hour, day, months, weekday = one.split()
        assert int(minute) < 60
        assert 1 <= int(hour) <= 5
        assert 1 <= int(day) <= 28
        assert (months, weekday) == ("1,4,7,10", "*")
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", schedule("ada", "weekly"))


@pytest.mark.parametrize("more", [{"backup": "b.sql"}, {"compose": "compose.yml"}])
def test_a_path_that_a_pod_cannot_have_is_refused(more):
    with pytest.raises(BadInput, match="write a whole path"):
        render([instance("ada", **more)], "drillbook:1")


def test_the_command_prints_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleet.toml").write_text(
        '[[instance]]\nname = "ada"\nlabel = "eu"\ncadence = "yearly"\n'
        'backup = "/b"\nenv_file = "/k.env"\n'
    )
    assert run(COMMANDS, ["fleet", "kubernetes", "--command-image", "here/drillbook:2"]) == 0
    cron, job = yaml.safe_load_all(capsys.readouterr().out)
    for one in (cron["spec"]["jobTemplate"], job):
        assert one["spec"]["template"]["spec"]["containers"][0]["image"] == "here/drillbook:2"
