"""The reference deployment, as compose understands it; no engine is asked."""

import re
import shutil
import socket
import subprocess

import pytest
import yaml

from drillbook.core.application import ROOT
from drillbook.core.errors import BadInput, NoHost, StackTrouble
from drillbook.infisical.settings import KEYS, Settings
from drillbook.stack.containers import compose
from drillbook.stack.containers.compose import Project, load, mount_above, overlay
from fixtures.faults import temporary_faults

FILE = ROOT / "compose" / "docker-compose.coolify.yml"
DOCUMENTED = (*KEYS, "SITE_URL", "INVITE_ONLY", "TELEMETRY_ENABLED", "SMTP_HOST", "SMTP_PORT")
MAIL = ("SMTP_USERNAME", "SMTP_PASSWORD", "SMTP_FROM_ADDRESS")
PASSWORD = "p/w#?%$x:@"

pytestmark = pytest.mark.skipif(not shutil.which("docker"), reason="there is no docker program")


def resolved(settings, *files):
    project = Project("drillbook-test-secrets", [FILE, *files])
    project.take(settings, compose.pinned_images())
    return yaml.safe_load(project.call("config", "--format", "json"))


@pytest.fixture(scope="module")
def model():
    return resolved(Settings.generate())


def test_no_port_is_published_and_no_host_is_shared(model):
    assert not any(one.get("ports") for one in model["services"].values())
    assert not any(one.get("network_mode") for one in model["services"].values())
    assert model["networks"]["secrets"]["driver"] == "bridge"


def test_a_late_postgresql_has_its_volume_above_its_data(tmp_path):
    file = tmp_path / "above.yml"
    file.write_text(mount_above(load(FILE, compose.pinned_images()), "", {}, ""))
    found = resolved(Settings.generate(), file)["services"]["db"]["volumes"]
    assert [(one["source"], one["target"]) for one in found] == [("pg_data", "/var/lib/postgresql")]


def test_data_rests_on_named_volumes(model):
    mounts = {name: one.get("volumes", []) for name, one in model["services"].items()}
    sources = {name: [(m["type"], m["source"]) for m in found] for name, found in mounts.items()}
    assert sources["db"] == [("volume", "pg_data")]
    assert sources["redis"] == [("volume", "redis_data")]


@pytest.mark.parametrize("service", ["backend", "db", "redis"])
def test_service_restarts_and_tells_its_health(model, service):
    assert model["services"][service]["restart"] == "unless-stopped"
    assert model["services"][service]["healthcheck"]["test"]


def test_backend_waits_for_healthy_neighbours(model):
    needs = model["services"]["backend"]["depends_on"]
    assert {name: one["condition"] for name, one in needs.items()} == {
        "db": "service_healthy",
        "redis": "service_healthy",
    }


def test_images_are_those_of_versions_env(model):
    text = FILE.read_text()
    for name, image in compose.pinned_images().items():
        assert f"${{{name}:-{image}}}" in text
    found = {one["image"] for one in model["services"].values()}
    assert found == set(compose.pinned_images().values())


@pytest.mark.parametrize(
    ("release", "cure"), [("16", "by `docker load`"), ("17", "; run `drillbook images`")]
)
def test_a_database_that_is_not_made_here_is_not_promised(monkeypatch, release, cure):
    for name in ("available", "present"):
        monkeypatch.setattr(compose.docker_engine, name, lambda _: False)
    with pytest.raises(NoHost, match=cure):
        compose.database_image(release)
    built = (ROOT / "compose" / "offline" / "build.sh").read_text()
    assert (f"drillbook/postgres:{release}" in built) == ("images" in cure)


def test_documented_variables_reach_the_backend():
    values = {name: f"value of {name}" for name in (*DOCUMENTED, *MAIL)}
    told = resolved({**values, "POSTGRES_PASSWORD": "x"})["services"]["backend"]["environment"]
    assert {name: told[name] for name in values} == values


def test_unset_variables_do_not_arrive_as_empty_text(model):
    told = model["services"]["backend"]["environment"]
    assert not any(told.get(name) for name in MAIL)
    assert "" not in told.values()


