"""A stopped deployment is the golden one, and what it held before the stop is known."""

import os

import pytest

from drillbook.core.application import ROOT
from drillbook.core.errors import UNDECIDED, DrillbookError, StackTrouble
from drillbook.infisical.client import Infisical
from drillbook.infisical.crypto import openssl_rand_hex
from drillbook.infisical.http import Broken, NotFound, TooSlow
from drillbook.infisical.settings import Settings
from drillbook.stack import database_access
from drillbook.stack.embedded.embedded_driver import Embedded
from fixtures.data.golden import GOLDEN_MARKER
from fixtures.deployment import Deployment
from fixtures.session import golden_session
from fixtures.session.golden_session import Installation
from reports.qualification.generated import Drawn, copy_project, sources

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installation(module_home, module_recorder):
    stack = Embedded(module_home.run_id, module_recorder, module_home.path)
    yield Installation(stack, module_recorder, module_home.path)
    stack.down()


@pytest.fixture
def counted(installation, monkeypatch):
    """The key of each start of the backend."""
    seen, launch = [], Embedded._launch

    def launched(self, env, log):
        seen.append(env["ENCRYPTION_KEY"])
        return launch(self, env, log)

    monkeypatch.setattr(Embedded, "_launch", launched)
    return seen


def test_it_is_stopped_and_what_it_held_is_what_it_holds(installation):
    stopped = installation.for_starting()
    assert stopped.stack.backend().state in ("absent", "exited")
    assert stopped.inventory_before_stop.values
    assert stopped.change(INVITE_ONLY="true").serves
    assert stopped.inventory() == stopped.inventory_before_stop


def test_after_a_spec_it_is_golden_again_and_costs_no_start(installation, counted):
    # The first one is started, to be read.
    installation.for_starting()
    deployment = installation.pristine()
    deployment.mark("spoilt")
    assert not deployment.change(ENCRYPTION_KEY=openssl_rand_hex(16)).serves
    counted.clear()
    stopped = installation.for_starting()
    assert stopped.stack.settings == stopped.golden_settings
    # The crash loop may have continued until then.
    assert stopped.golden_settings["ENCRYPTION_KEY"] not in counted
    counted.clear()
    assert stopped.change(INVITE_ONLY="true").serves
    assert stopped.marker() == GOLDEN_MARKER
    assert stopped.inventory() == stopped.inventory_before_stop
    assert len(counted) == 1


def test_one_that_was_shared_until_now_is_only_stopped(installation, counted):
    installation.for_reading()
    counted.clear()
    stopped = installation.for_starting()
    assert counted == []
    assert stopped.stack.backend().state in ("absent", "exited")


def test_the_next_spec_gets_one_that_runs(installation):
    installation.for_starting()
    assert installation.for_reading().marker() == GOLDEN_MARKER
    installation.for_starting()
    assert installation.pristine().marker() == GOLDEN_MARKER


def test_everything_is_read_once(installation, monkeypatch):
    held = installation.for_starting().inventory_before_stop
    monkeypatch.setattr("fixtures.deployment.Deployment.inventory", None)
    assert installation.for_starting().inventory_before_stop is held


def test_who_does_not_ask_need_not_know_that_it_could_not_be_read(installation, monkeypatch):
    def inventory(_self):
        raise StackTrouble("500 Something went wrong")

    monkeypatch.setattr(installation, "_inventory", None)
    with monkeypatch.context() as patched:
        patched.setattr(Deployment, "inventory", inventory)
        stopped = installation.for_starting()
    assert stopped.change(INVITE_ONLY="true").serves
    with pytest.raises(StackTrouble, match="500 Something went wrong"):
        _ = stopped.inventory_before_stop
    assert installation.for_starting().inventory_before_stop.values, "the next one reads again"


def test_who_is_not_given_one_at_rest_is_told(installation):
    with pytest.raises(StackTrouble, match="no one has read it before"):
        _ = copy(installation.pristine(), installation).inventory_before_stop


def copy(golden, installation):
    return Deployment(
        golden.stack, golden.public, golden.golden, installation._recorder, installation._files
    )


def test_it_is_started_under_its_own_settings_whatever_was_deployed_before(installation, counted):
    for begin in ("start", "restart"):
        other = openssl_rand_hex(16)
        assert not installation.pristine().change(ENCRYPTION_KEY=other).serves
        stopped = installation.for_starting()
        counted.clear()
        since = stopped.log_mark()
        getattr(stopped.stack, begin)("backend")
        assert stopped.wait_for_start(since).serves
        assert set(counted) == {stopped.golden_settings["ENCRYPTION_KEY"]}
        assert stopped.inventory() == stopped.inventory_before_stop


def test_after_a_wipe_it_is_restored_and_no_request_made(installation, monkeypatch):
    first = installation.for_starting()
    held = first.inventory_before_stop
    monkeypatch.setattr(installation, "create_golden", None)
    first.stack.destroy(first.stack.resources())
    again = installation.for_starting()
    assert again.stack.settings == again.golden_settings
    assert again.change(INVITE_ONLY="true").serves
    assert again.inventory() == held
    assert installation.find_changes() == []


def test_a_wiped_database_with_another_password_is_restored_with_its_own(installation):
    first = installation.pristine()
    first.stack.destroy(first.stack.resources())
    since = first.log_mark()
    first.stack.up(Settings.generate())
    assert first.wait_for_start(since).serves
    assert installation.for_reading().marker() == GOLDEN_MARKER


