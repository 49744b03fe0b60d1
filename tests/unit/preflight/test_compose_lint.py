"""Each change of the sound compose file has the one finding it should have at its line, or none."""

import pytest

from drillbook.preflight import compose_checks
from fixtures.mutants.file_bugs import SOUND
from tests.support.compose_documents import PINNED, about, linter, reader, service

FILE = SOUND.read_text()
RESTART = "    restart: unless-stopped\n"
DATA, JOBS = "pg_data:/var/lib/postgresql/data", "redis_data:/data"
IMAGE = "${POSTGRES_IMAGE:-postgres:14-alpine}"
PRODUCT = "${INFISICAL_IMAGE:-infisical/infisical:v0.154.6}"
COMMAND = '["redis-server", "--appendonly", "yes", "--maxmemory-policy", "noeviction"]'
PASSWORD = "      - POSTGRES_PASSWORD\n"
PROBE = '["CMD", "pg_isready", "-h", "127.0.0.1", "-U", "infisical", "-d", "infisical"]'
PING = '["CMD", "redis-cli", "ping"]'
NEEDS = "      db:\n        condition: service_healthy\n"
LOST, HOST = "on no named volume and is lost with its container", "in a folder of the host"
EMPTIED, BESIDE = "which a restart of the host may empty", "does not hold the data of db"
PASSES, NO_CHECK = "the health check of db passes whatever db answers", "has no health check"
SERVERS, RESTARTS = "several servers write into the same volume", "has no restart policy"
WAITS, NOWHERE = "backend does not wait until db is healthy", "names a host that no service has"
REFUSES, UNREACHED = "a value that the backend may refuse", "does not reach backend"
SECOND = "    deploy: {replicas: 2}\n"
MOUNTS, OPTIONS = "    volumes:\n      - ", "\n  pg_data: {driver_opts: "
FSYNC = "db runs with fsync off"
UNSET = "takes its version from VERSION, which has no value here"


def job(condition, of_the_job):
    """Edits by which the backend waits for a job, which waits for the database."""
    needs = f"{{db: {{condition: {of_the_job}}}, migrate: {{}}}}"
    text = (
        f"  migrate:\n    image: infisical/infisical:v1\n    command: x\n    depends_on: {needs}\n"
    )
    wait = f"      migrate:\n        condition: {condition}\n"
    return [(NEEDS, wait), ("\n  db:\n", f"\n{text}\n  db:\n")]


