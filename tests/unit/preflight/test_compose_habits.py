"""What operators' compose files do that the reference does not: told where wrong, else let be."""

import shutil

import pytest

from drillbook.core import dotenv
from drillbook.core.errors import BadInput, Unsupported
from drillbook.infisical.settings import Settings
from drillbook.preflight import compose_checks, key_strength
from drillbook.preflight.given_files import GivenFiles
from drillbook.stack import compose_file
from fixtures.mutants.file_bugs import SOUND, env
from tests.support.compose_documents import about, linter, reader, service

FILE = SOUND.read_text()
DATA = "      - pg_data:/var/lib/postgresql/data\n"
IMAGE = "${POSTGRES_IMAGE:-postgres:14-alpine}"
PRODUCT = "${INFISICAL_IMAGE:-infisical/infisical:v0.154.6}"
CACHE = '    command: ["redis-server", '
SAMPLE = "6c1fe4e407b8911c104518103505b218"


@pytest.fixture
def read(tmp_path, monkeypatch):
    return reader(tmp_path, monkeypatch)


@pytest.fixture
def linted(tmp_path, monkeypatch):
    return linter(tmp_path, monkeypatch)


def changed(*pairs):
    text = FILE
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text


@pytest.mark.parametrize(
    ("image", "target", "told"),
    [
        ("postgres:17", "/var/lib/postgresql", "a nameless volume"),
        ("docker.io/library/postgres:14-alpine", "/var/lib/postgresql/", "a nameless volume"),
        ("postgres:18", "/var/lib/postgresql/data", "does not start on this mount"),
        ("postgres:18-alpine", "/var/lib/postgresql", None),
        ("postgres:17", "/var/lib/postgresql/data", None),
        ("pgvector/pgvector:pg18", "/var/lib/postgresql/data", None),
        ("bitnami/postgresql:16", "/bitnami/postgresql", None),
    ],
)
def test_a_mount_that_does_not_hold_the_data_is_told(linted, image, target, told):
    text = changed((IMAGE, image), (DATA, f"      - pg_data:{target}\n"))
    found = about(linted(text), "the data of db")
    assert [told in said for _, said in found] == ([True] if told else [])


@pytest.mark.parametrize(
    ("folder", "target", "held"),
    [
        ("/var/lib/postgresql/data/own", "/var/lib/postgresql/data", True),
        ("/data/pg", "/data/pg", True),
        ("/data/pg", "/data/", True),
        ("/data/pg", "/data/p", False),
        ("/data/pg", "/var/lib/postgresql/data", False),
        ("", "/var/lib/postgresql", True),
    ],
)
def test_a_data_folder_of_the_operators_own_is_not_judged_by_the_images(read, folder, target, held):
    own = "      - POSTGRES_PASSWORD\n"
    text = changed(
        (IMAGE, "postgres:18"),
        (own, f"{own}      - PGDATA={folder}\n"),
        (DATA, f"      - pg_data:{target}\n"),
    )
    found = [one for one in compose_checks.lint(read(text), {}) if "the data of db" in one.sentence]
    assert ["on no named volume" in one.sentence for one in found] == ([] if held else [True])
    assert all(f"mount a new named volume at {folder}," in one.cure for one in found)


@pytest.mark.parametrize(
    ("image", "folder"),
    [
        ("postgres:17", "/var/lib/postgresql/data"),
        ("postgres:18", "/var/lib/postgresql"),
        ("bitnami/postgresql:17", "/bitnami/postgresql"),
    ],
)
def test_data_without_a_volume_gets_one_where_its_image_keeps_them(read, image, folder):
    text = changed((IMAGE, image), (DATA, "      - /etc/motd:/etc/motd\n"))
    (found,) = [
        one for one in compose_checks.lint(read(text), {}) if "no named volume" in one.sentence
    ]
    assert f"mount a new named volume at {folder}, so that the old one stays as it is" in found.cure


def test_data_behind_a_mount_of_the_old_place_move_to_the_tag_that_is_named(read):
    text = changed((IMAGE, "postgres:18"))
    (found,) = [one for one in compose_checks.lint(read(text), {}) if "this mount" in one.sentence]
    back, again = (found.cure.index(f"{one} the tag") for one in ("put", "name"))
    assert back < found.cure.index("prove the backup") < again < found.cure.index("restore")
    assert "name the tag of PostgreSQL 18 again, mount a new named volume at /var/lib" in found.cure


