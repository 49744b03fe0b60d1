"""The reference backend starts, fails, stores and logs as the product does."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
import redis
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from drillbook.stack.database_access import password_statement
from drillbook.stack.embedded.servers import Cache
from fixtures.reference import cache
from fixtures.reference.cache import _as_sent
from tests.support.backends import GOLDEN, ROOT, Backend, die

pytestmark = pytest.mark.slow

UNREADABLE = "Unsupported state or unable to authenticate data"
REFUSED = (
    r'"type":"DatabaseError","message":"password authentication failed for user \"infisical\""'
)
NO_KEY = "Please set the ENCRYPTION_KEY environment variable and restart your deployment."
NOWHERE = "postgres://infisical:pw@{}/infisical"


@pytest.mark.parametrize(
    ("changes", "code", "texts"),
    [
        ({"ENCRYPTION_KEY": "0" * 32}, 1, [UNREADABLE]),
        ({"ENCRYPTION_KEY": "0" * 64}, 1, ['"type":"RangeError"', "Invalid key length"]),
        ({"ENCRYPTION_KEY": None}, 1, [NO_KEY]),
        ({"AUTH_SECRET": None, "JWT_AUTH_SECRET": None}, 255, ["path: [ 'AUTH_SECRET' ]"]),
        ({"REDIS_URL": None}, 255, ["Either REDIS_URL"]),
        ({"DB_CONNECTION_URI": NOWHERE.format("127.0.0.1:1")}, 1, ["ECONNREFUSED 127.0.0.1:1"]),
        ({"DB_CONNECTION_URI": NOWHERE.format("db.invalid")}, 1, ["ENOTFOUND db.invalid"]),
        ({"DB_CONNECTION_URI": NOWHERE.format("x/y@z")}, 1, ["getaddrinfo ENOTFOUND x"]),
        ({"DB_CONNECTION_URI": "postgres://infisical:p/w@db/x"}, 1, ["TypeError: Invalid URL"]),
        ({"DB_CONNECTION_URI": None}, 1, ["TypeError: Invalid URL"]),
        ({"DRILLBOOK_PLANT": "Nothing"}, 64, ["unknown mutant 'Nothing'"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_start_fails_with_the_products_text_and_code(services, changes, code, texts):
    ended, printed = die(services, services.copy(), **changes)
    assert ended == code
    assert [text for text in texts if text not in printed] == []


def test_wrong_database_password_is_a_failed_migration(services):
    uri = services.environment(GOLDEN)["DB_CONNECTION_URI"]
    wrong = uri.replace("://infisical:", "://infisical:wrong")
    code, printed = die(services, GOLDEN, DB_CONNECTION_URI=wrong)
    assert code == 1
    assert REFUSED in printed
    assert '"msg":"Boot up migration failed"' in printed
    assert services.settings["POSTGRES_PASSWORD"] not in printed


def test_long_key_on_an_empty_database_fails_in_a_migration(services):
    database = services.copy("template0")
    code, printed = die(services, database, ENCRYPTION_KEY="0" * 64)
    assert code == 1
    for text in ("KMS: Failed to encrypt ROOT Key", "Invalid key length", "Boot up migration"):
        assert text in printed
    with Backend(services, database) as healed:
        assert healed.code is None


@pytest.mark.parametrize("form", ["{}\n", "  {}"])
def test_blanks_around_a_key_are_ignored(services, form):
    key = services.settings["ENCRYPTION_KEY"]
    with Backend(services, services.copy(), ENCRYPTION_KEY=form.format(key)) as backend:
        assert backend.code is None


def test_root_encryption_key_opens_the_same_root(services):
    encoded = base64.b64encode(services.settings["ENCRYPTION_KEY"].encode()).decode()
    changes = {"ENCRYPTION_KEY": None, "ROOT_ENCRYPTION_KEY": encoded}
    with Backend(services, services.copy(), **changes) as backend:
        assert backend.code is None


def test_failed_start_changes_nothing(services):
    database = services.copy()
    before = dumped(services, database)
    die(services, database, ENCRYPTION_KEY="0" * 32)
    assert dumped(services, database) == before


def dumped(services, database):
    done = services.postgres.exec(["pg_dump", "-U", "infisical", database], None, None)
    assert done.exit_code == 0
    return [line for line in done.stdout.splitlines() if b"restrict " not in line]


def test_dump_restores_into_an_empty_database_and_not_over_a_full_one(services):
    dump = b"\n".join(dumped(services, GOLDEN))
    empty, full = services.copy("template0"), services.copy()
    services.postgres.inside("UPDATE projects SET name = 'Tuesday' RETURNING 1", database=full)
    psql = ["psql", "-q", "-U", "infisical"]
    clean = services.postgres.exec([*psql, empty], dump, None)
    over = services.postgres.exec([*psql, full], dump, None)
    stopped = services.postgres.exec([*psql, "-v", "ON_ERROR_STOP=1", full], dump, None)

    assert (clean.exit_code, clean.stderr) == (0, b"")
    assert dumped(services, empty) == dumped(services, GOLDEN)
    assert (over.exit_code, stopped.exit_code) == (0, 3)
    assert b'function "on_update_timestamp" already exists' in stopped.stderr
    assert services.postgres.inside("SELECT name FROM projects", database=full) == [("Tuesday",)]


def test_key_opens_every_layer_offline_down_to_a_value(services):
    def stored(statement):
        return [
            bytes(value) for row in services.postgres.inside(statement, GOLDEN) for value in row
        ]

    key = services.settings["ENCRYPTION_KEY"].encode()
    (root,) = stored('SELECT "encryptedRootKey" FROM kms_root_config')
    (internal, data) = stored(
        'SELECT "encryptedKey", "kmsSecretManagerEncryptedDataKey" FROM internal_kms '
        'JOIN projects ON "kmsKeyId" = "kmsSecretManagerKeyId"'
    )
    values = stored('SELECT "encryptedValue" FROM secrets_v2 ORDER BY key')
    assert len(root) == 60
    assert {blob[-3:] for blob in (internal, data, *values)} == {b"v01"}

    material = opened(opened(opened(key, root), internal[:-3]), data[:-3])
    assert [opened(material, value[:-3]) for value in values] == [b"first PLAIN", b"second"]
    with pytest.raises(InvalidTag):
        opened(b"0" * 32, root)


def opened(key, blob):
    return AESGCM(key).decrypt(blob[:12], blob[12:], None)


def test_another_auth_secret_refuses_tokens_and_keeps_everything_else(services):
    golden = services.golden
    with Backend(services, services.copy(), AUTH_SECRET="another" * 5) as backend:
        path = "/api/v4/secrets/PLAIN"
        refused = backend.ask("GET", path, None, golden.token, **golden.at)
        assert (refused.status, refused.body["message"]) == (403, "invalid signature")
        again = backend.ask("POST", "/api/v1/auth/universal-auth/login", golden.machine)
        read = backend.ask("GET", path, None, again.body["accessToken"], **golden.at)
        assert read.body["secret"]["secretValue"] == "first PLAIN"


def test_pool_keeps_its_connection_but_new_ones_need_the_new_password(services):
    database, golden, old = services.copy(), services.golden, services.settings["POSTGRES_PASSWORD"]

    def read(_):
        return backend.ask("GET", "/api/v4/secrets", None, golden.token, **golden.at).status

    def set_password(password):
        services.postgres.inside(password_statement(password), database="postgres")

    with Backend(services, database) as backend:
        set_password("p@w:x%#?/ é")
        try:
            assert [read(0), read(0)] == [200, 200]
            with ThreadPoolExecutor(20) as crowd:
                assert 500 in set(crowd.map(read, range(20)))
            uri = f"postgres://infisical:{quote('p@w:x%#?/ é', safe='')}@127.0.0.1"
            uri += f":{services.postgres.port}/{database}"
            with Backend(services, database, DB_CONNECTION_URI=uri) as other:
                assert other.code is None
        finally:
            set_password(old)


def test_health_stays_good_on_a_cached_configuration_while_reads_fail(services):
    golden = services.golden

    def statuses():
        read = backend.ask("GET", "/api/v4/secrets", None, golden.token, **golden.at)
        return backend.ask("GET", "/api/status").status, read.status

    with Backend(services, services.copy()) as backend:
        assert statuses() == (200, 200)
        services.postgres.stop()
        try:
            assert statuses() == (200, 500)
            services.cache.flush()
            assert statuses() == (500, 500)
        finally:
            services.postgres.start(services.settings["POSTGRES_PASSWORD"])
        assert statuses() == (200, 200)


def test_cache_is_waited_for_and_given_up(services, monkeypatch):
    monkeypatch.setattr(cache, "_PAUSE_S", 0)
    with Backend(services, services.copy(), REDIS_URL="redis://127.0.0.1:1") as backend:
        assert backend.code == 1
    assert "[ioredis] Unhandled error event: Error: connect ECONNREFUSED" in backend.journal.text
    assert "Plugin did not start in time: 'registerRoutes'" in backend.journal.text


def test_cache_that_comes_late_is_enough(services, living):
    late = Cache(living.path, {"PATH": os.environ["PATH"]})
    threading.Timer(0.3, late.start).start()
    url = f"redis://127.0.0.1:{late.port}"
    try:
        with Backend(services, services.copy(), REDIS_URL=url) as backend:
            assert backend.code is None
    finally:
        late.stop()


def test_cache_that_refuses_the_password_ends_the_start(services):
    url = f"redis://:secret@127.0.0.1:{services.cache.port}"
    with Backend(services, services.copy(), REDIS_URL=url) as backend:
        assert backend.code == 1
    assert '"type":"ReplyError"' in backend.journal.text
    # The server has no password; other refusals have other codes.
    assert "ERR AUTH <password> called without any password" in backend.journal.text


@pytest.mark.parametrize(
    ("refused", "sent"),
    [
        (redis.AuthenticationError("invalid username-password pair"), "WRONGPASS invalid username"),
        (redis.AuthenticationError("Authentication required."), "NOAUTH Authentication required."),
        (redis.exceptions.ReadOnlyError("You can't write"), "READONLY You can't write"),
        (redis.ResponseError("MISCONF Redis is configured"), "MISCONF Redis is configured"),
    ],
)
def test_a_refusal_of_the_cache_has_its_code(refused, sent):
    assert _as_sent(refused).startswith(sent)


def test_log_is_json_with_requests_and_without_values(services):
    golden = services.golden
    with Backend(services, services.copy()) as backend:
        backend.ask("GET", "/api/v4/secrets", None, golden.token, **golden.at)
        backend.ask("GET", "/api/v4/secrets", None, "garbage", **golden.at)
    lines = [json.loads(line) for line in backend.journal.lines if line.startswith("{")]
    last = [line["reqId"] for line in lines if "req" in line][-1]
    requests = [line for line in lines if line["reqId"] == last]
    assert {"level", "time", "pid", "hostname", "reqId", "severity", "msg"} <= set(lines[0])
    assert requests[-3]["req"]["url"].startswith("/api/v4/secrets?projectId=")
    assert requests[-2]["msg"] == "client error: TokenError"
    assert requests[-1]["res"] == {"statusCode": 403}
    told = [golden.token, "first PLAIN", *services.settings.sensitive().values()]
    assert [secret for secret in told if secret in backend.journal.text] == []


def test_stopping_it_ends_with_zero(services):
    env = {**services.environment(services.copy()), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "fixtures.reference"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, cwd="/") as process:
        assert any(b'"msg":"http://127.0.0.1' in line for line in process.stdout)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
