"""The wipe destroys this deployment and nothing else, whatever the documented selectors match."""

import pytest

from drillbook.core.errors import NotOurs
from drillbook.runbook import procedures
from fixtures.data import coolify_names

pytestmark = pytest.mark.control("WIP-4")


@pytest.mark.golden("shared")
def test_only_this_deployment_is_destroyed(deployment, neighbour, working_folder, record, step):
    stack, run = deployment.stack, working_folder.run_id
    with step("list what runs: this deployment, a neighbour, bystanders named alike"):
        listed = [*stack.resources(), *neighbour.stack.resources(), *coolify_names.bystanders()]
        ours = {one.name for one in stack.resources() if one.run == run}
        assert ours

    with step("evaluate the documented selectors; what they hit of others is reported"):
        selection = procedures.wipe_selection(listed, run)
        record.note(f"the documented selectors would also hit {', '.join(selection.bystanders)}")
        assert {one.name for one in coolify_names.bystanders()} <= set(selection.bystanders)
        assert ours.isdisjoint(selection.bystanders)

    with step("the wipe means this deployment and nothing else"):
        doomed = procedures.to_destroy(listed, run)
        assert doomed
        assert {one.name for one in doomed} <= ours

    with step("asked to destroy the neighbour, the driver refuses, and the neighbour runs on"):
        with pytest.raises(NotOurs):
            stack.destroy(neighbour.stack.resources())
        assert neighbour.serves_its_administrator()


@pytest.mark.golden("shared")
def test_what_the_selectors_miss_is_told(deployment, working_folder, record, step):
    run = working_folder.run_id
    with step("evaluate the documented selectors on names as Coolify gives them"):
        ours = coolify_names.deployment(run)
        selection = procedures.wipe_selection([*ours, *coolify_names.bystanders()], run)
        record.note(f"of {deployment.stack.name} they would miss {', '.join(selection.missed)}")
        assert {*selection.hit, *selection.missed} == {one.name for one in ours}

    with step("the wipe means all of them, and none that is named alike"):
        assert procedures.to_destroy([*ours, *coolify_names.bystanders()], run) == ours
