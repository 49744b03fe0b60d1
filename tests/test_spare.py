"""The next clone is made beforehand, is the golden state, and is not needed."""

import pytest

from fixtures.installation import Installation
from fixtures.stack import template
from fixtures.stack.embedded import Embedded

OIDS = "SELECT datname, oid FROM pg_database"


@pytest.fixture(scope="module")
def installation(module_home, module_recorder):
    stack = Embedded(module_home.run_id, module_recorder, module_home.path)
    yield Installation(stack, module_recorder, module_home.path)
    stack.down()


def databases(installation):
    """What lies in the cluster once nobody copies: database by name."""
    installation._spare.wait()
    return dict(installation.stack.database.inside(OIDS, database="postgres"))


def changed(deployment):
    """A deployment with something in it that is not golden."""
    deployment.mark("spoilt")
    return deployment


def test_the_next_rewind_takes_the_clone_that_waits(installation):
    golden = changed(installation.pristine()).inventory()
    changed(installation.pristine())
    waits = databases(installation)[template.SPARE]
    deployment = installation.pristine()
    assert deployment.stack.sql("SELECT oid FROM pg_database WHERE datname = 'infisical'") == [
        (waits,)
    ]
    assert deployment.marker() == "golden"
    assert deployment.inventory() != golden
    assert databases(installation)[template.SPARE] != waits


def test_without_a_spare_the_golden_state_is_copied(installation):
    changed(installation.pristine())
    changed(installation.pristine())
    assert template.SPARE in databases(installation)
    installation.stack.database.inside(f"DROP DATABASE {template.SPARE}", database="postgres")
    assert installation.pristine().marker() == "golden"


@pytest.mark.parametrize("harm", ["stop", "wipe"])
def test_what_a_spec_does_meanwhile_costs_no_more_than_the_spare(installation, harm):
    changed(installation.pristine())
    stack = changed(installation.pristine()).stack
    if harm == "stop":
        stack.kill("db")
    else:
        stack.destroy(stack.resources())
    assert installation.pristine().marker() == "golden"
    assert installation.pristine().marker() == "golden"


def test_a_new_golden_state_leaves_no_spare_of_the_old_one(installation):
    changed(installation.pristine())
    kept = changed(installation.pristine())
    assert template.SPARE in databases(installation)
    kept.stack.keep()
    assert template.SPARE not in databases(installation)


def test_a_database_that_is_down_is_no_trouble(embedded):
    embedded.lay_by()
    assert not embedded.database.running
