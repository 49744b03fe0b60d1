"""Each bug planted in the reference backend shows, and a healthy backend shows none of them."""

import secrets

import pytest

from drillbook.infisical.client import DAY_S, issued_for
from tests.support.backends import LOGIN, Backend, running

pytestmark = pytest.mark.slow

DOCUMENTED = "Unsupported state or unable to authenticate data"


@pytest.fixture(scope="module")
def services():
    with running() as made:
        yield made


class World:
    """A copy of the golden database, and starts on it, all with the same bug or without one."""

    def __init__(self, services, plant):
        self.services, self.plant = services, plant
        self.golden = services.golden
        self.database = services.copy()

    def start(self, **changes):
        return Backend(self.services, self.database, self.plant, **changes)

    def wrong_key(self):
        return self.start(ENCRYPTION_KEY=secrets.token_hex(16))

    def ends(self, **changes):
        with self.start(**changes) as backend:
            return backend.code, backend.journal.text

    def rows(self, statement):
        return self.services.postgres.inside(statement, database=self.database)

    def read(self, backend, name="PLAIN"):
        path, token = f"/api/v4/secrets/{name}", self.golden.token
        return backend.ask("GET", path, None, token, **self.golden.at)

    def write(self, backend, name, value):
        body = {**self.golden.at, "secretValue": value}
        return backend.ask("POST", f"/api/v4/secrets/{name}", body, self.golden.admin)


def wrong_key_is_not_named(world):
    return DOCUMENTED not in world.ends(ENCRYPTION_KEY="k" * 32)[1]


def wrong_key_ends_with_zero(world):
    return world.ends(ENCRYPTION_KEY="k" * 32)[0] == 0


def stops_on_new(variable):
    def symptom(world):
        with world.start():
            pass
        return world.ends(**{variable: secrets.token_hex(64)})[0] == 1

    return symptom


def health_is_good_under_a_wrong_key(world):
    with world.wrong_key() as backend:
        return backend.status == 200


def root_key_is_another(world):
    before = world.rows('SELECT "encryptedRootKey" FROM kms_root_config')
    with world.wrong_key():
        return world.rows('SELECT "encryptedRootKey" FROM kms_root_config') != before


def ciphertext_is_served(world):
    with world.wrong_key() as backend:
        return backend.code is None and world.read(backend).body["secret"]["secretValue"] != ""


def failed_start_changes(table, column):
    def symptom(world):
        statement = f'SELECT "{column}" FROM {table}'
        before = world.rows(statement)
        code, log = world.ends(ENCRYPTION_KEY="k" * 32)
        return (code, DOCUMENTED in log) == (1, True) and world.rows(statement) != before

    return symptom


def writes_fail_after_a_failed_start(world):
    world.ends(ENCRYPTION_KEY="k" * 32)
    with world.start() as backend:
        assert world.read(backend).status == 200
        return world.write(backend, "NEW", "value").status == 500


def last_write_is_lost(world):
    with world.start() as backend:
        assert world.write(backend, "LAST", "value").status == 200
    with world.start() as backend:
        return world.read(backend, "LAST").status == 404


def long_key_starts(world):
    world.database = world.services.copy("template0")
    return world.ends(ENCRYPTION_KEY=secrets.token_hex(32))[0] is None


def long_key_fails_the_sign_up(world):
    world.database = world.services.copy("template0")
    owner = {"email": "owner@example.com", "password": "pass word", "organization": "Drill"}
    with world.start(ENCRYPTION_KEY=secrets.token_hex(32)) as backend:
        if backend.code is not None:
            return False
        answer = backend.ask("POST", "/api/v1/admin/bootstrap", owner)
        return answer.status == 500 and "Invalid key length" in backend.journal.text


def old_token_is_taken(world):
    with world.start(AUTH_SECRET="another") as backend:
        return world.read(backend).status == 200


def machine_is_lost(world):
    with world.start():
        pass
    with world.start(AUTH_SECRET="another") as backend:
        return backend.ask("POST", LOGIN, world.golden.machine).status == 401


def mismatch_is_not_named(world):
    uri = world.start().env["DB_CONNECTION_URI"].replace("://infisical:", "://infisical:not")
    return "password authentication failed" not in world.ends(DB_CONNECTION_URI=uri)[1]


def new_password_loses_secrets(world):
    with world.start():
        pass
    world.services.admin("DROP ROLE IF EXISTS other")
    world.services.admin("CREATE ROLE other SUPERUSER LOGIN PASSWORD 'another'")
    port = world.services.postgres.port
    uri = f"postgres://other:another@127.0.0.1:{port}/{world.database}"
    with world.start(DB_CONNECTION_URI=uri) as backend:
        return world.read(backend).status == 404


def versions_are_dropped(world):
    with world.start():
        return world.rows("SELECT count(*) FROM secret_versions_v2") != [(3,)]


def value_comes_back_changed(value):
    def symptom(world):
        with world.start() as backend:
            world.write(backend, "NEW", value)
            return world.read(backend, "NEW").body["secret"]["secretValue"] != value

    return symptom


