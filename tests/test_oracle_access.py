"""The oracle of access: which routes it asks, as whom, and what it takes for a breach."""

import json

import jwt
import pytest

from drillbook.infisical.http import Answer, Http
from fixtures.oracle.access import KNOWN, PUBLIC, Route, forged, routes

SECRET = "0123456789abcdef0123456789abcdef"


class Instance(Http):
    """Answers every question alike."""

    def ask(self, method, path, **sent):
        return Answer(*self.where())


def test_routes_are_those_that_the_instance_describes():
    paths = {"/api/v1/b/{id}": {"get": {}, "parameters": []}, "/api/a": {"post": {}, "get": {}}}
    told = (200, "application/json", json.dumps({"paths": paths}), {})
    found, source = routes(Instance(lambda: told, None))
    assert [str(one) for one in found] == ["GET /api/a", "GET /api/v1/b/{id}", "POST /api/a"]
    assert "/api/docs/json" in source


@pytest.mark.parametrize("text", ["", "<html>", "[]", '{"paths": {}}', '{"paths": null}'])
def test_an_instance_that_describes_nothing_is_asked_a_list(text):
    found, source = routes(Instance(lambda: (200, "text/html", text, {}), None))
    assert sorted(map(str, found)) == sorted(KNOWN)
    assert source.startswith("a list")


def test_a_route_is_public_for_a_reason_only():
    assert all(len(reason) > 10 for reason in PUBLIC.values())
    assert Route("GET", "/api/status").is_public
    assert not Route("POST", "/api/status").is_public
    assert not Route("PATCH", "/api/v1/admin/config").is_public
    assert not Route("GET", "/api/v3/secrets/raw").is_public


def test_each_forged_token_differs_from_a_good_one_in_one_way():
    good = jwt.encode({"identityId": "1", "exp": 2**40}, SECRET, algorithm="HS256")
    callers = {one.name: one.token for one in forged(good, SECRET)}
    assert callers.pop("nobody") is None
    assert len({*callers.values(), good}) == len(callers) + 1
    for token in callers.values():
        with pytest.raises(jwt.InvalidTokenError):
            jwt.decode(token, SECRET, algorithms=["HS256"])
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(callers["an expired token"], SECRET, algorithms=["HS256"])
    assert callers["another signature"].rpartition(".")[0] == good.rpartition(".")[0]
    assert jwt.get_unverified_header(callers["alg none"])["alg"] == "none"
