"""The qualification for people: two pages and a picture, as a page and as plain text."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from reports.qualification import matrix, statement
from reports.qualification.record import Qualification, text
from reports.render.phrases import duration

_TEMPLATES = Path(__file__).parents[1] / "templates"


def files(record: Qualification, note: str = "") -> dict[str, bytes]:
    """The record in its three forms, by file name; note says what a reader must know first."""
    return {
        "qualification.json": text(record).encode(),
        "qualification.md": _rendered("qualification.md.j2", record, note).encode(),
        "qualification.html": _rendered("qualification.html.j2", record, note).encode(),
    }


def write(record: Qualification, folder: Path) -> Path:
    """Write the three files; the folder that holds them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files(record).items():
        (folder / name).write_bytes(data)
    return folder


def _rendered(template: str, record: Qualification, note: str) -> str:
    page: str = (
        _templates()
        .get_template(template)
        .render(
            record=record,
            note=note,
            figures=list(statement.figures(record)),
            claims=statement.CLAIMS,
            limits=statement.limits(record),
            places=_places(record),
            chapters=_chapters(record),
            picture=matrix.picture(record),
            key=matrix.key(),
            taken=duration(record.duration_s),
            css=Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8")),  # noqa: S704, ours
        )
    )
    return page


def _places(record: Qualification) -> list[tuple[str, int, int]]:
    """Where bugs were planted: how many, and how many of them were caught."""
    planted = Counter(one.where for one in record.matrix)
    caught = Counter(one.where for one in record.matrix if one.state == "killed")
    return [(where, count, caught[where]) for where, count in planted.items()]


def _chapters(record: Qualification) -> list[tuple[str, int, int, int]]:
    """Chapters: controls, bugs meant for them, and how many of those were caught."""
    names = dict.fromkeys(one.chapter for one in record.controls)
    found = []
    for name in names:
        of_it = [one for one in record.controls if one.chapter == name]
        mutants, caught = sum(one.mutants for one in of_it), sum(one.caught for one in of_it)
        found.append((name, len(of_it), mutants, caught))
    return found


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
