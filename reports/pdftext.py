"""Everything a PDF says, for the search for secrets: its streams unpacked, its pages as text.

A page holds numbers of glyphs, which only the fonts' ToUnicode tables turn into letters; a search
through the file, or through its unpacked streams, finds no word of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pikepdf import Array, Dictionary, Name, Page, Pdf, Stream, String, parse_content_stream

_CHAR = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>")
_RANGE = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*(?:<([0-9A-Fa-f]+)>|\[([^\]]*)\])")
_BLOCK = re.compile(rb"begin(bfchar|bfrange)(.*?)end\1", re.DOTALL)

# What a glyph's number says, by font.
Spelling = dict[int, str]


def pieces(file: Path | BinaryIO) -> Iterator[bytes]:
    """Streams (the attached record among them), strings such as bookmarks, and each page's text.

    pikepdf.PdfError where the file is no PDF.
    """
    with Pdf.open(file) as pdf:
        yield from (one.read_bytes() for one in pdf.objects if isinstance(one, Stream))
        said = (string for one in pdf.objects for string in _strings(one))
        yield "\n".join(said).encode("utf-8", "surrogatepass")
        for page in pdf.pages:
            yield text(page).encode("utf-8", "surrogatepass")


def text(page: Page) -> str:
    """The letters of a page in the order they are drawn; a line that ends leaves no trace."""
    fonts = {
        str(name): _spelling(font) for name, font in _items(page.obj.get("/Resources"), "/Font")
    }
    said: list[str] = []
    spelling: Spelling = {}
    for act in parse_content_stream(page, operators="Tf Tj TJ ' \""):
        if str(act.operator) == "Tf":
            spelling = fonts.get(str(act.operands[0]), {})
        else:
            said += (_spelled(bytes(one), spelling) for one in _shown(act.operands))
    return "".join(said)


def _strings(one: Any) -> Iterator[str]:
    """Texts in an object itself; what it refers to is an object of its own."""
    inside: list[Any] = []
    if isinstance(one, String):
        yield str(one)
    elif isinstance(one, Array):
        inside = list(one)
    elif isinstance(one, Dictionary | Stream):
        inside = [one[key] for key in one.keys()]  # noqa: SIM118 - it iterates over its values
    for item in inside:
        if not getattr(item, "is_indirect", False):
            yield from _strings(item)


def _items(resources: Any, name: str) -> list[tuple[Any, Any]]:
    found = resources.get(name) if resources is not None else None
    return list(found.items()) if found is not None else []


def _shown(operands: Any) -> Iterator[Any]:
    for one in operands:
        if isinstance(one, String):
            yield one
        elif isinstance(one, Array):
            yield from (part for part in one if isinstance(part, String))


def _spelled(codes: bytes, spelling: Spelling) -> str:
    pairs = zip(codes[::2], codes[1::2], strict=False)
    return "".join(spelling.get(high << 8 | low, "") for high, low in pairs)


def _spelling(font: Any) -> Spelling:
    """A font's ToUnicode table (PDF 32000-1, 9.10.3), for the two-byte codes typst writes."""
    table = font.get(Name.ToUnicode)
    if table is None:
        return {}
    found: Spelling = {}
    for kind, body in _BLOCK.findall(table.read_bytes()):
        if kind == b"bfchar":
            found |= {int(code, 16): _letters(value) for code, value in _CHAR.findall(body)}
        else:
            for first, last, start, listed in _RANGE.findall(body):
                found |= _run(int(first, 16), int(last, 16), start, listed)
    return found


def _run(first: int, last: int, start: bytes, listed: bytes) -> Spelling:
    if listed:
        values = re.findall(rb"<([0-9A-Fa-f]+)>", listed)
        return {first + place: _letters(value) for place, value in enumerate(values)}
    head, code = _letters(start)[:-1], ord(_letters(start)[-1])
    return {first + step: head + chr(code + step) for step in range(last - first + 1)}


def _letters(value: bytes) -> str:
    return bytes.fromhex(value.decode()).decode("utf-16-be", "replace")
