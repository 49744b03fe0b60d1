"""Whole runs, of a small suite in a folder of its own or of Drillbook's specs; what a run left."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

from drillbook.core.application import ROOT
from reports.controls import Catalogue

PLUGIN = ("-p", "reports.session.plugin")
COMMAND = [sys.executable, "-m", "pytest", *PLUGIN, "--evidence"]
_CONTROL = """
[[control]]
id = "{id}"
title = "Title of {id}"
claim = "What {id} says."
nature = "{nature}"
severity = "{severity}"
chapter = "keys"
[control.corrections.seen]
sentence = "{id} should say this."
"""


def control_table(name, nature="safety", severity="critical"):
    return _CONTROL.format(id=name, nature=nature, severity=severity)


def catalogue(*names):
    """The catalogue of the controls of these names."""
    return Catalogue.model_validate(tomllib.loads("".join(map(control_table, names))))


def make_suite(folder, *controls):
    """Make a suite with these controls in a folder; it has no spec yet."""
    (folder / "suites").mkdir()
    (folder / "suites" / "controls.toml").write_text("".join(controls))
    (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")


def latest(pytester):
    return pytester.path / "reports" / "runs" / "latest"


def record(pytester):
    return json.loads(latest(pytester).joinpath("evidence.json").read_text(encoding="utf-8"))


def run_specs(runs, *words, under=(), **how):
    """Run specs of Drillbook in a process: the process that has ended, and the record's path."""
    command = [*under, sys.executable, "-m", "pytest", *words, "--evidence", f"--run-dir={runs}"]
    command += ["-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **how)
    return done, Path(runs, "latest", "evidence.json")
