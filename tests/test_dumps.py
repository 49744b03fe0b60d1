"""A dump is compared by what it says, not by how it is written."""

import pytest

from fixtures.data import dumps

DUMP = """--
-- PostgreSQL database dump
--
\\restrict aaaa

COPY public.secrets_v2 (id, key) FROM stdin;
1\tA
2\tB
\\.
COPY public."kms" (id) FROM stdin;
\\.
-- PostgreSQL database dump complete
--
\\unrestrict aaaa
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="dump.sql"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_tables_are_counted(write):
    found = dumps.tables(write(DUMP))
    assert {name: table.rows for name, table in found.items()} == {"secrets_v2": 2, "kms": 0}


def test_order_of_rows_does_not_count(write):
    swapped = DUMP.replace("1\tA\n2\tB", "2\tB\n1\tA")
    assert (
        dumps.differing_tables(dumps.tables(write(DUMP)), dumps.tables(write(swapped, "b"))) == []
    )


@pytest.mark.parametrize("other", ["1\tA", "1\tA\n2\tC", "1\tA\n2\tB\n2\tB"])
def test_any_other_row_counts(write, other):
    changed = dumps.tables(write(DUMP.replace("1\tA\n2\tB", other), "b"))
    assert dumps.differing_tables(dumps.tables(write(DUMP)), changed) == ["secrets_v2"]


def test_columns_can_be_left_out(write):
    other = write(DUMP.replace("2\tB", "9\tB"), "b")
    one, two = (dumps.tables(path, without=["id"]) for path in (write(DUMP), other))
    assert dumps.differing_tables(one, two) == []
    assert dumps.differing_tables(dumps.tables(write(DUMP)), dumps.tables(other)) == ["secrets_v2"]


def test_equal_rows_do_not_cancel_out(write):
    twice = write(DUMP.replace("2\tB", "1\tA\n1\tA"), "b")
    other = write(DUMP.replace("2\tB", "3\tC\n3\tC"), "c")
    assert dumps.differing_tables(dumps.tables(twice), dumps.tables(other)) == ["secrets_v2"]


def test_random_tokens_do_not_change_the_fingerprint(write):
    other = write(DUMP.replace("aaaa", "bbbb"), "b")
    assert dumps.fingerprint(write(DUMP)) == dumps.fingerprint(other)
    assert dumps.fingerprint(write(DUMP.replace("2\tB", "2\tb"), "c")) != dumps.fingerprint(other)


def test_a_dump_without_its_trailer_is_incomplete(write):
    assert dumps.complete(write(DUMP))
    assert not dumps.complete(write(DUMP.split("-- PostgreSQL database dump complete")[0], "b"))
    assert not dumps.complete(write("", "empty"))


def test_contains_finds_a_value_and_nothing_else(write):
    assert dumps.contains(write(DUMP), "2\tB")
    assert not dumps.contains(write(DUMP), "2\tC")
