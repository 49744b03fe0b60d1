"""A value is found in whatever is stored, in each of its forms, however many others are sought."""

import base64
import random
from urllib.parse import quote_plus

import pytest

from fixtures.data.plaintext_search import Search

VALUE = "opening balance 1200.00 of the ledger"
OTHERS = {f"other {n}": f"the other value with number {n:06d}" for n in range(60)}
FORMS = {
    "plain": str.encode,
    "hexadecimal": lambda text: text.encode().hex().encode(),
    "base64": lambda text: base64.b64encode(b"{'a': '" + text.encode()),
    "in a URL": lambda text: quote_plus(text).encode(),
}


@pytest.mark.parametrize("others", [{}, OTHERS], ids=["alone", "among many"])
@pytest.mark.parametrize("form", FORMS)
def test_a_value_is_found_wherever_it_begins(form, others):
    search, written = Search({"ledger": VALUE} | others), FORMS[form](VALUE)
    for before in range(11):
        assert search.find([b"." * before + written]) == ["ledger"]
        assert search.find([b"." * before + written + b"." * before]) == ["ledger"]


def test_the_shortest_value_is_found_and_a_shorter_one_is_told():
    search = Search({"short": "eleven char"} | {"least": "twelve chars"} | OTHERS)
    assert search.blind_to() == ["short"]
    assert [search.find([b"x" * n + b"twelve chars"]) for n in range(7)] == [["least"]] * 7
    assert search.find([b"twelve char", b"twelve_chars", b"welve chars"]) == []


def test_where_a_chunk_ends_makes_no_difference():
    chance, search = random.Random(1), Search({"ledger": VALUE} | OTHERS)
    text = b"-" * 50 + VALUE.encode() + b"-" * 50 + OTHERS["other 7"].encode() + b"-" * 9
    for _ in range(200):
        cut = sorted(chance.sample(range(len(text)), 2))
        chunks = [text[: cut[0]], text[cut[0] : cut[1]], text[cut[1] :]]
        assert search.find(chunks) == ["ledger", "other 7"]