@pytest.mark.parametrize(
    ("mount", "options", "where"),
    [
        ("/tmp/pg", "", "in /tmp/pg"),
        ("/dev/shm/pg", "", "in /dev/shm/pg"),
        ("pg_data", "{type: tmpfs, device: tmpfs}", "on pg_data, a volume in memory"),
        ("pg_data", "{type: none, o: bind, device: /run/pg}", "in /run/pg"),
        ("pg_data", "{type: none, o: bind, device: /srv/pg}", None),
        ("pg_data", "{type: nfs, o: addr=10.0.0.1, device: ':/tmp/pg'}", None),
        ("/run/media/disk/pg", "", None),
    ],
)
def test_data_that_a_restart_empties_is_told(linted, mount, options, where):
    text = changed((DATA, f"      - {mount}:/var/lib/postgresql/data\n"))
    text = text.replace("\n  pg_data:\n", f"\n  pg_data: {{driver_opts: {options or '{}'}}}\n")
    said = [one for _, one in about(linted(text), "which a restart of the host may empty")]
    assert [where in one for one in said] == ([True] if where else [])


@pytest.mark.parametrize(
    ("test", "passes"),
    [
        ("[CMD, 'true']", True),
        ("exit 0", True),
        ("[CMD-SHELL, 'pg_isready || true']", True),
        ("[CMD-SHELL, 'pg_isready; exit 0']", True),
        ("echo ok", True),
        ("[CMD, curl, -s, 'http://127.0.0.1:8080/api/status']", True),
        ("curl http://127.0.0.1:8080/api/status || exit 1", True),
        ("curl -fsS http://127.0.0.1:8080/api/status || exit 1", False),
        ("curl --silent --fail http://127.0.0.1:8080/api/status", False),
        ("curl -s http://127.0.0.1:8080/api/status | grep -q Ok", False),
        ("pg_isready || exit 1; exit 0", False),
        ("pg_isready && echo ok", False),
        ("[CMD-SHELL, 'echo SELECT 1 | psql -U infisical']", False),
    ],
)
def test_a_health_check_that_cannot_fail_is_told(linted, test, passes):
    own = FILE.index("      test: ", FILE.index("\n  db:"))
    text = FILE[:own] + f"      test: {test}" + FILE[FILE.index("\n", own) :]
    said = [one for _, one in linted(text)]
    assert said == (["the health check of db passes whatever db answers"] if passes else [])


@pytest.mark.parametrize(
    ("part", "key", "told"),
    [
        ("db", "deploy: {replicas: 2}", True),
        ("db", "scale: 3", True),
        ("db", "deploy: {replicas: 1}", False),
        ("backend", "deploy: {replicas: 3}", False),
    ],
)
def test_two_servers_on_one_volume_are_told(linted, part, key, told):
    text = changed((f"\n  {part}:\n", f"\n  {part}:\n    {key}\n"))
    assert len(about(linted(text), "several servers write into the same volume")) == told


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("@db:5432", "@postgres:5432", "DB_CONNECTION_URI names a host that no service has"),
        ("@db:5432", "@localhost:5432", "DB_CONNECTION_URI names a host that no service has"),
        ("@db:5432", "@db.example.com:5432", None),
        ("//redis:6379", "//cache:6379", "REDIS_URL names a host that no service has"),
        ("//redis:6379", "//tasks.redis:6379", None),
        (
            "      - TELEMETRY_ENABLED\n",
            "      - TELEMETRY_ENABLED=yes\n",
            "the backend may refuse",
        ),
        ("      - TELEMETRY_ENABLED\n", "      - TELEMETRY_ENABLED=false\n", None),
        ("PORT=8080", "PORT=http", "PORT has a value that the backend may refuse"),
    ],
)
def test_a_value_that_the_backend_may_refuse_is_found(linted, old, new, told):
    found = [said for _, said in linted(changed((old, new)))]
    assert [told in said for said in found] == ([True] if told else [])


