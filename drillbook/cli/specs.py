"""Specs under pytest, in this process: no other process sees the command line."""

from __future__ import annotations

from collections.abc import Sequence

from drillbook.cli.parser import UNUSABLE, Given
from drillbook.core import options as o
from drillbook.core.application import IS_CHECKOUT, ROOT

_FILE_CHECKS = ("suites/posture", "suites/deployment")
# What a stack needs takes longer to load than these checks take to run; only evidence needs it.
_WITHOUT_STACK = (
    *("-qq", "--noconftest", "-p", "fixtures.session.preflight_console"),
    *("-p", "fixtures.session.preflight_fixtures", "-p", "fixtures.session.fetched_backup"),
    *("-p", "no:xdist", "-p", "no:anyio", "-p", "no:hypothesispytest", "-p", "no:doctest"),
)


def run_specs(
    given: Given, folders: Sequence[str], fixed: Sequence[str], plugins: Sequence[object] = ()
) -> int:
    """Run the specs of some folders with all that the command was given; the exit code."""
    own = (o.NO_REHEARSAL, o.NEW_BACKUP, o.PING, o.PING_FILE, o.METRICS)
    words = given.words(*(option for option in given.command.options if option not in own))
    called_as = f"--{o.CALLED_AS.name}={given.line}"
    return call_pytest([*fixed, *words, called_as], folders, plugins)


def call_pytest(
    words: Sequence[str], folders: Sequence[str], plugins: Sequence[object] = ()
) -> int:
    """Call pytest on folders of the application, wherever this process stands."""
    # It takes a fifth of a second to load, and most commands do without it.
    import pytest

    # The word that pytest prints before the sentence that ends a run.
    pytest.exit.Exception.__name__ = "drillbook"
    place = [f"--config-file={ROOT / 'pyproject.toml'}", f"--rootdir={ROOT}"]
    quiet = ["-p", "no:cacheprovider"]
    # Outside a checkout libraries are not locked, and a warning of a newer one is not a finding.
    quiet += [] if IS_CHECKOUT else ["-W", "default"]
    paths = (str(ROOT / one) for one in folders)
    code = int(pytest.main([*place, *quiet, *words, *paths], [*plugins]))
    return min(code, UNUSABLE)


def check_files(arguments: list[str]) -> int:
    """Run the file checks, without a stack unless they are to leave evidence; the exit code.

    Arguments are those of preflight_fixtures.py, and of an evidence run after --evidence.
    """
    plugins = () if "--evidence" in arguments else _WITHOUT_STACK
    return call_pytest(["--preflight", *plugins, *arguments], _FILE_CHECKS)
