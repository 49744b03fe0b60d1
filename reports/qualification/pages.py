"""The qualification for people, as a page and as plain text, with the kill matrix as a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from reports.qualification import claims
from reports.qualification.judgement import Cell, Row
from reports.qualification.record import Checked, Qualification, text
from reports.render.html import environment
from reports.render.phrases import duration


def files(record: Qualification, note: str = "") -> dict[str, bytes]:
    """The record in its three forms, by file name; note says what a reader must know first."""
    return {
        "qualification.json": text(record).encode(),
        "qualification.md": _render("qualification.md.j2", record, note).encode(),
        "qualification.html": _render("qualification.html.j2", record, note).encode(),
    }


def write(record: Qualification, folder: Path) -> Path:
    """Write the three files; the folder that holds them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files(record).items():
        (folder / name).write_bytes(data)
    return folder


def _render(template: str, record: Qualification, note: str) -> str:
    page: str = (
        environment()
        .get_template(template)
        .render(
            record=record,
            note=note,
            figures=list(claims.figures(record)),
            claims=claims.CLAIMS,
            limits=claims.limits(record),
            places=_places(record),
            chapters=_chapters(record),
            matrix=_matrix(record),
            legend=LEGEND,
            taken=duration(record.duration_s),
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


LEGEND = (
    ("meant", "the control meant for the bug turned, for its reason"),
    ("escaped", "the control meant for it did not, or for another reason"),
    ("by-catch", "another control turned as well"),
    ("stumbled", "a control could not be finished"),
    ("unmoved", "a control was asked and said what it says of a healthy stack"),
)


def _matrix(record: Qualification) -> dict[str, object]:
    """Columns, and rows with their marks, for the picture: kills form a diagonal."""
    controls = {cell.control for row in record.matrix for cell in row.cells}
    columns = [one for one in record.controls if one.mutants or one.id in controls]
    place = {one.id: number for number, one in enumerate(columns)}
    chapters = list(dict.fromkeys(one.chapter for one in columns))
    # Every other chapter has a shade.
    shaded = {one.id for one in columns if chapters.index(one.chapter) % 2}
    rows = sorted(record.matrix, key=lambda one: (place.get(one.meant, 0), one.mutant))
    return {
        "columns": columns,
        "rows": [(one, one.meant in shaded, list(_marks(one, columns))) for one in rows],
    }


def _marks(row: Row, columns: Sequence[Checked]) -> Iterator[tuple[int, str, str]]:
    """In which column stands which mark, and its title."""
    cells = {cell.control: cell for cell in row.cells}
    for place, control in enumerate(columns):
        cell = cells.get(control.id)
        if kind := _kind(row, control.id, cell):
            yield place, kind, _title(row, control.id, cell)


def _kind(row: Row, control: str, cell: Cell | None) -> str:
    if control == row.meant and row.state not in ("killed", "equivalent", "not run"):
        return "escaped"
    if cell is None or cell.kind == "not run":
        return ""
    return cell.kind


def _title(row: Row, control: str, cell: Cell | None) -> str:
    said = f"{cell.verdict.words}{f', {cell.observed}' if cell.observed else ''}" if cell else "-"
    return f"{row.mutant} before {control}: {said}"
