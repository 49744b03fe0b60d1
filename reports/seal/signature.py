"""Ed25519 keys and the DSSE envelope: what is signed is the type and the payload, not its JSON.

A key is named by the SHA-256 of its public part (DER, SubjectPublicKeyInfo), which anyone can
compute: `openssl pkey -pubin -in KEY.pub -outform DER | sha256sum`.
Source: https://github.com/secure-systems-lab/dsse, protocol 1.0.2.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, Key, SSlibKey  # type: ignore[attr-defined]

from drillbook.core.files import open_file, open_mode, write_file
from reports.errors import BadKey, Distrusted, Untrusted
from reports.evidence.json_file import strict_json

# Public keys by their ids.
Keys = dict[str, Ed25519PublicKey]
PAYLOAD = "application/vnd.in-toto+json"
_PEM = re.compile(rb"-----BEGIN [A-Z ]+-----[^-]{1,8192}-----END [A-Z ]+-----")
_MAKE = "make one with `drillbook evidence sign-key FILE`"
_LARGEST = 64 << 10


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
        envelope = Envelope(payload, PAYLOAD, {})
        public = SSlibKey.from_crypto(self._key.public_key(), keyid=self.id)
        envelope.sign(CryptoSigner(self._key, public))
        return _line(envelope)


def key_id(public: Ed25519PublicKey) -> str:
    """The id of a public key: 64 hexadecimal digits."""
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


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
    """Public keys by id; each file has one or more in PEM form."""
    return {name: key for path in paths for name, key in _public_keys(Path(path)).items()}


def _public_keys(path: Path) -> Keys:
    found: Keys = {}
    for pem in _PEM.findall(data := _read_key(path)):
        if b"PRIVATE" in pem:
            raise BadKey(f"{path}: a private key; never hand it on, give its .pub file")
        try:
            key = load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            raise BadKey(f"{path}: a public key that cannot be read") from None
        if isinstance(key, Ed25519PublicKey):
            found[key_id(key)] = key
    if not found:
        raise BadKey(f"{path}: {'no Ed25519 public key in PEM form' if data else 'empty'}")
    return found


def verify(envelope: bytes, keys: Keys) -> tuple[bytes, str]:
    """What was signed, and by which of these keys.

    Untrusted if it names none of them; Distrusted if the signature is false, or was changed.
    """
    opened = open_envelope(envelope)
    known: list[Key] = [SSlibKey.from_crypto(key, keyid=name) for name, key in keys.items()]
    try:
        (signer,) = opened.verify(known, 1)
    except VerificationError:
        names = ", ".join(name[:16] for name in opened.signatures)
        known_names = ", ".join(name[:16] for name in keys)
        said = f"signed by key {names}; trusted: {known_names}"
        if not set(opened.signatures) & set(keys):
            raise Untrusted(f"{said}; it is not") from None
        raise Distrusted(f"{said}; that signature is false") from None
    return opened.payload, signer


def open_envelope(envelope: bytes) -> Envelope:
    """An envelope with one signature; Distrusted if it is not exactly what sign writes."""
    try:
        opened = Envelope.from_dict(strict_json(envelope))
        # The library accepts further fields next to a signature, which are not signed.
        added = any(one.unrecognized_fields for one in opened.signatures.values())
        same = _line(opened) == envelope and not added
    except Exception:  # a forged envelope may make the parser fail in any way
        raise Distrusted("the signature's envelope cannot be read: it was changed") from None
    if not same or len(opened.signatures) != 1 or opened.payload_type != PAYLOAD:
        raise Distrusted("the signature's envelope was changed")
    return opened


def _line(envelope: Envelope) -> bytes:
    return json.dumps(envelope.to_dict(), sort_keys=True).encode() + b"\n"


def _read_key(path: Path) -> bytes:
    try:
        with open_file(path) as file:
            data = file.read(_LARGEST + 1)
    except OSError as trouble:
        raise BadKey(f"{path}: {trouble.strerror}; give the key's file") from None
    if len(data) > _LARGEST:
        raise BadKey(f"{path}: too large for a key")
    return data
