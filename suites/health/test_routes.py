"""Good health means that each route works for an authorized caller."""

import pytest

from drillbook.infisical.client import Infisical, ask_every_generation
from fixtures.oracle.routes.edge_cases import EdgeUse
from fixtures.oracle.routes.route_use import RouteUse
from fixtures.probes import malformed_requests, observations, process_use

pytestmark = pytest.mark.control("HLT-4")


@pytest.mark.slow
def test_each_generation_of_routes_works(deployment, record, observe, step):
    organization = deployment.golden.admin.organization
    http = deployment.owner.http.as_many_clients()
    with step("ask which generations of routes there are"):
        every = ask_every_generation(http)
        assert every

    failed = []
    for routes in every:
        used = routes.secrets == deployment.public.routes.secrets
        with step(f"use {routes.secrets} and the routes of its generation, and read the results"):
            for kind, name in ((RouteUse, "Use"), (EdgeUse, "Use at the edge")):
                client = Infisical(http, routes)
                use = kind(client, organization, f"{name} of {routes.project_field}")
                use.do()
                different = use.failed + use.unkept + use.wrong
                for one in different:
                    record.note(one)
                if different:
                    observe("routes_answer_otherwise")
                failed += use.failed if used and kind is RouteUse else []
                failed += use.unkept

    # Other differences may be intended by a release: they are noted and observed.
    with step("no route that this run uses failed, and none puts data or access at risk"):
        if failed:
            observe("route_fails_its_owner")
        assert failed == []


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


@pytest.mark.golden("shared")
def test_requests_leave_nothing_behind(deployment, observe, step):
    # Noted only: a release may keep them elsewhere.
    with step("read the settings; the cache keeps them for a minute from then"):
        if not observations.keeps_settings_a_minute(deployment):
            observe("settings_kept_otherwise")

    with step(
        "read a secret forty times, with a token and without; the cache has no key more for each "
        "that never expires"
    ):
        assert not observations.leaves_for_ever(deployment, observations.count_endless_keys)

    with step("nor has the backend a file or a thread more for each"):
        assert not observations.leaves_for_ever(deployment, process_use.count_handles)

    # Noted only: a release may keep none.
    with step("the database has not one connection more for each"):
        if observations.leaves_for_ever(deployment, observations.count_connections):
            observe("connections_not_kept")

    # Noted only: a release may have jobs that do so.
    with step("without requests, no transaction stays open, and no processor is busy"):
        if observations.leaves_transactions_open(deployment.stack):
            observe("transactions_left_open")
        if process_use.is_never_idle(deployment.stack):
            observe("backend_never_idle")
