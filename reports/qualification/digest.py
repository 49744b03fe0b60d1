"""The code that decides a verdict, as one number: equal numbers, equal judges."""

from __future__ import annotations

import hashlib
import subprocess

from reports.qualification.record import KEPT
from reports.qualification.specimens import ROOT

_CODE = ("drillbook", "suites", "fixtures", "reports")
_DECIDING = (*_CODE, "compose", "conftest.py", "tests/predicted.toml")


def code_digest() -> str:
    """SHA-256 over names and contents of the files that decide; the kept record is not one."""
    digest = hashlib.sha256()
    for name in sorted(_names()):
        path = ROOT / name
        if path.is_file() and path != KEPT:
            inner = hashlib.sha256(path.read_bytes()).digest()
            digest.update(name.encode() + b"\0" + inner)
    return digest.hexdigest()


def _names() -> list[str]:
    """What Git follows; outside a checkout, what lies there."""
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--", *_DECIDING]
    try:
        told = subprocess.run(listing, capture_output=True, check=True, timeout=20).stdout
        return [name for name in told.decode().split("\0") if name]
    except (OSError, subprocess.SubprocessError):
        found = (path for top in _DECIDING for path in (ROOT / top).rglob("*.*"))
        return [str(path.relative_to(ROOT)) for path in found if "__pycache__" not in path.parts]
