"""A secret in every encoding it may have been written in, and where in a content one stands.

Redaction, the last search of a bundle, the search of repositories and that of backups, database
files and logs all use this one list of encodings. `unwrap` gives what is encoded or compressed in
a content, to search for a secret that was encoded twice.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import html
import json
import lzma
import re
import string
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import product
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from drillbook.core import signatures

PIECE = 1024
_HEAD = 48
_LINE = 16
_LINES = 256
_LONG = 12
_WRAPPED = (64, 76)
_QUOTES = "'\""
_ARMOUR = re.compile(r"-----[A-Z0-9 ]+-----")
_CODE_IN_URL = re.compile("%[0-9A-F]{2}")
_CODE_IN_JSON = re.compile(r"\\u([0-9a-f]{4})")
_WORD = re.compile(r"[a-z]{1,15}|[A-Z]{1,15}|\d{1,11}")
# What percent-encoding leaves as it is, besides letters, digits, "_", ".", "-" and "~".
_LEFT_IN_URLS = (
    "",  # RFC 3986, a component
    "/",  # a path, as Python writes it
    "!*'()",  # encodeURIComponent
    ";,/?:@&=+$#!*'()",  # encodeURI
    "!$%&'()*+,",  # user and password in a URL, as browsers and Node write them (WHATWG)
    "!$%&'()*+,/:;=@[\\]|",  # a path of such a URL
    "!$%&()*+,/:;=@[\\]|?`{}^",  # a query of such a URL
    "!$%&'()*+,/:;=@[\\]|?{}^#",  # a fragment of such a URL
)
_QUOTES_IN_HTML = (('"', "&quot;", "&#34;", "&#x22;"), ("'", "&#39;", "&#x27;", "&apos;"))
_CODES_IN_HTML = ("&#{};", "&#x{:x};", "&#x{:X};")
# Ruby, bash's %q, and double quotes as scripts and as people at a prompt write them.
_ESCAPED_IN_SHELLS = (
    r"[^\w\n@+:,./-]",
    r"^[#~]|[ \t'\"\\|&;()<>!{}*\[\]?^$`,]",
    r'["$`\\]',
    r'["$`\\!]',
)
# What JSON writers escape although they need not: Go and Rails, then .NET.
_ESCAPED_IN_JSON = ("", "<>&", "<>&'\"+`")


def is_weak(value: str) -> bool:
    """Whether ordinary text may hold the value by chance: short, monotonous or a plain word."""
    text = value.strip()
    return len(text) < 6 or len(set(text)) < 4 or _WORD.fullmatch(text) is not None


def fragments(value: str) -> Iterator[str]:
    """What to search for: the value; of a long one its head and pieces; of a text its lines.

    Logs cut long values and prefix each line. An armour line (-----BEGIN ...) is not a secret. Of
    more than 256 lines the first and the last 128 are searched for.
    """
    if len(value) <= PIECE:
        yield value
        yield value.strip()
    else:
        yield value[:_HEAD]
        yield from (value[at : at + PIECE] for at in range(0, len(value) - PIECE, PIECE))
        yield value[-PIECE:]
    lines = [line for line in value.splitlines() if _is_distinctive(line)]
    if len(value.splitlines()) > 1:
        yield from lines[: _LINES // 2]
        yield from lines[_LINES // 2 :][-_LINES // 2 :]


def _is_distinctive(line: str) -> bool:
    return len(line) >= _LINE and not _ARMOUR.fullmatch(line.strip()) and not is_weak(line)


def forms(value: str) -> dict[bytes, str]:
    """Each way of writing the value, and the name of the encoding; plain comes first."""
    names: dict[bytes, str] = {}
    for name, found in _forms(value, _bytes(value), _decoded(value)):
        for form in found:
            names.setdefault(_bytes(form) if isinstance(form, str) else form, name)
    return names


def _forms(
    value: str, raw: bytes, decoded: list[bytes]
) -> Iterator[tuple[str, Iterable[str | bytes]]]:
    yield "plain", [raw]
    for one in (raw, *decoded):
        yield "hex", [one.hex(), one.hex().upper()]
        yield "base64", _base64(one)
    yield "url", _url(raw)
    yield "json", _json(value)
    yield "html", _html(value)
    yield "escaped", _escaped(value)
    yield "UTF-16", [value.encode(code, "surrogatepass") for code in ("utf-16-le", "utf-16-be")]
    yield "decoded", decoded
    yield "in another case", [one for one in (value.upper(), value.lower()) if _is_long(one)]
    if _is_long(value):
        yield "base32", [base64.b32encode(raw).rstrip(b"=")]
        yield "reversed", [value[::-1]]


def _is_long(form: str) -> bool:
    """Whether ordinary text does not have it by chance, although it is only nearly the value."""
    return len(form) >= _LONG and not is_weak(form)


def _decoded(value: str) -> list[bytes]:
    """The bytes whose hexadecimal or base64 form the value is, as with most keys."""
    found = []
    for decode in (bytes.fromhex, lambda text: base64.b64decode(text, validate=True)):
        try:
            found.append(decode(value.strip()))
        except ValueError:
            continue
    return [raw for raw in found if _is_long(raw.decode("latin-1"))]


def _base64(raw: bytes) -> Iterator[bytes]:
    """Whole, in lines, and the characters that stay the same behind up to two other bytes."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(raw).rstrip(b"=")
        yield whole
        for width in _WRAPPED:
            yield b"\n".join(whole[at : at + width] for at in range(0, len(whole), width))
        for before in range(3):
            first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
            yield encode(bytes(before) + raw)[first:last]


