"""Blocks are found wherever the stream happens to be cut, and whatever stands in their rows."""

import io
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.keyproof import scan
from fixtures.keyproof.scan import Scan

TRICKY = [
    "x;y",
    "FROM",
    "MF;F",
    "R;O;M;F",
    ";;;FFMMRROO",
    "COPY public.t (a) FROM stdin;",
    " FROM stdin;",
    "\\\\.",
    "--",
    "",
    "\\n;",
    "é;",
]
VALUES = st.one_of(st.sampled_from(TRICKY), st.text("ab;\\x", max_size=5).map(lambda v: v + "z"))
# A row of two columns always holds a tabulator, so that none is taken for a comment.
ROWS = st.lists(st.tuples(VALUES, VALUES), max_size=12)
BLOCKS = st.lists(st.tuples(st.sampled_from("tuv"), ROWS), min_size=1, max_size=4)
# Needles change after a few misses here, so that each of them is used in a few lines.
FILLED = ["SELECT 1;", "-- note; more", "x" * 70, ";" * 80, "F" * 9, "M;F", "ROM", "FROM stdin"]
BETWEEN = st.lists(st.sampled_from(FILLED), max_size=3)


class Trickle(io.RawIOBase):
    """A stream that gives as many bytes at a time as it is told, over and over."""

    def __init__(self, content, sizes):
        self.left, self.sizes = content, sizes

    def readinto(self, buffer):
        size = self.sizes[0]
        self.sizes = [*self.sizes[1:], size]
        piece, self.left = self.left[:size], self.left[size:]
        buffer[: len(piece)] = piece
        return len(piece)


def written(blocks, between, end):
    text, wanted = "", []
    for table, rows in blocks:
        text += (
            "".join(f"{line}\n" for line in between) + f"\n\nCOPY public.{table} (n, v) FROM stdin;"
        )
        lines = "".join(f"{number}\t{value}\n" for number, value in rows)
        wanted.append((table, len(text.encode()), lines))
        text += f"\n{lines}\\.\n"
    return (text + "-- end\n").replace("\n", end).encode(), wanted


@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=80)
@given(
    blocks=BLOCKS,
    between=BETWEEN,
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    end=st.sampled_from(["\n", "\r\n"]),
    many=st.sampled_from([1, 2, 3, 5, 64]),
)
def test_blocks_rows_and_copies_are_those_that_were_written(blocks, between, sizes, end, many):
    with patch.object(scan, "_MANY", many):
        compare(blocks, between, sizes, end)


def compare(blocks, between, sizes, end):
    content, wanted = written(blocks, between, end)
    tables = [table for table, _, _ in wanted]
    fast = Scan("t").run(Trickle(content, sizes))
    assert [one.table for one in fast.extents] == tables
    if end == "\n":
        assert [one.offset for one in fast.extents] == [offset for _, offset, _ in wanted]
    counted = Scan("t", counting=True).run(Trickle(content, sizes))
    assert counted.rows == {
        name: sum(rows.count("\n") for table, _, rows in wanted if table == name)
        for name in set(tables)
    }
    spool = io.BytesIO()
    Scan("tv", spool=spool).run(Trickle(content, sizes))
    kept = [f"\n{rows}\\.\n" for table, _, rows in wanted if table in "tv"]
    assert spool.getvalue().decode().replace("\r\n", "\n") == "".join(kept)


@pytest.mark.parametrize("between", [[], [";"] * 2, [";F"] * 3, [";FM"] * 4, [";FMRO"] * 6])
def test_a_heading_is_found_across_any_cut(between, monkeypatch):
    monkeypatch.setattr(scan, "_MANY", 1)
    content, wanted = written([("t", [("1", "z")])], between, "\n")
    for size in range(1, len(content)):
        layout = Scan("t").run(Trickle(content, [size]))
        assert [one.offset for one in layout.extents] == [wanted[0][1]]


def test_lines_longer_than_what_is_carried_hide_no_block():
    long = "x" * (scan._CARRY + 7)
    content, wanted = written([("t", [("1", long)]), ("u", [("2", long + "z")])], [long], "\n")
    for size in (scan._TAIL, scan._CARRY - 1, scan._CHUNK):
        layout = Scan("t").run(Trickle(content, [size]))
        assert [one.offset for one in layout.extents] == [offset for _, offset, _ in wanted]


def test_where_the_rare_character_is_not_rare_the_words_are_looked_for():
    content, wanted = written([("t", [])], [";" * (scan._MANY * 3)], "\n")
    layout = Scan("t").run(io.BytesIO(content))
    assert [one.offset for one in layout.extents] == [wanted[0][1]]