@pytest.mark.parametrize(
    ("password", "encoded", "told"),
    [("pa/ss", "", 1), ("pa#ss", "", 1), ("pa/ss", "pa%2Fss", 0), ("pa+s=s", "", 0)],
)
def test_a_password_that_breaks_its_address_is_told(linted, password, encoded, told):
    found = linted(FILE, POSTGRES_PASSWORD=password, POSTGRES_PASSWORD_ENCODED=encoded)
    assert len(about(found, "has a password with / # or ?, which breaks it")) == told == len(found)


@pytest.mark.parametrize(("method", "told"), [("trust", 1), ("scram-sha-256", 0)])
def test_a_database_that_asks_for_no_password_is_told(read, tmp_path, method, told):
    own = "      - POSTGRES_PASSWORD\n"
    compose = read(changed((own, f"{own}      - POSTGRES_HOST_AUTH_METHOD={method}\n")))
    given = dotenv.load(env(tmp_path, Settings.generate()))
    found = key_strength.passwords(key_strength.Deployed(given, compose))
    assert len([one for one in found if "without a password" in one.sentence]) == told


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("https://localhost", "is not a public address"),
        ("https://127.0.0.1:8443", "is not a public address"),
        ("https://https://secrets.example.com", "is not a public address"),
        ("https://secrets.example.com/", None),
        ("https://10.0.0.4", None),
    ],
)
def test_an_address_that_no_one_else_reaches_is_told(read, tmp_path, address, fault):
    given = dotenv.load(env(tmp_path, Settings.generate().but(SITE_URL=address)))
    found = key_strength.address(key_strength.Deployed(given, read(FILE)))
    assert [one.sentence for one in found] == ([f"SITE_URL {fault}"] if fault else [])


def test_a_folder_of_the_host_stays_where_it_is(read, tmp_path):
    compose = read(changed((DATA, f"      - {tmp_path}/data:/var/lib/postgresql/data\n")))
    (cure,) = [one.cure for one in compose_checks.lint(compose, {}) if "a folder" in one.sentence]
    assert cure.startswith("leave it there")


@pytest.mark.parametrize(
    ("condition", "of_the_job", "said"),
    [
        ("service_completed_successfully", "service_healthy", []),
        ("service_started", "service_healthy", []),
        (
            "service_completed_successfully",
            "service_started",
            ["backend does not wait until db is healthy"],
        ),
    ],
)
def test_waiting_for_a_job_that_waits_is_waiting(linted, condition, of_the_job, said):
    needs = "    depends_on:\n      db:\n        condition: service_healthy\n"
    job = (
        "\n  migrate:\n    image: infisical/infisical:v0.154.6\n    command: npm run migrate\n"
        f"    depends_on: {{db: {{condition: {of_the_job}}}, migrate: {{}}}}\n"
    )
    text = changed(
        (needs, f"    depends_on:\n      migrate:\n        condition: {condition}\n"),
        ("\n  db:\n", f"{job}\n  db:\n"),
    )
    assert [one for _, one in linted(text)] == said


@pytest.mark.parametrize(
    ("policy", "survives"),
    [
        ("{delay: 5s}", False),
        ("{condition: any}", True),
        ("{condition: on-failure}", False),
        ("{condition: none}", False),
        ("", False),
    ],
)
def test_a_restart_policy_of_a_swarm_restarts_under_the_condition_any(linted, policy, survives):
    text = changed(
        ("    restart: unless-stopped\n", f"    deploy:\n      restart_policy: {policy}\n")
    )
    assert len(about(linted(text), "restart policy")) == (not survives)


def test_a_frozen_tag_is_not_said_to_move_as_well(linted):
    text = changed((PRODUCT, "infisical/infisical:latest-postgres"))
    ((_, said),) = linted(text)
    assert "frozen-tag" in said


@pytest.mark.parametrize(
    "wanted", ["$VERSION", "${VERSION}", "${VERSION:?set it}", "${VERSION?}", "${VERSION}-fips"]
)
def test_a_version_that_is_not_given_here_is_neither_pinned_nor_latest(linted, wanted):
    text = changed((PRODUCT, f"infisical/infisical:{wanted}\n    pull_policy: always"))
    ((_, said),) = linted(text)
    assert "takes its version from VERSION, which has no value here" in said
    assert linted(text, VERSION="v0.154.6") == []
    if not wanted.endswith("fips"):
        assert about(linted(text, VERSION="latest"), "unattended-upgrade")


