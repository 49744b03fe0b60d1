"""A secret is found in every encoding; which parts of one are searched for, and which are not."""

import base64
import bz2
import gzip
import html
import json
import lzma
import shlex
import subprocess
import zlib
from urllib.parse import quote, quote_plus

import pytest

from drillbook.core.secret_search import PIECE, Index, forms, fragments, is_weak, unwrap
from drillbook.preflight.git_scan import first_lines, needles
from fixtures.data.plaintext_search import Search
from reports.redaction.redactor import Redactor


@pytest.mark.parametrize(
    ("value", "weak"),
    [
        ("ab1c2", True),
        ("ab1c2d", False),
        ("  ab1c2  ", True),
        ("aab1ab", True),
        ("aabc12", False),
        ("ab1bab1b", True),
        ("ab1cab1c", False),
        ("password", True),
        ("PASSWORD", True),
        ("Password", False),
        ("a" * 5 + "bcdefghijk", True),
        ("abcdefghijklmnop", False),
        ("12345678901", True),
        ("123456789012", False),
    ],
)
def test_short_monotonous_and_plain_values_are_weak(value, weak):
    assert is_weak(value) is weak


def numbered(length):
    return "".join(f"{number:04}-" for number in range(length))[:length]


def test_value_up_to_a_piece_is_searched_whole_and_stripped():
    value = numbered(PIECE)
    assert list(fragments(value)) == [value, value]
    assert list(fragments("  short one 1 \n")) == ["  short one 1 \n", "short one 1"]


def test_longer_value_is_searched_by_its_head_its_pieces_and_its_end():
    value = numbered(3 * PIECE + 10)
    assert list(fragments(value)) == [
        value[:48],
        value[:PIECE],
        value[PIECE : 2 * PIECE],
        value[2 * PIECE : 3 * PIECE],
        value[-PIECE:],
    ]
    just_longer = numbered(PIECE + 1)
    assert list(fragments(just_longer)) == [
        just_longer[:48],
        just_longer[:PIECE],
        just_longer[1:],
    ]


def test_pieces_cover_every_character():
    value = numbered(2 * PIECE)
    assert list(fragments(value)) == [value[:48], value[:PIECE], value[PIECE:]]


def lines(count):
    return [f"line {number:03} of a key" for number in range(count)]


def searched(text):
    """The lines that are searched next to the text itself."""
    return [one for one in fragments(text) if "\n" not in one and len(one) < 48]


def test_lines_that_tell_something_are_searched_and_armour_is_not():
    told, armour = ["sixteen chars 16", "MIIEvQIBADANBgkq"], "-----BEGIN PRIVATE KEY-----"
    silent = ["fifteen chars 1", "a" * 40]
    assert searched("\n".join([armour, *told, *silent])) == told
    assert searched("\n".join(told)) == told
    assert searched(told[0]) == [told[0]] * 2


def test_of_very_many_lines_the_first_and_the_last_are_searched():
    many = lines(300)
    assert searched("\n".join(many)) == many[:128] + many[-128:]
    assert searched("\n".join(lines(256))) == lines(256)
    assert searched("\n".join(lines(200))) == lines(200)
    assert searched("\n".join(lines(129))) == lines(129)


def test_each_form_has_a_name_and_the_plain_one_goes_first():
    found = forms("p@ss wörd/+")
    assert next(iter(found.items())) == ("p@ss wörd/+".encode(), "plain")
    named = {"plain", "hex", "base64", "url", "json", "html", "escaped", "UTF-16"}
    assert set(found.values()) == named
    assert found[b"p%40ss%20w%C3%B6rd%2F%2B"] == "url"
    assert found[b"p%40ss%20w%c3%b6rd%2f%2b"] == "url"
    assert found["p@ss wörd\\/+".encode()] == "json"
    assert found[b"p@ss w\\u00f6rd/+"] == "json"


def test_attribute_of_html_keeps_its_apostrophe():
    assert forms('it\'s "<b>"\t')[b"it's &quot;&lt;b&gt;&quot;&#09;"] == "html"
    assert forms('it\'s "<b>"')[b"it&#39;s &#34;&lt;b&gt;&#34;"] == "html"


