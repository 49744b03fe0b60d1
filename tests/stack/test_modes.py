"""The reference backend has optional features only when they are requested by name."""

import pytest

from drillbook.core.errors import BadInput
from fixtures.reference.modes import VARIABLE, feature_variables, switch_on
from tests.support.backends import Backend

pytestmark = pytest.mark.slow

ROUTE = "/api/v1/admin/encryption/root-key/rotations"


@pytest.fixture
def start(services):
    """Starts a backend on this test's own database, with features or without."""
    database = services.copy()

    def begin(features="rotation", **changes):
        return Backend(services, database, offers=features, **changes)

    return begin


def staged(backend, services, **body):
    return backend.ask("POST", ROUTE, body, services.golden.admin)


def test_features_are_for_the_reference_backend():
    assert feature_variables("", rehearsal=False) == {}
    assert feature_variables("rotation", rehearsal=True) == {VARIABLE: "rotation"}
    with pytest.raises(BadInput, match="leave it out with a real image"):
        feature_variables("rotation", rehearsal=False)


def test_an_unknown_feature_is_refused_with_the_known_ones():
    with pytest.raises(BadInput, match="no 'time-travel'; it can offer printed-address, "):
        feature_variables("rotation,time-travel", rehearsal=True)
    with pytest.raises(LookupError):
        switch_on(None, "time-travel")


def test_without_the_feature_there_is_no_route(start, services):
    with start("") as backend:
        assert staged(backend, services).status == 404


def test_only_an_administrator_stages(start, services):
    with start() as backend:
        assert backend.ask("POST", ROUTE, {}, services.golden.token).status == 403