@pytest.mark.parametrize(
    ("image", "floats"),
    [
        ("postgres:alpine", True),
        ("postgres:alpine3.20", True),
        ("redis:alpine", True),
        ("redis:bookworm", True),
        ("infisical/infisical:main", True),
        ("infisical/infisical", True),
        ("timescale/timescaledb:latest-pg16", True),
        ("postgres:14-alpine", False),
        ("redis:7.4.1-alpine3.20", False),
        ("pgvector/pgvector:pg16", False),
        ("infisical/infisical:latest-postgres", False),
        (f"infisical/infisical:main@sha256:{'0' * 64}", False),
    ],
)
def test_a_tag_without_a_number_is_not_pinned(linted, image, floats):
    assert len(about(linted(service(f"image: {image}")), "is not pinned")) == floats


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ("[com.centurylinklabs.watchtower.enable=true]", 1),
        ("{com.centurylinklabs.watchtower.enable: 'true'}", 1),
        ("[com.centurylinklabs.watchtower.enable=false]", 0),
        ("[traefik.enable=true]", 0),
    ],
)
def test_watchtower_on_a_tag_that_moves_is_an_upgrade_that_nobody_asked_for(linted, labels, told):
    floating = service(f"image: infisical/infisical:latest\nlabels: {labels}")
    assert len(about(linted(floating), "Watchtower")) == told
    assert about(linted(floating.replace("latest", "v0.154.6")), "Watchtower") == []


def test_what_a_file_of_variables_hands_on_is_not_missed(linted, tmp_path):
    start, rest = FILE.index("    environment:"), FILE[FILE.index("    # Reached by") :]
    text = f"{FILE[:start]}    env_file: vars.env\n{rest}"
    uris = "DB_CONNECTION_URI=postgres://u:p@db/x\nREDIS_URL=redis://redis:6379\n"
    (tmp_path / "vars.env").write_text(f"ENCRYPTION_KEY=k\nAUTH_SECRET=a\n{uris}")
    assert linted(text) == []
    (tmp_path / "vars.env").write_text(f"AUTH_SECRET=a\n{uris}")
    ((_, said),) = linted(text)
    assert said == "ENCRYPTION_KEY is neither in the env_file nor in the environment of backend"


def test_the_line_to_add_has_the_form_of_the_environment(read):
    text = service("image: infisical/infisical:v0.154.6\nenvironment: {AUTH_SECRET: $A}")
    cures = [one.cure for one in compose_checks.lint(read(text), {})]
    assert "add the line `ENCRYPTION_KEY:` to its environment" in cures
    assert "add the line `TELEMETRY_ENABLED:` to its environment" in cures


def test_a_file_of_variables_that_is_only_on_the_server_misses_none(tmp_path):
    """With docker, which says nothing about a file that need not exist; without it elsewhere."""
    file = tmp_path / "compose.yml"
    source = "env_file: [{path: '${WHERE:-x}.env', required: false}]"
    file.write_text(service(f"image: infisical/infisical:v0.154.6\n{source}"))
    compose = compose_file.load(file, {})
    assert not [one for one in compose_checks.lint(compose, {}) if "environment" in one.sentence]
    (tmp_path / "x.env").write_text("AUTH_SECRET=a\n")
    compose = compose_file.load(file, {})
    said = [one.sentence for one in compose_checks.lint(compose, {})]
    assert "ENCRYPTION_KEY is neither in the env_file nor in the environment of other" in said


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
        ("DB_CONNECTION_URI: 'postgres://u:${PW}@[other]/x'", ["no service is the database"]),
        ("NODE_ENV: production", ["no service is the database"]),
    ],
)
@pytest.mark.parametrize("hosts", ["['primary:10.0.0.5']", "{primary: '::1'}", "['primary=::1']"])
def test_a_database_elsewhere_is_not_missed(linted, variable, said, hosts):
    text = service(
        f"image: infisical/infisical:v1\nextra_hosts: {hosts}\n"
        f"environment:\n  REDIS_SENTINEL_HOSTS: s1.example.com:26379\n  {variable}"
    )
    assert [one for _, one in about(linted(text), "no service is")] == said


