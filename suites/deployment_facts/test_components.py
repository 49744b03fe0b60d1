"""The components are those the runbook names: PostgreSQL 14, Redis 7, a backend on port 8080."""

import pytest

from fixtures.probes.observations import ports_inside

pytestmark = pytest.mark.control("DEP-1")


@pytest.mark.golden("shared")
def test_servers_are_of_the_documented_versions(deployment, observe, step):
    with step("ask the servers, not the tags"):
        versions = deployment.stack.versions()
        found = (versions.database.split(".")[0], versions.cache.split(".")[0])

    with step("PostgreSQL says 14, Redis says 7"):
        observe("components_as_documented" if found == ("14", "7") else "components_differ")
        assert found == ("14", "7")


@pytest.mark.golden("shared")
def test_backend_listens_on_the_documented_port(deployment, observe, step):
    with step("list the listening ports inside the backend's container"):
        ports = ports_inside(deployment.stack)

    with step("the documented port is among them"):
        observe("components_as_documented" if 8080 in ports else "components_differ")
        assert 8080 in ports
