"""Rows of a backup, value by value: cut anywhere, escaped anyhow, and no longer than is sane."""

from datetime import UTC, datetime

import pytest

from drillbook.backup import tables
from drillbook.backup.tables import Block, Damaged, blob, lines, moment, text

END = b"\\.\n"


def read(*chunks):
    return list(lines(chunks, "t"))


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([b"a\nb\n", END], [b"a", b"b"]),
        ([b"a", b"b\n", b"c\n\\", b".\n"], [b"ab", b"c"]),
        ([b"a\r\nb\r\n\\.\r\n"], [b"a", b"b"]),
        ([b"a\n\\.\nb\n"], [b"a"]),
        ([b"a\n\\."], [b"a"]),
        ([b"\n\n", END], [b"", b""]),
        ([END], []),
    ],
)
def test_lines_are_read_up_to_the_end_of_the_block(chunks, expected):
    assert read(*chunks) == expected


@pytest.mark.parametrize("chunks", [[], [b"a\n"], [b"a\nb"], [b"a\n", b"\\"]])
def test_block_without_an_end_is_damaged(chunks):
    with pytest.raises(Damaged, match=r"^ends inside the rows of t$"):
        read(*chunks)


def test_row_longer_than_any_secret_is_not_read_on(monkeypatch):
    monkeypatch.setattr(tables, "LONGEST_ROW", 1 << 20)
    half = b"x" * (1 << 19)
    assert read(half, half, b"\n", END) == [half + half]
    assert read(*[half, b"\n"] * 5, END) == [half] * 5
    assert read(half + b"\n" + half, half, b"\n", END) == [half, half + half]
    for chunks in ([half, half, b"x"], [b"a\n" + half, half, b"x"]):
        with pytest.raises(Damaged, match="a row of t that is longer than 1 MiB"):
            read(*chunks)


def test_row_may_take_sixteen_mebibytes():
    longest = b"x" * (16 << 20)
    assert read(longest, b"\n", END) == [longest]
    with pytest.raises(Damaged, match="longer than 16 MiB"):
        read(longest + b"x")


def rows_of(columns, *written):
    return Block("t", columns, lambda: iter([*written, END]))


def test_columns_come_as_asked_for_and_absent_ones_as_none():
    block = rows_of(("a", "b", "c"), b"1\t\\N\t3\n", b"\t\\\\N\tx\n")
    assert list(block.rows(["c", "a", "later", "b"])) == [
        [b"3", b"1", None, None],
        [b"x", b"", None, b"\\\\N"],
    ]


def test_row_of_another_width_is_damaged():
    with pytest.raises(Damaged, match="row of t with 3 values where its heading names 2"):
        list(rows_of(("a", "b"), b"1\t2\n", b"1\t2\t3\n").rows(["a"]))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (b"plain", "plain"),
        (rb"\b\f\n\r\t\v", "\b\f\n\r\t\v"),
        (rb"a\\nb\\", "a\\nb\\"),
        (rb"\x\.", "x."),
        ("wörd".encode(), "wörd"),
        (b"\xff", "\N{REPLACEMENT CHARACTER}"),
        (b"", ""),
        (None, None),
    ],
)
def test_text_is_what_it_stands_for(written, meant):
    assert text(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (rb"\\x00ff", b"\x00\xff"),
        (rb"\\x", b""),
        (rb"\\x0", b""),
        (b"\\\\x\xff", b""),
        (rb"a\\001\\377b", b"a\x01\xffb"),
        (rb"\\777", b"\xff"),
        (rb"\\\\001", rb"\001"),
        (rb"\\9", rb"\9"),
        (rb"\t", b"\t"),
        (None, None),
    ],
)
def test_bytes_are_what_they_stand_for(written, meant):
    assert blob(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (b"2026-11-24 10:00:05.25+00", datetime(2026, 11, 24, 10, 0, 5, 250_000, UTC)),
        (b"2026-11-24 10:00:05+05:30", datetime(2026, 11, 24, 4, 30, 5, 0, UTC)),
        (b"infinity", None),
        (b"9999-12-31 23:59:59-12", None),
        (b"2026-02-30 00:00:00+00", None),
        (b"\xff", None),
        (b"", None),
        (None, None),
    ],
)
def test_moment_is_told_in_utc_or_not_at_all(written, meant):
    assert moment(written) == meant