def _url(raw: bytes) -> Iterator[bytes]:
    texts = [quote(raw, safe=left) for left in _LEFT_IN_URLS]
    # As forms are sent, by Python and by browsers, and every byte encoded.
    texts.append(texts[0].replace("%20", "+"))
    texts.append(quote(raw, safe="*").replace("%20", "+").replace("~", "%7E"))
    texts.append(f"%{raw.hex('%').upper()}" if raw else "")
    for text in texts:
        yield text.encode()
        yield _CODE_IN_URL.sub(lambda code: code[0].lower(), text).encode()
        yield quote(text, safe="").encode()


def _json(value: str) -> Iterator[str]:
    for ascii_only, more in product((False, True), _ESCAPED_IN_JSON):
        text = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        text = text.replace('\\"', "\\u0022") if '"' in more else text
        text = text.translate({ord(char): f"\\u{ord(char):04x}" for char in more})
        for form in (text, _CODE_IN_JSON.sub(lambda code: f"\\u{code[1].upper()}", text)):
            yield from (form, form.replace("/", "\\/"), json.dumps(form)[1:-1])
    units = value.encode("utf-16-be", "surrogatepass").hex(" ", 2)
    for digits in (units, units.upper()):
        yield f" {digits}".replace(" ", "\\u") if digits else ""


def _html(value: str) -> Iterator[str]:
    text = html.escape(value, quote=False)
    for double, single in product(*_QUOTES_IN_HTML):
        yield text.replace('"', double).replace("'", single)
    attribute = text.replace('"', "&quot;")
    yield re.sub(r"[\t\r\n]", lambda control: f"&#{ord(control[0]):02};", attribute)
    quoted = attribute.replace("'", "&#39;")
    yield re.sub("[/`=]", lambda char: f"&#x{ord(char[0]):X};", quoted)
    for form in _CODES_IN_HTML:
        every = {ord(char): form.format(ord(char)) for char in set(value)}
        yield value.translate(every)
        plain = {code for code in every if chr(code).isascii() and chr(code).isalnum()}
        yield value.translate({code: every[code] for code in every.keys() - plain})


def _escaped(value: str) -> Iterator[str]:
    """As Python, C, a shell, an env file, SQL text, COPY and CSV write it."""
    raw = _bytes(value)
    # With both quotes in a text, repr escapes each single one, and we know what to undo.
    for text in (repr(value + _QUOTES), ascii(value + _QUOTES), repr(raw + _QUOTES.encode())[1:]):
        single = text[1:-4]
        plain = single.replace("\\'", "'")
        yield from (plain, single, plain.replace('"', '\\"'), single.replace('"', '\\"'))
    yield value.encode("unicode_escape").decode()
    yield re.sub(r"([^\w\n])", r"\\\1", value)
    for signs in _ESCAPED_IN_SHELLS:
        yield re.sub(signs, r"\\\g<0>", value)
    for char, twice in (("'", "''"), ("'", "'\\''"), ("'", "'\"'\"'"), ('"', '""'), ("$", "$$")):
        yield value.replace(char, twice)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


class Needle(NamedTuple):
    """What to find: whose value, how it is written, and how much of it is only context."""

    name: str
    encoding: str
    before: int = 0
    after: int = 0


class Hit(NamedTuple):
    """A needle and its place."""

    start: int
    end: int
    needle: Needle


class Index:
    """Needles by the blocks of four bytes they begin with, long ones apart from short ones.

    Each has a block at every place of one stride; looking at one place a stride of a text meets
    one of them, however many needles there are. The longer the shortest needle, the fewer places.
    """

    _BLOCK = 4

    def __init__(self, shortest: int = 6) -> None:
        self.texts: dict[bytes, Needle] = {}
        self._shortest = shortest
        # By the least length of the needles: where in a needle of which length each block stands.
        self._blocks: dict[int, dict[bytes, set[tuple[int, int]]]] = {
            length: {} for length in (max(shortest, _LONG), shortest)
        }
        self.longest = 0

    def add(self, text: bytes, needle: Needle) -> None:
        """Search for this text, too, unless it is shorter than the shortest."""
        if len(text) < self._shortest:
            return
        self.texts.setdefault(text, needle)
        self.longest = max(self.longest, len(text))
        least = max(length for length in self._blocks if length <= len(text))
        for offset in range(self._stride(least)):
            block = text[offset : offset + self._BLOCK]
            self._blocks[least].setdefault(block, set()).add((offset, len(text)))

    def add_value(self, name: str, value: str) -> None:
        """Search for this value in every encoding."""
        for text, encoding in forms(value).items():
            self.add(text, Needle(name, encoding))

    def find(self, data: bytes) -> Iterator[Hit]:
        """Every needle in the data, in no particular order."""
        size = self._BLOCK
        for least, blocks in self._blocks.items():
            places = range(0, len(data) - size + 1, self._stride(least)) if blocks else ()
            for at in [at for at in places if data[at : at + size] in blocks]:
                for offset, length in blocks[data[at : at + size]]:
                    start = at - offset
                    needle = self.texts.get(data[start : start + length]) if start >= 0 else None
                    if needle:
                        yield Hit(start, start + length, needle)

    def _stride(self, least: int) -> int:
        return least - self._BLOCK + 1


