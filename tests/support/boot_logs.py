"""Log lines of a backend for tests of the diagnosis, by the cause that they show."""

import json


def entry(level, msg, **fields):
    return json.dumps(
        {"level": level, "time": 1, "pid": 1, "hostname": "here", **fields, "msg": msg}
    )


def died(message, heading=None, kind="Error", **fields):
    err = {"type": kind, "message": message, "stack": f"{kind}: {message}"}
    return entry(50, heading or message, severity="ERROR", err=err, **fields)


def asked(url, status, request="req-1"):
    yield entry(30, "incoming request", reqId=request, req={"method": "GET", "url": url})
    yield entry(30, "request completed", reqId=request, res={"statusCode": status})


MIGRATION = "Boot up migration failed"
KEY = "Unsupported state or unable to authenticate data"
LABEL = "0" * 32
PASSWORD = 'password authentication failed for user "infisical"'
REFUSED = "connect ECONNREFUSED 10.0.0.2:5432"
LATE = "Plugin did not start in time: 'registerRoutes'. You may have forgotten to call 'done'"
COMPLAINT = "[ioredis] Unhandled error event: Error: connect ECONNREFUSED 10.0.0.3:6379"
LOST = "[ioredis] Unhandled error event: Error: getaddrinfo ENOTFOUND nosuchredis"
HEAP = "FATAL ERROR: Ineffective mark-compacts near heap limit - JavaScript heap out of memory"
ENVIRONMENT = "Invalid environment variables. Check the error below"
NO_KEY = "Either ENCRYPTION_KEY or ROOT_ENCRYPTION_KEY must be defined."
HEALTHY = [
    "Updating certificates in /etc/ssl/certs...",
    entry(30, "KMS: Loading ROOT Key into Memory."),
    "SMTP - Failed to connect to undefined:587 - connect ECONNREFUSED 127.0.0.1:587",
    "Redis successfully connected",
    "Welcome back!",
    died("Invalid key length", "Failed to sync integration 3", "RangeError"),
    json.dumps({"level": 50, "err": {"message": REFUSED, "code": "ESOCKET"}, "msg": REFUSED}),
]

