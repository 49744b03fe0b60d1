"""Each thing a compose file must have: told with its line when it lacks, else silent."""

import pytest

from drillbook.preflight import compose_checks
from drillbook.stack import compose_file
from fixtures.mutants.file_bugs import SOUND
from tests.support.compose_documents import PINNED, about, linter, service

FILE = SOUND.read_text()


@pytest.fixture
def linted(tmp_path, monkeypatch):
    return linter(tmp_path, monkeypatch)


def changed(old, new, whole=FILE):
    assert whole.count(old) >= 1
    return whole.replace(old, new, 1)


def line(text, part):
    return text[: text.index(part)].count("\n") + 1


def test_sound_file_has_nothing_to_tell(linted):
    assert linted(FILE) == []
    assert linted(FILE, SMTP_HOST="mail.example.com", SMTP_PASSWORD="x") == []


@pytest.mark.parametrize("name", ["SITE_URL", "TELEMETRY_ENABLED", "AUTH_SECRET", "ENCRYPTION_KEY"])
def test_variable_that_does_not_reach_the_backend_is_told_at_its_environment(linted, name):
    text = FILE.replace(f"      - {name}\n", "").replace("      - JWT_AUTH_SECRET\n", "")
    sentence = f"{name} does not reach backend: typed into Coolify, it changes nothing"
    assert (line(text, "    environment:"), sentence) in linted(text)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("ENCRYPTION_KEY", "ROOT_ENCRYPTION_KEY"),
        ("REDIS_URL=redis://redis:6379", "REDIS_CLUSTER_HOSTS=redis:6379"),
        ("REDIS_URL=redis://redis:6379", "REDIS_SENTINEL_HOSTS=redis:6379"),
    ],
)
def test_variable_may_reach_the_backend_under_its_other_names(linted, name, other):
    assert linted(changed(f"- {name}\n", f"- {other}\n")) == []


@pytest.mark.parametrize("name", compose_checks._MAIL)
def test_variable_of_mail_must_reach_the_backend_once_it_is_set(linted, name):
    text = changed(f"      - {name}\n", "")
    assert linted(text) == linted(text, **{name: ""}) == []
    (found,) = linted(text, **{name: "x"})
    assert found[1].startswith(f"{name} does not reach backend")


@pytest.mark.parametrize(
    ("role", "what"), [("backend", "backend"), ("db", "database"), ("redis", "cache")]
)
def test_part_that_no_service_plays_is_told(linted, role, what):
    images = {"backend": "INFISICAL_IMAGE", "db": "POSTGRES_IMAGE", "redis": "REDIS_IMAGE"}
    start = FILE.index("${" + images[role])
    text = FILE.replace(FILE[start : FILE.index("\n", start)], "nginx:1.2")
    if role == "backend":
        text = text.replace("      - ENCRYPTION_KEY\n", "")
    told = [said for _, said in linted(text) if said.startswith("no service is")]
    assert told == [f"no service is the {what}"]


@pytest.mark.parametrize("name", ["backend", "db", "redis"])
def test_service_without_a_restart_policy_is_told(linted, name):
    start = FILE.index("restart:", FILE.index(f"\n  {name}:"))
    sentence = f"{name} has no restart policy that survives a crash and a reboot"
    for policy in ("on-failure", "'no'"):
        rest = FILE[start:].replace("unless-stopped", policy, 1)
        assert linted(FILE[:start] + rest) == [(line(FILE, FILE[start:]), sentence)]
    assert linted(FILE[:start] + FILE[start:].replace("unless-stopped", "always", 1)) == []


@pytest.mark.parametrize(("condition", "told"), [("any", 0), ("on-failure", 1), ("none", 1)])
def test_policy_of_a_deployment_counts_when_it_restarts_always(linted, condition, told):
    policy = f"deploy: {{restart_policy: {{condition: {condition}}}}}"
    text = changed("    restart: unless-stopped\n", f"    {policy}\n")
    assert len(about(linted(text), "restart policy")) == told


@pytest.mark.parametrize(
    "check",
    ["{disable: true, test: [CMD, 'true']}", "{test: NONE}", "{test: [NONE]}", "{interval: 5s}"],
)
def test_service_that_nobody_asks_how_it_is_is_told(linted, check):
    start = FILE.index("    healthcheck:", FILE.index("\n  redis:"))
    text = FILE[:start] + f"    healthcheck: {check}\n" + FILE[FILE.index("\nvolumes:") :]
    assert linted(text) == [(line(text, f"healthcheck: {check}"), "redis has no health check")]
    sound = text.replace(check, "{disable: false, test: redis-cli ping}")
    assert linted(sound) == []


