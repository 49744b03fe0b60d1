"""Everything a PDF says, for the search for secrets: its streams unpacked, its pages as text.

A page holds numbers of glyphs, which only the fonts' tables turn into letters; a search through the
file, or through its unpacked streams, finds no word of it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pypdfium2
from pikepdf import Array, Dictionary, Pdf, Stream, String

# What pdfium writes where a line ends, with and without a hyphen.
_LINE_ENDS = (("\r\n", ""), ("\x02", "-"), ("\ufffe", "-"))


def pieces(data: bytes) -> Iterator[bytes]:
    """Streams (the attached record among them), strings such as bookmarks, and each page's text.

    pikepdf.PdfError where the data is not a PDF.
    """
    with Pdf.open(io.BytesIO(data)) as pdf:
        yield from (one.read_bytes() for one in pdf.objects if isinstance(one, Stream))
        said = (string for one in pdf.objects for string in _strings(one))
        yield "\n".join(said).encode("utf-8", "surrogatepass")
    yield from (page.encode("utf-8", "surrogatepass") for page in pages(data))


def pages(data: bytes) -> Iterator[str]:
    """The text of each page, lines joined: a value that runs over a line's end is one word."""
    with pypdfium2.PdfDocument(data) as document:
        for page in document:
            text: str = page.get_textpage().get_text_range()
            for found, instead in _LINE_ENDS:
                text = text.replace(found, instead)
            yield text


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