def urls(left):
    """Percent-encoding that leaves these signs, written down without the library's own lists."""

    def encode(text):
        kept = set(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~" + left)
        return b"".join(
            bytes([one]) if one in kept else f"%{one:02X}".encode() for one in text.encode()
        )

    return encode


def lower_hex(encode):
    def encoded(text):
        first, *parts = encode(text).split(b"%")
        return b"%".join([first, *(part[:2].lower() + part[2:] for part in parts)])

    return encoded


def units(text, form):
    raw = text.encode("utf-16-be")
    return "".join(form % int.from_bytes(raw[at : at + 2]) for at in range(0, len(raw), 2)).encode()


def every(text, form):
    return "".join(form % ord(char) for char in text).encode()


def json_of_go(text):
    written = json.dumps(text, ensure_ascii=False)
    return written.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026").encode()


def html_in_decimal(text):
    return html.escape(text, quote=False).replace('"', "&#34;").replace("'", "&#39;").encode()


def in_double_quotes(text):
    return "".join(f"\\{char}" if char in '"$`\\' else char for char in text).encode()


COMPONENT, WHOLE = b"!*'()", b";,/?:@&=+$#!*'()"
WRITERS = {
    "plain": str.encode,
    "encodeURIComponent": urls(COMPONENT),
    "encodeURI": urls(WHOLE),
    "encodeURIComponent, lower-case hex": lower_hex(urls(COMPONENT)),
    "encodeURI, lower-case hex": lower_hex(urls(WHOLE)),
    "RFC 3986": lambda text: quote(text, safe="").encode(),
    "path": lambda text: quote(text).encode(),
    "form": lambda text: quote_plus(text).encode(),
    "URLSearchParams": lambda text: urls(b"*")(text).replace(b"%20", b"+").replace(b"~", b"%7E"),
    "password of a WHATWG URL": urls(b"!$%&'()*+,"),
    "path of a WHATWG URL": urls(b"!$%&'()*+,/:;=@[\\]|"),
    "query of a WHATWG URL": urls(b"!$%&()*+,/:;=@[\\]|?`{}^"),
    "every byte in a URL": lambda text: "".join(f"%{one:02x}" for one in text.encode()).encode(),
    "in a URL twice": lambda text: quote(quote(text, safe=""), safe="").encode(),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64 after one byte": lambda text: base64.b64encode(b"x" + text.encode()),
    "base64 after two bytes": lambda text: base64.b64encode(b"xy" + text.encode()),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).rstrip(b"="),
    "base64 for URLs after one byte": lambda text: base64.urlsafe_b64encode(b"x" + text.encode()),
    "base64 in lines": lambda text: base64.encodebytes(text.encode()),
    "hex": lambda text: text.encode().hex().encode(),
    "HEX": lambda text: text.encode().hex().upper().encode(),
    "JSON": lambda text: json.dumps(text, ensure_ascii=False).encode(),
    "JSON in ASCII": lambda text: json.dumps(text).encode(),
    "JSON, slashes escaped": lambda text: json.dumps(text).replace("/", r"\/").encode(),
    "JSON, codes in capitals": lambda text: units(text, r"\u%04X"),
    "JSON, codes in small letters": lambda text: units(text, r"\u%04x"),
    "JSON of Go": json_of_go,
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)).encode(),
    "HTML": lambda text: html.escape(text).encode(),
    "HTML, named apostrophe": lambda text: html.escape(text).replace("&#x27;", "&apos;").encode(),
    "HTML, decimal quotes": html_in_decimal,
    "HTML, all decimal": lambda text: every(text, "&#%d;"),
    "HTML, all hex": lambda text: every(text, "&#x%x;"),
    "HTML, all HEX": lambda text: every(text, "&#x%X;"),
    "UTF-16 LE": lambda text: text.encode("utf-16-le"),
    "UTF-16 BE": lambda text: text.encode("utf-16-be"),
    "capitals": lambda text: text.upper().encode(),
    "small letters": lambda text: text.lower().encode(),
    "repr": lambda text: repr(text).encode(),
    "repr of bytes": lambda text: repr(text.encode()).encode(),
    "unicode_escape": lambda text: text.encode("unicode_escape"),
    "shell, by Python": lambda text: shlex.quote(text).encode(),
    "shell, single quotes": lambda text: text.replace("'", r"'\''").encode(),
    "shell, by bash": lambda text: subprocess.check_output(
        ["bash", "-c", 'printf %q "$1"', "-", text], env={"LC_ALL": "C.UTF-8"}
    ),
    "shell, double quotes": in_double_quotes,
    "compose": lambda text: text.replace("$", "$$").encode(),
    "SQL": lambda text: text.replace("'", "''").encode(),
    "CSV": lambda text: text.replace('"', '""').encode(),
}
AWKWARD = {
    "URL": "half/of#it?is lost@",
    "signs": "p@ss:/#%?&=+\"w\\o'rd<$`!*(~)>;,|[{^}] end",
    "letters": "Zurück/zum Ärger-99",
    "key": "0f1e2d3c4b5a69788796a5b4c3d2e1f9",
    "long": "L0ng" + "/aB3+xY7=" * 6,
    "longer": "L0ng" + "/aB3+xY7=" * 12,
}


