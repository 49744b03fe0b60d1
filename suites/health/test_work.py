"""Good health means that each route does, for somebody with a right to it, what it is for."""

import pytest

from drillbook.infisical.client import Infisical
from drillbook.infisical.routes import ask_every_generation
from fixtures.oracle.days_work import Work

pytestmark = pytest.mark.control("HLT-4")


def test_each_generation_of_routes_does_a_days_work(deployment, record, observe, step):
    http, organization = deployment.owner.http, deployment.golden.admin.organization
    with step("ask which generations of routes there are"):
        every = ask_every_generation(http)
        assert every

    failed = []
    for routes in every:
        used = routes.secrets == deployment.public.routes.secrets
        with step(f"work over {routes.secrets} and the routes of its day, and read what was done"):
            work = Work(Infisical(http, routes), organization, f"Work over {routes.project_field}")
            work.do()
            for one in work.failed + work.wrong:
                record.note(one)
            if work.failed or work.wrong:
                observe("route_fails_its_owner")
            failed += work.failed if used else []

    # What is only told otherwise may be a release's own way: it is noted, and observed.
    with step("none of the routes that this run uses failed"):
        assert failed == []
