"""Keys are private to their owner, and what they sign is exactly what is checked."""

import base64
import errno
import json
import os
import stat
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from reports.errors import BadKey
from reports.seal import signature, verify_bundle
from reports.seal.verify_bundle import Tampered, check_signature
from tests.support.bundles import key
from tests.support.commands import seal as tools

PAYLOAD = b'{"_type": "x"}'


def written(path, data, mode=0o600):
    path.write_bytes(data)
    path.chmod(mode)
    return path


def other_kind(encryption):
    made = generate_private_key(SECP256R1())
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def test_key_is_made_for_its_owner_alone_and_never_overwritten(tmp_path, capsys):
    out = tmp_path / "drill key"
    assert tools(["sign-key", str(out)]) == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    name = signature.load(out).id
    assert name in capsys.readouterr().out
    assert list(signature.load_trusted_keys(tmp_path / "drill key.pub")) == [name]
    before = out.read_bytes()
    assert tools(["sign-key", str(out)]) == 3
    assert "never overwritten" in capsys.readouterr().err
    assert out.read_bytes() == before


def test_key_has_the_name_that_openssl_computes(tmp_path):
    made, public = key(tmp_path)
    command = ["openssl", "pkey", "-pubin", "-in", public, "-outform", "DER"]
    der = subprocess.run(command, capture_output=True, check=True).stdout
    digest = subprocess.run(["openssl", "sha256"], input=der, capture_output=True, check=True)
    assert digest.stdout.decode().split()[-1] == made.id


def test_signature_is_one_that_openssl_accepts(tmp_path):
    made, public = key(tmp_path)
    envelope = json.loads(made.sign(PAYLOAD))
    kind = envelope["payloadType"]
    signed = f"DSSEv1 {len(kind)} {kind} {len(PAYLOAD)} ".encode() + PAYLOAD
    data = written(tmp_path / "signed", signed)
    sig = written(tmp_path / "sig", base64.b64decode(envelope["signatures"][0]["sig"]))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin"]
    subprocess.run([*command, "-in", data, "-sigfile", sig], check=True, capture_output=True)


def test_only_a_trusted_key_verifies(tmp_path):
    made, public = key(tmp_path)
    _, foreign = key(tmp_path, "foreign")
    envelope = made.sign(PAYLOAD)
    assert check_signature(envelope, signature.load_trusted_keys(public)) == (PAYLOAD, made.id)
    with pytest.raises(Tampered, match="it is not"):
        check_signature(envelope, signature.load_trusted_keys(foreign))
    both = written(tmp_path / "both", public.read_bytes() + foreign.read_bytes())
    assert check_signature(envelope, signature.load_trusted_keys(both))[1] == made.id


def test_signature_of_the_bare_payload_is_false(tmp_path):
    made, public = key(tmp_path)
    envelope = json.loads(made.sign(PAYLOAD))
    bare = made._key.sign(PAYLOAD)
    envelope["signatures"][0]["sig"] = base64.b64encode(bare).decode()
    forged = json.dumps(envelope, sort_keys=True).encode() + b"\n"
    with pytest.raises(Tampered, match="that signature is false"):
        check_signature(forged, signature.load_trusted_keys(public))


def test_every_changed_byte_of_an_envelope_is_noticed(tmp_path):
    made, public = key(tmp_path)
    envelope, keys = made.sign(PAYLOAD), signature.load_trusted_keys(public)
    for place in range(len(envelope)):
        for change in (1, 2, 0x20, 0x80):
            changed = bytearray(envelope)
            changed[place] ^= change
            with pytest.raises(Tampered):
                check_signature(bytes(changed), keys)


@pytest.mark.parametrize(
    "forge",
    [
        lambda e: e | {"signatures": []},
        lambda e: e | {"signatures": [*e["signatures"], {"keyid": "another", "sig": "AAAA"}]},
        lambda e: e | {"signatures": e["signatures"] * 2},
        lambda e: e | {"payloadType": "text/plain"},
        lambda e: e | {"note": "added"},
        lambda e: e | {"signatures": [e["signatures"][0] | {"note": "added"}]},
        lambda e: [],
        lambda e: {"payload": 7},
    ],
)
def test_envelope_of_another_form_is_noticed(tmp_path, forge):
    made, public = key(tmp_path)
    forged = json.dumps(forge(json.loads(made.sign(PAYLOAD))), sort_keys=True).encode() + b"\n"
    with pytest.raises(Tampered):
        check_signature(forged, signature.load_trusted_keys(public))
    with pytest.raises(Tampered):
        verify_bundle.open_envelope(forged)


def test_signature_of_the_key_under_another_type_does_not_count(tmp_path, monkeypatch):
    made, public = key(tmp_path)
    monkeypatch.setattr(verify_bundle, "PAYLOAD", "text/plain")
    other = made.sign(PAYLOAD)
    monkeypatch.undo()
    with pytest.raises(Tampered):
        check_signature(other, signature.load_trusted_keys(public))


