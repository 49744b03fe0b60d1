"""What preflight advises loses nothing, if an operator does exactly that, at once."""

import re
import secrets
from contextlib import suppress
from dataclasses import replace

import pytest

from drillbook.core import dotenv
from drillbook.core.errors import StackTrouble, Unsupported
from drillbook.infisical.settings import KEYS, Settings
from drillbook.preflight import key_strength
from drillbook.preflight.file_checks import CHECKS
from drillbook.preflight.git_scan import Repository
from drillbook.preflight.given_files import GivenFiles
from drillbook.stack import compose_file
from fixtures.mutants.base import registry
from fixtures.mutants.file_bugs import SOUND, backup, commit, encrypted_root, env, repository

pytestmark = pytest.mark.slow

SEALING = ("ENCRYPTION_KEY", "ROOT_ENCRYPTION_KEY")
SAMPLE = "f13dbc92aaaf86fa7cb0ed8ac3265f47"
# What changes a key or a password, or takes data away.
HARM = re.compile(
    r"\b(?:make one|made by|openssl|generate|anew|another|replace|retire|revoke|(?<!not )change|"
    r"mount|restore|wipe|remove|drop)\b"
)
PROOF = ("key check", "do not change it")
# What no planted file has, as a cache that keeps nothing.
COMPOSE = """services:
  backend:
    image: infisical/infisical:$VERSION
    environment: {TELEMETRY_ENABLED: "yes", ROOT_ENCRYPTION_KEY: "${OTHER:-%s}"}
    labels: [com.centurylinklabs.watchtower.enable=true]
  db:
    image: postgres:17
    volumes: ["pg:/var/lib/postgresql"]
    healthcheck: {test: exit 0}
  redis:
    image: redis:7
    command: redis-server --save "" --appendonly no --requirepass autumn
    volumes: ["/tmp/redis:/data"]
volumes: {pg: }
"""


def deployed(folder, settings, compose=SOUND):
    return key_strength.Deployed(
        dotenv.load(env(folder, settings)), compose_file.load(compose, settings)
    )


def of_keys(folder):
    settings = Settings.generate()
    root = secrets.token_hex(16)
    long = {"ENCRYPTION_KEY": None, "ROOT_ENCRYPTION_KEY": root}
    for change in (
        *({name: value} for name in SEALING for value in (None, "", SAMPLE, "a" * 32, f" {root} ")),
        *({name: value} for name in KEYS[1:] for value in (None, "", "infisical", " autumn ")),
        *({"ENCRYPTION_KEY": value} for value in (root * 2, "QUJD" * 11, "short")),
        {"FIPS_ENABLED": "true"},
        long,
        {**long, "AUTH_SECRET": root},
        {"AUTH_SECRET": settings["ENCRYPTION_KEY"]},
        {"ROOT_ENCRYPTION_KEY": settings["ENCRYPTION_KEY"]},
        {"AUTH_SECRET": None, "JWT_AUTH_SECRET": None},
        *(
            {"POSTGRES_PASSWORD": value}
            for value in (None, "infisical", "autumn", "kT9xQ2vMb7Zr4LwYc8Hd5Js1Ng")
        ),
        {"POSTGRES_USER": settings["POSTGRES_PASSWORD"]},
        {"REDIS_PASSWORD": "autumn"},
        *({"SITE_URL": value} for value in (None, "http://x", "https://", "https://[x")),
    ):
        given = deployed(folder, settings.but(**change))
        yield from [
            *key_strength.keys(given),
            *key_strength.passwords(given),
            *key_strength.address(given),
        ]
    opened = env(folder, settings)
    opened.chmod(0o644)
    yield from key_strength.readable_by_others(dotenv.load(opened))
    yield from _of_exposed_cache(folder, settings)


def _of_exposed_cache(folder, settings):
    file = folder / "exposed.yml"
    database = "db: {image: 'postgres:17', environment: {POSTGRES_HOST_AUTH_METHOD: trust}}"
    cache = "redis: {image: 'redis:7', ports: ['6379:6379']}"
    file.write_text(f"services: {{{cache}, {database}}}\n")
    yield from key_strength.passwords(deployed(folder, settings, file))


def of_repository(folder):
    settings, repo = Settings.generate(), repository(folder)
    known = {name: str.__str__(value) for name, value in settings.sensitive().items()}
    known |= {"ROOT_ENCRYPTION_KEY": secrets.token_urlsafe(32), "REDIS_PASSWORD": "k" * 9 + "x1yZ3"}
    known |= {"SMTP_PASSWORD": "mail-" + secrets.token_hex(8)}
    commit(repo, "a.env", "".join(f"{name}={value}\n" for name, value in known.items()))
    commit(repo, "b.yml", f"  ENCRYPTION_KEY: {secrets.token_hex(16)}\n")
    token = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0cD3fG6"
    commit(repo, "c.sh", f"login {token}\n")
    (repo / "e.env").write_text(
        "".join(f"ENCRYPTION_KEY={secrets.token_hex(16)}\n" for _ in range(110))
    )
    found = Repository(repo).search(known)
    assert {one.sentence.split(" ")[0] for one in found.known} == {*known}
    yield from [*found.known, *found.leaks]


