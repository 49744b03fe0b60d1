"""`drillbook preflight` prints file, line, finding and cure, and returns the right exit code."""

import json
import re
import subprocess
import sys

import pytest

from drillbook.core.application import ROOT
from drillbook.infisical.settings import Settings
from fixtures.mutants.file_bugs import (
    SOUND,
    backup,
    commit,
    encrypted_root,
    env,
    repository,
    write_compose,
)
from tests.support.own_suite import run_specs

pytestmark = pytest.mark.slow


def preflight(*options, flags=()):
    command = [sys.executable, *flags, "-m", "drillbook.cli", "preflight", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def files(tmp_path):
    settings = Settings.generate()
    repository(tmp_path)
    return {
        "--compose": SOUND,
        "--env-file": env(tmp_path, settings),
        "--escrow": env(tmp_path, settings, "escrow.env"),
        "--backup": backup(tmp_path, encrypted_root(settings["ENCRYPTION_KEY"])),
        "--repo": tmp_path / "repo",
    }


def options(files):
    return [f"{name}={path}" for name, path in files.items()]


def test_sound_files_pass_and_nothing_of_a_stack_is_loaded(files):
    done = preflight(*options(files), flags=["-X", "importtime"])
    assert done.returncode == 0, done.stdout
    assert "preflight: 0 findings; held: BKP-5, DEP-3, DEP-4, KEY-11, KEY-8, KEY-9" in done.stdout
    assert "not run" not in done.stdout
    # A database without fixes is told with its place, and fails nothing.
    line = next(
        n for n, row in enumerate(SOUND.read_text().splitlines(), 1) if "postgres:14" in row
    )
    assert f"runbook: {SOUND}:{line}: db is PostgreSQL 14, which has got no fixes" in done.stdout
    assert "[DEP-6]" in done.stdout
    # A pre-commit hook may take a second, and loading these alone takes longer.
    loaded = {row.rpartition("|")[2].strip() for row in done.stderr.splitlines() if "|" in row}
    assert "yaml" in loaded
    heavy = {"docker", "httpx2", "hypothesis", "psycopg", "pydantic", "redis"}
    assert loaded & heavy == set()


def test_finding_is_told_with_its_place_and_fails(files, tmp_path):
    file = write_compose(
        tmp_path,
        "    volumes:\n      - pg_data",
        "    ports: ['5432:5432']\n    volumes:\n      - pg_data",
    )
    done = preflight(*options({**files, "--compose": file}))
    assert done.returncode == 1
    line = next(n for n, row in enumerate(file.read_text().splitlines(), 1) if "5432:5432" in row)
    assert f"{file}:{line}: db can be reached from outside" in done.stdout
    assert "[DEP-3]" in done.stdout


def test_a_published_key_is_told_beside_what_else_is_wrong_with_the_file(tmp_path):
    text = SOUND.read_text().replace("restart: unless-stopped", "restart: 'no'", 1)
    sample = "ENCRYPTION_KEY=${ENCRYPTION_KEY:-6c1fe4e407b8911c104518103505b218}"
    compose = tmp_path / "compose.yml"
    compose.write_text(text.replace("- ENCRYPTION_KEY\n", f"- {sample}\n", 1))
    done = preflight(f"--compose={compose}")
    line = compose.read_text()[: compose.read_text().index(sample)].count("\n") + 1
    assert f"{compose}:{line}: ENCRYPTION_KEY falls back to a sample" in done.stdout
    assert "no restart policy" in done.stdout
    assert done.returncode == 1


def test_secret_is_never_shown(files):
    key = files["--env-file"].read_text().split("ENCRYPTION_KEY=")[1].split()[0]
    commit(files["--repo"], "old.env", f"ENCRYPTION_KEY={key}\n")
    done = preflight(*options(files))
    assert done.returncode == 1
    assert "old.env:1: ENCRYPTION_KEY stands there as it is" in done.stdout
    assert key not in done.stdout + done.stderr


def test_a_password_in_a_connection_string_is_searched_for(files):
    password = Settings.generate()["POSTGRES_PASSWORD"]
    with files["--env-file"].open("a") as env:
        env.write(f"REDIS_URL=redis://:{password}@cache:6379\n")
    commit(files["--repo"], "old.env", f"CACHE={password}\n")
    done = preflight(*options(files))
    assert done.returncode == 1
    assert "old.env:1: the password in REDIS_URL stands there as it is" in done.stdout


def test_a_refusal_leaves_standard_output_to_the_answer(tmp_path):
    (tmp_path / "list.yml").write_text("- a\n")
    done = preflight(f"--compose={tmp_path / 'list.yml'}", "--output=json")
    assert (done.returncode, done.stdout) == (3, "")
    assert "list.yml is not a mapping with services" in done.stderr


@pytest.mark.parametrize("option", ["--env-file", "--escrow", "--backup", "--repo", "--compose"])
def test_missing_file_ends_the_run_in_one_sentence(files, option):
    done = preflight(*options({**files, option: "/nowhere/at/all"}))
    assert done.returncode == 3
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout.count("\n") <= 3
    assert "/nowhere/at/all does not exist" in done.stderr


def test_evidence_about_files_holds_no_secret(files, tmp_path):
    key = files["--env-file"].read_text().split("ENCRYPTION_KEY=")[1].split()[0]
    words = ("suites/posture", "--stack=embedded", "--controls=KEY-8,KEY-9")
    given = [one for one in options(files) if not one.startswith("--compose")]
    _, record = run_specs(tmp_path / "runs", *words, *given)
    assert key not in record.read_text()
    assert '"KEY-9"' in record.read_text()


def test_nothing_given_is_no_pass():
    done = preflight()
    assert done.returncode == 3
    assert "nothing to check" in done.stderr


def test_what_is_not_given_is_not_run(files):
    done = preflight(f"--env-file={files['--env-file']}")
    assert done.returncode == 0
    assert "not run: KEY-9: --repo was not given" in done.stdout
    assert "not run: DEP-3, DEP-4, DEP-5, DEP-6: --compose was not given" in done.stdout
    assert "held: KEY-8, SEC-1, SEC-2" in done.stdout


def test_what_was_judged_in_part_is_not_held(files):
    done = preflight(*(f"{name}={files[name]}" for name in ("--env-file", "--backup")))
    assert re.search(r"not run: [A-Z0-9, -]*KEY-11.*: --escrow was not given", done.stdout)
    assert "KEY-11" not in done.stdout.partition("held: ")[2]


def test_keys_that_were_not_given_are_not_judged(tmp_path):
    words = ("suites", "--stack=embedded", "--controls=KEY-8,SEC-1,SEC-2")
    done, _ = run_specs(tmp_path, *words)
    (record,) = tmp_path.glob("*/evidence.json")
    run = json.loads(record.read_text())
    found = {one["id"]: one["verdict"] for one in run["controls"] if one["specs"]}
    assert {found[name] for name in ("KEY-8", "SEC-1", "SEC-2")} == {"not_applicable"}
    assert "--env-file was not given, so this was not judged" in done.stdout


def test_env_file_that_others_can_read_is_a_finding(files):
    files["--env-file"].chmod(0o640)
    files["--escrow"].chmod(0o604)
    done = preflight(*options(files))
    assert done.returncode == 1
    assert f"{files['--env-file']}: can be read by other users (mode 640)" in done.stdout
    assert f"{files['--escrow']}: can be read by other users (mode 604)" in done.stdout
    assert "[KEY-8]" in done.stdout
    assert "[KEY-11]" in done.stdout
