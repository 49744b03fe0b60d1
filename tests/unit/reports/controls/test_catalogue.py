"""The catalogue is read strictly, and whatever is wrong with it is said in one sentence."""

import pytest

from reports.controls import load
from reports.errors import ReportError

GOOD = """
[observations]
boots_anyway = "the backend starts"

[[control]]
id = "KEY-2.ENC"
title = "Another key stops the backend"
claim = "A changed key stops the backend."
nature = "claim"
severity = "major"
chapter = "keys"
runbook = ["Keys"]
[control.corrections.boots_anyway]
sentence = "It starts with `x. y`, and that is all."
commands = "ls"
because = "Because it reads nothing."
[control.corrections.stays_down]
sentence = "It stays down."
section = "Keys"

[[control]]
id = "DBP-1"
title = "The procedure works"
claim = "The procedure works."
nature = "safety"
severity = "critical"
chapter = "database"
"""


@pytest.fixture
def catalogue(tmp_path):
    return load(written(tmp_path, GOOD))


def written(tmp_path, text):
    path = tmp_path / "controls.toml"
    path.write_text(text)
    return path


def test_entries_keep_the_order_of_the_file(catalogue):
    assert catalogue.ids == ("KEY-2.ENC", "DBP-1")
    assert catalogue["DBP-1"].severity == "critical"


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [([], set()), (["KEY-*"], {"KEY-2.ENC"}), (["key-2.enc", "DBP-1"], {"KEY-2.ENC", "DBP-1"})],
)
def test_patterns_choose_controls(catalogue, patterns, chosen):
    assert catalogue.select(patterns) == chosen


def test_pattern_that_chooses_nothing_lists_near_matches(catalogue):
    with pytest.raises(ReportError, match=r"--controls DBP-7 matches no control.*DBP-1\?"):
        catalogue.select(["DBP-7"])


def test_word_of_the_vocabulary_is_a_sentence(catalogue):
    assert catalogue.sentence("boots_anyway", ["KEY-2.ENC"]) == "the backend starts"
    assert catalogue.sentence("stays_down", ["KEY-2.ENC"]) == "stays down"


def test_word_of_another_control_is_refused(catalogue):
    with pytest.raises(ReportError, match=r"observe\('stays_down'\).*DBP-1"):
        catalogue.sentence("stays_down", ["DBP-1"])


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ('nature = "claim"', 'nature = "guess"', "KEY-2.ENC.nature"),
        ('title = "The', 'titel = "The', r"DBP-1.title.*\(and 1 more\)"),
        ('id = "DBP-1"', 'id = "KEY-2.ENC"', "defined twice: KEY-2.ENC"),
        ("[observations]", "[observations", "controls.toml"),
        ("[[control]]", "[[controls]]", "control: "),
        ("It stays down.", "It " + "x " * 29 + "y.", "is longer than 30 words"),
        ("It stays down.", "It stays. It is down.", "is not one sentence"),
        ("It stays down.", "It stays down", "is not one sentence"),
        ("Because it", "As it", "because"),
        ('section = "Keys"', 'section = "Locks"', "stays_down stands in a section"),
    ],
)
def test_mistake_is_named_with_its_entry(tmp_path, good, bad, said):
    with pytest.raises(ReportError, match=said):
        load(written(tmp_path, GOOD.replace(good, bad)))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ReportError, match=r"nowhere.toml: No such file"):
        load(tmp_path / "nowhere.toml")