def of_planted_files(folder):
    settings, file = Settings.generate(), folder / "compose.yml"
    file.write_text(COMPOSE % SAMPLE)
    sound = GivenFiles(
        env(folder, settings),
        SOUND,
        repository(folder),
        env(folder, settings, "escrow.env"),
        backup(folder, encrypted_root(settings["ENCRYPTION_KEY"])),
    )
    planted = [replace(sound, compose=file)]
    for bug in registry().values():
        if bug.where == "file":
            (place := folder / bug.name).mkdir()
            files = bug.hooks["files"](None, lambda place=place: place)
            # The search of a repository takes longest.
            planted.append(replace(sound, **{"repo": None, **files}))
    for files in planted:
        for check in CHECKS:
            if all(getattr(files, name) for name in check.needs):
                with suppress(Unsupported, StackTrouble):
                    yield from check.find(files)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    ways = (of_keys, of_repository, of_planted_files)
    return [one for way in ways for one in way(tmp_path_factory.mktemp(way.__name__))]


def is_about_sealing(one):
    return bool(re.search(r"\b(?:ROOT)?ENCRYPTION_KEY\b|infisical-key", one.sentence))


def test_no_cure_changes_a_key_that_seals_data_before_a_proof(made):
    sealing = [
        one
        for one in made
        if is_about_sealing(one) and one.sentence.split(" ")[0] in (*SEALING, "looks")
    ]
    assert len(sealing) > 20
    for one in sealing:
        harm = HARM.search(one.cure)
        before = one.cure[: harm.start()] if harm else PROOF[0]
        assert any(proof in before for proof in PROOF), str(one)


def test_no_cure_says_anew(made):
    assert not [str(one) for one in made if "anew" in one.cure]


def test_no_cure_redeploys_another_release(made):
    told = [one for one in made if re.search(r"\bredeploy\b|same redeployment", one.cure)]
    assert {"AUTH_SECRET", "POSTGRES_PASSWORD", "SMTP_PASSWORD"} <= {
        one.sentence.split(" ")[0] for one in told
    }
    assert [one for one in told if "in place of that" in one.cure], "the cache's command"
    assert [str(one) for one in told if "--pull never" not in one.cure] == []


@pytest.mark.parametrize(
    ("words", "first", "then"),
    [
        ("POSTGRES_PASSWORD", "first in the database", "redeploy"),
        ("POSTGRES_PASSWORD", "DB_CONNECTION_URI where", "then redeploy"),
        ("lies on no named volume", "back the database up", "mount"),
        ("lies on no named volume", "restore the backup", "start the backend"),
        ("lies on no named volume", "close the public address first", "empty the cache"),
        ("lies on no named volume", "empty the cache", "restore the backup"),
        ("has got no fixes since", "start the database alone", "start the backend"),
        ("is not pinned", "runs now", "rehearsal"),
        ("looks like a credential (github-pat)", "take another", "revoke"),
        ("ENCRYPTION_KEY stands there", "do not change it", "retire"),
    ],
)
def test_cure_has_the_order_that_loses_nothing(made, words, first, then):
    fitting = [one.cure for one in made if words in one.sentence and first in one.cure]
    assert fitting
    assert all(cure.index(first) < cure.index(then) for cure in fitting)


def test_sample_of_todays_documentation_is_known(tmp_path):
    given = deployed(tmp_path, Settings.generate().but(ENCRYPTION_KEY=SAMPLE))
    (found,) = key_strength.keys(given)
    assert "is a sample that everybody can read" in found.sentence
    assert "own rotation, which releases since v0.165 have" in found.cure


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("POSTGRES_PASSWORD", "first in the database"),
        ("SERVICE_PASSWORD_POSTGRES", "first in the database"),
        ("DB_PASSWORD", "first in the database"),
        ("REDIS_PASSWORD", "the cache's own"),
        ("SMTP_PASSWORD", "at the mail server"),
        ("AUTH_SECRET", "must log in again"),
        ("AUTH_SECRET", "of token auth and of SCIM must be issued again"),
        ("JWT_AUTH_SECRET", "where AUTH_SECRET is set, remove it"),
        ("JWT_REFRESH_SECRET", "the product does not read it"),
        ("SERVICE_PASSWORD_64_ENCRYPTIONKEY", "do not change it while there is data"),
        ("OLD_ENCRYPTION_KEY", "do not change it while there is data"),
        ("INFISICAL_ENCRYPTION_KEY_2024", "do not change it while there is data"),
        ("the password in DB_CONNECTION_URI", "first in the database"),
        ("the password in REDIS_URL", "the cache's own"),
        ("GITHUB_CLIENT_SECRET", "then revoke this one"),
    ],
)
def test_the_cure_is_that_of_its_variable(name, cure):
    assert cure in key_strength.cure(name)