@pytest.mark.parametrize(
    ("role", "folder"), [("db", "/var/lib/postgresql/data"), ("redis", "/data")]
)
def test_data_that_lies_on_no_named_volume_is_told(linted, role, folder):
    name = {"db": "pg_data", "redis": "redis_data"}[role]
    at = f"      - {name}:{folder}\n"
    lost = f"the data of {role} lies on no named volume and is lost with its container"
    host = f"the data of {role} lies in a folder of the host, not on a named volume"
    for mount, sentence in (
        (f"{name}:/elsewhere", lost),
        (folder, lost),
        (f"./here:{folder}", host),
        (f"/srv/{role}:{folder}", host),
    ):
        text = changed(at, f"      - {mount}\n")
        assert linted(text) == [(line(text, f"    volumes:\n      - {mount}"), sentence)]
    assert linted(changed(at, f"      - ./notes:/notes\n{at}")) == []


@pytest.mark.parametrize(
    ("mount", "told"),
    [
        ("./db:/var/lib/postgresql", "the mount at /var/lib/postgresql does not hold the data"),
        ("./pg_hba.conf:/var/lib/postgresql/data/pg_hba.conf", "lies on no named volume"),
        ("pg_data:/var/lib/postgresql/backups", "lies on no named volume"),
    ],
)
def test_a_mount_beside_the_data_does_not_hold_it(linted, mount, told):
    text = changed("      - pg_data:/var/lib/postgresql/data\n", f"      - {mount}\n")
    ((_, sentence),) = linted(text)
    assert told in sentence


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        ("nginx", False),
        ("nginx:latest", False),
        ("nginx:latest-alpine", False),
        ("registry:5000/nginx", False),
        ("nginx:1.2", True),
        ("registry:5000/a/nginx:1.2", True),
        (PINNED, True),
        ("nginx@sha256:" + "0" * 64, True),
    ],
)
def test_image_whose_version_may_change_is_told(linted, image, pinned):
    found = about(linted(service(f"image: {image}")), "not pinned")
    sentence = "the image of other is not pinned, so a redeployment may change its version"
    assert found == ([] if pinned else [(3, sentence)])


def test_image_that_is_built_here_needs_no_version_and_a_service_without_any_does(linted):
    assert about(linted(service("build: .")), "not pinned") == []
    assert len(about(linted(service("build: .\nimage: ours")), "not pinned")) == 1
    assert len(about(linted(service("restart: always")), "not pinned")) == 1


@pytest.mark.parametrize("name", ["db", "redis"])
def test_backend_that_starts_before_its_neighbours_is_told(linted, name):
    start = f"      {name}:\n        condition: "
    text = changed(f"{start}service_healthy", f"{start}service_started")
    sentence = f"backend does not wait until {name} is healthy"
    assert linted(text) == [(line(text, start), sentence)]
    without = changed(f"{start}service_healthy\n", "")
    assert linted(without) == [(line(without, "    depends_on:"), sentence)]


def test_backend_that_waits_for_nothing_is_told_of_both(linted):
    text = FILE[: FILE.index("    depends_on:")] + FILE[FILE.index("    environment:") :]
    assert [said for _, said in linted(text)] == [
        "backend does not wait until db is healthy",
        "backend does not wait until redis is healthy",
    ]


def test_findings_come_in_the_order_of_the_file_with_their_cures(linted, tmp_path):
    text = f"{FILE.replace('      - SITE_URL', '      - X').replace('redis:7', 'redis')}"
    text = text.replace("services:", "x-all: {A_KEY: autumn}\nservices:", 1)
    lines = [at for at, _ in linted(text)]
    assert lines == sorted(lines)
    assert len(set(lines)) == 3
    cures = {
        one.cure for one in compose_checks.lint(compose_file.load(tmp_path / "compose.yml", {}), {})
    }
    assert "add the line `- SITE_URL` to its environment" in cures
    text = text.replace("- AUTH_SECRET\n", "- X\n").replace("- JWT_AUTH_SECRET\n", "- Y\n")
    assert linted(text)
    cures = {
        one.cure for one in compose_checks.lint(compose_file.load(tmp_path / "compose.yml", {}), {})
    }
    assert "add the line `- AUTH_SECRET` to its environment" in cures


def test_one_service_that_is_built_hides_no_other(linted):
    text = service("build: .") + "  more:\n    image: nginx\n"
    assert [at for at, _ in about(linted(text), "not pinned")] == [5]


def test_environment_in_a_file_that_is_not_there_is_not_missed(linted):
    start = FILE.index("    environment:")
    rest = FILE[FILE.index("    # Reached by") :]
    text = f"{FILE[:start]}    env_file: production.env\n{rest}"
    assert about(linted(text), "does not reach") == []
    present = text.replace("    env_file: production.env\n", "")
    assert len(about(linted(present), "does not reach")) == 6
