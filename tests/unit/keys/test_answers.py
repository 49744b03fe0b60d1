"""Which of several answers decides, and what an answer that is none does not claim."""

import itertools

import pytest

from drillbook.backup.tables import Dump
from drillbook.keys.hierarchy import Proof
from drillbook.keys.key_check import Answer, answer, best
from drillbook.keys.key_files import KeyFile

HSM = "the root key is sealed by an HSM, not by a key"
WHOLE = Dump("plain", "", 1, [])


def key(label="aaaa", unfit=""):
    return KeyFile("x.env", "ENCRYPTION_KEY", "k", label, unfit)


def one(word, roots=0):
    return Answer(key(), word, (), Proof(root_keys=2, roots_opened=roots))


RANKED = [
    one("OPENS", 1),
    one("CANNOT TELL", 1),
    one("CANNOT TELL"),
    one("DOES NOT OPEN", 2),
    one("DOES NOT OPEN", 1),
    one("DOES NOT OPEN"),
]


@pytest.mark.parametrize(("better", "worse"), list(itertools.combinations(RANKED, 2)))
def test_answer_that_opens_more_decides_in_any_order(better, worse):
    assert best([better, worse]) is best([worse, better]) is better


def test_first_of_equal_answers_decides():
    first, second = one("DOES NOT OPEN"), one("DOES NOT OPEN")
    assert best([first, second]) is first


def test_label_is_a_reason_only_for_a_key_that_does_not_open():
    unproven = Proof(root_keys=1, unproven=[HSM])
    told = answer(key("bbbb", "it has 5 bytes"), unproven, WHOLE, ["cccc"])
    assert (told.word, told.reasons) == ("CANNOT TELL", (HSM,))
    shut = answer(key("bbbb", "it has 5 bytes"), Proof(root_keys=1), WHOLE, ["cccc", "dddd"])
    assert (shut.word, shut.reasons) == (
        "DOES NOT OPEN",
        (
            "it has 5 bytes",
            "it does not open the root key",
            "the backup names the label cccc, dddd; this key's is bbbb",
        ),
    )


def test_key_the_backup_names_that_opens_nothing_tells_of_a_damaged_row():
    told = answer(key("cccc"), Proof(root_keys=1), WHOLE, ["cccc"])
    assert told.word == "CANNOT TELL"
    assert "the row of the root key is damaged" in told.reasons[0]


ALL = {"root_keys": 1, "roots_opened": 1, "projects": 2, "projects_opened": 2}
ALL |= {"secrets": 3, "secrets_opened": 3}


@pytest.mark.parametrize(
    "less",
    [
        {"roots_opened": 0},
        {"projects_opened": 1},
        {"secrets_opened": 2},
        {"damage": "ends"},
        {"unproven": ["an HSM"]},
    ],
)
def test_all_opens_only_when_nothing_is_missing(less):
    assert Proof(**ALL).opens_everything
    assert not Proof(**ALL | less).opens_everything


@pytest.mark.parametrize("one", ["roots_opened", "projects_opened", "secrets_opened"])
def test_whatever_opens_is_something(one):
    assert not Proof(**{one: 1}).opens_nothing
    assert Proof(root_keys=1, projects=1, secrets=1).opens_nothing