def test_without_its_template_it_is_restored(installation):
    held = installation.for_starting().inventory_before_stop
    installation.stack.database.inside(
        f"DROP DATABASE {database_access.GOLDEN}", database="postgres"
    )
    stopped = installation.for_starting()
    assert stopped.change(INVITE_ONLY="true").serves
    assert stopped.inventory() == held


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER ROLE infisical VALID UNTIL '2026-01-01' CONNECTION LIMIT 0",
        "ALTER ROLE infisical SET default_transaction_read_only = on",
        "ALTER ROLE infisical NOLOGIN",
        "ALTER ROLE infisical NOSUPERUSER",
        "CREATE DATABASE infisical_old TEMPLATE template0",
    ],
)
def test_the_rest_of_the_cluster_is_golden_as_well(installation, statement):
    held = installation.for_starting().inventory_before_stop
    database = installation.stack.database
    roles = "SELECT * FROM pg_roles WHERE rolname !~ '^pg_'"
    before = database.inside(roles, database="postgres")
    database.inside(statement, database="postgres")
    stopped = installation.for_starting()
    assert stopped.change(INVITE_ONLY="true").serves
    assert stopped.inventory() == held
    assert database.inside(roles) == before
    assert database.inside("SELECT 1 FROM pg_database WHERE datname = 'infisical_old'") == []


def test_a_dump_that_cannot_be_restored_is_told_and_leaves_no_half_template(
    installation, monkeypatch
):
    first = installation.for_starting()
    first.stack.destroy(first.stack.resources())
    with monkeypatch.context() as patched:
        patched.setattr(first.stack, "_dump", first.stack._dump[:-5000])
        for _ in range(2):
            with pytest.raises(StackTrouble, match="pg_restore of the golden state ended with"):
                installation.pristine()
    assert installation.for_reading().marker() == GOLDEN_MARKER


@pytest.fixture
def first_day(module_home, module_recorder, tmp_path):
    """An installation that was not started yet, on its own stack."""
    # Not in tmp_path, which the database's user may not read.
    folder = module_home.path / tmp_path.name
    folder.mkdir()
    stack = Embedded(module_home.run_id, module_recorder, folder)
    yield Installation(stack, module_recorder, folder)
    stack.down()


# tests/unit/infisical/test_routes.py has more of what is the instance's fault, and what is not.
def test_what_the_instance_fails_at_on_its_first_day_is_no_secret(first_day):
    def fails(*_):
        raise Broken("POST /x", 500, "Something went wrong")

    first_day.create_golden = fails
    assert first_day.first_start().serves
    assert first_day.first_failure() == "POST /x: 500 Something went wrong"
    with pytest.raises(
        StackTrouble, match=r"the golden state could not be made: .*; HLT-4 judges this"
    ):
        first_day.for_starting()


@pytest.mark.parametrize(
    "trouble", [TooSlow("POST /x: ReadTimeout"), NotFound("POST /x", 404, "Route not found")]
)
def test_what_may_be_the_fault_of_the_machine_or_of_drillbook_accuses_no_one(first_day, trouble):
    def fails(*_):
        raise trouble

    first_day.create_golden = fails
    for _ in range(2):
        with pytest.raises(DrillbookError, match="POST /x"):
            first_day.first_failure()


def test_a_start_that_is_late_twice_ends_the_run_in_one_sentence(first_day, monkeypatch):
    monkeypatch.setattr(golden_session, "patience_s", lambda *_: 0.001)
    told = r"did not start, also in a second attempt: .* Its log says last: .* The load of this"
    with pytest.raises(pytest.exit.Exception, match=told) as ended:
        first_day.for_reading()
    assert ended.value.returncode == UNDECIDED


def test_an_answer_that_lacks_what_it_is_asked_for_is_an_answer(first_day, monkeypatch):
    monkeypatch.setattr(Infisical, "create_project", lambda *_: {}["project"])
    assert first_day.first_failure() == (
        "the answer to a request of the first day: 200 lacks 'project'"
    )


def plant(installation, folder, file, code):
    """Let the backend of an installation run with other code in one of its files."""
    change = Drawn(file=file, name="module ByHand 1", code=code)
    installation.stack.plant["PYTHONPATH"] = os.pathsep.join(
        [str(copy_project(folder / "changed", change)), str(ROOT)]
    )


def test_a_backend_that_ends_on_sound_settings_has_failed_on_its_first_day(first_day, tmp_path):
    plant(first_day, tmp_path, "health.py", "raise RuntimeError")
    failed = first_day.first_failure()
    assert failed.startswith("on sound settings its start ended with 1: ")


@pytest.mark.parametrize(
    ("file", "healthy", "broken", "told"),
    [
        (
            "env.py",
            'if not (values.get("AUTH_SECRET")',
            'if (values.get("AUTH_SECRET")',
            "it refused AUTH_SECRET, set in the documented form",
        ),
        (
            "identities.py",
            '@route("POST", _AUTH + "/login", public=True)',
            '@route("POST", _AUTH + "/enter", public=True)',
            "POST /api/v1/auth/universal-auth/login: 404 ",
        ),
    ],
)
def test_a_backend_that_refuses_documented_settings_or_every_machine_has_failed(
    first_day, tmp_path, file, healthy, broken, told
):
    code = next(one for one in sources() if one.name == file).read_text(encoding="utf-8")
    assert healthy in code
    plant(first_day, tmp_path, file, code.replace(healthy, broken))
    assert first_day.first_failure().startswith(told)


def test_a_backend_that_asks_for_a_setting_of_a_newer_release_accuses_no_one(first_day, tmp_path):
    code = next(one for one in sources() if one.name == "env.py").read_text(encoding="utf-8")
    asked = code.replace('"REDIS_URL" not in values', '"NEWER_SETTING" not in values').replace(
        "issues.append(_no_cache())", 'issues.append(missing_string("NEWER_SETTING"))'
    )
    plant(first_day, tmp_path, "env.py", asked)
    with pytest.raises(pytest.exit.Exception, match="NEWER_SETTING"):
        first_day.first_failure()
