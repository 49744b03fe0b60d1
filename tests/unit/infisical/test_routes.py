"""Which paths of which generation a release answers."""

import pytest

from drillbook.infisical.client import CURRENT, DEPRECATED, Infisical, Place, ask_routes
from drillbook.infisical.http import (
    Answer,
    Broken,
    Http,
    NotFound,
    RateLimited,
    TooSlow,
    Unreachable,
)
from fixtures.session.golden_session import _is_fault_of_instance

OLDER = "/api/v1/projects/{project}/identity-memberships/{identity}"


class Release(Http):
    """Answers 404 to paths with one of the words that it lacks, and 401 to all others."""

    lacks = ()

    def ask(self, method, path, **_sent):
        if any(word in path for word in self.lacks):
            return Answer(404, "application/json", f"Route {method}:{path} not found", {})
        return Answer(401, "application/json", "Token missing", {})


@pytest.mark.parametrize(
    ("lacks", "secrets", "membership", "batch"),
    [
        ((), CURRENT.secrets, CURRENT.membership, CURRENT.batch),
        (("memberships/identities",), CURRENT.secrets, OLDER, CURRENT.batch),
        (("memberships",), CURRENT.secrets, CURRENT.membership, CURRENT.batch),
        (("/api/v4",), DEPRECATED.secrets, DEPRECATED.membership, DEPRECATED.batch),
        (("/batch",), CURRENT.secrets, CURRENT.membership, None),
    ],
)
def test_paths_are_those_that_the_release_answers(lacks, secrets, membership, batch):
    routes = ask_routes(type("One", (Release,), {"lacks": lacks})(lambda: "", None))
    assert (routes.secrets, routes.membership, routes.batch) == (secrets, membership, batch)


class LetsStrangersIn(Release):
    """Answers a stranger about the project, which does not exist."""

    def ask(self, method, path, **sent):
        if "memberships" in path:
            return Answer(404, "application/json", "Project with ID p not found", {})
        return super().ask(method, path, **sent)


def test_a_project_that_does_not_exist_is_no_missing_route():
    assert ask_routes(LetsStrangersIn(lambda: "", None)).membership == CURRENT.membership


class Masks(Http):
    """Lists two secrets, of which the client may read one."""

    def call(self, *_words, **_sent):
        row = {"id": "1", "secretKey": "A", "secretValue": "x", "version": 1}
        return {"secrets": [row, {**row, "secretValueHidden": True}]}


def test_a_value_that_the_client_may_not_read_is_marked():
    listed = Infisical(Masks(lambda: "", None), CURRENT).secrets(Place("p", "prod"))
    assert [one.hidden for one in listed] == [False, True]


def test_a_route_that_a_release_lacks_and_a_time_out_are_no_fault_of_the_instance():
    path = "POST /api/v9/projects"
    assert not _is_fault_of_instance(NotFound(path, 404, "Route POST:/api/v9/projects not found"))
    assert _is_fault_of_instance(NotFound(path, 404, "Project with ID 1 not found"))
    assert _is_fault_of_instance(Broken(path, 500, "Something went wrong"))
    assert _is_fault_of_instance(Unreachable("POST /x: cut off"))
    assert not _is_fault_of_instance(TooSlow("POST /x: ReadTimeout"))
    assert not _is_fault_of_instance(RateLimited("POST /x", 429, "wait", 60.0))
