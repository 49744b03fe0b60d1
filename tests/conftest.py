"""Fixtures of the harness's own tests: recorders, run directories and embedded stacks."""

import hypothesis
import pikepdf  # noqa: F401 - pytester unloads what its runs import; this must not load twice
import pytest

from drillbook.core.run_directory import Home, new_run_id
from drillbook.infisical.settings import Settings
from drillbook.stack.embedded.embedded_driver import Embedded
from drillbook.stack.isolated import IsolatedEmbedded
from reports.session.spec_selection import shares_fixture
from tests.support.backups import dump
from tests.support.recorder import SecretRecorder

# No deadlines, as the machine may be busy; each run tries the same examples.
hypothesis.settings.register_profile("tests", deadline=None, derandomize=True)
hypothesis.settings.load_profile("tests")


def pytest_collection_modifyitems(items):
    """Give tests that share a fixture of their file to one worker, which makes it once."""
    for item in items:
        if shares_fixture(item) and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


@pytest.fixture
def recorder():
    return SecretRecorder()


@pytest.fixture
def sample(tmp_path):
    """A function that writes a backup of a release, changed if a change is given."""

    def written(version, change=lambda dumped: dumped):
        path = tmp_path / f"backup {version}.sql"
        path.write_text(change(dump(version)), newline="")
        return path

    return written


@pytest.fixture
def living():
    place = Home(new_run_id())
    yield place
    place.close()


@pytest.fixture(scope="module")
def module_recorder():
    return SecretRecorder()


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
    """A running isolated stack without a backup, shared by the tests of a module."""
    place = Home(new_run_id())
    stack = IsolatedEmbedded(place.run_id, SecretRecorder(), place.path)
    stack.prepare(Settings.generate())
    yield stack
    stack.down()
    place.close()
