"""Good health means that each route works for an authorized caller."""

import pytest

from drillbook.infisical.client import Infisical, ask_every_generation
from fixtures.deployment import judged_answers
from fixtures.oracle.operators_day import OperatorsDay
from fixtures.probes import malformed_requests, observations

pytestmark = pytest.mark.control("HLT-4")


@pytest.mark.slow
def test_an_operators_day_works_through_each_generation_of_routes(deployment, step):
    http, golden = deployment.owner.http.as_many_clients(), deployment.golden
    with step("ask which generations of routes there are"):
        every = ask_every_generation(http)
        assert every

    for routes in every:
        name = f"Day of {routes.project_field}"
        day = OperatorsDay(Infisical(http, routes), golden.admin.organization, name)
        work_for_a_day(day, routes, step)

    with step("renew a token, and work with it past its first lifetime"), judged_answers():
        day.work_past_first_lifetime()
        assert day.differences() == []


@judged_answers()
def work_for_a_day(day, routes, step):
    with step(f"by {routes.secrets}: create two projects and a machine; they are empty"):
        day.begin()
        assert day.differences() == []

    with step("write: special names and values, folders seven deep, more than a page"):
        day.write()
        assert day.differences() == []

    with step("change values, singly and in a batch; earlier versions are as written"):
        day.change()
        assert day.differences() == []
        assert day.misread_versions() == []

    with step("refer to other folders and import them, and change what they hold"):
        day.refer()
        assert day.differences() == []

    with step("delete secrets, an import, and a folder that others import or refer to"):
        day.delete()
        assert day.differences() == []

    with step("create a secret and a folder of these names again; they are new"):
        day.create_again()
        assert day.differences() == []

    with step("ask for what is refused; nothing of it is done"):
        day.be_refused()
        assert day.differences() == []

    with step("log in again; everything is still as written"):
        day.log_in()
        assert day.differences() == []


def test_no_request_ends_the_backend(deployment, record, step):
    with step("send malformed requests, none with a valid token"):
        before = deployment.stack.backend()
        if last := malformed_requests.send_each(deployment.stack.base_url):
            record.note(f"no connection opened after {last}")

    with step("request a secret that does not exist, more often than there are connections"):
        observations.read_in_vain(deployment)

    with step("secrets read, and the backend has not ended meanwhile"):
        assert observations.reads_again(deployment)
        now = deployment.stack.backend()
        assert (now.state, now.restarts) == (before.state, before.restarts)

    # Not where projects or machines are created: those requests may add rows to any table.
    with step("create a folder and a tag"):
        deployment.service.create_folder(deployment.golden.place("dev"), "later")
        deployment.service.create_tag(deployment.golden.project, "later", "#c0392b")