# Old text and new text, or several such pairs; where the finding is, and words of it.
FOUND = [
    *(
        (f"      - {name}\n", "", "    environment:", f"{name} {UNREACHED}: typed into Coolify")
        for name in ("SITE_URL", "TELEMETRY_ENABLED", "ENCRYPTION_KEY")
    ),
    ("      - AUTH_SECRET\n      - JWT_AUTH_SECRET\n", "", "    environment:", "AUTH_SECRET"),
    ("@db:5432", "@postgres:5432", "@postgres", f"DB_CONNECTION_URI {NOWHERE}"),
    ("@db:5432", "@localhost:5432", "@localhost", f"DB_CONNECTION_URI {NOWHERE}"),
    ("//redis:6379", "//cache:6379", "//cache", f"REDIS_URL {NOWHERE}"),
    ("- TELEMETRY_ENABLED", "- TELEMETRY_ENABLED=yes", "=yes", f"TELEMETRY_ENABLED has {REFUSES}"),
    ("PORT=8080", "PORT=http", "PORT=http", f"PORT has {REFUSES}"),
    *(
        (RESTART, f"    {policy}\n", place, RESTARTS)
        for policy, place in (
            ("restart: on-failure", "restart: on"),
            ("restart: 'no'", "restart: 'no'"),
            ("deploy: {restart_policy: {delay: 5s}}", "  backend:"),
            ("deploy: {restart_policy: {condition: on-failure}}", "  backend:"),
            ("deploy: {restart_policy: {condition: none}}", "  backend:"),
            ("deploy: {restart_policy: }", "  backend:"),
        )
    ),
    (f"test: {PROBE}", "disable: true", "    healthcheck:\n      disable", f"db {NO_CHECK}"),
    (PROBE, "NONE", "    healthcheck:\n      test: NONE", f"db {NO_CHECK}"),
    (PROBE, "[NONE]", "    healthcheck:\n      test: [NONE]", f"db {NO_CHECK}"),
    (f"test: {PING}", "start_period: 2s", "    healthcheck:\n      start_p", f"redis {NO_CHECK}"),
    *(
        (PROBE, test, f"    healthcheck:\n      test: {test}", PASSES)
        for test in (
            "[CMD, 'true']",
            "exit 0",
            "[CMD-SHELL, 'pg_isready || true']",
            "[CMD-SHELL, 'pg_isready; exit 0']",
            "echo ok",
            "[CMD, curl, -s, 'http://127.0.0.1:8080/api/status']",
            "curl http://127.0.0.1:8080/api/status || exit 1",
        )
    ),
    ("\n  db:\n", f"\n  db:\n{SECOND}", "\n  db:\n", SERVERS),
    ("\n  db:\n", "\n  db:\n    scale: 3\n", "\n  db:\n", SERVERS),
    *(
        (old, new, MOUNTS + new, f"the data of {role} lies {words}")
        for old, new, role, words in (
            (DATA, "pg_data:/elsewhere", "db", LOST),
            (DATA, "/var/lib/postgresql/data", "db", LOST),
            (DATA, "./here:/var/lib/postgresql/data", "db", HOST),
            (DATA, "./pg_hba.conf:/var/lib/postgresql/data/pg_hba.conf", "db", LOST),
            (DATA, "pg_data:/var/lib/postgresql/backups", "db", LOST),
            (DATA, "/tmp/pg:/var/lib/postgresql/data", "db", f"in /tmp/pg, {EMPTIED}"),
            (DATA, "/dev/shm/pg:/var/lib/postgresql/data", "db", f"in /dev/shm/pg, {EMPTIED}"),
            (JOBS, "redis_data:/elsewhere", "redis", LOST),
            (JOBS, "/data", "redis", LOST),
            (JOBS, "/srv/redis:/data", "redis", HOST),
        )
    ),
    (DATA, "./db:/var/lib/postgresql", MOUNTS + "./db", BESIDE),
    (DATA, "pg_data:/var/lib/postgresql/", MOUNTS + "pg", f"{BESIDE}: PostgreSQL 14"),
    (IMAGE, "postgres:18", MOUNTS + "pg", "does not start on this mount"),
    ("\n  pg_data:\n", f"{OPTIONS}{{type: tmpfs}}}}\n", MOUNTS + DATA, f"in memory, {EMPTIED}"),
    (
        "\n  pg_data:\n",
        f"{OPTIONS}{{device: /run/pg}}}}\n",
        MOUNTS + DATA,
        f"in /run/pg, {EMPTIED}",
    ),
    (PASSWORD, f"{PASSWORD}      - PGDATA=/data/pg\n", MOUNTS + DATA, LOST),
    (COMMAND, "[redis-server, --maxmemory-policy, allkeys-lru]", "    command:", "evicts data"),
    (COMMAND, "[redis-server, --save, '', --appendonly, no]", "    command:", "keeps nothing"),
    (COMMAND, 'redis-server --save "" --appendonly no', "    command:", "keeps nothing"),
    *(
        (f"- {DATA}\n", f"- {DATA}\n    command: {command}\n", f"    command: {command}", FSYNC)
        for command in ("[postgres, -c, fsync=off]", "postgres -c 'fsync = OFF'")
    ),
    (NEEDS, NEEDS.replace("healthy", "started"), "      db:\n        cond", WAITS),
    (NEEDS, "      db:\n", "      db:\n", WAITS),
    (job("service_completed_successfully", "service_started"), "    depends_on:", WAITS),
    (PRODUCT, "infisical/infisical:latest-postgres", "    image: inf", "frozen-tag"),
    *(
        (
            PRODUCT,
            f"infisical/infisical:{version}\n    pull_policy: always",
            "    image: inf",
            UNSET,
        )
        for version in ("$VERSION", "${VERSION}", "${VERSION:?set}", "${VERSION?}", "${VERSION}-a")
    ),
]
SILENT = [
    ("- ENCRYPTION_KEY\n", "- ROOT_ENCRYPTION_KEY\n"),
    ("REDIS_URL=redis://redis:6379", "REDIS_CLUSTER_HOSTS=redis:6379"),
    ("REDIS_URL=redis://redis:6379", "REDIS_SENTINEL_HOSTS=redis:6379"),
    ("@db:5432", "@db.example.com:5432"),
    ("//redis:6379", "//tasks.redis:6379"),
    ("- TELEMETRY_ENABLED", "- TELEMETRY_ENABLED=false"),
    (RESTART, "    restart: always\n"),
    (RESTART, "    deploy: {restart_policy: {condition: any}}\n"),
    (PROBE, "curl -fsS http://127.0.0.1:8080/api/status || exit 1"),
    (PROBE, "curl --silent --fail http://127.0.0.1:8080/api/status"),
    (PROBE, "curl -s http://127.0.0.1:8080/api/status | grep -q Ok"),
    (PROBE, "pg_isready || exit 1; exit 0"),
    (PROBE, "pg_isready && echo ok"),
    (PROBE, "[CMD-SHELL, 'echo SELECT 1 | psql -U infisical']"),
    ("\n  db:\n", "\n  db:\n    deploy: {replicas: 1}\n"),
    ("\n  backend:\n", f"\n  backend:\n{SECOND}"),
    (f"- {DATA}", f"- ./notes:/notes\n      - {DATA}"),
    ("\n  pg_data:\n", f"{OPTIONS}{{type: none, device: /srv/pg}}}}\n"),
    ("\n  pg_data:\n", f"{OPTIONS}{{type: nfs, device: ':/tmp/pg'}}}}\n"),
    (IMAGE, "pgvector/pgvector:pg18"),
    ([(IMAGE, "postgres:18-alpine"), (DATA, "pg_data:/var/lib/postgresql")],),
    ([(IMAGE, "bitnami/postgresql:16"), (DATA, "pg_data:/bitnami/postgresql")],),
    ([(PASSWORD, f"{PASSWORD}      - PGDATA=/data/pg\n"), (DATA, "pg_data:/data/")],),
    (COMMAND, "[redis-server, --save, '', --appendonly, 'yes']"),
    (COMMAND, "[redis-server, --save, '60 1']"),
    (f"- {DATA}\n", f"- {DATA}\n    command: [postgres, -c, fsync=on]\n"),
    (job("service_completed_successfully", "service_healthy"),),
]


