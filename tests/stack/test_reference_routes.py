"""The reference backend answers as the product does, where HLT-4 and SEC-8 do not see it."""

import re
import time

import pytest

from tests.support.backends import LOGIN, Backend

pytestmark = pytest.mark.slow

DOCUMENTED = {
    "date": str,
    "message": str,
    "emailConfigured": bool,
    "inviteOnlySignup": bool,
    "redisConfigured": bool,
    "secretScanningConfigured": bool,
    "auditLogStorageDisabled": bool,
    "maxIdentityAccessTokenTTL": int,
}


@pytest.fixture(scope="module")
def backend(services):
    with Backend(services, services.copy()) as made:
        yield made


@pytest.fixture
def owner(services, backend):
    return lambda method, route, body=None, /, **query: backend.ask(
        method, route, body, services.golden.admin, **query
    )


def test_only_v4_expands_references_unasked(owner):
    project = owner("POST", "/api/v1/projects", {"projectName": "Dock"}).body["project"]["id"]
    both = {"environment": "dev", "secretPath": "/"}
    for key, value in (("A", "x"), ("B", "${A}")):
        owner(
            "POST", f"/api/v4/secrets/{key}", {**both, "projectId": project, "secretValue": value}
        )
    listed = owner("GET", "/api/v4/secrets", projectId=project, **both)
    assert listed.body["secrets"][1]["secretValue"] == "x"
    listed = owner("GET", "/api/v3/secrets/raw", workspaceId=project, **both)
    assert listed.body["secrets"][1]["secretValue"] == "${A}"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("  x \n\n", "x\n"),
        ("\ufeffx\u00a0", "x"),
        ("", ""),
        ("\n", "\n"),
        ("nul \0 inside", "nul \0 inside"),
        ("a\r\n日本 🔑 \\ \"'", "a\r\n日本 🔑 \\ \"'"),
        ("x" * 65_536, "x" * 65_536),
    ],
    ids=["trimmed", "unicode blanks", "empty", "newline", "nul", "awkward", "long"],
)
def test_values_are_kept_but_for_blanks_around_them(services, owner, sent, kept):
    at = services.golden.at
    path = f"/api/v4/secrets/KEPT_{time.monotonic_ns()}"
    assert owner("POST", path, {**at, "secretValue": sent}).status == 200
    assert owner("GET", path, **at).body["secret"]["secretValue"] == kept


def test_health_report_has_its_fields_and_an_inverted_flag(services, backend, owner):
    for allowed in (True, False):
        owner("PATCH", "/api/v1/admin/config", {"allowSignUp": allowed})
        report = backend.ask("GET", "/api/status").body
        assert {name: type(value) for name, value in report.items()} == DOCUMENTED
        assert report["inviteOnlySignup"] is allowed
        assert not report["emailConfigured"]


def test_an_empty_instance_takes_its_first_administrator(services):
    with Backend(services, services.copy("template0")) as fresh:
        assert "Welcome to Infisical" in fresh.journal.text
        body = {"email": "a@example.com", "password": "p", "organization": "o"}
        made = fresh.ask("POST", "/api/v1/admin/bootstrap", body).body
        token = made["identity"]["credentials"]["token"]
        first = fresh.ask("POST", "/api/v1/projects", {"projectName": "First"}, token)
        assert first.status == 200


def refused(answer):
    assert re.fullmatch(r"req-[\w-]+", answer.body["reqId"])
    assert answer.body["statusCode"] == answer.status
    return answer.status, answer.body["error"], answer.body["message"]


def test_tokens_are_refused_in_the_products_words(services, backend):
    sign, path = backend.app.tokens.sign, "/api/v1/projects"
    known = {"authTokenType": "identityAccessToken"}
    unknown = {**known, "identityAccessTokenId": "11111111-1111-4111-8111-111111111111"}
    forged = services.golden.token.rpartition(".")[0] + ".AAAA"

    def asked(token):
        return refused(backend.ask("GET", path, None, token))

    assert asked(None) == (401, "UnauthorizedError", "Token missing")
    assert asked("garbage")[:2] == (403, "TokenError")
    assert "malformed" in asked("garbage")[2]
    assert asked(forged) == (403, "TokenError", "invalid signature")
    assert asked(sign(known, -1))[2] == "Your token has expired. Please re-authenticate."
    assert asked(sign(unknown, 60))[:2] == (401, "UnauthorizedError")
    wrong = {**services.golden.machine, "clientSecret": "wrong"}
    assert refused(backend.ask("POST", LOGIN, wrong))[::2] == (401, "Invalid credentials")


def test_three_wrong_secrets_lock_a_credential(services, backend):
    wrong = {"clientId": "stranger", "clientSecret": "wrong"}
    said = [refused(backend.ask("POST", LOGIN, wrong))[2] for _ in range(4)]
    assert said[2] == "Invalid credentials"
    assert "temporarily locked" in said[3]


def test_other_refusals_have_the_products_shape(services, backend, owner):
    nowhere = backend.ask("GET", "/api/nowhere?x=1")
    message = "Route GET:/api/nowhere?x=1 not found"
    assert nowhere.body == {"message": message, "error": "Not Found", "statusCode": 404}

    lacking = owner("POST", "/api/v1/projects", {})
    assert lacking.status == 422
    assert lacking.body["message"][0]["path"] == ["projectName"]

    at = services.golden.at
    assert refused(owner("GET", "/api/v4/secrets", **{**at, "projectId": "none"}))[0] == 404
    lost = refused(owner("GET", "/api/v4/secrets", **{**at, "secretPath": "/lost"}))
    assert lost[:2] == (404, "SecretPathNotFound")