@pytest.mark.parametrize("written", WRITERS)
@pytest.mark.parametrize("value", AWKWARD.values(), ids=AWKWARD)
def test_value_is_found_in_each_encoding_by_each_search(value, written):
    data = b"... " + WRITERS[written](value) + b" ..."
    assert Search({"V": value}).find([data]) == ["V"] or len(value) > 64
    assert set(first_lines(data, needles({"V": value}))) == {"V"}
    redacted = redactor(value).data(data)
    assert "«V".encode() in redacted
    assert len(redacted) < 30


def test_bytes_that_a_key_encodes_are_found():
    raw = bytes.fromhex(AWKWARD["key"])
    for encoded in (AWKWARD["key"], base64.b64encode(raw).decode()):
        known = redactor(encoded)
        for written in (raw, raw.hex().encode(), base64.b64encode(b"x" + raw)):
            assert "«V".encode() in known.data(b"\0" + written)


def test_other_case_of_a_plain_word_is_not_searched():
    assert b"documentation" not in forms("Documentation")
    assert forms("Documentation-7")[b"documentation-7"] == "in another case"


def redactor(value):
    made = Redactor()
    made.add("V", value)
    return made


NESTED = {
    "base64 of base64": lambda raw: base64.b64encode(base64.b64encode(raw)),
    "base64 of base64 of base64": lambda raw: base64.b64encode(
        base64.b64encode(base64.b64encode(raw))
    ),
    "hexadecimal of base64": lambda raw: base64.b64encode(raw).hex().encode(),
    "base64 of hexadecimal of base64": lambda raw: base64.b64encode(
        base64.b64encode(raw).hex().encode()
    ),
    "gzip": gzip.compress,
    "base64 of gzip": lambda raw: base64.b64encode(gzip.compress(raw)),
    "URL-safe base64 of zlib, unpadded": lambda raw: base64.urlsafe_b64encode(
        zlib.compress(raw)
    ).rstrip(b"="),
    "hexadecimal of gzip": lambda raw: gzip.compress(raw).hex().encode(),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "base64 in lines, in JSON": lambda raw: json.dumps(
        base64.encodebytes(base64.b64encode(raw)).decode()
    ).encode(),
    "base64 with escaped slashes": lambda raw: base64.b64encode(gzip.compress(raw)).replace(
        b"/", b"\\/"
    ),
    "in a URL, in base64": lambda raw: quote(
        base64.b64encode(base64.b64encode(raw)).decode(), safe=""
    ).encode(),
    "JSON in JSON in JSON, in base64": lambda raw: base64.b64encode(
        json.dumps(json.dumps(json.dumps(raw.decode()))).encode()
    ),
}


@pytest.mark.parametrize("wrap", NESTED.values(), ids=NESTED)
@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"abc/", b'{"msg":"x-', b"\x00\xff"])
def test_what_is_encoded_more_than_once_or_compressed_is_found(wrap, before):
    value = 'it\'s "Überweisung 日本" of 1200.00'
    search = Index()
    search.add_value("CANARY", value)
    data = before + wrap(f"the value is {value}, they said".encode()) + b'", and more'
    assert any(list(search.find(inner)) for inner in unwrap(data))
    other = before + wrap(b"the value is another one, they said") + b'", and more'
    assert not any(list(search.find(inner)) for inner in unwrap(other))


def test_a_bomb_is_not_unpacked_to_its_end():
    bomb = gzip.compress(bytes(64 << 20))
    assert max(map(len, unwrap(bomb))) <= 4 << 20


@pytest.mark.parametrize("encode", [lambda raw: raw[::-1], base64.b32encode])
def test_a_value_is_found_reversed_and_in_base32(encode):
    index = Index()
    index.add_value("WRITTEN", "opening balance 1200.00")
    data = b"of " + encode(b"opening balance 1200.00") + b" of"
    assert {hit.needle.name for hit in index.find(data)} == {"WRITTEN"}
