"""A fleet as objects of Kubernetes: by their schema, with secrets by name alone."""

import re
import subprocess

import kubernetes_validate
import pytest
import yaml

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run
from drillbook.cli.schedule import cron_time, fleet_objects
from drillbook.core.errors import BadInput
from reports.config.fleet_file import Instance


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
    return list(yaml.safe_load_all(fleet_objects(FLEET, "drillbook:1")))


def test_the_schema_of_kubernetes_takes_them(objects):
    for one in objects:
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)
    assert [one["kind"] for one in objects] == ["CronJob", "CronJob", "CronJob", "Job"]


def pod_of(cron_job):
    return cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def test_a_cron_job_has_the_files_of_its_instance_alone(objects):
    pod = pod_of(objects[0])
    secrets = {one["secret"]["secretName"] for one in pod["volumes"] if "secret" in one}
    assert secrets == {"drillbook-signing-key", "drillbook-ada"}
    mounts = {one["mountPath"]: one for one in pod["containers"][0]["volumeMounts"]}
    assert {path: one.get("subPath") for path, one in mounts.items()} == {
        "/work": None,
        "/etc/drillbook-signing-key": "drillbook-signing-key",
        "/etc/drillbook/ada.env": "drillbook-ada/ada.env",
        "/etc/drillbook/token.env": "drillbook-ada/token.env",
        "/backups/ada": None,
    }
    assert all(one["readOnly"] for path, one in mounts.items() if path != "/work")
    assert pod["containers"][0]["args"][0] == "drill"
    assert "--instance=ada" in pod["containers"][0]["args"]


def test_no_container_has_rights(objects):
    pod = pod_of(objects[0])
    assert (pod["securityContext"]["runAsUser"], pod["automountServiceAccountToken"]) == (
        1001,
        False,
    )
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }


def test_secrets_are_copied_for_their_owner_alone(objects, tmp_path):
    (copy,) = pod_of(objects[0])["initContainers"]
    *shell, script = copy["command"]
    for name in ("drillbook-ada", "drillbook-signing-key"):
        secret = tmp_path / "run" / name
        (secret / "..data").mkdir(parents=True)
        (secret / "..data" / "file").write_text("k")
        (secret / "file").symlink_to("..data/file")
    script = script.replace("/keys/", f"{tmp_path}/keys/")
    subprocess.run([*shell, script], cwd=tmp_path / "run", check=True)
    copies = [path for path in (tmp_path / "keys").rglob("*") if path.is_file()]
    assert {path.relative_to(tmp_path / "keys").parts for path in copies} == {
        ("drillbook-ada", "file"),
        ("drillbook-signing-key", "file"),
    }
    assert {path.stat().st_mode & 0o777 for path in copies} == {0o600}


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
    when = {cron_time(f"instance-{number}", "quarterly") for number in range(20)}
    assert len(when) == 20
    for one in when:
        minute, hour, day, months, weekday = one.split()
        assert int(minute) < 60
        assert 1 <= int(hour) < 5
        assert 1 <= int(day) <= 28
        assert (months, weekday) == ("1,4,7,10", "*")
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", cron_time("ada", "weekly"))


@pytest.mark.parametrize(
    ("backup", "mounted"),
    [
        ("restic:/srv/restic/payments", "/srv/restic/payments"),
        ("restic:/srv/restic/payments.tar#latest:/dump.sql", "/srv/restic/payments.tar"),
        ("borg:/srv/borg/payments", "/srv/borg/payments"),
        ("restic:s3:https://s3.example.com/bucket", None),
        ("restic:sftp:backup@host:/srv/restic", None),
        ("borg:backup@host:/srv/borg", None),
        ("/backups/secrets.example.com", "/backups/secrets.example.com"),
        ("/backups/night.DMP", "/backups"),
        ("/backups/night.dump", "/backups"),
        ("/backups/night.sql.zst", "/backups"),
    ],
)
def test_the_folder_of_a_backup_is_mounted(backup, mounted):
    made = next(yaml.safe_load_all(fleet_objects([instance("ada", backup=backup)], "drillbook:1")))
    claims = {
        one["mountPath"]
        for one in pod_of(made)["containers"][0]["volumeMounts"]
        if one["name"] == "drillbook-backups-ada"
    }
    assert claims == ({mounted} if mounted else set())


@pytest.mark.parametrize(
    "more", [{"backup": "b.sql"}, {"backup": "restic:b"}, {"compose": "compose.yml"}]
)
def test_a_path_that_a_pod_cannot_have_is_refused(more):
    with pytest.raises(BadInput, match="write a whole path"):
        fleet_objects([instance("ada", **more)], "drillbook:1")


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
