"""Replaces secrets with their names in everything recorded, and searches finished files for them.

A value is searched for in every encoding that drillbook/core/secret_search.py lists. A weak value
(fewer than six characters, fewer than four different ones, or a plain word or number) occurs by
chance in any text, so it is searched for only after its own name and as the password of a
connection string. An empty value is not a secret.

In a PDF the streams, attachments and strings are searched, and also the text of the pages: a page
holds numbers of glyphs, which only the tables of the fonts turn into letters. Nothing else in a
bundle is packed: a file that is packed in another way, or a PDF that is too large or broken, cannot
be searched, and is reported as a leak.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdfium2
from pikepdf import Array, Dictionary, Pdf, PdfError, Stream, String

from drillbook.core.display import map_texts
from drillbook.core.secret_search import Hit, Index, Needle, forms, fragments, is_weak
from drillbook.core.signatures import EMPTY_ZIP, GZIP, PDF, ZIP
from reports.evidence.model import Leak

_CHUNK = 1 << 20
# What pdfium writes at the end of a line, and what stands for it.
_LINE_ENDS = (("\r\n", ""), ("\x02", "-"), ("\ufffe", "-"))
_LARGEST = 512 << 20
# Terminal commands of ECMA-48: strings (titles, links), colours, and the others.
_ESCAPES = re.compile(r"\x1b(?:[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\[[0-?]*[ -/]*[@-~]|[@-Z\\^_])")
_UNKNOWN = "not known"
_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")


class Redactor:
    """Knows the secrets of a run; safe to use from threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._index = Index()
        self._names: dict[str, str] = {}
        self.weak = 0

    @property
    def known(self) -> int:
        """How many different values are known."""
        return len(self._names)

    def new_secrets(self, since: int) -> list[tuple[str, str]]:
        """Names and values in the order they were added, without the first `since` ones."""
        with self._lock:
            known = [(shown.partition("#")[0], value) for value, shown in self._names.items()]
        return known[since:]

    def add(self, name: str, value: str) -> None:
        """Add a value. A second value with the same name is shown as NAME#2."""
        with self._lock:
            if not value or value in self._names:
                return
            twins = sum(known.partition("#")[0] == name for known in self._names.values())
            shown = self._names[value] = f"{name}#{twins + 1}" if twins else name
            if is_weak(value):
                self.weak += 1
                if len(value) <= 64:
                    self._add_weak(name, shown, value)
                return
            for fragment in fragments(value):
                if not is_weak(fragment):
                    self._index.add_value(shown, fragment)

    def _add_weak(self, name: str, shown: str, value: str) -> None:
        """Search for a weak value after its own name and as the password of a connection string."""
        for before in (":", f"{name}=", f"{name}: ", f'{name}": "', f'{name}":"'):
            after = "@" if before == ":" else ""
            for text, encoding in forms(value).items():
                needle = Needle(shown, encoding, len(before.encode()), len(after))
                self._index.add(before.encode() + text + after.encode(), needle)

    def find(self, data: bytes) -> set[tuple[str, str]]:
        """The known values in data: the name and the encoding of each."""
        with self._lock:
            return {(hit.needle.name, hit.needle.encoding) for hit in self._index.find(data)}

    def text(self, text: str) -> str:
        """The text with each known value replaced by its name, and without terminal commands.

        Text that had such commands is searched again: a value may contain one, or be cut by one.
        """
        clean = self.data(text.encode("utf-8", "replace")).decode("utf-8", "replace")
        plain = _ESCAPES.sub("", clean)
        return plain if plain == clean else self.text(plain)

    def data(self, data: bytes) -> bytes:
        """The bytes with each known value replaced by its name."""
        with self._lock:
            hits = [_trim(data, hit) for hit in self._index.find(data)]
        # Of those that begin together, the longest is named: the others are its parts.
        hits.sort(key=lambda hit: (hit.start, -hit.end))
        parts, done = [], 0
        for hit in _merge(hits):
            parts += [data[done : hit.start], f"«{hit.needle.name}»".encode()]
            done = hit.end
        return b"".join([*parts, data[done:]]) if done else data

    def tree(self, value: object) -> Any:
        """Redact every text in lists and dictionaries; keys are not secret and stay."""
        return map_texts(self.text, value)

    def scan(self, path: Path, shown_as: str, *, packed: bool = True) -> list[Leak]:
        """The secrets that a file still holds; with `packed`, also inside a PDF.

        A file that cannot be unpacked cannot be searched, and is reported as a leak.
        """
        found: dict[tuple[str, str], None] = {}
        try:
            for data in self._pieces(path, packed):
                found |= dict.fromkeys(sorted(self.find(data)))
        except Unsearchable as trouble:
            found[_UNKNOWN, str(trouble)] = None
        return [Leak(file=shown_as, secret=name, encoding=how) for name, how in found]

    def _pieces(self, path: Path, packed: bool) -> Iterator[bytes]:
        """The data to search: the file in pieces that overlap by the longest needle."""
        rest = b""
        with path.open("rb") as file:
            if packed and is_packed(file.read(8)):
                yield from pieces(path)
                return
            file.seek(0)
            while chunk := file.read(_CHUNK):
                yield rest + chunk
                rest = (rest + chunk)[-self._index.longest :] if self._index.longest else b""


def _trim(data: bytes, hit: Hit) -> Hit:
    """The hit without its context, but with base64 letters and padding that share bits with it."""
    start, end = hit.start + hit.needle.before, hit.end - hit.needle.after
    if hit.needle.encoding == "base64":
        start -= start > 0 and data[start - 1] in _BASE64
        end += end < len(data) and data[end] in _BASE64
        while data[end : end + 1] == b"=":
            end += 1
    return Hit(start, end, hit.needle)


def _merge(hits: list[Hit]) -> Iterator[Hit]:
    """The hits, with overlapping ones and adjoining pieces of one value joined."""
    current: Hit | None = None
    for hit in hits:
        touching = current and hit.needle.name == current.needle.name
        if current and hit.start < current.end + bool(touching):
            current = current._replace(end=max(current.end, hit.end))
        else:
            if current:
                yield current
            current = hit
    if current:
        yield current


def pdf_pieces(data: bytes) -> Iterator[bytes]:
    """Streams (also the attached record), strings such as bookmarks, and the text of each page.

    pikepdf.PdfError where the data is not a PDF.
    """
    with Pdf.open(io.BytesIO(data)) as pdf:
        yield from (one.read_bytes() for one in pdf.objects if isinstance(one, Stream))
        said = (string for one in pdf.objects for string in _strings(one))
        yield "\n".join(said).encode("utf-8", "surrogatepass")
    yield from (page.encode("utf-8", "surrogatepass") for page in pdf_pages(data))


def pdf_pages(data: bytes) -> Iterator[str]:
    """The text of each page, with lines joined, so that a value across two lines is one word."""
    with pypdfium2.PdfDocument(data) as document:
        for page in document:
            text: str = page.get_textpage().get_text_range()
            for found, instead in _LINE_ENDS:
                text = text.replace(found, instead)
            yield text


def _strings(one: Any) -> Iterator[str]:
    """Texts in an object itself; objects that it refers to are read by themselves."""
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
    """Part of a file could not be unpacked."""


def is_packed(head: bytes) -> bool:
    """Whether a file with this beginning is a PDF or compressed."""
    return head.startswith((PDF, ZIP, EMPTY_ZIP, GZIP))


def pieces(path: Path) -> Iterator[bytes]:
    """Everything inside a packed file; Unsearchable if a part of it cannot be read."""
    data = path.read_bytes()
    if not data.startswith(PDF):
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