def test_a_cache_that_is_in_no_file_is_missed(linted):
    text = service(
        "image: infisical/infisical:v1\n"
        "environment: {REDIS_URL: 'redis://redis:6379', DB_CONNECTION_URI: }"
    )
    assert [one for _, one in about(linted(text), "no service is")] == ["no service is the cache"]


def test_a_store_that_is_built_is_known_by_the_name_the_backend_is_told(read):
    compose = read(
        changed(("redis://redis:", "redis://broker:"))
        .replace("\n  redis:\n", "\n  broker:\n")
        .replace("    image: ${REDIS_IMAGE:-redis:7.4.1}\n", "    build: ./broker\n")
    )
    assert compose.part("redis") == "broker"
    ports = compose.services["broker"] | {"ports": [{"target": 7000}]}
    open_ = compose_file.ComposeFile(
        compose.path, compose.written, {**compose.services, "broker": ports}, {}, {}
    )
    (found,) = compose_checks.find_exposure(open_)
    assert found.sentence.startswith("broker can be reached from outside")


def test_the_image_that_upgrades_its_data_by_itself_is_a_database(read):
    assert read(changed((IMAGE, "pgautoupgrade/pgautoupgrade:18-alpine"))).part("db") == "db"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ('"--maxmemory-policy", "allkeys-lru", ', "evicts data"),
        ('"--maxmemory-policy", "noeviction", ', None),
        ('"--save", "", "--appendonly", "no", ', "keeps nothing over a restart"),
        ('"--save", "", "--appendonly", "yes", ', None),
        ('"--save", "60 1", ', None),
    ],
)
def test_a_cache_that_loses_the_queue_is_told(linted, options, told):
    start = FILE.index("    command:", FILE.index("\n  redis:"))
    plain = FILE[:start] + FILE[FILE.index("\n", start) + 1 :]
    at = plain.index("    restart:", plain.index("\n  redis:"))
    text = f'{plain[:at]}    command: ["redis-server", {options.strip(", ")}]\n{plain[at:]}'
    assert [told in said for _, said in linted(text)] == ([True] if told else [])


def test_a_command_of_a_cache_in_one_line_is_read_as_well(linted):
    found = linted(service('image: "redis:7"\ncommand: redis-server --save "" --appendonly no'))
    assert len(about(found, "keeps nothing")) == 1


@pytest.mark.parametrize("setting", ["fsync=off", "fsync = OFF", "fsync=on", "max_connections=200"])
def test_a_database_that_a_crash_of_its_host_destroys_is_told(linted, setting):
    found = linted(changed((DATA, f'{DATA}    command: ["postgres", "-c", "{setting}"]\n')))
    assert [said.partition(":")[0] for _, said in found] == (
        ["db runs with fsync off"] if "off" in setting.lower() else []
    )


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (f"ENCRYPTION_KEY: {SAMPLE}", ("ENCRYPTION_KEY is a sample", "do not change it")),
        (
            f"ENCRYPTION_KEY: '${{KEY:-{SAMPLE}}}'",
            ("ENCRYPTION_KEY falls back to a sample", "see which key opens the newest backup"),
        ),
        (f"APP_ENCRYPTION_KEY: {SAMPLE}", ("APP_ENCRYPTION_KEY is a sample", "do not change it")),
        ("DB_PASSWORD: infisical", ("DB_PASSWORD is a sample", "first in the database")),
    ],
)
def test_a_published_key_in_the_compose_file_is_told_with_a_cure_that_loses_nothing(
    read, written, words
):
    text = service(f"image: infisical/infisical:v0.154.6\nenvironment:\n  {written}")
    (found,) = key_strength.find_written_samples(read(text))
    assert (found.line, words[0] in found.sentence, words[1] in found.cure) == (5, True, True)
    own = text.replace(SAMPLE, "0f" * 16).replace("infisical\n", "autumn\n")
    assert key_strength.find_written_samples(read(own)) == []


