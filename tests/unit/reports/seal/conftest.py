"""A sealed folder of the sample run, and the key that signed it."""

import pytest

from tests.support.bundles import key, sealed


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def signer(place):
    return key(place)


@pytest.fixture(scope="module")
def folder(place, signer):
    return sealed(place, signer[0])
