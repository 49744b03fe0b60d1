"""Ed25519 keys and the DSSE envelope: what is signed is the type and the payload, not its JSON.

A key is named by the SHA-256 of its public part (DER, SubjectPublicKeyInfo), which anyone can
compute: `openssl pkey -pubin -in KEY.pub -outform DER | sha256sum`. verify_bundle.py has the form.
Source: https://github.com/secure-systems-lab/dsse, protocol 1.0.2.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from drillbook.core.files import open_file, open_mode, write_file
from reports.errors import BadKey
from reports.seal.verify_bundle import (
    KEY_FILE,
    Keys,
    Unusable,
    key_id,
    load_keys,
    render_envelope,
    signed_bytes,
)

_MAKE = "make one with `drillbook evidence sign-key FILE`"


class SigningKey:
    """A private key in memory; shown by its id only."""

    def __init__(self, pem: bytes, origin: str) -> None:
        try:
            key = load_pem_private_key(pem.strip() + b"\n", None)
        except TypeError:
            raise BadKey(f"{origin}: the key has a passphrase; give one without") from None
        except (ValueError, UnsupportedAlgorithm):
            raise BadKey(f"{origin}: no private key in PEM form; {_MAKE}") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise BadKey(f"{origin}: a key of another kind than Ed25519; {_MAKE}")
        self._key = key
        self.id = key_id(key.public_key())

    def __repr__(self) -> str:
        return f"SigningKey({self.id[:16]})"

    @property
    def secrets(self) -> dict[str, str]:
        """What no report may contain: the seed in hexadecimal and the key's text, by name."""
        seed = self._key.private_bytes_raw()
        pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        body = b"".join(pem.splitlines()[1:-1])
        return {"SIGNING_KEY": seed.hex(), "SIGNING_KEY text": body.decode()}

    def sign(self, payload: bytes) -> bytes:
        """The envelope as one line of JSON."""
        return render_envelope(payload, self.id, self._key.sign(signed_bytes(payload)))


def generate(out: Path) -> str:
    """A new key in OUT (mode 0600), its public half in OUT.pub; its id. Nothing is overwritten."""
    key, public = Ed25519PrivateKey.generate(), out.with_name(f"{out.name}.pub")
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    spki = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for path in (out, public):
        if path.exists():
            raise BadKey(f"{path}: exists; a key is never overwritten, choose another name")
    for path, mode, data in ((out, 0o600, pem), (public, 0o644, spki)):
        try:
            write_file(path, data, mode)
        except OSError as trouble:
            if path is public:
                # Half of a pair is of no use, and its name could not be given again.
                out.unlink()
            raise BadKey(f"{path}: {trouble.strerror}; choose another place") from None
    return key_id(key.public_key())


def load(path: Path) -> SigningKey:
    """The private key in a file that only its owner can read."""
    data = _read_key(path)
    if b"PUBLIC KEY" in data and b"PRIVATE" not in data:
        raise BadKey(f"{path}: a public key signs nothing; give the private key of the same pair")
    if open_mode(path):
        raise BadKey(f"{path}: others can read this private key; run `chmod 600` on it")
    return SigningKey(data, str(path))


def from_environment(name: str) -> SigningKey:
    """The private key in an environment variable, which is taken out of the environment."""
    value = os.environ.pop(name, "")
    if not value.strip():
        raise BadKey(
            f"the environment variable {name} is empty or not set; put the key's PEM there"
        )
    return SigningKey(value.replace("\\n", "\n").encode(), f"environment variable {name}")


def load_trusted_keys(*paths: str | Path) -> Keys:
    """Public keys by id; each file has one or more in PEM form. BadKey if one has none."""
    try:
        return load_keys(paths)
    except Unusable as error:
        raise BadKey(str(error)) from None


def _read_key(path: Path) -> bytes:
    try:
        with open_file(path) as file:
            data = file.read(KEY_FILE + 1)
    except OSError as trouble:
        raise BadKey(f"{path}: {trouble.strerror}; give the key's file") from None
    if len(data) > KEY_FILE:
        raise BadKey(f"{path}: too large for a key")
    return data
