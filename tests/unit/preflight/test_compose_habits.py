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