def test_password_is_encoded_in_the_address_and_plain_for_the_database():
    services = resolved({"POSTGRES_PASSWORD": PASSWORD})["services"]
    # Compose doubles each dollar sign that it prints.
    assert services["db"]["environment"]["POSTGRES_PASSWORD"].replace("$$", "$") == PASSWORD
    address = services["backend"]["environment"]["DB_CONNECTION_URI"]
    assert address == "postgres://infisical:p%2Fw%23%3F%25%24x%3A%40@db:5432/infisical"


def test_overlay_labels_all_and_publishes_on_loopback_only(tmp_path):
    over = tmp_path / "over.yml"
    marks, pinned = {"io.drillbook.run": "r1"}, {"db": "drillbook/postgres:14"}
    model = load(FILE, compose.pinned_images())
    over.write_text(overlay(model, "drillbook-test-secrets", marks, pinned, ["NEW_VARIABLE"]))
    found = resolved({"POSTGRES_PASSWORD": PASSWORD, "NEW_VARIABLE": "seen"}, over)
    for kind in ("services", "volumes", "networks"):
        assert all(one["labels"] == marks for one in found[kind].values())
    ports = {name: one.get("ports", []) for name, one in found["services"].items()}
    assert [(p["host_ip"], p["target"]) for p in ports["backend"]] == [("127.0.0.1", 8080)]
    assert [(p["host_ip"], p["target"]) for p in ports["db"]] == [("127.0.0.1", 5432)]
    assert ports["redis"] == []
    assert found["services"]["db"]["image"] == "drillbook/postgres:14"
    assert found["services"]["backend"]["environment"]["NEW_VARIABLE"] == "seen"


def test_overlay_passes_what_replaces_a_variable_that_the_file_sets(tmp_path):
    over, settings = tmp_path / "over.yml", {"POSTGRES_PASSWORD": PASSWORD, "REDIS_URL": "replaced"}
    model = load(FILE, compose.pinned_images())
    for replaced, seen in (((), "redis://redis:6379"), (("REDIS_URL",), "replaced")):
        over.write_text(overlay(model, "ours", {}, {}, ["REDIS_URL"], None, replaced))
        backend = resolved(settings, over)["services"]["backend"]
        assert backend["environment"]["REDIS_URL"] == seen


FIXED = "{ENCRYPTION_KEY: fixed, ROOT_ENCRYPTION_KEY: fixed, SITE_URL: fixed, SMTP_HOST: fixed}"


@pytest.mark.parametrize("by", ["environment", "env_file"])
def test_overlay_replaces_the_keys_and_settings_that_a_file_fixes(tmp_path, by):
    file, over, variables = (tmp_path / one for one in ("theirs.yml", "over.yml", "their.env"))
    variables.write_text("".join(f"{name}=fixed\n" for name in re.findall(r"[A-Z_]{5,}", FIXED)))
    fixed = f"environment: {FIXED}" if by == "environment" else "env_file: their.env"
    file.write_text(FOREIGN.replace('environment: {ENCRYPTION_KEY: "${ENCRYPTION_KEY:?}"}', fixed))
    settings = {"ENCRYPTION_KEY": "ours", "SITE_URL": "ours"}
    over.write_text(overlay(load(file, {}), "ours", {}, {}, settings))
    project = Project("ours", [file, over])
    project.take(settings, {})
    found = yaml.safe_load(project.call("config", "--format", "json"))
    seen = found["services"]["app"]["environment"]
    assert {name: value for name, value in seen.items() if value} == settings


def test_overlay_bounds_memory_swap_and_processors(tmp_path):
    over = tmp_path / "over.yml"
    over.write_text(
        overlay(
            load(FILE, compose.pinned_images()), "ours", {}, {}, [], temporary_faults.DOCUMENTED
        )
    )
    services = resolved({"POSTGRES_PASSWORD": PASSWORD}, over)["services"]
    for name, share in temporary_faults.DOCUMENTED.memory.items():
        assert int(services[name]["mem_limit"]) == int(services[name]["memswap_limit"]) == share
        assert services[name]["cpuset"] == "0,1"


