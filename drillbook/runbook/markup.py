"""HTML in Markdown as what it says: rows, texts, headings and blocks, each with its line."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Literal, NamedTuple

# A text without marks, and its spans of code, each with its place.
Spans = tuple[str, list[tuple[int, str]]]

_APART = frozenset(
    ("p", "div", "li", "ul", "ol", "dt", "dd", "br", "tr", "table", "summary", "details")
)
_SILENT = frozenset(("script", "style", "template"))


Kind = Literal["header", "row", "text", "heading", "block"]


class Part(NamedTuple):
    """A row of a table (its cells), a text, a heading or a block; level is a heading's, or 0."""

    kind: Kind
    cells: list[Spans]
    line: int
    level: int = 0


def parts(html: str, line: int) -> list[Part]:
    """The parts of a block of HTML whose first line is this one."""
    reader = _Reader(line)
    reader.feed(html)
    reader.close()
    reader.end()
    return reader.found


class _Reader(HTMLParser):
    def __init__(self, line: int) -> None:
        super().__init__()
        self.found: list[Part] = []
        self._first = line
        self._line = line
        self._cells: list[Spans] = [("", [])]
        self._code_at: int | None = None
        self._inside: list[str] = []
        self._is_header = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag in _APART or tag == "pre" or _level(tag):
            self.end()
        if tag in ("td", "th") and self._cells[-1][0].strip():
            self._cells.append(("", []))
        self._is_header = self._is_header or tag == "th"
        if tag == "code":
            self._code_at = len(self._cells[-1][0])
        if tag in _SILENT or tag in ("pre", "tr") or _level(tag):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        text, spans = self._cells[-1]
        if tag == "code" and self._code_at is not None:
            spans.append((self._code_at, text[self._code_at :]))
            self._code_at = None
        if tag in _APART or tag == "pre" or _level(tag):
            self.end()
        if tag in self._inside:
            self._inside = self._inside[: self._inside.index(tag)]

    def handle_data(self, data: str) -> None:
        text, spans = self._cells[-1]
        if _SILENT & {*self._inside} or not (text or data.strip()):
            return
        if not "".join(cell for cell, _ in self._cells):
            blank = data[: len(data) - len(data.lstrip())].count("\n")
            self._line = self._first + self.getpos()[0] - 1 + blank
        if "pre" not in self._inside:
            data = " ".join(data.split("\n"))
        self._cells[-1] = (text + data, spans)

    def end(self) -> None:
        """End what is being read: it is a part, unless it says nothing."""
        cells = [cell for cell in self._cells if cell[0].strip()]
        inside = self._inside[-1] if self._inside else ""
        if cells and inside == "pre":
            text = cells[0][0].lstrip("\n")
            self.found.append(Part("block", [(text, [])], self._line))
        elif cells and inside == "tr":
            kind: Kind = "header" if self._is_header else "row"
            self.found.append(Part(kind, cells, self._line))
        elif cells:
            kind = "heading" if _level(inside) else "text"
            self.found.append(Part(kind, cells, self._line, _level(inside)))
        self._cells, self._code_at, self._is_header = [("", [])], None, False


def _level(tag: str) -> int:
    return int(tag[1]) if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456" else 0
