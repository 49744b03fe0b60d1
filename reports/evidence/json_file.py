"""evidence.json: the record of a run as a file, checked against its schema on every write.

`python -m reports.evidence.json_file` writes the schema in reports/schema/ anew from the model.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema_rs import Draft202012Validator

from drillbook.core.files import read_file
from reports.errors import BadEvidence
from reports.evidence.context import EvidenceModel
from reports.evidence.model import Run

RECORD = "evidence.json"
LARGEST = 64 << 20
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
SCHEMA = Path(__file__).parents[1] / "schema" / "evidence-1.schema.json"


def schema(model: type[EvidenceModel] = Run, name: str = "evidence") -> dict[str, Any]:
    """The JSON Schema of the record, or of another model of ours, as it is now."""
    described = model.model_json_schema(by_alias=True, mode="serialization")
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "$id": f"urn:drillbook:{name}:1"} | described


def render(run: Run) -> str:
    """The run as JSON; BadEvidence if it breaks the committed schema."""
    record = run.model_dump(mode="json")
    check(record)
    return text(record)


def check(record: object) -> None:
    """BadEvidence if a record breaks the committed schema."""
    for broken in _validator().iter_errors(record):
        where = "".join(
            f"[{at}]" if isinstance(at, int) else f".{at}" for at in broken.instance_path
        )
        raise BadEvidence(f"{RECORD}: ${where}: {broken.message[:200]}")


def text(record: object) -> str:
    """JSON for people and for diffs."""
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"


def compact_text(record: object) -> str:
    """JSON for programs, indented by one space."""
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def load(path: Path) -> Run:
    """An evidence.json of this or an earlier version."""
    return parse(read_file(path, LARGEST))


def parse(data: bytes) -> Run:
    """The run of a record; ValueError if it cannot be read or has a name twice."""
    return Run.model_validate(strict_json(data))


def strict_json(data: bytes) -> Any:
    """The value of a JSON text in UTF-8; ValueError if a name stands twice in one object.

    Of two values some readers take the first and others the last, so they would disagree. Also
    refused are halves of a character (a surrogate), which no document can hold.
    """
    decoded = data.decode()
    try:
        value = json.loads(decoded, object_pairs_hook=_once)
        if _SURROGATE.search(decoded):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the name {name[:60]!r} stands twice in one object")
            seen.add(name)
    return found


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


if __name__ == "__main__":
    SCHEMA.write_text(text(schema()), encoding="utf-8")
