"""After the documented wipe the deployment starts as new, and no earlier data is left."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from drillbook.infisical.http import Answered
from drillbook.infisical.settings import Settings
from drillbook.runbook.procedures import Selection
from drillbook.stack.waiting import Start
from fixtures.data.golden import SETTINGS
from fixtures.data.machine_inventory import differing
from fixtures.deployment import Deployment, Misread
from fixtures.oracle import remains


@pytest.fixture(scope="module")
def wiped(installation, procedures, working_folder, record):
    """A deployment after the documented wipe and a redeployment with new keys."""
    deployment = installation.for_starting()
    held = remains.read_before_wipe(deployment.stack, deployment.golden, installation.empty_state)
    selection = deployment.wipe(working_folder.run_id, procedures)
    since = deployment.log_mark()
    settings = Settings.generate()
    for name, value in settings.sensitive().items():
        record.secret(name, value)
    deployment.stack.up(settings)
    start = deployment.wait_for_start(since)
    return Wiped(deployment, held, selection, start, installation.create_golden)


@dataclass(frozen=True)
class Wiped:
    deployment: Deployment
    held: remains.BeforeWipe
    selection: Selection
    start: Start
    create_golden: Callable[[], Deployment]


@pytest.mark.control("WIP-1")
def test_backend_starts_with_new_keys(wiped, observe, step):
    with step("the redeployment with new keys ended in a healthy backend"):
        observe("fresh_start_after_wipe" if wiped.start.serves else "no_start_after_wipe")
        assert wiped.start.serves

    with step("the selectors were evaluated, and only this run's resources destroyed"):
        assert wiped.selection.hit
        assert wiped.selection.missed == ()


@pytest.mark.control("WIP-2")
def test_nothing_from_before_is_left(wiped, step):
    deployment = wiped.deployment
    with step("the database holds no row of a project, a secret or a machine"):
        assert deployment.tables_left() == []

    # Before any request with old credentials, because the cache records failed log-ins.
    with step("no row, id, credential or value from before is in database, backup or cache"):
        backup = deployment.back_up()
        assert remains.find_remains(wiped.held, deployment.stack, backup) == []

    with step("the settings are not the earlier ones"):
        domains = "allowedSignUpDomain"
        if "settings" not in deployment.golden.left_out:
            assert deployment.setting(domains) != SETTINGS[domains]

    with step("old tokens and the old machine credential are refused"):
        assert not deployment.accepts(deployment.golden.token)
        assert not deployment.accepts(deployment.golden.admin.token)
        assert not deployment.machine_can_log_in()


@pytest.mark.control("WIP-3")
def test_projects_and_secrets_can_be_made_again(wiped, observe, step):
    with step("create an administrator, a project, a machine and secrets as before"):
        again = second_life(wiped)
        observe("created_again" if again else "not_created_again")
        assert again

    with step("they read back, and a write works after a restart"):
        assert differing(again.inventory().values, again.golden.values()) == []
        assert again.restart().serves
        assert again.writes()


def second_life(wiped):
    try:
        return wiped.create_golden()
    except (Answered, Misread):
        return None