class Noted(tuple):
    """Values that note which of them was asked for."""

    def __init__(self, _):
        self.asked = []

    def __getitem__(self, at):
        self.asked.append(super().__getitem__(at))
        return self.asked[-1]


def test_what_is_found_too_often_is_looked_for_no_more_until_the_next_heading(monkeypatch):
    needles = Noted(scan._NEEDLES)
    monkeypatch.setattr(scan, "_NEEDLES", needles)
    often = b";FMRO" * (len(needles) * scan._MANY)
    Scan("t").run(io.BytesIO(often + b"\n\nCOPY public.t (n) FROM stdin;\n" + often))
    *rarer, words = needles
    assert needles.asked == [*(one for one in rarer for _ in range(scan._MANY)), words] * 2
    needles.asked.clear()
    Scan("t").run(io.BytesIO(b";" * (scan._MANY - 1)))
    assert needles.asked == [b";"] * scan._MANY


@pytest.mark.parametrize("size", [scan._TAIL // 2, scan._TAIL, scan._CHUNK])
def test_begin_end_and_size_are_kept(size):
    content = "".join(f"{number}\n" for number in range(4000)).encode()
    layout = Scan("t").run(Trickle(content, [size]))
    assert (layout.head, layout.size) == (content[: scan._TAIL], len(content))
    assert layout.tail == content[-scan._TAIL :]
    assert Scan("t").run(Trickle(b"-- short\n", [size])).tail == b"-- short\n"


def test_heading_of_very_many_columns_is_read_whole_across_cuts():
    columns = [f"column_{number:04}" for number in range(4500)]
    content = f'\nCOPY public."t" ({", ".join(columns)}) FROM stdin;\n\\.\n'.encode()
    [block] = Scan("t").run(Trickle(content, [1000])).extents
    assert (block.table, block.columns) == ("t", tuple(columns))


def test_text_cut_right_behind_a_heading_has_the_block_and_no_row():
    content = b"-- begin\n\nCOPY public.t (n) FROM stdin;"
    for size in range(1, len(content) + 1):
        layout = Scan("t", counting=True).run(Trickle(content, [size]))
        assert [one.offset for one in layout.extents] == [len(content)]
        assert (layout.open, layout.rows) == ("t", {"t": 0})


def test_rows_are_counted_only_where_that_was_asked_for():
    content, _ = written([("t", [("1", "z"), ("2", "z")])], [], "\n")
    assert Scan("t").run(io.BytesIO(content)).rows == {}
    cut = content[: content.index(b"z") + 4]
    assert Scan("u", counting=True).run(io.BytesIO(cut)).rows == {"t": 1}


@pytest.mark.parametrize(
    ("before", "tables"),
    [
        ("1\tvalue", ["t"]),
        ("--\tvalue", ["t"]),
        ("value", ["t"]),
        ("\\.", ["t", "u"]),
        ("\\.\n-- Data for u", ["t", "u"]),
        ("\\.\n", ["t", "u"]),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_heading_comes_after_no_row(before, tables, end):
    lines = ["", "COPY public.t (n, v) FROM stdin;", before, "COPY public.u (n\tv) FROM stdin;", ""]
    content = "\n".join(lines).replace("\n", end).encode()
    assert [one.table for one in Scan(()).run(io.BytesIO(content)).extents] == tables


FIRST = b"\nCOPY public.t (n, v) FROM stdin;\n1\t"
FAKE = b"COPY public.u (n\tv) FROM stdin;\n"


@pytest.mark.parametrize("end", [b"\n", b"\n\n", b"\n--\n"])
@pytest.mark.parametrize(
    ("begin", "rest"),
    [(b"--", b"\n" + FAKE), (FAKE[:-19], FAKE[-19:]), (b"\n" + FAKE[:-19], FAKE[-19:])],
)
def test_row_of_which_only_the_end_is_carried_is_no_comment_and_no_heading(begin, rest, end):
    unseen = FIRST.ljust(scan._CHUNK - scan._CARRY, b"x")
    content = unseen + begin.ljust(scan._CARRY, b"n") + rest
    content = content.ljust(2 * scan._CHUNK - len(end), b"x") + end
    assert [one.table for one in Scan(()).run(io.BytesIO(content)).extents] == ["t"]


def test_comment_of_which_the_whole_is_carried_is_one():
    content = b"-- begin".ljust(scan._CHUNK - scan._CARRY, b"-")
    content += b"\n--".ljust(scan._CARRY, b"-") + b"\nCOPY public.t (n) FROM stdin;\n"
    [block] = Scan(()).run(io.BytesIO(content)).extents
    assert block.table == "t"
