"""The wheel has all of Drillbook for a machine without a checkout, under one package name."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import pytest

from drillbook.core.application import ROOT
from drillbook.core.run_directory import unprivileged_user
from tests.support.backups import KEYS, dump
from tests.support.bundles import newest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.xdist_group("wheel")]

UV = shutil.which("uv") or str(ROOT / ".tools" / "uv")


def call(*command, cwd, **env):
    """Call a program with exactly the given environment."""
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=1500
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, as `make dist` makes it."""
    folder = tmp_path_factory.mktemp("dist")
    done = call("make", "dist", cwd=ROOT, **os.environ, DIST=str(folder))
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def machine(wheel):
    """A folder with an environment that has the wheel, and nothing of the checkout.

    It is not pytest's own, which is closed to the ordinary user who calls the command.
    """
    with tempfile.TemporaryDirectory(prefix="drillbook-wheel-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        installing = [UV, "pip", "install", "--quiet", "--python", folder / "env", wheel]
        for command in ([UV, "venv", "--quiet", "--python", sys.executable, "env"], installing):
            done = call(*command, cwd=folder, **os.environ)
            assert done.returncode == 0, done.stderr
        yield folder


@pytest.fixture(scope="module")
def user(machine):
    """Calls a program of the environment in a folder of its own, as an ordinary user."""
    home = machine / "home"
    home.mkdir()
    (home / "backup.sql").write_text(dump("2024-10"))
    (home / ".env").write_text(f"ENCRYPTION_KEY={KEYS['2024-10']}\n")
    (home / ".env").chmod(0o600)
    switch = []
    if ordinary := unprivileged_user():
        for path in (home, *home.iterdir()):
            shutil.chown(path, ordinary)
        switch = ["setpriv", "--reuid", ordinary, "--regid", "nogroup", "--clear-groups"]
    path = f"{machine / 'env' / 'bin'}:/usr/bin:/bin"

    def run(*command):
        return call(*switch, *command, cwd=home, PATH=path, HOME=str(home))

    run.home = home
    return run


def test_nothing_of_the_wheel_stands_beside_packages_of_other_names(user):
    names = ("fixtures", "reports", "suites", "compose", "conftest", "tests", "application")
    script = f"from importlib.util import find_spec as f; print([n for n in {names} if f(n)])"
    assert user("python", "-c", script).stdout == "[]\n"
    where = user("python", "-c", "from drillbook.core.application import ROOT; print(ROOT)")
    assert where.stdout.strip().endswith("/site-packages/drillbook/application")


def test_the_wheel_holds_what_the_repository_does_and_no_run(wheel):
    listed = ["git", "ls-files", "drillbook", "suites", "fixtures", "reports", "compose"]
    tracked = set(call(*listed, cwd=ROOT, **os.environ).stdout.split())
    held = call(sys.executable, "-m", "zipfile", "-l", wheel, cwd=ROOT).stdout.split()
    names = {one.replace("drillbook/application/", "") for one in held if "/" in one}
    assert tracked <= names
    assert not [one for one in names if one.startswith("reports/runs")]


def test_a_release_names_every_library_by_version_and_hash(wheel):
    released = json.loads((wheel.parent / "drillbook.cdx.json").read_text())
    assert (released["bomFormat"], released["specVersion"]) == ("CycloneDX", "1.5")
    assert released["metadata"]["component"]["version"] == version("drillbook")
    listed = {one["name"]: one["version"] for one in released["components"]}
    text = (wheel.parent / "requirements.txt").read_text()
    pinned = dict(re.findall(r"(?m)^([\w.-]+)(?:\[.*\])?==([^ ;\n]+)", text))
    assert pinned.keys() == listed.keys()
    assert pinned.items() <= listed.items()
    assert text.count("==") <= text.count("--hash=sha256:")
    assert {"click", "cryptography", "pytest"} <= listed.keys()
    assert "mypy" not in listed


def test_an_image_is_made_of_the_release_and_not_for_root(wheel):
    recipe = (wheel.parent / "Dockerfile").read_text()
    *needed, authority = re.search(r"(?m)^COPY (.*) /dist/$", recipe)[1].split()
    assert authority == "*.crt"
    assert [len(list(wheel.parent.glob(one))) for one in needed] == [1, 1]
    assert "--require-hashes" in recipe
    assert re.findall(r"(?m)^USER (.*)$", recipe) == ["drillbook"]


@pytest.mark.engine
def test_an_image_of_the_command_checks_a_key(wheel, tmp_path):
    for authority in Path("/usr/local/share/ca-certificates").glob("*.crt"):
        shutil.copy(authority, wheel.parent)
    build = ("docker", "build", "--quiet", "--network", "host")
    base = ("--build-arg", "BASE=drillbook/base")
    built = call(*build, *base, wheel.parent, cwd=tmp_path, **os.environ)
    assert built.returncode == 0, built.stderr
    image = built.stdout.strip()
    (tmp_path / "backup.sql").write_text(dump("2024-10"))
    (tmp_path / "keys.env").write_text(f"ENCRYPTION_KEY={KEYS['2024-10']}\n")
    tmp_path.chmod(0o755)
    start = ("docker", "run", "--rm", "--volume", f"{tmp_path}:/work:ro")
    asked = ("key", "check", "backup.sql", "--env-file", "keys.env")
    try:
        done = call(*start, image, *asked, cwd=tmp_path, **os.environ)
        who = call(*start, "--entrypoint", "id", image, "-un", cwd=tmp_path, **os.environ)
    finally:
        call("docker", "image", "rm", image, cwd=tmp_path, **os.environ)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("OPENS")
    assert who.stdout == "drillbook\n"


def test_a_key_is_checked_where_there_is_no_checkout(user):
    done = user("drillbook", "key", "check", "backup.sql", "--env-file", ".env")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("OPENS")


def test_a_wrong_control_is_told_by_the_catalogue_that_the_wheel_holds(user):
    done = user("drillbook", "verify", "--control", "KEE-*")
    assert done.returncode == 3
    assert "did you mean KEY-" in done.stderr


def test_a_run_of_the_wheel_is_sealed_and_its_bundle_verified(user):
    assert user("drillbook", "evidence", "sign-key", "drill.key").returncode == 0
    asked = ("--stack", "embedded", "--control", "KEY-4,HLT-1", "--workers", "2")
    asked += ("--sign", "drill.key")
    done = user("drillbook", "verify", *asked)
    assert done.returncode == 0, done.stdout + done.stderr
    runs = user.home / "drillbook-runs"
    tool = json.loads((newest(runs) / "evidence.json").read_text())["run"]["tool"]
    # A repository around the environment must not be reported as the wheel's source.
    assert tool["commit"] is None
    pubkey = ("--pubkey", "drill.key.pub")
    verified = user("drillbook", "evidence", "verify", "drillbook-runs/latest", *pubkey)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert {one.name for one in user.home.iterdir()} == {
        *("backup.sql", ".env", "drill.key", "drill.key.pub", "drillbook-runs")
    }
