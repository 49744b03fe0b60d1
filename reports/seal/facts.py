"""What a record says beforehand of the seal it will get, so that none can be stripped unnoticed."""

from __future__ import annotations

from pydantic import Field

from reports.part import Part


class Previous(Part):
    """The run sealed before this one in the same folder, by the digest of its manifest."""

    run: str
    manifest_sha256: str


class Seal(Part):
    """Who signs the bundle, and what it follows; without a key it is unsigned."""

    key_id: str | None = Field(
        default=None, description="SHA-256 of the public key in DER, of whoever signs the bundle"
    )
    previous: Previous | None = None
