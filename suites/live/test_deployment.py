"""A running deployment's components, exposure and container names, read from its engine."""

import pytest

from drillbook.live import container_checks


@pytest.mark.control("DEP-1")
def test_running_servers_are_of_the_documented_versions(instance, observe, record, step):
    with step("read the versions that database and cache logged when they started"):
        parts = {role: instance.part(role) for role in ("db", "redis")}
        database, cache = (
            container_checks.version(role, part, instance.engine) for role, part in parts.items()
        )
        record.note(f"PostgreSQL {database}, Redis {cache}")

    with step("PostgreSQL says 14, Redis says 7"):
        found = (database.split(".")[0], cache.split(".")[0])
        observe("components_as_documented" if found == ("14", "7") else "components_differ")
        assert found == ("14", "7")


@pytest.mark.control("DEP-1")
def test_running_backend_is_set_to_the_documented_port(instance, observe, step):
    with step("read which port the backend's container is configured to listen on"):
        ports = container_checks.listening(instance.part("backend"))
        observe("components_as_documented" if 8080 in ports else "components_differ")
        assert 8080 in ports


@pytest.mark.control("DEP-3")
def test_running_database_and_cache_are_published_nowhere(instance, findings, step):
    with step("check every port binding, IPv4 and IPv6, and every network"):
        instance.part("db"), instance.part("redis")
        assert findings(container_checks.find_exposure(instance.containers, instance.engine)) == []


@pytest.mark.control("DEP-4")
def test_running_cache_keeps_the_jobs_of_the_queue(instance, findings, step):
    with step("read the command that started the cache, and where its data is stored"):
        assert findings(container_checks.find_lost_jobs(instance.part("redis"))) == []


@pytest.mark.control("DEP-5")
def test_documented_patterns_find_the_running_containers(instance, observe, findings, step):
    with step("apply the documented patterns to the names of the containers"):
        unfound = findings(container_checks.unfound(instance.containers))
        observe("names_lack_the_word" if unfound else "names_match_patterns")
        assert unfound == []
