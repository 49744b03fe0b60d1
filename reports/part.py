"""What every piece of evidence has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A frozen piece of evidence. Readers ignore fields that later versions add."""

    model_config = ConfigDict(frozen=True, extra="ignore", serialize_by_alias=True)