def restored_folder_is_gone(world):
    with world.start():
        pass
    # As a restore does, recreate the table by which the bug recognises a restore, with its row.
    for statement in (
        "CREATE TABLE IF NOT EXISTS planted_origin (number bigint)",
        "CREATE TABLE restored AS TABLE planted_origin",
        "DROP TABLE planted_origin",
        "ALTER TABLE restored RENAME TO planted_origin",
    ):
        world.rows(statement)
    with world.start():
        return world.rows("SELECT 1 FROM secret_folders WHERE name = 'closed'") == []


def health(accuse):
    def symptom(world):
        with world.start(SMTP_HOST="mail.example.com") as backend:
            return accuse(backend.ask("GET", "/api/status"))

    return symptom


def stranger_is_shown_something(world):
    world.database = world.services.copy("template0")
    with world.start(AUTH_SECRET="another") as backend:
        return backend.ask("GET", "/api/v1/projects", None, world.golden.token).status == 200


def second_life_has_no_project(world):
    new = {"projectName": "Again"}
    with world.start() as backend:
        assert backend.ask("POST", "/api/v1/projects", new, world.golden.admin).status == 200
    world.rows('UPDATE super_admin SET "instanceId" = gen_random_uuid() RETURNING 1')
    with world.start() as backend:
        return backend.ask("POST", "/api/v1/projects", new, world.golden.admin).status == 500


def token_lives_a_month(world):
    with world.start() as backend:
        made = backend.ask("POST", LOGIN, world.golden.machine).body
        return issued_for(made["accessToken"]) > 20 * DAY_S


SYMPTOMS = {
    "TokensLiveAMonth": token_lives_a_month,
    "DiesWithAnotherMessage": wrong_key_is_not_named,
    "ExitsZeroOnWrongKey": wrong_key_ends_with_zero,
    "StopsOnNewAuthSecret": stops_on_new("AUTH_SECRET"),
    "StopsOnNewJwtAuthSecret": stops_on_new("JWT_AUTH_SECRET"),
    "StopsOnNewJwtRefreshSecret": stops_on_new("JWT_REFRESH_SECRET"),
    "StopsOnNewJwtServiceSecret": stops_on_new("JWT_SERVICE_SECRET"),
    "ServesBeforeCheck": health_is_good_under_a_wrong_key,
    "RecreatesRootKey": root_key_is_another,
    "ReplacesRootKey": root_key_is_another,
    "LocksOldKeysOut": root_key_is_another,
    "ServesGarbage": ciphertext_is_served,
    "OverwritesRootKey": failed_start_changes("kms_root_config", "encryptedRootKey"),
    "DeletesUnreadableRows": failed_start_changes("secrets_v2", "id"),
    "WritesFailAfterBadStart": writes_fail_after_a_failed_start,
    "ForgetsLastWriteOnRestart": last_write_is_lost,
    "AcceptsAnyKeyLength": long_key_starts,
    "FailsLateOnLongKey": long_key_fails_the_sign_up,
    "AcceptsOldTokens": old_token_is_taken,
    "LosesIdentitiesOnNewAuthSecret": machine_is_lost,
    "SilentOnPasswordMismatch": mismatch_is_not_named,
    "LosesSecretsOnNewPassword": new_password_loses_secrets,
    "DropsVersionsOnBoot": versions_are_dropped,
    "ManglesUnicode": value_comes_back_changed("日本 Überweisung 🔑"),
    "ForgetsEmptyFolders": restored_folder_is_gone,
    "TruncatesLongValues": value_comes_back_changed("x" * 4097),
    "TrimsFinalNewline": value_comes_back_changed("-----END-----\n"),
    "StartsWithAnyKey": ciphertext_is_served,
    "HealthLacksField": health(lambda answer: "redisConfigured" not in answer.body),
    "HealthWrongType": health(lambda answer: not isinstance(answer.body["emailConfigured"], bool)),
    "HealthStaleDate": health(lambda answer: answer.body["date"] < "2026"),
    "HealthImpossibleDate": health(lambda answer: "-02-30T" in answer.body["date"]),
    "HealthAsHtml": health(lambda answer: not answer.kind.startswith("application/json")),
    "HealthErrorBodyWith200": health(lambda answer: answer.body.get("message") != "Ok"),
    "ConstantFlags": health(lambda answer: not answer.body["emailConfigured"]),
    "HonestSignupFlag": health(lambda answer: not answer.body["inviteOnlySignup"]),
    "AcceptsTokensOfAnyInstance": stranger_is_shown_something,
    "RefusesSecondLife": second_life_has_no_project,
}


@pytest.mark.parametrize("name", SYMPTOMS)
def test_planted_bug_shows(services, name):
    assert SYMPTOMS[name](World(services, name))


@pytest.mark.parametrize("name", SYMPTOMS)
def test_healthy_backend_does_not_show_it(services, name):
    assert not SYMPTOMS[name](World(services, None))
