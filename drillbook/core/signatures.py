"""How files of a kind begin: the one table of signatures.

A packing may be undone here (PACKINGS), or is named in a refusal only (SEALS).
"""

from __future__ import annotations

GZIP, XZ, ZSTD, LZ4 = b"\x1f\x8b", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"
BZIP2, ZIP, EMPTY_ZIP, PDF = b"BZh", b"PK\x03\x04", b"PK\x05\x06", b"%PDF-"
# An archive that pg_dump -Fc wrote.
ARCHIVE = b"PGDMP"

PACKINGS = {GZIP: "gzip", XZ: "xz", ZSTD: "zstd", LZ4: "lz4"}
SEALS = {
    BZIP2: "bzip2",
    ZIP: "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"age-encryption.org/": "age",
    b"-----BEGIN AGE ENCRYPTED FILE": "age",
    b"-----BEGIN PGP MESSAGE": "GnuPG",
    # A passphrase, RSA of 2048 or 4096 bits, or Curve25519.
    **dict.fromkeys(
        (b"\x8c\x0d\x04", b"\x85\x01\x0c\x03", b"\x85\x02\x0c\x03", b"\x84\x5e\x03"), "GnuPG"
    ),
    b"Salted__": "OpenSSL",
}


def kind_of(head: bytes, kinds: dict[bytes, str]) -> str:
    """The kind in this table of a file that begins with head; empty for none of them."""
    return next((kind for magic, kind in kinds.items() if head.startswith(magic)), "")
