"""What recover and check-key say when their output takes nothing: full, or no one reads."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.run_commands import WAYS, alone, files, words

pytestmark = pytest.mark.slow

__all__ = ["files"]


@pytest.mark.parametrize(
    ("module", "given"),
    [
        ("recover", words("recover", "-", *WAYS["in the clear"])),
        ("recover", words("recover", "-", *WAYS["for a recipient"])),
        ("check_key", words("check_key")),
    ],
)
@pytest.mark.parametrize("reader", ["full", "gone"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_takes_nothing_is_told(
    files, monkeypatch, module, given, reader, unbuffered
):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    ends = os.pipe()
    os.close(ends[0])
    sink = os.open("/dev/full", os.O_WRONLY) if reader == "full" else ends[1]
    code, said = alone(module, *given, stdout=sink)
    why = "No space left on device" if reader == "full" else "Broken pipe"
    assert (code, said.count("\n")) == (3, 1), said
    assert f": standard output did not take everything: {why}; what it took is not whole" in said
    for one in {sink, ends[1]}:
        os.close(one)


@pytest.mark.parametrize("name", ["catalogue", "doctor --stack=embedded", "backup check"])
def test_a_full_output_is_no_finding(files, name):
    given = words("check_key") if name == "backup check" else []
    command = [sys.executable, "-m", "drillbook.cli", *name.split(), *given]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("given", [["key", "check", *words("check_key")], ["key", "chekc"]])
def test_a_closed_stream_is_no_finding(files, closed, given):
    # An answer that cannot be written is none.
    answered = given[1] == "check" and ">&-" not in closed.split()
    line = shlex.join([sys.executable, "-m", "drillbook.cli", *given])
    assert subprocess.run(["sh", "-c", f"{line} {closed}"], check=False).returncode == (
        0 if answered else 3
    )


@pytest.mark.parametrize("given", [["key", "chekc"], ["key", "check", "none.sql", "--env-file=k"]])
def test_a_full_standard_error_is_no_finding(files, given):
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "drillbook.cli", *given]
        assert subprocess.run(command, stderr=full, check=False).returncode == 3
