"""Which parts of a secret are searched for, and which are too common to be."""

import pytest

from reports.encodings import PIECE, forms, fragments, is_weak


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
    """The lines that are searched beside the text itself."""
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
    assert set(found.values()) == {"plain", "hex", "base64", "url", "json", "escaped"}
    assert found[b"p%40ss%20w%C3%B6rd%2F%2B"] == "url"
    assert found[b"p%40ss%20w%c3%b6rd%2f%2b"] == "url"
    assert found["p@ss wörd\\/+".encode()] == "json"
    assert found[b"p@ss w\\u00f6rd/+"] == "json"


def test_attribute_of_html_keeps_its_apostrophe():
    assert forms('it\'s "<b>"\t')[b"it's &quot;&lt;b&gt;&quot;&#09;"] == "html"
    assert forms('it\'s "<b>"')[b"it&#39;s &#34;&lt;b&gt;&#34;"] == "html"
