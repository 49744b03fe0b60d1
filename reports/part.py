"""What every piece of evidence has in common."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A frozen piece of evidence. Readers ignore fields that later versions add."""

    model_config = ConfigDict(frozen=True, extra="ignore", serialize_by_alias=True)


def strict_json(data: bytes) -> Any:
    """JSON in which a name stands once; ValueError where one stands twice.

    Of two values one reader takes the first and another the last: such a record says two things.
    """
    return json.loads(data, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice[:60]!r} stands twice in one object")
    return found
