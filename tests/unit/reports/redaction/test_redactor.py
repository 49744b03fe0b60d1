"""No known value gets through, in any encoding, at any place, whole or in the pieces logs make."""

import base64
import html
import json
import secrets
import time
import urllib.parse

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drillbook.core import secret_search
from drillbook.core.secret_search import Index, Needle
from reports.redaction.redactor import Redactor

KEY = "0f1e2d3c4b5a69788796a5b4c3d2e1f9"
OTHER = "5d0c7be1934f2a68b7e9140cf3a2d856"
AWKWARD = "p@ss:/#%? \"w\\ö'rd<&>\n\tend"
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nAQEFAASCBKcwggSjAgEAAo\n" + (
    "-----END PRIVATE KEY-----\n"
)

values = st.one_of(
    st.text(min_size=6, max_size=40),
    st.text(alphabet="abcXYZ019+/=-_ \n'\"\\<&%é☃", min_size=6, max_size=3000),
).filter(lambda value: not secret_search.is_weak(value))

ENCODERS = {
    "plain": lambda text: text,
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, no padding": lambda text: base64.b64encode(text.encode()).decode().rstrip("="),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "URL": lambda text: urllib.parse.quote(text, safe=""),
    "URL path": urllib.parse.quote,
    "URL query": urllib.parse.quote_plus,
    "JSON": json.dumps,
    "JSON, all characters": lambda text: json.dumps(text, ensure_ascii=False),
    "HTML": html.escape,
    "HTML text": lambda text: html.escape(text, quote=False),
    "unicode_escape": lambda text: text.encode("unicode_escape").decode(),
    "repr of bytes": lambda text: repr(text.encode())[2:-1],
}


def redactor(**known):
    made = Redactor()
    for name, value in known.items():
        made.add(name, value)
    return made


def found(tmp_path, redactor, data):
    path = tmp_path / "file"
    path.write_bytes(data)
    return redactor.scan(path, "file")


@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS.keys())
@settings(deadline=None)
@given(value=values, before=st.text(max_size=9), after=st.text(max_size=9))
def test_any_value_in_any_encoding_and_surrounding_is_replaced(encode, value, before, after):
    written = encode(before + value + after)
    redacted = redactor(SECRET=value).text(written)
    assert "«SECRET" in redacted
    assert value not in redacted
    assert encode(value) not in redacted


@pytest.mark.parametrize("value", [KEY, AWKWARD, PEM], ids=["key", "awkward", "PEM"])
@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS.keys())
def test_file_is_searched_in_every_encoding(tmp_path, encode, value):
    leaks = found(tmp_path, redactor(SECRET=value), encode(f"..{value}..").encode())
    assert {leak.secret for leak in leaks} == {"SECRET"}
    assert value not in leaks[0].model_dump_json()


@pytest.mark.parametrize("shift", [1, 5, 16, 31])
def test_value_across_the_border_of_two_chunks_is_found(tmp_path, shift):
    data = b"." * ((1 << 20) - shift) + KEY.encode() + b"." * 99
    assert [leak.encoding for leak in found(tmp_path, redactor(K=KEY), data)] == ["plain"]


def test_clean_file_has_no_leak(tmp_path):
    assert found(tmp_path, redactor(K=KEY, PASSWORD=AWKWARD), b"nothing to see " * 9999) == []


def test_surroundings_stay_as_they_were():
    assert redactor(K=KEY).text(f"key={KEY}; on") == "key=«K»; on"


def test_letters_that_share_bits_with_a_neighbour_go_too():
    encoded = base64.b64encode(f"x{KEY}y".encode()).decode()
    assert redactor(K=KEY).text(encoded) == "e«K»Q=="


def test_two_values_of_a_name_are_told_apart():
    known = redactor(K=KEY)
    known.add("K", OTHER)
    assert known.text(f"{KEY} {OTHER}") == "«K» «K#2»"


def test_each_line_of_a_text_is_replaced_and_its_armour_is_not():
    log = "\n".join(f"db-1  | {line}" for line in PEM.splitlines())
    redacted = redactor(PEM=PEM).text(log)
    assert "MIIEvQ" not in redacted
    assert "AQEFAA" not in redacted
    assert "-----BEGIN PRIVATE KEY-----" in redacted


def test_long_value_goes_as_one_and_its_beginning_alone_goes_too():
    value = secrets.token_urlsafe(48_000)
    known = redactor(LONG=value)
    assert known.text(f"<{value}>") == "<«LONG»>"
    encoded = base64.b64encode(b"x" + value.encode()).decode()
    assert len(known.text(encoded)) < 20
    assert value[:40] not in known.text(value[:500] + "...")


