"""The code that decides a verdict, as digests of its parts: equal digests, equal judges.

Words, pages and seals are not in it: a report that reads differently judges the same.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping

from reports.qualification.specimens import ROOT

_DECIDING = (
    "suites",
    "fixtures",
    "drillbook",
    "compose",
    "conftest.py",
    "tests/predicted.toml",
    "reports/verdict",
    "reports/session/verdict_hooks.py",
    "reports/controls/catalogue.py",
)


def code_digests() -> dict[str, str]:
    """SHA-256 over names and contents of the files that decide, by part: a folder or a file."""
    parts: dict[str, hashlib._Hash] = {}
    for name in sorted(_names()):
        path = ROOT / name
        if path.is_file():
            inner = hashlib.sha256(path.read_bytes()).digest()
            digest = parts.setdefault("/".join(name.split("/")[:2]), hashlib.sha256())
            digest.update(name.encode() + b"\0" + inner)
    return {part: digest.hexdigest() for part, digest in parts.items()}


def whole(parts: Mapping[str, str]) -> str:
    """One SHA-256 over the digests of all parts."""
    text = "".join(f"{part} {digest}\n" for part, digest in sorted(parts.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def _names() -> list[str]:
    """The files that Git tracks; outside a checkout, those that are there."""
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--", *_DECIDING]
    try:
        told = subprocess.run(listing, capture_output=True, check=True, timeout=20).stdout
        return [name for name in told.decode().split("\0") if name]
    except (OSError, subprocess.SubprocessError):
        found = (path for top in _DECIDING for path in (ROOT / top).rglob("*.*"))
        return [str(path.relative_to(ROOT)) for path in found if "__pycache__" not in path.parts]