BAD = {
    "missing": (None, 0o600, "No such file"),
    "empty": (b"", 0o600, "no private key in PEM form"),
    "binary": (bytes(range(256)), 0o600, "no private key in PEM form"),
    "huge": (b"x" * 100_000, 0o600, "too large"),
    "other kind": (other_kind(NoEncryption()), 0o600, "another kind than Ed25519"),
    "passphrase": (other_kind(BestAvailableEncryption(b"pw")), 0o600, "has a passphrase"),
    "open to all": (other_kind(NoEncryption()), 0o644, "others can read"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_signing_key_is_one_sentence_without_the_key(tmp_path, name):
    data, mode, said = BAD[name]
    path = tmp_path / "key"
    if data is not None:
        written(path, data, mode)
    with pytest.raises(BadKey, match=said) as refused:
        signature.load(path)
    assert "PRIVATE" not in str(refused.value)


def test_each_key_in_place_of_the_other_is_named(tmp_path):
    key(tmp_path)
    with pytest.raises(BadKey, match="a public key signs nothing; give the private key"):
        signature.load(tmp_path / "drill.key.pub")
    with pytest.raises(BadKey, match="never hand it on"):
        signature.load_trusted_keys(tmp_path / "drill.key")
    with pytest.raises(BadKey, match="empty"):
        signature.load_trusted_keys(written(tmp_path / "none", b""))
    with pytest.raises(BadKey, match="no Ed25519 public key"):
        signature.load_trusted_keys(written(tmp_path / "none", b"ssh-ed25519 AAAA"))


def test_key_from_the_environment_does_not_stay_there(tmp_path, monkeypatch):
    made, _ = key(tmp_path)
    monkeypatch.setenv("CI_KEY", (tmp_path / "drill.key").read_text().replace("\n", "\\n"))
    assert signature.from_environment("CI_KEY").id == made.id
    with pytest.raises(BadKey, match="CI_KEY is empty or not set"):
        signature.from_environment("CI_KEY")


def test_key_shows_only_its_name(tmp_path):
    made, _ = key(tmp_path)
    assert all(secret not in repr(made) + str(vars(made)) for secret in made.secrets.values())


@pytest.fixture
def made(tmp_path):
    return key(tmp_path)


@pytest.mark.parametrize(
    ("mode", "fits"), [(0o600, True), (0o400, True), (0o700, True), (0o640, False), (0o604, False),
                       (0o610, False), (0o601, False), (0o620, False), (0o602, False)]
)  # fmt: skip
def test_key_that_others_can_use_is_refused(tmp_path, made, mode, fits):
    (tmp_path / "drill.key").chmod(mode)
    if fits:
        assert signature.load(tmp_path / "drill.key").id == made[0].id
        return
    with pytest.raises(BadKey, match="run `chmod 600` on it"):
        signature.load(tmp_path / "drill.key")


def test_halves_of_a_key_have_the_modes_they_need(tmp_path):
    before = os.umask(0)
    try:
        signature.generate(tmp_path / "k")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("k", "k.pub")]
    assert modes == [0o600, 0o644]
    (tmp_path / "k").unlink()
    with pytest.raises(BadKey, match=r"k\.pub: exists"):
        signature.generate(tmp_path / "k")
    with pytest.raises(BadKey, match="choose another place"):
        signature.generate(tmp_path / "nowhere" / "k")


def test_no_half_of_a_key_is_left(tmp_path, monkeypatch):
    def write_one(path, data, mode):
        if path.suffix == ".pub":
            raise OSError(errno.ENOSPC, "No space left on device")
        write_file(path, data, mode)

    write_file = signature.write_file
    monkeypatch.setattr(signature, "write_file", write_one)
    with pytest.raises(BadKey, match="No space left on device; choose another place"):
        signature.generate(tmp_path / "k")
    assert list(tmp_path.iterdir()) == []


def test_what_must_appear_nowhere_is_the_seed_and_the_text_of_the_key(tmp_path, made):
    text = (tmp_path / "drill.key").read_text().splitlines()
    assert made[0].secrets["SIGNING_KEY text"] == "".join(text[1:-1])
    assert len(bytes.fromhex(made[0].secrets["SIGNING_KEY"])) == 32


def test_several_public_keys_may_stand_in_one_file_and_one_that_is_broken_may_not(tmp_path, made):
    _, second = key(tmp_path, "second")
    both = tmp_path / "both.pub"
    both.write_bytes(made[1].read_bytes() + second.read_bytes())
    assert len(signature.load_trusted_keys(both)) == 2
    both.write_bytes(made[1].read_bytes().replace(b"MCow", b"MCox"))
    with pytest.raises(BadKey, match="a public key that cannot be read"):
        signature.load_trusted_keys(both)
