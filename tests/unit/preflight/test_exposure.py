"""A deployment is exposed to a weakness of its release, or not, by its compose and env file."""

import pytest

from drillbook.core import dotenv
from drillbook.core.application import ROOT
from drillbook.preflight import exposure
from drillbook.preflight.key_strength import Deployed
from drillbook.stack import compose_file

REFERENCE = ROOT / "compose" / "docker-compose.coolify.yml"


@pytest.fixture
def deployed(tmp_path):
    """A function that makes a deployment of an env file's lines and changes to the compose file."""

    def make(*lines, changes=()):
        env_file = tmp_path / "deployed.env"
        env_file.write_text("\n".join(["NODE_ENV=production", *lines]))
        text = REFERENCE.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        file = tmp_path / "compose.yml"
        file.write_text(text)
        env = dotenv.load(env_file)
        return Deployed(env, compose_file.load(file, env))

    return make


# What `new URL` of node 20 says of each was compared by hand, with 3,000 random passwords as well:
# whatever it refuses is named, and nothing else but an address of which it reads a cut password.
@pytest.mark.parametrize(
    ("address", "broken"),
    [
        ("postgres://u:p@db:5432/x", ""),
        ("postgres://u:a@b@db:5432/x", ""),
        ("postgres://u:a%b c@db/x", ""),
        ("postgres://u:[p]@db/x", ""),
        ("postgres://u:p@[::1]:5432/x", ""),
        ("postgres://u:p@db/x?o=a@b", ""),
        ("postgres://db/x?o=a@b", ""),
        ("postgres://u:a/b@db:5432/x", "raw /"),
        ("postgres://u:1/b@db:5432/x", "raw /"),
        ("postgres://u:a#b@db:5432/x", "raw #"),
        ("postgres://u:a?b@db:5432/x", "raw ?"),
        ("postgres://u:p@db:99999/x", "port"),
        ("postgres://u:p@db:x/x", "port"),
        ("postgres://u:p@a:1,b:2/x", "port"),
        ("postgres://u:p@[::1/x", "host"),
        ("postgres://u:p@/x", "host"),
        ("postgres://u:p@:5432/x", "host"),
        ("postgres://u:p@d b/x", "host"),
        ("u:p@db", "scheme"),
    ],
)
def test_an_address_breaks_as_for_the_product(address, broken):
    said = exposure.why_no_url(address)
    assert broken in said
    assert bool(said) == bool(broken)


def state(condition, of):
    return condition(of).state


def test_a_password_breaks_the_url_unless_it_is_encoded(deployed):
    raw = deployed("POSTGRES_PASSWORD=first/second")
    found = exposure.password_breaks_url(raw)
    assert found.state == "exposed"
    assert "first" not in found.because
    assert "second" not in found.because
    encoded = "POSTGRES_PASSWORD_ENCODED=first%2Fsecond"
    sound = deployed("POSTGRES_PASSWORD=first/second", encoded)
    assert state(exposure.password_breaks_url, sound) == "not_exposed"
    assert state(exposure.password_breaks_url, deployed("POSTGRES_PASSWORD=abc")) == "not_exposed"


def test_the_address_that_the_product_puts_together_is_judged_as_well(deployed):
    lines = [line for line in REFERENCE.read_text().splitlines() if "- DB_CONNECTION_URI" in line]
    parts = "      - DB_PASSWORD=${POSTGRES_PASSWORD}\n      - DB_HOST=db\n      - DB_USER=u"
    apart = [(lines[0], parts)]
    raw = deployed("POSTGRES_PASSWORD=a/b", changes=apart)
    assert state(exposure.password_breaks_url, raw) == "exposed"
    sound = deployed("POSTGRES_PASSWORD=ab", changes=apart)
    assert state(exposure.password_breaks_url, sound) == "not_exposed"
    unknown = deployed("POSTGRES_PASSWORD=ab", changes=[(lines[0], "      - A=b")])
    assert state(exposure.password_breaks_url, unknown) == "not_judged"


def test_a_password_of_the_cache_counts_wherever_it_stands(deployed):
    assert state(exposure.cache_needs_password, deployed()) == "not_exposed"
    in_url = [("redis://redis:6379", "redis://:${CACHE}@redis:6379")]
    assert state(exposure.cache_needs_password, deployed("CACHE=abc", changes=in_url)) == "exposed"
    command = [('"--appendonly", "yes"', '"--requirepass", "${CACHE}"')]
    assert state(exposure.cache_needs_password, deployed("CACHE=abc", changes=command)) == "exposed"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), "exposed"),
        (("SMTP_HOST=",), "exposed"),
        (("SMTP_HOST=mail.example.com",), "not_exposed"),
    ],
)
def test_a_mail_server_is_one_that_the_backend_gets(deployed, lines, expected):
    assert state(exposure.no_mail_server, deployed(*lines)) == expected
    lost = deployed(*lines, changes=[("      - SMTP_HOST\n", "")])
    assert state(exposure.no_mail_server, lost) in ("exposed", expected)


def test_a_cache_is_reachable_through_a_published_port(deployed):
    assert state(exposure.cache_is_reachable, deployed()) == "not_exposed"
    image = "    image: ${REDIS_IMAGE:-redis:7-alpine}\n"
    for port, expected in (("6379:6379", "exposed"), ("127.0.0.1:6379:6379", "not_exposed")):
        published = deployed(changes=[(image, f'{image}    ports: ["{port}"]\n')])
        assert state(exposure.cache_is_reachable, published) == expected
