"""The wipe destroys only this deployment, even if the documented selectors match more."""

import pytest

from drillbook.core.errors import NotOurs
from drillbook.runbook import procedures
from fixtures.data import coolify_names

pytestmark = pytest.mark.control("WIP-4")


@pytest.mark.golden("shared")
def test_only_this_deployment_is_destroyed(deployment, neighbour, working_folder, record, step):
    stack, run = deployment.stack, working_folder.run_id
    with step("list what runs, this deployment and a second one, and invented similar names"):
        invented = [one.name for one in coolify_names.bystanders()]
        listed = [*stack.resources(), *neighbour.stack.resources(), *coolify_names.bystanders()]
        ours = {one.name for one in stack.resources() if one.run == run and one.kind != "network"}
        assert ours

    with step("evaluate the documented selectors; what they match of others is reported"):
        selection = procedures.wipe_selection(listed, run)
        others = [one for one in selection.bystanders if one not in invented]
        hit = [one for one in selection.bystanders if one in invented]
        record.note(f"the documented selectors would also hit {', '.join(others) or 'nothing'}")
        record.note(f"of invented names they would hit {', '.join(hit) or 'none'}")
        assert {*invented} == {*hit}
        assert ours.isdisjoint(selection.bystanders)

    with step("the wipe selects this deployment and nothing else"):
        doomed = procedures.to_destroy(listed, run)
        assert {one.name for one in doomed} == ours

    with step("asked to destroy the second one, the driver refuses, and it keeps running"):
        with pytest.raises(NotOurs):
            stack.destroy(neighbour.stack.resources())
        assert neighbour.serves_its_administrator()


@pytest.mark.golden("shared")
@pytest.mark.usefixtures("deployment")
def test_selectors_that_miss_are_reported(working_folder, record, step):
    run = working_folder.run_id
    with step("evaluate the documented selectors on names as Coolify generates them"):
        ours = coolify_names.deployment(run)
        selection = procedures.wipe_selection([*ours, *coolify_names.bystanders()], run)
        record.note(f"of such names they would miss {', '.join(selection.missed) or 'none'}")
        assert {*selection.hit, *selection.missed} == {one.name for one in ours}

    with step("the wipe selects all of them, and none with a similar name"):
        assert procedures.to_destroy([*ours, *coolify_names.bystanders()], run) == ours
