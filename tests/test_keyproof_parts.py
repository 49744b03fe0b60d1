"""The rows of an archive are found by their place, or by going through it, and nothing else is."""

import io
import zlib

import pytest

from fixtures.keyproof.archive import filed, folder
from fixtures.keyproof.custom import _Pieces, custom
from fixtures.keyproof.rows import Damaged
from tests.tocs import archive, entry, number, objects, part, pieces

END = b"\\.\n\n\n"
ROWS = b"1\tone\n2\ttwo\n"
OTHER = b"COPY public.users (id) FROM stdin;\n"
BOTH = [(b"1", b"one"), (b"2", b"two")]


def placed(*parts, **how):
    """A custom archive of a table for each part, which says where each part lies."""
    statements = [{}, {"statement": OTHER}]

    def written(start):
        at = [start + sum(map(len, parts[:number])) for number in range(len(parts))]
        return archive(
            16,
            *(entry(16, at=7 + n, offset=at[n], **statements[n]) for n in range(len(parts))),
            **how,
        )

    return written(len(written(0))) + b"".join(parts)


def opened(data):
    return custom(io.BytesIO(data), "backup.dump")


def rows(made, table=0, columns=("id", "b")):
    return [tuple(row) for row in made.blocks[table].rows(columns)]


def test_rows_are_read_at_their_place_and_counted():
    made = opened(placed(part(ROWS, END), part(b"9\n" + END, at=8)))
    made.check_end()
    assert rows(made) == BOTH
    assert rows(made, 1, ["id"]) == [(b"9",)]
    assert made.counts() == {"secrets": 2, "users": 1}


def test_tables_can_be_read_side_by_side():
    made = opened(placed(part(b"1\to", b"ne\n2\ttwo\n", END), part(b"9\n", END, at=8)))
    first, second = made.blocks[0].rows(["id"]), made.blocks[1].rows(["id"])
    assert [next(first), next(second), next(first)] == [[b"1"], [b"9"], [b"2"]]
    assert (list(first), list(second)) == ([], [])


def test_rows_without_a_place_are_found_by_going_through():
    parts = objects(1, 2) + part(b"9\n", END, at=8) + part(ROWS, END)
    entries = [entry(16, state=1), entry(16, at=8, statement=OTHER, state=1)]
    made = opened(archive(16, *entries) + parts)
    made.check_end()
    assert (rows(made), rows(made, 1, ["id"])) == (BOTH, [(b"9",)])


def test_contents_that_stand_once_more_at_the_end_are_no_rows():
    once = archive(16, entry(16, state=1))
    again = number(1) + entry(16)
    made = opened(once + part(ROWS, END) + again)
    made.check_end()
    assert rows(made) == BOTH
    with pytest.raises(Damaged, match="no table's rows where they should be"):
        opened(once + again + part(ROWS, END))


def test_part_that_was_read_stays_at_its_end():
    read = _Pieces(io.BytesIO(pieces(b"ab", b"c") + number(9)), 4)
    assert [read.read(9) for _ in range(5)] == [b"ab", b"c", b"", b"", b""]


def test_every_entry_is_kept_only_for_a_restore(tmp_path):
    data = placed(part(ROWS, END))
    assert opened(data).about.steps == ()
    assert len(custom(io.BytesIO(data), "backup.dump", whole=True).about.steps) == 1
    (tmp_path / "toc.dat").write_bytes(archive(16, entry(16, file=b"7.dat"), form=5))
    assert filed(folder(tmp_path), "backup").about.steps == ()
    assert len(filed(folder(tmp_path), "backup", whole=True).about.steps) == 1


