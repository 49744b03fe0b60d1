"""What a live check is given: addresses and credential files that are wrong end in one sentence."""

from types import SimpleNamespace

import pytest

from drillbook.core.errors import BadInput, NotGiven
from drillbook.infisical.address import parse_address
from drillbook.live import instance
from fixtures.session import live_fixtures, stacks


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://secrets.example.com", "https://secrets.example.com"),
        ("https://Secrets.Example.com/", "https://secrets.example.com"),
        ("https://secrets.example.com:8443", "https://secrets.example.com:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://[::1]:8443", "https://[::1]:8443"),
        (" https://secrets.example.com ", "https://secrets.example.com"),
        ("https://geheimnis.österreich.example", "https://geheimnis.österreich.example"),
    ],
)
def test_address_is_understood(given, origin):
    assert str(parse_address(given)) == origin


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "empty"),
        ("secrets.example.com", "not an http or https address"),
        ("ftp://secrets.example.com", "not an http or https address"),
        ("file:///etc/passwd", "not an http or https address"),
        ("https://ada:hunter2@secrets.example.com", "holds a user name or a password"),
        ("https://secrets.example.com/login", "has a path"),
        ("https://secrets.example.com?a=b", "has a path, a query"),
        ("https://", "names no host"),
        ("https://a b", "names no host"),
        ("https://secrets.example.com:99999", "impossible port or host"),
        ("https://secrets.example.com:0", "impossible port or host"),
        ("https://[::1", "impossible port or host"),
        ("https://a\x00b", "empty, too long or not text"),
        ("https://" + "a" * 3000, "empty, too long or not text"),
    ],
)
def test_wrong_address_is_one_sentence_without_what_it_holds(given, words):
    with pytest.raises(BadInput, match=words) as told:
        parse_address(given)
    assert "hunter2" not in str(told.value)
    assert "\n" not in str(told.value)


def file(tmp_path, text, mode=0o600):
    path = tmp_path / "credential.env"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_token_or_machine_is_read_and_never_shown(tmp_path):
    given = instance.load(file(tmp_path, "TOKEN=st.abc.def\nPROJECTS=one, two\n"))
    assert (given.token, given.machine, given.projects) == ("st.abc.def", None, ("one", "two"))
    assert "abc" not in repr(given)
    given = instance.load(file(tmp_path, "CLIENT_ID=me\nCLIENT_SECRET=s3cret\n"))
    assert given.machine.client_secret == "s3cret"
    assert "s3cret" not in repr(given)


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ("TOKEN=abc\n", 0o644, "chmod 600"),
        ("TOKEN=abc\n", 0o640, "can be read by others"),
        ("TOKEN=\n", 0o600, "must hold"),
        ("CLIENT_ID=me\n", 0o600, "must hold"),
        ("TOKEN=hunter2\nCLIENT_ID=me\nCLIENT_SECRET=it\n", 0o600, "must hold"),
        ('TOKEN="hunter2\\nX-Evil: 1"\n', 0o600, "no header can carry"),
        ("TOKEN=hunter2-ü\n", 0o600, "no header can carry"),
        ("hunter2\n", 0o600, "line 1: this is not NAME=value"),
        ("", 0o600, "is empty"),
    ],
)
def test_wrong_credential_file_is_one_sentence(tmp_path, text, mode, words):
    with pytest.raises(BadInput, match=words) as told:
        instance.load(file(tmp_path, text, mode))
    assert "hunter2" not in str(told.value)


def test_missing_credential_file_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"nowhere does not exist; check the path"):
        instance.load(tmp_path / "nowhere")


def test_a_run_without_an_instance_names_the_command_that_takes_one():
    config = SimpleNamespace(stash={stacks.CHOICE: SimpleNamespace(driver="containers")})
    with pytest.raises(NotGiven, match=r"^checked by `drillbook live URL` only"):
        next(live_fixtures.live_site.__wrapped__(config, None, None))
