"""The ways a secret may be written in a report or a log, so that each can be searched for."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

PIECE = 1024
_HEAD = 48
_LINE = 16
_LINES = 256
_QUOTES = "'\""
_ARMOUR = re.compile(r"-----[A-Z0-9 ]+-----")
_WORD = re.compile(r"[a-z]{1,15}|[A-Z]{1,15}|\d{1,11}")


def is_weak(value: str) -> bool:
    """Whether ordinary text may hold the value by chance: short, monotonous or a plain word."""
    text = value.strip()
    return len(text) < 6 or len(set(text)) < 4 or _WORD.fullmatch(text) is not None


def fragments(value: str) -> Iterator[str]:
    """What to search for: the value; of a long one its head and pieces; of a text its lines.

    Logs cut long values and prefix each line. An armour line (-----BEGIN ...) is no secret,
    and of more than 256 lines the first and last 128 must do.
    """
    if len(value) <= PIECE:
        yield value
        yield value.strip()
    else:
        yield value[:_HEAD]
        yield from (value[at : at + PIECE] for at in range(0, len(value) - PIECE, PIECE))
        yield value[-PIECE:]
    lines = [line for line in value.splitlines() if _tells(line)]
    if len(value.splitlines()) > 1:
        yield from lines[: _LINES // 2]
        yield from lines[_LINES // 2 :][-_LINES // 2 :]


def _tells(line: str) -> bool:
    return len(line) >= _LINE and not _ARMOUR.fullmatch(line.strip()) and not is_weak(line)


def forms(value: str) -> dict[bytes, str]:
    """Each way of writing the value, and what that way is called; plain comes first."""
    found: dict[bytes, str] = {}
    for name, needle in _forms(value, value.encode("utf-8", "surrogatepass")):
        found.setdefault(needle, name)
    return found


def _forms(value: str, raw: bytes) -> Iterator[tuple[str, bytes]]:
    yield "plain", raw
    yield from (("hex", form) for form in _hex(raw))
    yield from (("base64", form) for form in _base64(raw))
    yield from (("url", form) for form in _url(raw))
    yield from (("json", form) for form in _json(value))
    yield from (("html", _bytes(form)) for form in _html(value))
    yield from (("escaped", _bytes(form)) for form in _escaped(value))


def _hex(raw: bytes) -> Iterator[bytes]:
    yield raw.hex().encode()
    yield raw.hex().upper().encode()


def _base64(raw: bytes) -> Iterator[bytes]:
    """Whole, and the letters it alone decides when zero, one or two bytes stand before it."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(raw).rstrip(b"=")
        for before in range(3):
            first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
            yield encode(bytes(before) + raw)[first:last]


def _url(raw: bytes) -> Iterator[bytes]:
    for text in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield text.encode()
        yield re.sub(r"%..", lambda code: code[0].lower(), text).encode()


def _json(value: str) -> Iterator[bytes]:
    for ascii_only in (False, True):
        text = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield _bytes(text)
        yield _bytes(text.replace("/", "\\/"))


def _html(value: str) -> Iterator[str]:
    yield html.escape(value, quote=False)
    yield html.escape(value)
    decimal = html.escape(value).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
    yield decimal
    attribute = html.escape(value, quote=False).replace('"', "&quot;")
    yield re.sub(r"[\t\r\n]", lambda control: f"&#{ord(control[0]):02};", attribute)


def _escaped(value: str) -> Iterator[str]:
    """As Python, C, a shell, and SQL text and COPY write it."""
    raw = value.encode("utf-8", "surrogatepass")
    # With both quotes in a text, repr escapes each single one, and we know what to undo.
    for text in (repr(value + _QUOTES), ascii(value + _QUOTES), repr(raw + _QUOTES.encode())[1:]):
        single = text[1:-4]
        plain = single.replace("\\'", "'")
        yield from (plain, single, plain.replace('"', '\\"'), single.replace('"', '\\"'))
    yield value.encode("unicode_escape").decode()
    yield re.sub(r"([^\w\n])", r"\\\1", value)
    yield value.replace("'", "''")
    yield value.replace("'", "'\\''")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
