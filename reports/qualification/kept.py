"""The qualification that belongs to a run, for its bundle.

`drillbook qualify` writes its record to reports/runs/qualification; one that passed and is of
this very code is taken. Else it is reports/qualification.json, which is under version control
(--keep), and the bundle says which parts of the code have changed since.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from drillbook.core.application import IS_CHECKOUT, PACKAGE, ROOT
from reports.errors import Unqualifiable
from reports.qualification import pages
from reports.qualification.record import KEPT, LATEST, Applies, Qualification, load
from reports.record import run_metadata

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
# Bytecode, and what a wheel keeps inside drillbook.
_NO_PART = {"__pycache__", "application"}


def code_digests() -> dict[str, str]:
    """SHA-256 over names and contents of the files that decide, by part: a folder or a file."""
    parts: dict[str, hashlib._Hash] = {}
    for name in sorted(_names()):
        path = _above(name) / name
        if path.is_file():
            inner = hashlib.sha256(path.read_bytes()).digest()
            digest = parts.setdefault("/".join(name.split("/")[:2]), hashlib.sha256())
            digest.update(name.encode() + b"\0" + inner)
    return {part: digest.hexdigest() for part, digest in parts.items()}


def whole(parts: Mapping[str, str]) -> str:
    """One SHA-256 over the digests of all parts."""
    text = "".join(f"{part} {digest}\n" for part, digest in sorted(parts.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def _above(name: str) -> Path:
    """The folder of a part: in a wheel, drillbook contains the rest."""
    return PACKAGE.parent if name.startswith("drillbook") else ROOT


def _names() -> list[str]:
    """The files that Git tracks; outside a checkout, those that exist."""
    if IS_CHECKOUT:
        listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--", *_DECIDING]
        with suppress(OSError, subprocess.SubprocessError):
            output = subprocess.run(listing, capture_output=True, check=True, timeout=20).stdout
            return [name for name in output.decode().split("\0") if name]
    found = []
    for part in _DECIDING:
        above = _above(part)
        paths = (above / part).rglob("*") if (above / part).is_dir() else [above / part]
        names = (path.relative_to(above) for path in paths)
        found += [one.as_posix() for one in names if _NO_PART.isdisjoint(one.parts)]
    return found


def bundle_files(path: Path = KEPT, latest: Path = LATEST) -> dict[str, bytes]:
    """The files for a bundle by name; of a record that cannot be read, a sentence about that.

    {} where nothing was ever qualified.
    """
    parts = code_digests()
    try:
        record = _of_this_code(latest, whole(parts)) or load(path)
    except Unqualifiable as trouble:
        return {"qualification.md": f"# Qualification record\n\n{trouble}\n".encode()}
    if record is None:
        return {}
    same = record.code == whole(parts)
    applies = Applies(commit=run_metadata.tool().commit, code=whole(parts), same_code=same)
    return pages.files(record.model_copy(update={"applies": applies}), note(record, parts))


def note(record: Qualification, parts: dict[str, str]) -> str:
    """What has changed since the qualification, in a sentence; "" where nothing has."""
    if record.code == whole(parts):
        return ""
    of = f"commit {(record.commit or 'unknown')[:12]} of {record.started:%Y-%m-%d}"
    if not record.parts:
        return (
            f"This record qualifies {of}, and not the code of this run: what has changed since "
            "then, it cannot tell."
        )
    names = sorted({*record.parts, *parts})
    changed = [name for name in names if record.parts.get(name) != parts.get(name)]
    return (
        f"This record qualifies {of}. Changed since then: {', '.join(changed)}. For everything "
        "else the qualification applies."
    )


def _of_this_code(path: Path, code: str) -> Qualification | None:
    try:
        record = load(path)
    except Unqualifiable:
        return None
    return record if record and record.passed and record.code == code else None
