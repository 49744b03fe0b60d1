"""Blocks of rows are found wherever the stream is cut, whatever they hold, and in damaged dumps."""

import io

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from drillbook.backup import plain_dump
from drillbook.backup.plain_dump import Cut, Hostile, Script

TRICKY = [
    "x;y",
    "COPY public.t (a) FROM stdin;",
    " FROM stdin;",
    "\\\\.",
    "'",
    "$$",
    "/*",
    "--",
    "",
    "\\n;",
    "é;",
]
VALUES = st.one_of(st.sampled_from(TRICKY), st.text("ab;\\x", max_size=5).map(lambda v: v + "z"))
# A row of two columns always holds a tabulator, so that none is taken for a comment.
ROWS = st.lists(st.tuples(VALUES, VALUES), max_size=12)
BLOCKS = st.lists(st.tuples(st.sampled_from("tuv"), ROWS), min_size=1, max_size=4)
BETWEEN = st.lists(
    st.sampled_from(["SELECT 1;", "-- note; more", "SELECT ';', $$ ' $$;", "SELECT /* ; */ 2;"]),
    max_size=3,
)


class Trickle(io.RawIOBase):
    """A stream that gives as many bytes at a time as it is told, over and over."""

    def __init__(self, content, sizes):
        self.left, self.sizes = content, sizes

    def read(self, _size=-1):
        size = self.sizes[0]
        self.sizes = [*self.sizes[1:], size]
        piece, self.left = self.left[:size], self.left[size:]
        return piece


def written(blocks, between, end):
    """A dump, and of each block table, place of its rows, and rows."""
    text, wanted = "", []
    for table, rows in blocks:
        text += "".join(f"{line}{end}" for line in between)
        text += f"{end}{end}COPY public.{table} (n, v) FROM stdin;{end}"
        lines = "".join(f"{number}\t{value}{end}" for number, value in rows)
        wanted.append((table, len(text.encode()), lines.encode()))
        text += f"{lines}\\.{end}"
    return (text + f"-- end{end}").encode(), wanted


def read(script):
    return [
        (one.table, script.offset, b"".join(script.rows()))
        for one in script
        if one.table is not None
    ]


@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=80)
@given(
    blocks=BLOCKS,
    between=BETWEEN,
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    end=st.sampled_from(["\n", "\r\n"]),
    harm=st.sampled_from(["", "\\! id\n", "SELECT '\n", "SELECT 1; SELECT 2;\n"]),
)
@example([("t", [("'", "COPY public.t (a) FROM stdin;")])], [], [1], "\n", "SELECT '\n")
def test_blocks_and_rows_are_those_that_were_written(blocks, between, sizes, end, harm):
    content, wanted = written(blocks, between, end)
    begin = harm.encode()
    script = Script(Trickle(begin + content, sizes), tolerant=True)
    found = read(script)
    if "'" in harm and b"'" in content:
        # A quote in the rows ends the text that the harm began: where a block begins is open then,
        # and such a dump is refused.
        assert script.harm
        return
    assert found == [(table, place + len(begin), rows) for table, place, rows in wanted]
    assert bool(script.harm) == bool(harm)
    assert script.open == ""


@pytest.mark.parametrize("harm", ["", "\\! id\n"])
def test_a_heading_is_found_across_any_cut(harm):
    content, wanted = written([("t", [("1", "z")])], [], "\n")
    content = harm.encode() + content
    for size in range(1, len(content)):
        script = Script(Trickle(content, [size]), tolerant=True)
        assert [rows for _, _, rows in read(script)] == [wanted[0][2]]


def test_lines_longer_than_what_is_kept_hide_no_block(monkeypatch):
    monkeypatch.setattr(plain_dump, "LONGEST", 1000)
    monkeypatch.setattr(plain_dump, "_CHUNK", 100)
    content, _ = written([("t", [("1", "z")]), ("u", [("2", "z")])], ["x" * 3000], "\n")
    script = Script(io.BytesIO(content), tolerant=True)
    assert [table for table, _, _ in read(script)] == ["t", "u"]
    assert "is longer than any line" in str(script.harm)


@pytest.mark.parametrize("size", [100, 4096, 1 << 20])
def test_begin_end_and_size_are_kept(size):
    content = "".join(f"-- {number}\n" for number in range(4000)).encode()
    script = Script(Trickle(content, [size]))
    assert list(script) == []
    assert (script.head, script.tail) == (content[:4096], content[-4096:])
    assert (script.bytes, script.offset, script.line) == (len(content), len(content), 4000)


def test_heading_of_very_many_columns_is_read_whole_across_cuts():
    columns = [f"column_{number:04}" for number in range(4500)]
    content = f'\nCOPY public."t" ({", ".join(columns)}) FROM stdin;\n\\.\n'.encode()
    [block] = list(Script(Trickle(content, [1000])))
    assert (block.table, block.columns) == ("t", tuple(columns))


def test_text_cut_right_behind_a_heading_has_the_block_and_no_row():
    content = b"-- begin\n\nCOPY public.t (n) FROM stdin;"
    for size in range(1, len(content) + 1):
        script = Script(Trickle(content, [size]), tolerant=True)
        assert read(script) == [("t", len(content), b"")]
        assert (script.open, type(script.harm)) == ("t", Cut)


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5, 6])
def test_rows_that_break_off_are_given_out(cut):
    content, [(_, _, rows)] = written([("t", [("1", "z"), ("2", "z")])], [], "\n")
    whole = content[: content.index(rows) + len(rows)]
    script = Script(io.BytesIO(whole[:-cut]), tolerant=True)
    assert [got for _, _, got in read(script)] == [rows[:-cut]]
    assert script.open == "t"
    with pytest.raises(Cut, match="the data of t has no end"):
        read(Script(io.BytesIO(whole[:-cut])))


@pytest.mark.parametrize(
    ("before", "tables"),
    [
        ("1\tvalue", []),
        ("--\tvalue", []),
        ("value", []),
        ("-- Data for u", ["u"]),
        ("", ["u"]),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_where_a_heading_was_lost_no_row_is_taken_for_one(before, tables, end):
    lines = ["", "COPY public.t (n, v) FRM stdin; \\", before, "COPY public.u (n, v) FROM stdin;"]
    content = end.join([*lines, "\\.", ""]).encode()
    script = Script(io.BytesIO(content), tolerant=True)
    assert [table for table, _, _ in read(script)] == tables
    assert isinstance(script.harm, Hostile)


def test_row_of_which_only_the_end_is_read_is_no_comment(monkeypatch):
    monkeypatch.setattr(plain_dump, "_CHUNK", 100)
    fake = b"COPY public.u (n, v) FROM stdin;\n1\t2\n\\.\n"
    content = b"\\lost\n" + b"x" * 101 + b"--" + b"y" * 40 + b"\n" + fake
    assert read(Script(io.BytesIO(content), tolerant=True)) == []
    content = b"\\lost\n" + b"x" * 202 + fake
    assert read(Script(io.BytesIO(content), tolerant=True)) == []
