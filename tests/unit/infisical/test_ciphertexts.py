"""Sealed values open with their key and no other, in each layout that the product writes."""

import base64
import os

import pytest
from nacl.public import Box, PrivateKey

from drillbook.infisical import crypto
from drillbook.infisical.crypto import (
    cipher,
    material,
    open_box,
    open_bytes,
    open_columns,
    seal_bytes,
    seal_columns,
)

KEY = b"0123456789abcdef0123456789abcdef"
OTHER = b"fedcba9876543210fedcba9876543210"
# Layout B ends in the version of the key it was sealed with.
VERSION = b"v01"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (KEY.decode(), KEY),
        (f"  {KEY.decode()}\n", KEY),
        (base64.b64encode(KEY).decode(), KEY),
        (base64.b64encode(KEY[:31]).decode(), b""),
        (KEY.decode()[:31], b""),
        (KEY.decode() + "0", b""),
        ("*" + base64.b64encode(KEY).decode(), b""),
        (base64.b64encode(KEY).decode()[:-1], KEY),
        ("", b""),
    ],
)
def test_key_is_thirty_two_characters_or_their_base64(text, expected):
    assert material(text) == expected


@pytest.mark.parametrize(
    ("key", "usable"), [(KEY, True), (KEY[:16], False), (b"", False), (None, False)]
)
def test_only_a_key_of_thirty_two_bytes_opens_anything(key, usable):
    assert (cipher(key) is not None) is usable


@pytest.mark.parametrize("plain", [b"", b"x", b"opening balance 1200.00" * 99])
@pytest.mark.parametrize("version", [b"", VERSION])
def test_bytes_open_with_their_key_alone(plain, version):
    sealed = seal_bytes(cipher(KEY), plain)
    assert len(sealed) == 12 + len(plain) + 16
    assert open_bytes(cipher(KEY), sealed + version) == plain
    assert open_bytes(cipher(OTHER), sealed + version) is None
    assert open_bytes(None, sealed) is None


def test_value_that_happens_to_end_like_a_version_still_opens(monkeypatch):
    # One byte instead of three, so that chance need not be waited for.
    monkeypatch.setattr(crypto, "_VERSION", b"1")
    made = (seal_bytes(cipher(KEY), b"value") for _ in range(20_000))
    sealed = next(one for one in made if one.endswith(b"1"))
    assert open_bytes(cipher(KEY), sealed) == b"value"
    assert open_bytes(cipher(OTHER), sealed) is None


def test_empty_value_whose_seal_happens_to_end_like_a_version_opens(monkeypatch):
    sealed = seal_bytes(cipher(KEY), b"")
    monkeypatch.setattr(crypto, "_VERSION", sealed[-3:])
    assert open_bytes(cipher(KEY), sealed) == b""


@pytest.mark.parametrize("length", range(29))
def test_what_is_too_short_or_foreign_stays_shut(length):
    assert open_bytes(cipher(KEY), os.urandom(length)) is None
    assert open_bytes(cipher(KEY), b"\0" * length + VERSION) is None
    assert open_bytes(cipher(KEY), None) is None


@pytest.mark.parametrize("iv_bytes", [12, 16])
@pytest.mark.parametrize("plain", [b"", b"value"])
def test_columns_open_with_their_key_alone(iv_bytes, plain):
    text, iv, tag = seal_columns(cipher(KEY), plain, iv_bytes)
    assert [len(base64.b64decode(one)) for one in (text, iv, tag)] == [len(plain), iv_bytes, 16]
    assert open_columns(cipher(KEY), text, iv, tag) == plain
    assert open_columns(cipher(OTHER), text, iv, tag) is None
    assert open_columns(None, text, iv, tag) is None


@pytest.mark.parametrize(
    "broken",
    [{"ciphertext": None}, {"iv": None}, {"iv": ""}, {"tag": None}, {"tag": ""}, {"iv": "é"}],
)
def test_columns_with_a_gap_stay_shut(broken):
    text, iv, tag = seal_columns(cipher(KEY), b"value", 12)
    assert (
        open_columns(cipher(KEY), **({"ciphertext": text, "iv": iv, "tag": tag} | broken)) is None
    )


def test_columns_with_signs_that_are_no_base64_stay_shut():
    text, iv, tag = seal_columns(cipher(KEY), b"value", 12)
    assert open_columns(cipher(KEY), f"*{text}", iv, tag) is None
    assert open_columns(cipher(KEY), text, iv, tag) == b"value"


def test_box_opens_for_its_receiver_alone():
    receiver, sender = PrivateKey.generate(), PrivateKey.generate()
    made = Box(sender, receiver.public_key).encrypt(b"a project's key")
    box, nonce = (base64.b64encode(part).decode() for part in (made.ciphertext, made.nonce))
    private = base64.b64encode(bytes(receiver))
    public = base64.b64encode(bytes(sender.public_key)).decode()
    stranger = base64.b64encode(bytes(PrivateKey.generate()))
    assert open_box(private, public, box, nonce) == b"a project's key"
    assert open_box(stranger, public, box, nonce) is None
    assert open_box(None, public, box, nonce) is None
    assert open_box(b"short", public, box, nonce) is None
    assert open_box(private, "", box, nonce) is None