def test_packed_rows_are_unpacked():
    whole = zlib.compress(ROWS + END)
    made = opened(placed(part(whole[:5], whole[5:]), packing=1))
    assert rows(made) == BOTH
    broken = opened(placed(part(whole[:5]), packing=1))
    with pytest.raises(Damaged, match="ends inside its zlib stream"):
        rows(broken)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (part(ROWS, END, at=6), "lacks the rows of secrets"),
        (part(ROWS, END, kind=3), "lacks the rows of secrets"),
        (b"", "lacks the rows of secrets"),
        (part(ROWS), "ends inside the rows of secrets"),
        (part(ROWS, END)[:-11], "ends inside its data"),
        (b"\1" + number(7) + number((64 << 20) + 1), "has a piece of 67108865 bytes"),
        (b"\1" + number(7) + number(64 << 20), "ends inside its data"),
    ],
)
def test_rows_that_are_not_there_are_damage(data, said):
    with pytest.raises(Damaged, match=said):
        rows(opened(placed(data)))


@pytest.mark.parametrize("place", [1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_place_that_no_file_has_is_damage(tmp_path, place):
    data = archive(16, entry(16, offset=place)) + part(ROWS, END)
    (tmp_path / "backup.dump").write_bytes(data)
    with (tmp_path / "backup.dump").open("rb") as file:
        for one in (file, io.BytesIO(data)):
            with pytest.raises(Damaged, match=r"no file reaches|no table's rows"):
                custom(one, "backup.dump").check_end()


def test_last_part_behind_the_end_is_none():
    with pytest.raises(Damaged, match="no table's rows where they should be"):
        opened(placed(b"")).check_end()


def test_table_that_is_in_no_part_is_damage():
    with pytest.raises(Damaged, match="lacks the rows of secrets"):
        rows(opened(archive(16, entry(16, state=1)) + part(ROWS, END, at=8)))


@pytest.mark.parametrize("cut", range(1, 10))
def test_last_part_must_have_its_end(cut):
    made = opened(placed(part(ROWS, END), part(b"9\n", END, at=8))[:-cut])
    with pytest.raises(Damaged, match="ends inside its data"):
        made.check_end()


def test_part_of_another_kind_is_damage():
    with pytest.raises(Damaged, match="no table's rows where they should be"):
        opened(placed(part(ROWS, END, kind=2))).check_end()
    with pytest.raises(Damaged, match="no table's rows where they should be"):
        opened(archive(16, entry(16, state=1)) + part(ROWS, END, kind=2))


def test_rows_must_end_as_pg_dump_ends_them():
    for end in (b"\\.\n", b"\\.\n\n", b""):
        with pytest.raises(Damaged, match="ends inside the rows of secrets"):
            opened(placed(part(ROWS + end))).counts()


@pytest.mark.parametrize(
    ("ending", "pack"), [("", bytes), (".gz", lambda data: __import__("gzip").compress(data))]
)
def test_files_of_a_folder_are_read_packed_or_not(tmp_path, ending, pack):
    (tmp_path / "toc.dat").write_bytes(archive(16, entry(16, file=b"7.dat"), form=5))
    made = filed(folder(tmp_path), str(tmp_path))
    with pytest.raises(Damaged, match=r"lacks 7\.dat, the file with the rows of secrets"):
        made.check_end()
    (tmp_path / f"7.dat{ending}").write_bytes(pack(ROWS + END))
    made.check_end()
    assert rows(made) == BOTH


@pytest.mark.parametrize("name", [b"../7.dat", b"7.dat.gz", b"", b"a" * 61 + b".dat", None])
def test_name_that_is_no_file_of_pg_dump_is_not_opened(tmp_path, name):
    (tmp_path / "toc.dat").write_bytes(archive(16, entry(16, file=name), form=5))
    with pytest.raises(Damaged, match="names no usable file for secrets"):
        filed(folder(tmp_path), str(tmp_path)).check_end()


def test_what_is_no_ordinary_file_in_a_folder_is_not_there(tmp_path):
    (tmp_path / "toc.dat").write_bytes(archive(16, entry(16, file=b"7.dat"), form=5))
    (tmp_path / "real").write_bytes(ROWS + END)
    (tmp_path / "7.dat").symlink_to(tmp_path / "real")
    (tmp_path / "7.dat.gz").mkdir()
    with pytest.raises(Damaged, match=r"lacks 7\.dat"):
        filed(folder(tmp_path), str(tmp_path)).check_end()
