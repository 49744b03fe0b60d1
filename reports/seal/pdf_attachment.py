"""The digest of a file attached to a PDF, computed in a process with little memory and time.

An untrusted PDF can unpack to any size while it is opened. The child reads it from standard input
and prints the SHA-256 of the attachment and nothing else.
"""

from __future__ import annotations

import hashlib
import io
import resource
import subprocess
import sys
import zlib
from typing import Any

from drillbook.core.application import ROOT
from reports.errors import Distrusted

MEMORY = 768 << 20
_PATIENCE_S = 30
_ABSENT, _ODD = 10, 11


def attachment_digest(pdf: bytes, name: str, size: int) -> str:
    """SHA-256 of the attachment of this name; at most one byte more than `size` is unpacked.

    Distrusted if there is none, or the PDF cannot be read within the bounds.
    """
    command = [sys.executable, "-m", "reports.seal.pdf_attachment", name, str(size), str(MEMORY)]
    try:
        done = subprocess.run(
            command,
            input=pdf,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
            cwd=ROOT,
        )
    except subprocess.TimeoutExpired:
        raise Distrusted(f"it could not be read within {_PATIENCE_S} s") from None
    if done.returncode == _ABSENT:
        raise Distrusted(f"it has no {name} attached")
    if done.returncode == _ODD:
        raise Distrusted("it packs its attachment in a way that is not expected")
    if done.returncode:
        raise Distrusted("it cannot be read")
    return done.stdout.decode().strip()


def _main(name: str, size: int, memory: int) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    from pikepdf import Pdf

    with Pdf.open(io.BytesIO(sys.stdin.buffer.read()), attempt_recovery=False) as pdf:
        found = pdf.attachments.get(name)
        if found is None:
            return _ABSENT
        content = _content(found.get_file().obj, size)
    if content is None:
        return _ODD
    sys.stdout.write(hashlib.sha256(content).hexdigest())
    return 0


def _content(stream: Any, size: int) -> bytes | None:
    raw: bytes = stream.read_raw_bytes()
    kind = stream.get("/Filter")
    if kind is None:
        return raw
    if str(kind) != "/FlateDecode":
        return None
    return zlib.decompressobj().decompress(raw, size + 1)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
