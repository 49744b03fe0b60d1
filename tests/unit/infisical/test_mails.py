"""Codes and links in a log are found in what is addressed to their recipient, and nowhere else."""

import json

from drillbook.infisical.mails import RESET, SIGN_UP

WHO = "owner@example.com"


def log(*entries):
    lines = ['{"level":30,"msg":"request completed"}', "no JSON", "[1]"]
    return "\n".join([*lines, *(json.dumps(one) for one in entries)])


def test_a_code_is_found_in_text_and_not_in_colours_or_numbers():
    html = '<style>h1 { width: 640000 }</style><body style="color:#123456" id="777777"><h1>424242'
    sent = {"to": WHO, "subject": "code 424242", "html": f"{html}</h1> #654321 1234567</body>"}
    assert SIGN_UP.find_codes(log(sent), WHO) == ["424242"]
    assert SIGN_UP.find_codes(log({**sent, "to": "b@example.com"}), WHO) == []
    assert SIGN_UP.find_codes(log({"msg": f"{WHO} 424242"}), WHO) == []


def test_a_link_is_found_in_an_address_and_its_token_alone():
    token = "0123456789abcdef" * 2
    for before in ("?", "&", "&amp;"):
        html = f'<a href="https://s.example.com/reset{before}token={token}&to={WHO}">Reset</a>'
        assert RESET.find_codes(log({"to": WHO, "html": html}), WHO) == [token]
    assert RESET.find_codes(log({"to": WHO, "html": "token=short"}), WHO) == []