FOREIGN = """
services:
  app:
    image: ghcr.io/someone/infisical:v1
    container_name: secrets
    ports: ["0.0.0.0:80:8080"]
    environment: {ENCRYPTION_KEY: "${ENCRYPTION_KEY:?}"}
  migration:
    image: ghcr.io/someone/infisical:v1
    command: npm run migration:latest
  store:
    image: postgres:14
    ports: ["5432:5432"]
    volumes: [data:/var/lib/postgresql/data]
  cache: {image: "valkey/valkey:8"}
volumes:
  data: {external: true, name: production_data}
"""


def test_a_foreign_file_is_cast_and_kept_from_its_own_names(tmp_path):
    file, over = tmp_path / "theirs.yml", tmp_path / "over.yml"
    file.write_text(FOREIGN)
    model = load(file, {})
    assert model.roles == {"backend": "app", "db": "store", "redis": "cache"}
    over.write_text(overlay(model, "ours", {"io.drillbook.run": "r1"}, {}, []))
    project = Project("ours", [file, over])
    project.take({"ENCRYPTION_KEY": "k"}, {})
    found = yaml.safe_load(project.call("config", "--format", "json"))
    assert found["volumes"]["data"]["name"] == "ours_data"
    assert not found["volumes"]["data"].get("external")
    assert "container_name" not in found["services"]["app"]
    assert {p["host_ip"] for p in found["services"]["app"]["ports"]} == {"127.0.0.1"}


def with_address(address, name="DB_CONNECTION_URI"):
    return FOREIGN.replace(" {ENCRYPTION_KEY:", f" {{{name}: '{address}', ENCRYPTION_KEY:")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\xff\xfe\x00", "is not text"),
        (b"services: [", "compose cannot read it"),
        (b"services: {db: {image: 'postgres:14'}, c: {image: 'redis:7'}}", "is the backend"),
        (FOREIGN.replace("[data:/", "[./data:/").encode(), "use a named volume"),
        (FOREIGN.replace("container_name: secrets", "network_mode: host").encode(), "bridge"),
        (
            with_address("postgres://u:${P}@db.example.com:5432/i"),
            "db is at db.example.com",
        ),
        (with_address("postgres://u:${P}@store,other/i"), "db is at other"),
        (with_address("redis://cache.example.com", "REDIS_URL"), "redis is at cache.example.com"),
        (with_address("postgres://a/b", "AUDIT_LOGS_DB_CONNECTION_URI"), "names another database"),
        (with_address("postgres://u:hunter2@store/i"), "DB_CONNECTION_URI has a password that is"),
        (
            FOREIGN + "networks: {default: {driver: macvlan}}\n",
            "network default has the driver macvlan",
        ),
    ],
)
def test_an_unfit_file_is_refused_in_one_sentence(tmp_path, content, words):
    file = tmp_path / "theirs.yml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadInput, match=words) as refused:
        load(file, {})
    assert "\n" not in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "postgres://u:${POSTGRES_PASSWORD}@store:5432/i",
        "postgres://u:${POSTGRES_PASSWORD:-simple}@store/i",
        "${DB_CONNECTION_URI:?}",
        "${DB_CONNECTION_URI:-}",
        "postgres://u:${SERVICE_PASSWORD_POSTGRES}@localhost/i",
    ],
)
def test_a_database_of_the_file_with_a_variable_for_its_password_is_accepted(tmp_path, address):
    file = tmp_path / "theirs.yml"
    file.write_text(with_address(address))
    assert load(file, {}).roles["db"] == "store"


@pytest.mark.parametrize(
    ("variables", "owner"),
    [
        ({"POSTGRES_USER": "ada", "POSTGRES_DB": "led-ger"}, ("ada", "led-ger")),
        ({"POSTGRES_USER": "ada"}, ("ada", "ada")),
        ({"POSTGRES_DB": "ledger"}, ("postgres", "ledger")),
    ],
)
def test_the_database_has_the_user_and_name_that_the_image_gives_it(variables, owner):
    services = {"db": {"environment": variables}}
    assert compose.Model({"db": "db"}, services, (), ()).database == owner


def test_a_database_that_cannot_be_replaced_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "theirs.yml"
    file.write_text(FOREIGN)
    monkeypatch.setattr(compose.docker_engine, "client", lambda: None)
    with pytest.raises(BadInput, match="set POSTGRES_DB"):
        compose.check(file, None)


