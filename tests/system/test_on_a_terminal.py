"""A run on a terminal draws its progress, and ends cleanly."""

import os
import pty
import select
import subprocess
import sys
import time

import pytest

from drillbook.core.application import ROOT

pytestmark = pytest.mark.slow

PATIENCE_S = 120


def on_a_terminal(*options):
    """The exit code and output of a pytest run whose standard output is a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pytest", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=theirs, stderr=theirs) as run:
        os.close(theirs)
        printed, end = b"", time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if not select.select([ours], [], [], 1.0)[0]:
                continue
            try:
                printed += os.read(ours, 1 << 16)
            except OSError:
                # The other end is closed.
                break
        os.close(ours)
    return run.returncode, printed.decode()


def test_it_ends_without_a_traceback_and_counts_what_it_did(tmp_path):
    options = ["--evidence", "--stack=embedded"]
    options += ["-p", "no:cacheprovider", f"--run-dir={tmp_path}"]
    code, printed = on_a_terminal("suites/posture", "suites/deployment", *options)
    assert "Traceback" not in printed
    assert "Exception ignored" not in printed
    assert code in (0, 2)
    assert "%" in printed, "the bar was drawn"
    assert "Report: " in printed.splitlines()[-2] or "Report: " in printed.splitlines()[-3]
