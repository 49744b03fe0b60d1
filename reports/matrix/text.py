"""The matrix as Markdown, for a terminal, and as sentences about what changes between two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reports.lines import Line, wrapped
from reports.matrix.model import Cell, Matrix, Row
from reports.summary import STYLES
from reports.verdict import Verdict

_NARROW = 14


def markdown(made: Matrix) -> str:
    """Every control by subject; what differs stands first, once more, with what was seen."""
    heads = [_escaped(column.label) for column in made.columns]
    lines = ["# Controls by subject", "", *_subjects(made), ""]
    lines += ["Each verdict is of its own subject; there is none over all of them.", ""]
    different = made.different
    lines += [f"## What differs: {len(different)} of {made.compared} that were compared", ""]
    lines += [line for row in different for line in _difference(row, heads)]
    lines += ["## All controls", "", f"| control | {' | '.join(heads)} |"]
    lines += [f"| --- |{' --- |' * len(heads)}", *(_line(row) for row in made.rows)]
    return "\n".join(lines) + "\n"


def _subjects(made: Matrix) -> Iterator[str]:
    yield "| subject | run | grade | digest | machine | verdict |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for one in made.columns:
        digest = one.digest or "not known"
        yield (
            f"| {_escaped(one.label)} | {one.run} | {one.grade} | {digest} | {_escaped(one.host)} "
            f"| {one.verdict.words} |"
        )


def _difference(row: Row, heads: Sequence[str]) -> Iterator[str]:
    yield f"- **{row.id}** {_escaped(row.claim)}"
    for head, cell in zip(heads, row.cells, strict=True):
        seen = f": {_escaped(cell.observed)}" if cell.observed else ""
        yield f"  - {head}: {_word(cell)}{seen}"
    yield ""


def _line(row: Row) -> str:
    mark = "**" if row.differs else ""
    words = " | ".join(f"{mark}{_word(cell)}{mark}" for cell in row.cells)
    return f"| {mark}{row.id}{mark} {_escaped(row.title)} | {words} |"


def _word(cell: Cell) -> str:
    if cell.verdict is None:
        return "not there"
    return cell.verdict.words + (" (waived)" if cell.waived else "")


def _escaped(text: str) -> str:
    """Text of a run is no markup."""
    signs = {"|": "\\|", "<": "&lt;", "*": "\\*", "`": "\\`", "[": "\\[", "\n": " "}
    return "".join(signs.get(one, one) for one in text)


def told(made: Matrix) -> Iterator[Line]:
    """What differs, as a table for a terminal; each subject's own verdict stands above it."""
    for number, one in enumerate(made.columns, 1):
        text = f"{number}  {one.label}, {one.grade}: {one.verdict.words} (run {one.run})"
        yield from wrapped(text, then="   ", style=STYLES[one.verdict])
    yield Line("")
    different = made.different
    if not different:
        yield Line(f"None of the {made.compared} controls that were judged more than once differs.")
    else:
        yield Line(f"Different: {len(different)} of {made.compared} compared", ("bold",))
        yield Line(f"  {'':<12}" + "".join(f"{n + 1:<{_NARROW}}" for n in range(len(made.columns))))
    for row in different:
        words = "".join(f"{_word(cell)[: _NARROW - 1]:<{_NARROW}}" for cell in row.cells)
        yield from wrapped(f"{row.id:<12}{words}"[:200], "  ", "    ", style=STYLES[_worst(row)])
    if partly := [row.id for row in made.partly]:
        text = f"Judged on some of them only: {len(partly)} ({', '.join(partly[:6])}, ...)"
        yield from wrapped(text, then="  ")


def _worst(row: Row) -> Verdict:
    return max(cell.verdict for cell in row.cells if cell.verdict)


def statements(rows: Sequence[Row], before: str, after: str) -> Iterator[Line]:
    """Which statements of the runbook change their verdict from one subject to another.

    Rows are those of `shifts`: two cells each. Says of each what it was, is, and should say now.
    """
    if not rows:
        yield from wrapped(f"No statement changes its verdict from {before} to {after}.")
        return
    yield Line(f"From {before} to {after}: {len(rows)} statements change", ("bold",))
    for row in rows:
        was, now = row.cells
        where = f" ({'; '.join(row.runbook)})" if row.runbook else ""
        style = STYLES[now.verdict] if now.verdict else ()
        yield from wrapped(
            f"{row.id}  {_word(was)} -> {_word(now)}{where}", "  ", "      ", style=style
        )
        yield from wrapped(f"runbook: {row.claim}", "      ", "               ")
        if now.observed:
            yield from wrapped(f"seen:    {now.observed}", "      ", "               ")
        if now.correction:
            yield from wrapped(f"better:  {now.correction}", "      ", "               ")
