"""The reference backend answers as the product does, in both generations of its routes."""

import re
import time
from types import SimpleNamespace

import pytest

from tests.support.backends import LOGIN, Backend

pytestmark = pytest.mark.slow

GENERATIONS = {
    "current": SimpleNamespace(
        projects="/api/v1/projects",
        list=("/api/v1/projects", "projects"),
        environments="/api/v1/projects/{}/environments",
        folders="/api/v2/folders",
        secrets="/api/v4/secrets",
        batch="/api/v4/secrets/batch",
        field="projectId",
    ),
    "deprecated": SimpleNamespace(
        projects="/api/v2/workspace",
        list=("/api/v1/workspace", "workspaces"),
        environments="/api/v1/workspace/{}/environments",
        folders="/api/v1/folders",
        secrets="/api/v3/secrets/raw",
        batch="/api/v3/secrets/batch/raw",
        field="workspaceId",
    ),
}
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


@pytest.mark.parametrize("routes", GENERATIONS.values(), ids=GENERATIONS)
def test_project_environment_and_folders(owner, routes):
    made = owner("POST", routes.projects, {"projectName": "Harbour"}).body["project"]
    assert [one["slug"] for one in made["environments"]] == ["dev", "staging", "prod"]
    assert (made["version"], made["type"]) == (3, "secret-manager")

    path, word = routes.list
    assert made["id"] in [one["id"] for one in owner("GET", path).body[word]]

    added = owner("POST", routes.environments.format(made["id"]), {"name": "QA", "slug": "qa"})
    assert added.body["environment"]["position"] == 4

    at = {routes.field: made["id"], "environment": "qa"}
    owner("POST", routes.folders, {**at, "path": "/", "name": "app"})
    inner = owner("POST", routes.folders, {**at, "path": "/app", "name": "db"}).body["folder"]
    assert inner["path"] == "/app/db"
    found = owner("GET", routes.folders, **at, path="/").body["folders"]
    assert [one["name"] for one in found] == ["app"]


@pytest.mark.parametrize("routes", GENERATIONS.values(), ids=GENERATIONS)
def test_life_of_a_secret(owner, routes):
    project = owner("POST", routes.projects, {"projectName": "Quay"}).body["project"]["id"]
    at = {routes.field: project, "environment": "dev", "secretPath": "/"}
    one = f"{routes.secrets}/BALANCE"
    assert owner("POST", one, {**at, "secretValue": "100", "secretComment": "c"}).status == 200
    assert owner("POST", one, {**at, "secretValue": "x"}).body["message"] == "Secret already exists"

    changed = owner("PATCH", one, {**at, "secretValue": "200"}).body["secret"]
    assert (changed["secretValue"], changed["version"]) == ("200", 2)
    read = owner("GET", one, **at).body["secret"]
    assert (read["secretValue"], read["secretComment"]) == ("200", "c")
    assert owner("GET", one, **at, version=1).body["secret"]["secretValue"] == "100"

    assert owner("DELETE", one, at).status == 200
    assert owner("GET", one, **at).body["message"] == "Secret with name 'BALANCE' not found"


@pytest.mark.parametrize("routes", GENERATIONS.values(), ids=GENERATIONS)
def test_batches_and_lists(owner, routes):
    project = owner("POST", routes.projects, {"projectName": "Pier"}).body["project"]["id"]
    at = {routes.field: project, "environment": "dev", "secretPath": "/"}
    owner("POST", routes.folders, {**at, "path": "/", "name": "app"})
    inside = {**at, "secretPath": "/app"}
    refers = "${dev.TOP} ${A}"
    new = [{"secretKey": "A", "secretValue": "1"}, {"secretKey": "B", "secretValue": refers}]
    owner("POST", f"{routes.secrets}/TOP", {**at, "secretValue": "top"})
    assert len(owner("POST", routes.batch, {**inside, "secrets": new}).body["secrets"]) == 2

    listed = owner("GET", routes.secrets, **at, recursive="true", expandSecretReferences="false")
    found = {(one["secretPath"], one["secretKey"]): one for one in listed.body["secrets"]}
    assert set(found) == {("/", "TOP"), ("/app", "A"), ("/app", "B")}
    assert found["/app", "B"]["secretValue"] == refers

    for asked in (inside, {**at, "recursive": "true"}):
        expanded = owner("GET", routes.secrets, **asked, expandSecretReferences="true")
        assert "top 1" in [one["secretValue"] for one in expanded.body["secrets"]]
    hidden = owner("GET", routes.secrets, **at, viewSecretValue="false").body["secrets"][0]
    assert (hidden["secretValue"], hidden["secretValueHidden"]) == ("<hidden-by-infisical>", True)

    gone = {**inside, "secrets": [{"secretKey": "A"}]}
    assert owner("DELETE", routes.batch, gone).status == 200
    assert len(owner("GET", routes.secrets, **inside).body["secrets"]) == 1

    owner("PATCH", f"{routes.secrets}/TOP", {**at, "secretValue": "to ${dev.app.B}"})
    owner("DELETE", f"{routes.folders}/app", {**at, "path": "/", "forceDelete": True})
    dangling = owner("GET", routes.secrets, **at, expandSecretReferences="true")
    assert [one["secretValue"] for one in dangling.body["secrets"]] == ["to "]


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


def test_first_administrator_is_made_once(services, backend):
    again = {"email": "b@example.com", "password": "p", "organization": "o", "firstName": "B"}
    second = backend.ask("POST", "/api/v1/admin/bootstrap", again)
    assert (second.status, second.body["message"]) == (400, "Instance has already been set up")


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


def test_a_machine_sees_its_own_projects_only(services, backend, owner):
    stranger = owner("POST", "/api/v1/projects", {"projectName": "Far"}).body["project"]["id"]
    token = services.golden.token
    at = {**services.golden.at, "projectId": stranger}
    kept_out = refused(backend.ask("GET", "/api/v4/secrets", None, token, **at))
    assert kept_out[:2] == (403, "ProjectMembershipNotFound")
    assert backend.ask("POST", "/api/v1/projects", {"projectName": "x"}, token).status == 403
