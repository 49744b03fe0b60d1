"""The qualification for people, as a page and as plain text, with the kill matrix as a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from markupsafe import Markup, escape

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
            picture=picture(record),
            key=key(),
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


_STEP, _LEFT, _TOP = 11, 218, 78
_MIDDLE = _STEP / 2
LEGEND = (
    ("meant", "the control meant for the bug turned, for its reason"),
    ("escaped", "the control meant for it did not, or for another reason"),
    ("by-catch", "another control turned as well"),
    ("stumbled", "a control could not be finished"),
    ("unmoved", "a control was asked and said what it says of a healthy stack"),
)


def picture(record: Qualification) -> Markup:
    """The matrix as SVG, with a title on each mark; shape and colour say the same."""
    controls = {cell.control for row in record.matrix for cell in row.cells}
    columns = [one for one in record.controls if one.mutants or one.id in controls]
    rows = _sort(record.matrix, columns)
    width, height = _LEFT + _STEP * len(columns) + 8, _TOP + _STEP * len(rows) + 8
    parts = [
        f'<svg class="matrix" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{len(rows)} planted bugs by {len(columns)} controls">'
    ]
    parts += _bands(rows, columns, width)
    parts += [_head(number, one) for number, one in enumerate(columns)]
    for number, one in enumerate(rows):
        parts += _line(number, one, columns)
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704, everything in it was escaped


def _sort(rows: Iterable[Row], columns: Sequence[Checked]) -> list[Row]:
    """By the place of the control they are meant for, so that kills form a diagonal."""
    place = {one.id: number for number, one in enumerate(columns)}
    return sorted(rows, key=lambda one: (place.get(one.meant, 0), one.mutant))


def _bands(rows: Sequence[Row], columns: Sequence[Checked], width: int) -> Iterator[str]:
    """A shade behind every other chapter."""
    chapter = {one.id: one.chapter for one in columns}
    names = list(dict.fromkeys(chapter.values()))
    for number, one in enumerate(rows):
        if names.index(chapter.get(one.meant, names[0])) % 2:
            y = _TOP + number * _STEP
            yield f'<rect class="band" x="0" y="{y}" width="{width}" height="{_STEP}"/>'


def _head(number: int, control: Checked) -> str:
    x, y = _LEFT + number * _STEP + 8, _TOP - 5
    title = f"{control.id}: {control.title}; {control.caught} of {control.mutants} bugs caught"
    return (
        f'<text class="head" transform="translate({x} {y}) rotate(-60)">{escape(control.id)}'
        f"<title>{escape(title)}</title></text>"
    )


def _line(number: int, row: Row, columns: Sequence[Checked]) -> Iterator[str]:
    y = _TOP + number * _STEP
    state = "" if row.state == "killed" else " escaped"
    yield (
        f'<text class="name{state}" x="{_LEFT - 6}" y="{y + _STEP - 3}">{escape(row.mutant)}'
        f"<title>{escape(f'{row.sentence} ({row.state})')}</title></text>"
    )
    cells = {cell.control: cell for cell in row.cells}
    for place, control in enumerate(columns):
        cell = cells.get(control.id)
        kind = _kind(row, control.id, cell)
        if kind:
            yield _mark(kind, _LEFT + place * _STEP, y, _title(row, control.id, cell))


def _kind(row: Row, control: str, cell: Cell | None) -> str:
    if control == row.meant and row.state not in ("killed", "equivalent", "not run"):
        return "escaped"
    if cell is None or cell.kind == "not run":
        return ""
    return cell.kind


def _title(row: Row, control: str, cell: Cell | None) -> str:
    said = f"{cell.verdict.words}{f', {cell.observed}' if cell.observed else ''}" if cell else "-"
    return f"{row.mutant} before {control}: {said}"


def _mark(kind: str, x: float, y: float, title: str) -> str:
    middle, centre = x + _MIDDLE, y + _MIDDLE
    shapes = {
        "meant": f'<rect x="{x + 1}" y="{y + 1}" width="{_STEP - 2}" height="{_STEP - 2}" rx="1.5"',
        "escaped": f'<path d="M{x + 2} {y + 2}l7 7m0-7l-7 7"',
        "by-catch": f'<circle cx="{middle}" cy="{centre}" r="3"',
        "stumbled": f'<path d="M{middle} {y + 2}l4 7h-8z"',
        "unmoved": f'<circle cx="{middle}" cy="{centre}" r="1"',
    }
    tag = shapes[kind][1:].split(" ", 1)[0]
    return f'{shapes[kind]} class="{kind}"><title>{escape(title)}</title></{tag}>'


def key() -> list[tuple[Markup, str]]:
    """The legend: each mark, and what it says."""
    frame = f'<svg class="key matrix" viewBox="0 0 {_STEP} {_STEP}">%s</svg>'
    return [(Markup(frame % _mark(kind, 0, 0, kind)), text) for kind, text in LEGEND]  # noqa: S704
