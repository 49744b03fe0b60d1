"""matrix.html and matrix.json: the matrix as a page that needs nothing else, and for machines."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from reports import evidence
from reports.matrix.model import Matrix, Row
from reports.matrix.text import markdown
from reports.pages import environment

SCHEMA = Path(__file__).parents[1] / "schema" / "matrix-1.schema.json"


def files(made: Matrix) -> dict[str, bytes]:
    """What it is written as, by name; equal matrices give equal bytes."""
    record = evidence.text(made.model_dump(mode="json"))
    told = {"matrix.json": record, "matrix.html": html(made), "matrix.md": markdown(made)}
    return {name: text.encode() for name, text in told.items()}


def html(made: Matrix) -> str:
    """The matrix as a page."""
    chapters: dict[str, list[Row]] = {}
    for row in made.rows:
        chapters.setdefault(row.chapter, []).append(row)
    page: str = _template().render(matrix=made, chapters=chapters)
    return page


def schema() -> dict[str, Any]:
    """The JSON Schema of the matrix as it is now."""
    described = Matrix.model_json_schema(by_alias=True, mode="serialization")
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "$id": "urn:drillbook:matrix:1"} | described


@cache
def _template() -> Any:
    made = environment()
    return made.get_template("matrix.html.j2")


if __name__ == "__main__":
    SCHEMA.write_text(evidence.text(schema()), encoding="utf-8")
