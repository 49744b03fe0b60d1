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
