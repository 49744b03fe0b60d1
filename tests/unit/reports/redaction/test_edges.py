"""Where a redactor begins and ends: the first and last bytes, twins, and what is known of them."""

import base64

import pytest

from drillbook.core.secret_search import Index
from reports.redaction import redactor as redaction_redactor
from tests.unit.reports.redaction.test_redactor import redactor

KEY = "0f1e2d3c4b5a69788796a5b4c3d2e1f9"


@pytest.mark.parametrize("before", ["", "1", "22", "333", "4444"])
@pytest.mark.parametrize("after", ["", "1", "22", "333"])
def test_value_is_found_at_any_place_to_the_first_and_last_byte(before, after):
    assert redactor(K=KEY[:6]).text(f"{before}{KEY[:6]}{after}") == f"{before}«K»{after}"


@pytest.mark.parametrize("before", ["", "see: ", "\n"])
def test_letter_that_shares_bits_goes_wherever_a_text_was_cut(before):
    encoded = base64.b64encode(f"x{KEY}yz".encode()).decode()
    cut = encoded[1:]
    assert encoded[:1] + "«K»" == redactor(K=KEY).text(encoded)[: 1 + len("«K»")]
    assert redactor(K=KEY).text(f"{before}{cut}").startswith(f"{before}«K»")


def test_value_known_twice_has_its_first_name():
    known = redactor(FIRST=KEY)
    known.add("SECOND", KEY)
    known.add("EMPTY", "")
    assert known.known == 1
    assert known.text(KEY) == "«FIRST»"


def test_what_was_learnt_is_handed_on_under_its_own_name():
    known = redactor(A=KEY, B=KEY[::-1])
    known.add("A", KEY[8:] + KEY[:8])
    assert known.new_secrets(0) == [("A", KEY), ("B", KEY[::-1]), ("A", KEY[8:] + KEY[:8])]
    assert known.new_secrets(2) == [("A", KEY[8:] + KEY[:8])]
    assert known.new_secrets(3) == []


def test_monotonous_value_is_no_secret_once_it_is_longer_than_any_password():
    longest, longer = "a" * 64, "b" * 65
    known = redactor(PW=longest, OTHER=longer)
    assert known.weak == 2
    assert known.text(f"PW={longest} OTHER={longer}") == f"PW=«PW» OTHER={longer}"
    assert redactor(PW="a" * 63).text("PW=" + "a" * 63) == "PW=«PW»"


@pytest.mark.parametrize("known", [{}, {"K": KEY}], ids=["no secret", "a secret"])
def test_file_is_searched_a_piece_at_a_time(tmp_path, monkeypatch, known):
    (tmp_path / "log").write_bytes(bytes(100_000))
    sizes = []
    monkeypatch.setattr(redaction_redactor, "_CHUNK", 1000)
    monkeypatch.setattr(Index, "find", lambda _self, data: sizes.append(len(data)) or ())
    redactor(**known).scan(tmp_path / "log", "log")
    assert len(sizes) == 100
    assert max(sizes) < 1500
