"""The compose file is sound, exposes no data, and names containers as the runbook finds them."""

import pytest

from drillbook.preflight import compose_checks


@pytest.mark.control("DEP-3")
def test_database_and_cache_are_published_nowhere(composed, findings, step):
    with step("look at every published port, and at whose network each service is on"):
        assert findings(compose_checks.exposed(composed.compose)) == []


@pytest.mark.control("DEP-4")
def test_compose_file_is_sound(composed, findings, step):
    with step("look at variables, volumes, restarts, health, images, literals and order"):
        assert findings(compose_checks.lint(composed.compose, composed.env)) == []


@pytest.mark.control("DEP-5")
def test_documented_patterns_find_the_containers(composed, findings, observe, step):
    with step("apply the documented patterns to the names Coolify and compose give"):
        missed = findings(compose_checks.missed(composed.compose))
        observe("names_lack_the_word" if missed else "names_match_patterns")
        assert missed == []