def test_a_finding_about_a_variable_of_another_name_stands_at_the_compose_file(read, tmp_path):
    text = changed(("      - ENCRYPTION_KEY\n", "      - ENCRYPTION_KEY=$MY_KEY\n"))
    settings = {**Settings.generate().but(ENCRYPTION_KEY=None), "MY_KEY": "short"}
    own = key_strength.Deployed(dotenv.load(env(tmp_path, settings)), read(text, settings))
    found = [one for one in key_strength.keys(own) if one.sentence.startswith("ENCRYPTION_KEY")]
    line = text[: text.index("ENCRYPTION_KEY=$MY_KEY")].count("\n") + 1
    assert {(one.file, one.line) for one in found} == {(str(tmp_path / "compose.yml"), line)}


def test_an_instance_with_an_hsm_may_have_no_key(read, tmp_path):
    text = changed(("      - ENCRYPTION_KEY\n", "      - HSM_LIB_PATH\n"))
    settings = {**Settings.generate().but(ENCRYPTION_KEY=None), "HSM_LIB_PATH": "/hsm.so"}
    own = key_strength.Deployed(dotenv.load(env(tmp_path, settings)), read(text, settings))
    assert key_strength.keys(own) == []
    found = compose_checks.lint(own.compose, own.env)
    assert not [one for one in found if "ENCRYPTION_KEY" in one.sentence]


def test_a_reference_to_another_variable_is_not_taken_for_the_key(read, tmp_path):
    settings = {**Settings.generate(), "ENCRYPTION_KEY": "${MINE}"}
    own = key_strength.Deployed(dotenv.load(env(tmp_path, settings)), read(FILE, settings))
    (found,) = key_strength.keys(own)
    assert found.sentence == "ENCRYPTION_KEY is not set"
    settings["MINE"] = "0123456789abcdef8899aabbccddeeff"
    own = key_strength.Deployed(dotenv.load(env(tmp_path, settings)), read(FILE, settings))
    assert own.get("ENCRYPTION_KEY") == settings["MINE"]
    settings["ENCRYPTION_KEY"] = "$MINE"
    own = key_strength.Deployed(dotenv.load(env(tmp_path, settings)), read(FILE, settings))
    assert own.get("ENCRYPTION_KEY") == settings["MINE"]


def test_a_key_that_the_compose_file_spells_is_the_deployed_one(read, tmp_path):
    spelt, settings = "0123456789abcdef8899aabbccddeeff", Settings.generate()
    text = changed(("      - ENCRYPTION_KEY\n", f"      - ENCRYPTION_KEY={spelt}\n"))
    own = key_strength.Deployed(dotenv.load(env(tmp_path, settings)), read(text, settings))
    assert own.root_key == spelt
    escrow = dotenv.load(env(tmp_path, settings, "escrow.env"))
    (found,) = key_strength.escrow_differences(own, escrow)
    assert "ENCRYPTION_KEY is another key than the deployed one" in found.sentence


def test_an_escrow_is_not_compared_with_a_key_that_is_not_given(read, tmp_path):
    own = key_strength.Deployed(dotenv.EnvFile("x.env", {}, {}), read(FILE, {}))
    escrow = dotenv.load(env(tmp_path, Settings.generate()))
    with pytest.raises(Unsupported, match="the deployed ENCRYPTION_KEY is in none of the files"):
        key_strength.escrow_differences(own, escrow)


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("ENCRYPTION_KEY: ${MINE:-0123456789abcdef}", "ENCRYPTION_KEY is written into the file"),
        (
            "DB_CONNECTION_URI: postgres://u:${MINE:-autumn}@db/x",
            "a password is written into a connection string",
        ),
    ],
)
def test_a_default_never_replaces_the_value_in_force(read, written, line):
    text = service(f"image: infisical/infisical:v0.154.6\nenvironment:\n  {written}")
    (found,) = (one for one in compose_checks.lint(read(text), {}) if one.sentence == line)
    assert found.cure.startswith("if Coolify (or .env) sets MINE, leave that value as it is;")
    assert "write ${MINE:?} here" in found.cure