# Shorter runs hold no secret that is worth the search: sixteen letters of base64 are twelve bytes.
_SHORTEST_RUN = 16
# Blanks for what is no letter of base64, and the letters of URLs as the others.
_BASE64 = (string.ascii_letters + string.digits + "+/").encode()
_LETTERS = bytes(
    code if code in _BASE64 else ord(" ")
    for code in bytes(range(256)).translate(bytes.maketrans(b"-_", b"+/"))
)
_IN_HEX = re.compile(rb"[0-9A-Fa-f]{24,}")
_TEXT = re.compile(rb"[\n\r\x20-\x7e\x80-\xf4]{12,}")
# The break comes first in the pattern: so the search skips to the next one.
_BROKEN_RUN = re.compile(
    rb"(?:\n(?<=[A-Za-z0-9+/]{60}\n)|\r(?<=[A-Za-z0-9+/]{60}\r)|\\[nr](?<=[A-Za-z0-9+/]{60}\\[nr]))"
    rb"(?:\\[nr]|[\n\r]){0,3}(?=[A-Za-z0-9+/])"
)
_ESCAPE = re.compile(rb'\\(?:u([0-9A-Fa-f]{4})|(["\\/bfnrt]))')
_CONTROLS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
# By the bytes that compressed data begins with: what decompresses it.
_COMPRESSED: tuple[tuple[re.Pattern[bytes], Callable[[], Any]], ...] = (
    (re.compile(re.escape(signatures.GZIP) + rb"\x08"), lambda: zlib.decompressobj(31)),
    (re.compile(rb"x[\x01\x5e\x9c\xda]"), zlib.decompressobj),
    (re.compile(re.escape(signatures.BZIP2) + rb"[1-9]1AY&SY"), bz2.BZ2Decompressor),
    (re.compile(re.escape(signatures.XZ)), lzma.LZMADecompressor),
)
_MOST_DECOMPRESSED = 4 << 20


def unwrap(data: bytes, times: int = 2) -> Iterator[bytes]:
    """The data, and all that is encoded or compressed in it, up to so many layers deep.

    All that is encoded in base64 or hexadecimal digits comes as one content, read from each
    possible first letter: where a run begins is not known.
    """
    yield data
    if times:
        for inner in _unwrap_once(data):
            yield from unwrap(inner, times - 1)


def _unwrap_once(data: bytes) -> Iterator[bytes]:
    texts = _TEXT.findall(data)
    for sign, undo in ((b"%", unquote_to_bytes), (b"\\", partial(_ESCAPE.sub, _unescape))):
        lines = (line for text in texts if sign in text for line in text.split(b"\n"))
        if escaped := [line for line in lines if sign in line]:
            yield undo(b"\n".join(escaped))
    joined = _BROKEN_RUN.sub(b"", b"\0".join(texts).replace(b"\\/", b"/"))
    if runs := b"\n".join(_decode_runs(joined)):
        yield runs
    view = memoryview(data)
    for signature, decompressor in _COMPRESSED:
        for match in signature.finditer(data):
            try:
                inner = decompressor().decompress(view[match.start() :], _MOST_DECOMPRESSED)
            except (zlib.error, lzma.LZMAError, OSError):
                continue
            if inner:
                yield inner


def _unescape(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return chr(int(match[1], 16)).encode("utf-8", "surrogatepass")
    return _CONTROLS.get(match[2], match[2])


def _decode_runs(data: bytes) -> Iterator[bytes]:
    runs = [run for run in data.translate(_LETTERS).split() if len(run) >= _SHORTEST_RUN]
    # Each run begins a group of letters, and zeros end it: so one call decodes them all.
    letters = b"".join(run + b"A" * (4 + -len(run) % 4) for run in runs)
    for skipped in range(4 if runs else 0):
        yield binascii.a2b_base64(letters[skipped : len(letters) - -skipped % 4])
    digits = b"".join(run + b"0" * (2 + len(run) % 2) for run in _IN_HEX.findall(b" ".join(runs)))
    for skipped in range(2 if digits else 0):
        yield binascii.unhexlify(digits[skipped : len(digits) - skipped])