KNOWN = [
    ("wrong_encryption_key", [died(KEY)]),
    (
        "wrong_encryption_key",
        [
            died(
                f"The configured encryption key (label {LABEL}) does not "
                "decrypt this database's root key. Restart."
            )
        ],
    ),
    (
        "wrong_encryption_key",
        [
            entry(
                50, "KMS: No stored root key could be decrypted with the configured encryption key"
            )
        ],
    ),
    ("encryption_key_length", [died("Invalid key length", kind="RangeError")]),
    ("encryption_key_length", [died("Invalid key length", MIGRATION, "RangeError")]),
    (
        "encryption_key_length",
        [
            'migration file "2025_webhook-to-kms.mjs" failed',
            "migration failed with error: Invalid key length",
        ],
    ),
    (
        "encryption_key_length",
        [
            died(
                "The configured encryption key resolves to 64 bytes, but 32 "
                "are required. Generate one with 'openssl rand -hex 16'."
            )
        ],
    ),
    (
        "encryption_key_length",
        [
            died(
                "FIPS mode is enabled, but the ENCRYPTION_KEY environment "
                "variable is not a 256-bit key.\nYou can"
            )
        ],
    ),
    (
        "encryption_key_length",
        [died("the ENCRYPTION_KEY environment variable is not a base64 encoded 256-bit key.")],
    ),
    ("encryption_key_missing", [died("Root encryption key not found for KMS service.")]),
    (
        "encryption_key_missing",
        [
            died(
                "Root KMS encryption strategy is set to software. Please set "
                "the ENCRYPTION_KEY environment variable and restart"
            )
        ],
    ),
    (
        "encryption_key_missing",
        [
            died(
                "Instance encryption key not found. Did you set the "
                "ENCRYPTION_KEY environment variable?"
            )
        ],
    ),
    (
        "encryption_key_missing",
        [died(NO_KEY)],
    ),
    (
        "encryption_key_missing",
        [ENVIRONMENT, "[", "  {", f"    message: '{NO_KEY}',", "    path: []"],
    ),
    (
        "encryption_key_missing",
        [entry(50, ENVIRONMENT), json.dumps({"level": 50, "0": {"message": NO_KEY, "path": []}})],
    ),
    ("database_password", [died(PASSWORD, kind="DatabaseError")]),
    ("database_password", [died(PASSWORD, MIGRATION, "DatabaseError")]),
    ("database_password", ["Error: " + PASSWORD]),
    ("database_password", [*asked("/api/status", 200), died(PASSWORD, reqId="req-1")]),
    ("database_role_missing", [died('role "infisical" does not exist', MIGRATION)]),
    ("database_missing", [died('database "infisical" does not exist', MIGRATION)]),
    ("disk_full", [died('could not extend file "base/1/2": No space left on device')]),
    (
        "disk_full",
        [
            died(
                "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to "
                "persist to disk.",
                kind="ReplyError",
                reqId="req-1",
            )
        ],
    ),
    ("database_empty", [died('select 1 - relation "super_admin" does not exist')]),
    ("database_owner", [died("must be owner of table users", MIGRATION)]),
    ("database_rights", [died("permission denied for schema public", MIGRATION)]),
    (
        "database_refuses_host",
        [died('no pg_hba.conf entry for host "172.18.0.4", user "infisical", no encryption')],
    ),
    ("database_starting", [died("the database system is starting up", MIGRATION)]),
    ("database_starting", [died("the database system is in recovery mode", reqId="req-7")]),
    ("database_full", [died("sorry, too many clients already")]),
    ("database_full", [died("remaining connection slots are reserved for roles with x")]),
    ("database_read_only", [died("cannot execute CREATE TABLE in a read-only transaction")]),
    ("database_refused", [died(REFUSED)]),
    ("database_refused", [died(REFUSED, MIGRATION)]),
    ("database_refused", [died(REFUSED, reqId="req-7"), *asked("/api/status", 200)]),
    ("database_host_unknown", [died("getaddrinfo ENOTFOUND db", MIGRATION)]),
    (
        "database_silent",
        [
            died(
                "Knex: Timeout acquiring a connection. The pool is probably full.",
                MIGRATION,
                "KnexTimeoutError",
            )
        ],
    ),
    ("database_address", [died("Invalid URL", kind="TypeError")]),
    ("database_without_tls", [died("The server does not support SSL connections")]),
    (
        "image_older_than_data",
        [
            died(
                "The migration directory is corrupt, the following files are "
                "missing: 2026_later.mjs",
                MIGRATION,
            )
        ],
    ),
    (
        "image_older_than_data",
        [
            died(
                "Database migration history does not match this image [database=application] "
                "[imageVersion=v0.160.0].",
                MIGRATION,
            )
        ],
    ),
    (
        "migration_locked",
        [died("Failed to acquire startup lock within 300000ms timeout [attempts=9]", MIGRATION)],
    ),
    (
        "migration_locked",
        [
            "Can't take lock to run migrations: Migration table is already locked",
            died("Migration table is already locked", MIGRATION, "LockError"),
        ],
    ),
    ("cache_unavailable", [COMPLAINT] * 3),
    ("cache_host_unknown", [LOST] * 3),
    ("cache_host_unknown", [*[LOST] * 20, died(LATE, kind="FastifyError")]),
    ("cache_host_unknown", [LOST, died("getaddrinfo ENOTFOUND nosuchredis", MIGRATION)]),
    ("out_of_memory", ["FATAL ERROR: Reached heap limit - JavaScript heap out of memory"]),
    ("out_of_memory", ["<--- Last few GCs --->", HEAP, "Aborted", "backend exited with code 134"]),
    ("out_of_memory", [HEAP, "backend-1 exited with code 137"]),
    ("out_of_memory", ['            "OOMKilled": true,', '            "ExitCode": 137,']),
    ("out_of_memory", ["[12.3] Out of memory: Killed process 4711 (node) total-vm:1kB"]),
    ("killed", ["Killed"]),
    ("killed", ["/backend/standalone-entrypoint.sh: line 9: 17 Killed"]),
    ("killed", ["backend-1 exited with code 137"]),
    ("cache_unavailable", [*[COMPLAINT] * 20, died(LATE, kind="FastifyError")]),
    ("cache_unavailable", [died("Reached the max retries per request limit (which is 20).")]),
    ("cache_password", [died("NOAUTH Authentication required.", kind="ReplyError")]),
    ("cache_password", ["[ioredis] Unhandled error event: ReplyError: WRONGPASS invalid pair"]),
    ("start_timed_out", [died(LATE, kind="AvvioError")]),
    ("invalid_environment", [ENVIRONMENT, "[", "  {", "    path: [ 'AUTH_SECRET' ],"]),
    (
        "invalid_environment",
        [entry(50, ENVIRONMENT), json.dumps({"level": 50, "0": {"path": ["AUTH_SECRET"]}})],
    ),
]