@pytest.mark.parametrize(
    "value", ["", "0", "abc", "aaaaaaaa", "infisical", "123456", " \n ", "======"]
)
def test_weak_value_does_not_shred_a_report(value):
    text = "0 abc infisical aaaaaaaaaa 1234567 \n ========= end"
    assert redactor(PASSWORD=value).text(text) == text


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("postgres://infisical:infisical@db/infisical", "postgres://infisical:«PW»@db/infisical"),
        ("PW=infisical", "PW=«PW»"),
        ('{"PW": "infisical"}', '{"PW": "«PW»"}'),
    ],
)
def test_weak_value_is_replaced_where_a_secret_stands(text, redacted):
    known = redactor(PW="infisical")
    assert known.text(text) == redacted
    assert known.weak == 1


@pytest.mark.parametrize(
    "written",
    [
        "\x1b[31mred\x1b[39;49;00m",
        "\x1b]0;title\x07red",
        "\x1b]8;;https://x/\x1b\\red\x1b]8;;\x1b\\",
        "\x1b[1;2Hred\x1bM\x1b[?25l",
        "\x1b\x1b[0m[0mred",
    ],
)
def test_commands_to_a_terminal_do_not_enter(written):
    assert Redactor().text(written) == "red"
    assert Redactor().tree({"a": [written]}) == {"a": ["red"]}


def test_value_that_a_colour_cuts_or_that_holds_one_is_replaced():
    assert redactor(K=KEY).text(f"{KEY[:9]}\x1b[33m{KEY[9:]}") == "«K»"
    assert redactor(K=f"{KEY[:9]}\x1b[33m{KEY[9:]}").text(f"{KEY[:9]}\x1b[33m{KEY[9:]}") == "«K»"


def test_tree_keeps_keys_and_types():
    tree = {"a": [KEY, 1, None, 2.5], "b": {"c": f"<{KEY}>"}}
    assert redactor(K=KEY).tree(tree) == {"a": ["«K»", 1, None, 2.5], "b": {"c": "<«K»>"}}


def test_fifty_secrets_cost_little_more_than_one(tmp_path):
    known = redactor(**{f"S{number}": secrets.token_urlsafe(32) for number in range(49)})
    known.add("LONG", "\n".join(secrets.token_hex(30) for _ in range(1000)))
    line = json.dumps({"level": 30, "time": 1795539005177, "msg": "incoming request"})
    data = (line * (10_000_000 // len(line))).encode()
    many, one = (searched_s(each, data) for each in (known, redactor(A=secrets.token_hex(16))))
    assert many < 10 * one
    assert found(tmp_path, known, data) == []


def searched_s(known, data):
    """Seconds of processor time to search data, in which nothing is found."""
    began = time.process_time()
    assert known.data(data) == data
    return time.process_time() - began


@pytest.mark.parametrize("before", range(7))
def test_shortest_needle_is_found_at_either_end_and_a_shorter_one_is_none(before):
    index = Index()
    index.add(b"abcdef", Needle("K", "plain"))
    index.add(b"uvwxy", Needle("short", "plain"))
    at_the_end, at_the_start = b"." * before + b"abcdef", b"abcdef" + b"." * before
    assert [(hit.start, hit.end) for hit in index.find(at_the_end)] == [(before, before + 6)]
    assert [(hit.start, hit.end) for hit in index.find(at_the_start)] == [(0, 6)]
    assert list(index.find(b"." * before + b"uvwxy" + b"." * 6)) == []
    assert index.longest == 6


@pytest.mark.parametrize(("before", "left"), [("", 0), ("x", 1), ("xy", 2)])
def test_base64_goes_with_the_letters_that_share_bits_and_the_padding(before, left):
    written = base64.b64encode(f"{before}{KEY}".encode()).decode()
    assert redactor(K=KEY).text(f":{written}:") == f":{written[:left]}«K»:"
    assert redactor(K=KEY).text(written) == f"{written[:left]}«K»"


def test_neighbours_keep_their_names_and_pieces_of_one_become_one():
    both = redactor(A=KEY, B=OTHER)
    assert both.text(KEY + OTHER) == "«A»«B»"
    assert both.text(f"{KEY} {OTHER}") == "«A» «B»"
    assert redactor(A=KEY).text(KEY + KEY) == "«A»"
