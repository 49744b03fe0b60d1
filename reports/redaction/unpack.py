"""The content of a PDF's streams, attachments, strings and pages, to search it for secrets.

A page holds numbers of glyphs, which only the fonts' tables turn into letters, so its text is
searched as well as its streams. Nothing else in a bundle is packed: what is packed by other means,
or a PDF that is too large or broken, cannot be searched, which is reported as a leak.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdfium2
from pikepdf import Array, Dictionary, Pdf, PdfError, Stream, String

# What pdfium writes where a line ends, with and without a hyphen.
_LINE_ENDS = (("\r\n", ""), ("\x02", "-"), ("\ufffe", "-"))
_LARGEST = 512 << 20


def pdf_pieces(data: bytes) -> Iterator[bytes]:
    """Streams (the attached record among them), strings such as bookmarks, and each page's text.

    pikepdf.PdfError where the data is not a PDF.
    """
    with Pdf.open(io.BytesIO(data)) as pdf:
        yield from (one.read_bytes() for one in pdf.objects if isinstance(one, Stream))
        said = (string for one in pdf.objects for string in _strings(one))
        yield "\n".join(said).encode("utf-8", "surrogatepass")
    yield from (page.encode("utf-8", "surrogatepass") for page in pdf_pages(data))


def pdf_pages(data: bytes) -> Iterator[str]:
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


class Unsearchable(Exception):
    """Part of a file was not unpacked here, although it may be elsewhere."""


def is_packed(head: bytes) -> bool:
    """Whether a file with this beginning holds more than its bytes show."""
    return head.startswith((b"%PDF-", b"PK\3\4", b"PK\5\6", b"\x1f\x8b"))


def pieces(path: Path) -> Iterator[bytes]:
    """Everything inside a packed file; Unsearchable where something is left that was not read."""
    data = path.read_bytes()
    if not data.startswith(b"%PDF-"):
        raise Unsearchable("packed, and not a PDF: only a PDF is searched inside")
    yield data
    left = _LARGEST
    try:
        for piece in pdf_pieces(data):
            left -= len(piece)
            if left < 0:
                raise Unsearchable(f"more than {_LARGEST >> 20} MiB when unpacked")
            if is_packed(piece[:8]):
                raise Unsearchable("packed inside a PDF that is searched once only")
            yield piece
    except (PdfError, RuntimeError) as bad:
        raise Unsearchable(f"packed in a way that cannot be read: {bad}") from None