def changed(old, new=None):
    """The sound file with the first of each old text replaced."""
    text = FILE
    for old_text, new_text in [(old, new)] if isinstance(old, str) else old:
        assert old_text in text
        text = text.replace(old_text, new_text, 1)
    return text


@pytest.fixture
def linted(tmp_path, monkeypatch):
    return linter(tmp_path, monkeypatch)


@pytest.mark.parametrize("row", FOUND, ids=str)
def test_a_fault_is_told_once_at_its_line(linted, row):
    *edits, place, words = row
    text = changed(*edits)
    ((line, sentence),) = linted(text)
    assert words in sentence
    assert line == text[: text.index(place) + place.startswith("\n")].count("\n") + 1


@pytest.mark.parametrize("edits", SILENT, ids=str)
def test_what_is_no_fault_is_not_told(linted, edits):
    assert linted(changed(*edits)) == []


@pytest.mark.parametrize("name", compose_checks._MAIL)
def test_a_variable_of_mail_must_reach_the_backend_once_it_is_set(linted, name):
    text = changed(f"      - {name}\n", "")
    assert linted(FILE, **{name: "x"}) == linted(text) == linted(text, **{name: ""}) == []
    ((_, sentence),) = linted(text, **{name: "x"})
    assert sentence.startswith(f"{name} {UNREACHED}")


