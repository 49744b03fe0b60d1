"""Settings hold keys and never show them."""

import re

import pytest

from drillbook.core.display import Hidden
from drillbook.infisical import client
from drillbook.infisical.crypto import label
from drillbook.infisical.settings import KEYS, SENSITIVE, Settings, backend_environment


def test_no_value_of_a_key_is_shown():
    settings = Settings.generate()
    shown = repr(settings) + repr([settings[name] for name in settings])
    assert [name for name in SENSITIVE if settings.get(name) and settings[name] in shown] == []
    assert label(settings["ENCRYPTION_KEY"]) in repr(settings)


def test_passwords_have_no_label_that_would_let_guesses_be_tested():
    settings = Settings.generate()
    assert label(settings["POSTGRES_PASSWORD"]) not in repr(settings)


def test_fresh_settings_differ_in_every_key():
    one, other = Settings.generate(), Settings.generate()
    assert [name for name in KEYS if one[name] == other[name]] == []
    assert re.fullmatch("[0-9a-f]{32}", one["ENCRYPTION_KEY"])


def test_but_changes_and_removes_without_touching_the_original():
    settings = Settings({"A": "1", "B": "2"})
    assert dict(settings.but(A="3", B=None)) == {"A": "3"}
    assert dict(settings) == {"A": "1", "B": "2"}


def test_the_label_is_the_products_own():
    # Published sample key of the product's documentation; its label is a computed constant.
    assert label("6c1fe4e407b8911c104518103505b218") == "e16e9c609e037f49c571a3f41b1b6d38"
    assert label(" 6c1fe4e407b8911c104518103505b218\n") == label("6c1fe4e407b8911c104518103505b218")


@pytest.mark.parametrize("password", ["a/b#c?d", "p@ss:word%41", "mit Leerzeichen", "ü€"])
def test_the_password_is_encoded_for_the_connection_string(password):
    from urllib.parse import unquote, urlsplit

    env = backend_environment(
        Settings({"POSTGRES_PASSWORD": password}), "127.0.0.1:5", "redis://127.0.0.1:6"
    )
    parts = urlsplit(env["DB_CONNECTION_URI"])
    assert unquote(parts.password) == password
    assert (parts.hostname, parts.port, parts.path) == ("127.0.0.1", 5, "/infisical")
    assert "POSTGRES_PASSWORD" not in env


def test_hidden_is_a_string_that_does_not_show_itself():
    assert Hidden("x") == "x"
    assert repr({"token": Hidden("s3cret")}) == "{'token': «hidden»}"


def test_the_old_sign_up_carries_all_it_must():
    body = client.sign_up_body("owner@example.com", "a password")
    assert {len(body["salt"]), len(body["verifier"])} == {64, 1024}
    assert {name for name in body if name.startswith(("protectedKey", "encryptedPrivateKey"))} == {
        f"{stem}{end}"
        for stem in ("protectedKey", "encryptedPrivateKey")
        for end in ("", "IV", "Tag")
    }