IMAGE = 'cache: {image: "valkey/valkey:8"}'
POWERS = [
    "privileged: true",
    'devices: ["/dev/sda:/dev/sda"]',
    "cap_add: [CAP_SYS_ADMIN]",
    "cgroup_parent: /x",
    'device_cgroup_rules: ["a *:* rwm"]',
    'volumes_from: ["container:production_db_1"]',
    'network_mode: "container:production_db_1"',
    "pid: host",
    'pid: "container:production_db_1"',
    "ipc: host",
    "userns_mode: host",
    "uts: host",
    "cgroup: host",
]


def with_line(tmp_path, line, more=""):
    """A file whose cache has this line, too."""
    file = tmp_path / "theirs.yml"
    file.write_text(FOREIGN.replace(IMAGE, f'cache: {{image: "valkey/valkey:8", {line}}}{more}'))
    return file


@pytest.mark.parametrize("line", POWERS)
def test_a_service_that_reaches_beyond_its_container_is_refused(tmp_path, line):
    key = line.partition(":")[0]
    with pytest.raises(BadInput, match=f"cache has {key}.*give a compose file without it"):
        load(with_line(tmp_path, line), {})


@pytest.mark.parametrize("reference", ["volumes_from: [agent]", "network_mode: service:agent"])
def test_a_service_is_confined_only_if_it_is_started(tmp_path, reference):
    agent = "\n  agent: {image: agent, privileged: true, volumes: [/var/run:/run]}"
    load(with_line(tmp_path, "init: true", agent), {})
    with pytest.raises(BadInput, match="agent has privileged"):
        load(with_line(tmp_path, reference, agent), {})


@pytest.mark.parametrize(
    "line",
    ["cap_drop: [ALL], cap_add: [CHOWN, cap_setuid]", 'pid: "service:store"', "ipc: private"],
)
def test_an_ordinary_line_is_not_refused(tmp_path, line):
    load(with_line(tmp_path, line), {})


@pytest.mark.parametrize("source", ["/run", "/var/run", "/", "{here}/s"])
@pytest.mark.parametrize("how", ["volume", "secret"])
def test_sockets_of_the_host_are_refused_even_read_only(tmp_path, source, how):
    source = source.format(here=tmp_path)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "s"))
        if how == "volume":
            file = with_line(tmp_path, f'volumes: ["{source}:/x:ro"]')
        else:
            file = with_line(tmp_path, "secrets: [s]")
            file.write_text(f"{file.read_text()}\nsecrets: {{s: {{file: {source}}}}}\n")
        with pytest.raises(BadInput, match=r"through whose sockets it could command the host"):
            load(file, {})


def test_a_mounted_file_is_read_only_in_a_stack(tmp_path):
    (tmp_path / "init.sql").write_text("SELECT 1")
    file, over = with_line(tmp_path, 'volumes: ["./init.sql:/init.sql"]'), tmp_path / "over.yml"
    over.write_text(overlay(load(file, {}), "ours", {}, {}, []))
    project = Project("ours", [file, over])
    project.take({"ENCRYPTION_KEY": "k"}, {})
    [mount] = yaml.safe_load(project.call("config", "--format", "json"))["services"]["cache"][
        "volumes"
    ]
    assert (mount["source"], mount["read_only"]) == (str(tmp_path / "init.sql"), True)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"absent\.yml"):
        load(tmp_path / "absent.yml", {})


def test_a_secret_where_a_long_message_is_cut_is_hidden(monkeypatch):
    project = Project("ours", [FILE])
    project.take(Settings({"AUTH_SECRET": "s3cretvalue" * 3}), {})
    printed = f"{'x' * 290} {'s3cretvalue' * 3} is wrong".encode()
    failed = subprocess.CompletedProcess([], 1, b"", printed)
    monkeypatch.setattr(project, "_attempt", lambda _argv: failed)
    with pytest.raises(StackTrouble, match=r"ended with 1: x+ \*\*\*") as trouble:
        project.call("up")
    assert "s3cret" not in str(trouble.value)
