"""Services of the reference backend, and restores into an isolated stack."""

import io

import pytest

from drillbook.backup.restore import restore
from tests.support.backends import running


@pytest.fixture(scope="module")
def services():
    with running() as made:
        yield made


@pytest.fixture
def restored(isolated):
    isolated.empty_database()

    def run(text, limits=None):
        stream = text if hasattr(text, "read") else io.BytesIO(text.encode())
        return restore(stream, isolated.connect, lambda: isolated.kill("db"), limits)

    return run
