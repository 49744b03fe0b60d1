"""A declaration that is broken or hostile is refused in one sentence that names the place."""

import os
import re
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reports.config import declarations
from reports.config.strict_toml import LARGEST, validate_tables
from reports.errors import BadDeclaration
from tests.unit.reports.config.test_declarations import load


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[organistion]\nname = 'x'", "organistion is unknown; did you mean organisation"),
        ("[organisation]\nnme = 'x'", "organisation.nme is unknown; did you mean name"),
        ("organisation = 'x'", r"organisation: is not a table: write \[organisation\]; correct it"),
        ("organisation.name = 5", "organisation.name: is not a text in quotes; correct it"),
        (
            "[objectives]\nrto_s = 1e9",
            "objectives.rto_s: must be at most 3.1",
        ),
        ("[objectives]\nrto_s = '4h'", "objectives.rto_s: is not a number without quotes"),
        ("[objectives]\nrto_s = 0", "objectives.rto_s: must be more than 0; correct it"),
        ("[schedule]\nnext_due = '2027-01-01'", "schedule.next_due: write a date without quotes"),
        ("[schedule]\ncadence = 'sometimes'", "schedule.cadence: "),
        ("[objectives]\nrto_s = -1", "objectives.rto_s: "),
        ("[objectives]\nrto_s = nan", "objectives.rto_s: "),
        ("[objectives]\nrto_s = inf", "objectives.rto_s: "),
        ("[retention]\nyears = 6", "retention is unknown"),
        ("[sign_off.approved]\nname='x'\nsigned=2026-01-01", "sign_off.approved.signed is unknown"),
        ("[declared]\na = ['x', \"\\u001b\"]", r"declared.a\[2\] holds the control character"),
        ("a = 1\na = 2", "correct the file"),
        ("a = ", "correct the file"),
        (b"\xff\xfe\x00", "byte 0 is not UTF-8"),
        (b"\x00" * 99, "correct the file"),
        (
            "organisation.name = '" + "x" * 5000 + "'",
            "name has 5000 characters; at most 4000",
        ),
        ('declared.a = "a\\u001b[2Jb"', r"declared.a holds the control character U\+001B"),
        ('declared.a = "a\\u202eb"', r"declared.a holds the control character U\+202E"),
        ('"\\u001b" = 1', r"a key in the file holds the control character U\+001B"),
        ("x = " + "[" * 9000 + "]" * 9000, "nested too deeply"),
        ("x = " + "9" * 9000, "correct the file"),
        ("[" + "a." * 50_000 + "a]", "line 1 has a key of more than 64 parts; correct the file"),
        ("\n" + "'=' . " * 99_999 + "a = 1", "line 2 has a key of more than 64 parts"),
        ("x = {" + '"a".' * 99_999 + "a = 1}", "line 1 has a key of more than 64 parts"),
        (f"x = {f'{{{"a." * 63}a = ' * 99}1{'}' * 99}", "nested too deeply"),
        ("declared.a = [" + "'a'," * 1001 + "]", "declared.a has 1001 entries"),
        (b"#" * (LARGEST + 1), "more than 1 MiB"),
    ],
)
def test_hostile_file_is_refused_in_one_sentence(tmp_path, text, said):
    with pytest.raises(BadDeclaration, match=said) as refused:
        load(tmp_path, text)
    assert "drillbook.toml" in str(refused.value)
    assert not set(str(refused.value)) & set("\n\x1b\x00\u202e")
    assert len(str(refused.value)) < 800


@pytest.mark.parametrize(
    "text",
    [
        "organisation.name = '" + "x" * 4000 + "'",
        "declared.a = [" + "'a'," * 1000 + "]",
        b"#" * LARGEST,
        b"\xef\xbb\xbforganisation.name = 'x'",
        ".".join("a" * 64) + " = {}",
        "#" + "a" * (LARGEST - 1),
    ],
)
def test_what_is_just_small_enough_is_read(tmp_path, text):
    load(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "declared.a = ['a', \"\\u0007\"]",
            r"declared\.a\[2\] holds the control character U\+0007",
        ),
        ("[objectives]\nrto_s=-1\nrpo_s=-1", r"objectives\.rto_s: "),
        ("[schedule]\ncadence='x'\nnext_due='x'", r"schedule\.cadence: "),
    ],
)
def test_place_of_the_first_trouble_is_told_as_people_count(tmp_path, text, said):
    assert re.search(said, refusal(load, tmp_path, text))


def test_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(BadDeclaration, match=r"gone.toml: No such file"):
        load(tmp_path, config="gone.toml")
    with pytest.raises(BadDeclaration, match="Is a directory"):
        load(tmp_path, config=".")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadDeclaration, match="not an ordinary file"):
        load(tmp_path, config="pipe")
    (tmp_path / "drillbook.toml").symlink_to("nowhere")
    with pytest.raises(BadDeclaration, match="No such file"):
        load(tmp_path)
    with pytest.raises(BadDeclaration, match="embedded null"):
        load(tmp_path, config="a\0b")


KEYS = ["organisation", "declared", "objectives", "schedule", "name", "x"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner),
    max_leaves=12,
)


def refusal(act, *arguments):
    """What was said when it was refused; empty when it was not."""
    try:
        act(*arguments)
    except BadDeclaration as refused:
        return str(refused)
    return ""


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary() | st.text(string.printable).map(str.encode))
@example(b"[[declared]]\n[declared]\n")
def test_whatever_bytes_a_file_holds_it_is_read_or_refused(tmp_path, data):
    assert "\n" not in refusal(load, tmp_path, data)


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
@example({"organisation": {"\n": None}})
def test_whatever_tables_a_file_holds_they_are_read_or_refused(tables):
    assert "\n" not in refusal(validate_tables, Path("drillbook.toml"), tables, declarations.Words)
