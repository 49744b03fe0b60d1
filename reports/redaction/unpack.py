"""What a file says, whatever it is packed in: PDF, zip and gzip, one inside the other.

Bounded in depth and size. What is packed deeper, larger or brokenly cannot be searched, which is
said rather than passed over. A page of a PDF holds numbers of glyphs, which only the fonts' tables
turn into letters, so its text is searched besides its streams.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdfium2
from pikepdf import Array, Dictionary, Pdf, PdfError, Stream, String

# What pdfium writes where a line ends, with and without a hyphen.
_LINE_ENDS = (("\r\n", ""), ("\x02", "-"), ("\ufffe", "-"))
_DEPTH = 5
_LARGEST = 512 << 20
_CHUNK = 1 << 20


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
    """Whether a file that begins so holds more than its bytes show."""
    return head.startswith((b"%PDF-", b"PK\3\4", b"PK\5\6", b"\x1f\x8b"))


def pieces(path: Path) -> Iterator[bytes]:
    """Everything inside a packed file; Unsearchable where something is left that was not read."""
    yield from _Unpacking().inside(path.read_bytes(), 0)


class _Unpacking:
    """One file with all that is in it, against one allowance of bytes."""

    def __init__(self) -> None:
        self._left = _LARGEST

    def inside(self, data: bytes, depth: int) -> Iterator[bytes]:
        yield data
        if not is_packed(data[:8]):
            return
        if depth == _DEPTH:
            raise Unsearchable(f"packed more than {_DEPTH} times")
        for piece in self._parts(data):
            self._left -= len(piece)
            if self._left < 0:
                raise Unsearchable(f"more than {_LARGEST >> 20} MiB when unpacked")
            yield from self.inside(piece, depth + 1)

    def _parts(self, data: bytes) -> Iterator[bytes]:
        try:
            if data.startswith(b"%PDF-"):
                yield from pdf_pieces(data)
            elif data.startswith(b"PK"):
                yield from self._zipped(data)
            else:
                yield self._inflated(data)
        except (PdfError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as bad:
            raise Unsearchable(f"packed in a way that cannot be read: {bad}") from None

    def _zipped(self, data: bytes) -> Iterator[bytes]:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield archive.comment
            for entry in archive.infolist():
                yield entry.filename.encode("utf-8", "surrogateescape") + b"\n" + entry.comment
                if entry.file_size > self._left:
                    raise Unsearchable(f"more than {_LARGEST >> 20} MiB when unpacked")
                with archive.open(entry) as file:
                    yield file.read(self._left + 1)

    def _inflated(self, data: bytes) -> bytes:
        """Every member of a gzip file, up to the allowance."""
        found, rest = bytearray(), data
        while rest.startswith(b"\x1f\x8b") and len(found) <= self._left:
            member = zlib.decompressobj(31)
            found += member.decompress(rest, self._left + 1 - len(found))
            if not member.eof and len(found) <= self._left:
                raise Unsearchable("packed in a way that cannot be read: its end is missing")
            rest = member.unused_data
        return bytes(found)