@pytest.mark.parametrize(
    ("image", "what"),
    [(PRODUCT, "backend"), (IMAGE, "database"), ("${REDIS_IMAGE:-redis:7-alpine}", "cache")],
)
def test_a_part_that_no_service_plays_is_told(linted, image, what):
    text = changed(
        [(image, "nginx:1.2"), *([("- ENCRYPTION_KEY\n", "- X\n")] * (image == PRODUCT))]
    )
    told = [sentence for _, sentence in about(linted(text), "no service is")]
    assert told == [f"no service is the {what}"]


@pytest.mark.parametrize(
    ("line", "floats"),
    [
        *((f"image: {name}", True) for name in ("nginx", "nginx:latest", "nginx:latest-alpine")),
        *((f"image: {name}", True) for name in ("registry:5000/nginx", "postgres:alpine3.20")),
        *((f"image: {name}", True) for name in ("redis:bookworm", "infisical/infisical:main")),
        ("image: timescale/timescaledb:latest-pg16", True),
        *((f"image: {name}", False) for name in ("registry:5000/a/nginx:1.2", PINNED)),
        *(
            (f"image: {name}", False)
            for name in ("redis:7.4.1-alpine3.20", "pgvector/pgvector:pg16")
        ),
        *((f"image: infisical/infisical:{tag}", False) for tag in ("v1", "latest-postgres")),
        (f"image: infisical/infisical:main@sha256:{'0' * 64}", False),
        ("build: .", False),
        ("build: .\nimage: ours", True),
        ("restart: always", True),
    ],
)
def test_an_image_whose_version_may_change_is_told(linted, line, floats):
    sentence = "the image of other is not pinned, so a redeployment may change its version"
    found = about(linted(service(line)), "not pinned")
    assert [told for _, told in found] == ([sentence] if floats else [])


def test_a_version_that_is_given_is_judged(linted):
    text = changed(PRODUCT, "infisical/infisical:${VERSION}\n    pull_policy: always")
    assert linted(text, VERSION="v0.154.6") == []
    assert about(linted(text, VERSION="latest"), "unattended-upgrade")


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ("[com.centurylinklabs.watchtower.enable=true]", 1),
        ("{com.centurylinklabs.watchtower.enable: 'true'}", 1),
        ("[com.centurylinklabs.watchtower.enable=false]", 0),
    ],
)
def test_watchtower_on_a_tag_that_moves_is_an_upgrade_that_nobody_asked_for(linted, labels, told):
    floating = service(f"image: infisical/infisical:latest\nlabels: {labels}")
    assert len(about(linted(floating), "Watchtower")) == told
    assert about(linted(floating.replace("latest", "v0.154.6")), "Watchtower") == []


@pytest.mark.parametrize(
    ("password", "encoded", "told"),
    [("pa/ss", "", 1), ("pa#ss", "", 1), ("pa/ss", "pa%2Fss", 0), ("pa+s=s", "", 0)],
)
def test_a_password_that_breaks_its_address_is_told(linted, password, encoded, told):
    found = linted(FILE, POSTGRES_PASSWORD=password, POSTGRES_PASSWORD_ENCODED=encoded)
    assert len(about(found, "has a password with / # or ?, which breaks it")) == told == len(found)


