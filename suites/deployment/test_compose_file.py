"""The compose file is sound, publishes no data, and names containers as the runbook does."""

from datetime import UTC, datetime, timedelta

import pytest

from drillbook.preflight import compose_checks, key_strength


@pytest.mark.control("DEP-3")
def test_database_and_cache_are_published_nowhere(own_composition, findings, step):
    with step("check every published port, and the networks of each service"):
        assert findings(compose_checks.find_exposure(own_composition.compose)) == []


@pytest.mark.control("DEP-4")
def test_compose_file_is_sound(own_composition, findings, step):
    with step("check variables, volumes, restarts, health, images, literals and order"):
        found = compose_checks.lint(own_composition.compose, own_composition.env)

    with step("check whether a key or password in it, defaults included, is a published one"):
        # Reported together, because a value written into the file is often a published one.
        found += key_strength.find_written_samples(own_composition.compose)
        assert findings([*found, *key_strength.find_empty_variables(own_composition)]) == []


@pytest.mark.control("DEP-5")
def test_documented_patterns_find_the_containers(
    checked_files, find_unmatched, findings, observe, step
):
    with step("apply the documented patterns to the names that Coolify and compose generate"):
        missed = findings(find_unmatched(checked_files.compose))
        observe("names_lack_the_word" if missed else "names_match_patterns")
        if missed:
            observe("wipe_selects_by_a_word")
        assert missed == []


@pytest.mark.control("DEP-6")
def test_the_database_still_gets_fixes(checked_files, findings, observe, step):
    today = datetime.now(UTC).date()
    with step("look up until when the release of PostgreSQL that the file names receives fixes"):
        past = findings(compose_checks.find_end_of_life(checked_files.compose, today))
        year_ago = today - timedelta(days=365)
        long_past = compose_checks.has_end_of_life_before(checked_files.compose, year_ago)
        old = "postgresql_long_past_its_end" if long_past else "postgresql_past_its_end"
        observe(old if past else "postgresql_gets_fixes")
        assert past == []