def test_a_name_alone_in_a_file_of_variables_sets_nothing(tmp_path):
    file = tmp_path / "vars.env"
    file.write_text("POSTGRES\nexport SMTP_HOST\nSITE_URL=https://x\n")
    assert dict(dotenv.load(file)) == {"SITE_URL": "https://x"}
    file.write_text("SITE_URL=https://x\nlost words\n")
    with pytest.raises(BadInput, match="line 2: this is not NAME=value"):
        dotenv.load(file)


@pytest.mark.skipif(not shutil.which("docker"), reason="compose itself reads the file")
def test_a_service_that_is_not_there_is_named(tmp_path):
    file = tmp_path / "compose.yml"
    file.write_text("services: {web: {image: 'nginx:1', depends_on: [gone]}}\n")
    with pytest.raises(BadInput, match='service "web" depends on undefined service "gone"'):
        compose_file.load(file, {})


def test_the_file_that_compose_reads_by_itself_is_read_where_none_was_given(tmp_path):
    compose, beside, other = (tmp_path / one for one in ("compose.yml", ".env", "other.env"))
    assert GivenFiles(compose=compose).variables_of_dotenv == {}
    beside.write_text("# nothing yet\n")
    assert GivenFiles(compose=compose).variables_of_dotenv == {}
    beside.write_text("VERSION=v0.154.6\n")
    assert dict(GivenFiles(compose=compose).variables_of_dotenv) == {"VERSION": "v0.154.6"}
    assert GivenFiles(compose=compose, env_file=other).variables_of_dotenv == {}


@pytest.mark.parametrize("by_docker", [False, True])
@pytest.mark.parametrize(
    ("written", "is_empty"),
    [
        ("ENCRYPTION_KEY: ${ENCRYPTION_KEY_TYPO}", True),
        ("ENCRYPTION_KEY: ${OTHER:-}", True),
        ("ENCRYPTION_KEY: ''", True),
        ("ENCRYPTION_KEY:", False),
        ("ENCRYPTION_KEY: ${ENCRYPTION_KEY}", False),
        ("ENCRYPTION_KEY: ${OTHER:-0f1e2d3c4b5a69788796a5b4c3d2e1f9}", False),
        # Coolify makes this one.
        ("ENCRYPTION_KEY: ${SERVICE_PASSWORD_ENCRYPTIONKEY}", False),
        ("SITE_URL: ''", False),
    ],
)
def test_a_key_that_compose_hands_on_empty_is_told(tmp_path, request, by_docker, written, is_empty):
    if by_docker and not shutil.which("docker"):
        pytest.skip("the docker program is not installed")
    if not by_docker:
        request.getfixturevalue("read")
    text = service(
        f"image: infisical/infisical:v0.154.6\nenv_file: .env\nenvironment:\n  {written}"
    )
    (tmp_path / "compose.yml").write_text(text)
    values = Settings.generate()
    file = env(tmp_path, values, ".env")
    compose = compose_file.load(tmp_path / "compose.yml", values)
    said = "ENCRYPTION_KEY reaches other empty, although "
    # Given, or found by the compose file that names it.
    for given in (dotenv.load(file), dotenv.EnvFile("generated settings", values, {})):
        found = key_strength.keys(key_strength.Deployed(given, compose))
        told = [(one.line, one.file) for one in found if one.sentence.startswith(said)]
        assert told == ([(6, str(tmp_path / "compose.yml"))] if is_empty else [])
    # The names of other files say nothing.
    (tmp_path / ".env").write_text("\n")
    assert key_strength.find_empty_variables(key_strength.Deployed(given, compose)) == []


@pytest.mark.parametrize("name", ["SITE_URL", "REDIS_URL"])
def test_a_variable_that_compose_hands_on_empty_is_no_fault_of_the_keys(read, tmp_path, name):
    compose = read(
        service(f"image: infisical/infisical:v0.154.6\nenvironment:\n  {name}: ${{TYPO}}")
    )
    values = Settings.generate().but(REDIS_URL="redis://redis:6379")
    given = key_strength.Deployed(dotenv.load(env(tmp_path, values)), compose)
    (found,) = key_strength.find_empty_variables(given)
    assert found.sentence.startswith(f"{name} reaches other empty")
    assert str(found) not in map(str, key_strength.keys(given))
