"""What cannot work is told in one sentence, with exit code 3 and no traceback."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from drillbook.core import run_directory
from drillbook.core.application import ROOT
from tests.support.bundles import newest
from tests.support.own_suite import run_specs

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "pytest", "suites", "--evidence", "-p", "no:cacheprovider"]


def verify(tmp_path, *options, **env):
    return run_specs(tmp_path, "suites", *options, env={**os.environ, **env})[0]


REFUSED = {
    "unknown stack": (["--stack=podman"], "choose one of auto, containers, embedded"),
    "unknown mutant": (["--mutant=Innocent"], "did you mean"),
    "image without containers": (["--stack=embedded", "--image=x"], "takes neither"),
}


@pytest.mark.parametrize(("options", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_bad_option_is_one_sentence(tmp_path, options, sentence):
    done = verify(tmp_path, *options)
    assert done.returncode == 3
    assert sentence in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_sentence_begins_with_the_commands_name(tmp_path):
    (tmp_path / "waivers.toml").write_text("not TOML")
    line = ["verify", "--stack=embedded", f"--waivers={tmp_path}/waivers.toml"]
    done = subprocess.run(
        [Path(sys.executable).with_name("drillbook"), *line, f"--run-dir={tmp_path}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert done.stderr.startswith(f"drillbook: {tmp_path}/waivers.toml: ")


def test_a_missing_engine_is_one_sentence(tmp_path):
    done = verify(tmp_path, "--stack=containers", PATH="/nowhere")
    assert done.returncode == 3
    assert "--stack embedded" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_deaf_engine_is_one_sentence(tmp_path):
    done = verify(tmp_path, "--stack=containers", DOCKER_HOST="tcp://127.0.0.1:9")
    assert done.returncode == 3
    assert "--stack embedded" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_evidence_and_nothing_else(tmp_path, number):
    command = [*COMMAND, f"--run-dir={tmp_path}", "--stack=embedded"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        # Whichever specs come first, some read files only.
        run_id = next(run_id for _ in run.stdout for run_id in runs_of(run.pid))
        run.send_signal(number)
        rest = run.stdout.read()
    assert run.returncode == 2, rest
    assert (newest(tmp_path) / "evidence.json").exists()
    assert "Traceback" not in rest
    assert list(run_directory.processes_of(run_id)) == []
    assert not (run_directory._root() / f"{run_directory._PREFIX}{run_id}").exists()


def runs_of(session):
    """The ids of runs whose stack is a child of this process."""
    mark = f"{run_directory.RUN_VARIABLE}=".encode()
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            parent = (environ.parent / "stat").read_text().rpartition(")")[2].split()[1]
            words = [w for w in environ.read_bytes().split(b"\0") if w.startswith(mark)]
            if words and int(parent) == session:
                yield words[0].removeprefix(mark).decode()
