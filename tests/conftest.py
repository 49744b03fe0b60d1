"""A stack for the harness's own tests, started on demand and gone afterwards."""

import contextlib

import hypothesis  # noqa: F401 - it asks the collector about what a run in this process has frozen
import pikepdf  # noqa: F401 - pytester forgets what it imports, and this must not be loaded twice
import pytest

from drillbook.core.run_directory import Home, new_run_id
from drillbook.infisical.settings import Settings
from drillbook.stack.embedded.embedded_driver import Embedded
from drillbook.stack.isolated import IsolatedEmbedded


class Deaf:
    """A recorder that keeps nothing but the secrets it was told."""

    def __init__(self):
        self.secrets = {}

    def secret(self, name, value):
        self.secrets[name] = value

    def exchange(self, *_):
        pass

    def span(self, *_):
        return contextlib.nullcontext()

    def note(self, _):
        pass

    def subject(self, **_):
        pass

    def log(self, *_):
        pass

    def command(self, *_):
        pass

    def compare_clock(self, *_, **__):
        pass


# Files of tests that start stacks or read large backups: nine tenths of the time of all.
SLOW = [
    "backend_mutants",
    "bench",
    "certified",
    "change",
    "change_killing",
    "chaos",
    "commands_output",
    "cures",
    "damages",
    "drill_alike",
    "drill_whole",
    "fuzz_inputs",
    "fuzz_memory",
    "generated",
    "hosts",
    "inputs",
    "keyproof_archives",
    "keyproof_examining",
    "keyproof_hostile",
    "lifecycle",
    "live_answers",
    "live_reads",
    "merge",
    "modes",
    "mutants",
    "on_a_terminal",
    "oracle",
    "plugin_runs",
    "plugin_verdicts",
    "plugin_workers",
    "preflight_run",
    "redact_bundle",
    "reference",
    "reference_routes",
    "rendering",
    "resting",
    "restore",
    "restore_hostile",
    "restore_limits",
    "rewrap_rehearsal",
    "seal_run",
    "side_by_side",
    "slow_machine",
    "usage",
]


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.stem.removeprefix("test_") in SLOW:
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def recorder():
    return Deaf()


@pytest.fixture
def living():
    place = Home(new_run_id())
    yield place
    place.close()


@pytest.fixture(scope="module")
def module_recorder():
    return Deaf()


@pytest.fixture(scope="module")
def module_home():
    place = Home(new_run_id())
    yield place
    place.close()


@pytest.fixture
def embedded(living, recorder):
    stack = Embedded(living.run_id, recorder, living.path)
    yield stack
    stack.down()


@pytest.fixture(scope="module")
def isolated():
    """A stack that waits for a backup; each test of a module empties it."""
    place = Home(new_run_id())
    stack = IsolatedEmbedded(place.run_id, Deaf(), place.path)
    stack.prepare(Settings.generate())
    yield stack
    stack.down()
    place.close()
