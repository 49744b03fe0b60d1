"""MANIFEST.json: name, size and SHA-256 of every file of a bundle but itself and its signature."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reports.errors import Distrusted

MANIFEST = "MANIFEST.json"
SIGNATURE = "attestation.intoto.jsonl"
_CHUNK = 1 << 20


class File(BaseModel):
    """A file of a bundle: its path in it, its length in bytes, its SHA-256 in hexadecimal."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str
    size: int
    sha256: str


class Manifest(BaseModel):
    """What a bundle consists of, and of which run it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: Literal["drillbook/manifest/1"] = Field(default="drillbook/manifest/1", alias="schema")
    run: str
    files: tuple[File, ...]

    def render(self) -> bytes:
        """As a file; equal manifests give equal bytes."""
        record = self.model_dump(mode="json", by_alias=True)
        return f"{json.dumps(record, indent=1, ensure_ascii=False)}\n".encode()

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 by name."""
        return {file.name: file.sha256 for file in self.files}


def measure(run: str, files: Mapping[str, Path]) -> Manifest:
    """The manifest of these files, sorted by name."""
    return Manifest(run=run, files=tuple(_file(name, files[name]) for name in sorted(files)))


def parse(data: bytes) -> Manifest:
    """A manifest from its file; Distrusted if it is not exactly what render writes."""
    try:
        manifest = Manifest.model_validate_json(data)
    except (ValidationError, RecursionError):
        raise Distrusted(f"{MANIFEST} is no manifest: it was changed") from None
    if manifest.render() != data:
        raise Distrusted(f"{MANIFEST} was changed")
    return manifest


def digest(chunks: Iterable[bytes]) -> str:
    """SHA-256 in hexadecimal."""
    sha = hashlib.sha256()
    for chunk in chunks:
        sha.update(chunk)
    return sha.hexdigest()


def _file(name: str, path: Path) -> File:
    with path.open("rb") as file:
        sha = digest(iter(lambda: file.read(_CHUNK), b""))
        return File(name=name, size=file.tell(), sha256=sha)