@pytest.mark.parametrize(
    ("edits", "words", "steps"),
    [
        (
            [(IMAGE, "postgres:18")],
            "this mount",
            ("put the tag", "prove the backup", "name the tag of PostgreSQL 18 again", "restore"),
        ),
        (
            [(DATA, "/x:/x")],
            LOST,
            ("mount a new named volume at /var/lib/postgresql/data, so that",),
        ),
        (
            [(DATA, "/x:/x"), (IMAGE, "postgres:18")],
            LOST,
            ("volume at /var/lib/postgresql, so that",),
        ),
        (
            [(DATA, "/x:/x"), (IMAGE, "bitnami/postgresql:17")],
            LOST,
            ("at /bitnami/postgresql, so",),
        ),
        (
            [(PASSWORD, f"{PASSWORD}      - PGDATA=/data/pg\n")],
            LOST,
            ("volume at /data/pg, so that",),
        ),
        ([(DATA, "./x:/var/lib/postgresql/data")], HOST, ("leave it there",)),
        (
            [("      - SITE_URL\n", "")],
            UNREACHED,
            ("add the line `- SITE_URL` to its environment",),
        ),
    ],
)
def test_a_cure_names_place_and_order(tmp_path, monkeypatch, edits, words, steps):
    found = compose_checks.lint(reader(tmp_path, monkeypatch)(changed(edits)), {})
    (cure,) = (finding.cure for finding in found if words in finding.sentence)
    assert sorted(map(cure.index, steps)) == list(map(cure.index, steps))


def test_findings_come_in_the_order_of_the_file(linted):
    text = changed([("services:", "x-all: {A_KEY: autumn}\nservices:"), ("- SITE_URL", "- X")])
    lines = [line for line, _ in linted(text.replace("redis:7-alpine", "redis"))]
    assert len(set(lines)) == 3
    assert lines == sorted(lines)


def test_what_a_file_of_variables_hands_on_is_not_missed(linted, tmp_path):
    start, rest = FILE.index("    environment:"), FILE[FILE.index("    # Reached by") :]
    text = f"{FILE[:start]}    env_file: vars.env\n{rest}"
    assert linted(text) == []
    assert len(about(linted(text.replace("    env_file: vars.env\n", "")), UNREACHED)) == 6
    uris = "DB_CONNECTION_URI=postgres://u:p@db/x\nREDIS_URL=redis://redis:6379\n"
    (tmp_path / "vars.env").write_text(f"ENCRYPTION_KEY=k\nAUTH_SECRET=a\n{uris}")
    assert linted(text) == []
    (tmp_path / "vars.env").write_text(f"AUTH_SECRET=a\n{uris}")
    ((_, said),) = linted(text)
    assert said == "ENCRYPTION_KEY is neither in the env_file nor in the environment of backend"


def test_stores_outside_the_file_are_not_missed_and_those_nowhere_are(linted):
    text = FILE[: FILE.index("\n  db:")]
    both = ["no service is the database", "no service is the cache"]
    assert [said for _, said in about(linted(text), "no service is")] == both
    away = text.replace("@db:", "@db.example.com:").replace("//redis:", "//cache.example.com:")
    assert about(linted(away), "no service is") == []
    shared = f"{text}\nnetworks: {{secrets: {{external: true}}}}\n"
    assert about(linted(shared), "no service is") == []


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("DB_CONNECTION_URI: '${DB_CONNECTION_URI:?}'", []),
        ("DB_CONNECTION_URI: ", []),
        ("DB_CONNECTION_URI: 'postgres://u:${PW}@[2001:db8::5]:5432/x'", []),
        ("DB_HOST: '2001:db8::5'", []),
        ("DB_CONNECTION_URI: 'postgres://u:${PW}@primary:5432/x'", []),
        ("DB_CONNECTION_URI: 'postgres://u:${PW}@other:5432/x'", ["no service is the database"]),
        ("NODE_ENV: production", ["no service is the database"]),
    ],
)
@pytest.mark.parametrize("hosts", ["['primary:10.0.0.5']", "{primary: '::1'}"])
def test_a_database_elsewhere_is_not_missed(linted, variable, said, hosts):
    text = service(
        f"image: infisical/infisical:v1\nextra_hosts: {hosts}\n"
        f"environment:\n  REDIS_SENTINEL_HOSTS: s1.example.com:26379\n  {variable}"
    )
    assert [one for _, one in about(linted(text), "no service is")] == said
