"""A table of contents of any version is read field by field, and nothing of a length believed."""

import io
from datetime import datetime

import pytest

from fixtures.errors import BadInput
from fixtures.keyproof.rows import Damaged
from fixtures.keyproof.toc import Entry, Step, contents
from tests.tocs import DAY, HEADING, archive, entry

VERSIONS = [12, 13, 14, 15, 16]


def read(data):
    return contents(io.BytesIO(data), "backup.dump")


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_is_read_field_by_field(version):
    other = entry(version, b"COMMENT", b"x", at=6, offset=900)
    made = archive(version, other, entry(version), entry(version, at=8, offset=300))
    found = read(made + b"the data")
    columns = ("id", "b")
    assert found.entries == (Entry(7, "secrets", columns, 100), Entry(8, "secrets", columns, 300))
    assert (found.form, found.server, found.dumped_by) == ("custom", "17.2", "18.1")
    assert found.dumped_at == datetime(2026, 11, 24, 3, 4, 5)
    assert (found.inserts, found.last, found.integer) == (False, 900, 4)
    assert found.end == len(made)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_entry_is_kept_in_order_where_that_is_asked_for(version):
    comment = entry(version, b"COMMENT", b"x", sql=b"COMMENT ON TABLE secrets IS 'x';\n")
    statements = entry(version, at=8, statement=b"INSERT INTO secrets VALUES (1);\n", sql=None)
    made = archive(version, comment, entry(version), statements)
    assert contents(io.BytesIO(made), "backup.dump", whole=True).steps == (
        Step("COMMENT", b"COMMENT ON TABLE secrets IS 'x';\n"),
        Step("TABLE DATA", b"d", HEADING, Entry(7, "secrets", ("id", "b"), 100)),
        Step("TABLE DATA", b"", b"INSERT INTO secrets VALUES (1);\n", Entry(8, "", (), 100)),
    )
    assert read(made).steps == ()


@pytest.mark.parametrize("size", [1, 8])
def test_numbers_may_have_other_sizes(size):
    found = read(archive(15, entry(15, size=size), size=size))
    assert found.entries == (Entry(7, "secrets", ("id", "b"), 100),)
    assert found.integer == size


@pytest.mark.parametrize("place", [1, 8])
def test_places_may_have_other_sizes(place):
    found = read(archive(16, entry(16, place=place), place=place))
    assert (found.entries[0].offset, found.last) == (100, 100)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "more", [{"needs": ()}, {"needs": (b"", b"1")}, {"method": None}, {"method": b"", "needs": ()}]
)
def test_each_entry_ends_where_the_next_one_begins(version, more):
    found = read(archive(version, entry(version, **more), entry(version, at=8, **more)))
    assert [(one.number, one.offset) for one in found.entries] == [(7, 100), (8, 100)]


def test_table_of_contents_may_take_sixty_four_mebibytes():
    bare = len(archive(16, entry(16, what=b"ACL", statement=b"")))
    filling = b"x" * ((64 << 20) - bare)
    assert read(archive(16, entry(16, what=b"ACL", statement=filling))).end == 64 << 20
    with pytest.raises(Damaged, match="has a table of contents of more than 64 MiB"):
        read(archive(16, entry(16, what=b"ACL", statement=filling + b"x")))


@pytest.mark.parametrize(("form", "name"), [(3, "tar"), (5, "directory")])
def test_data_in_files_is_named_by_its_file(form, name):
    files = [entry(16, file=b"7.dat"), entry(16, at=8, file=None)]
    found = read(archive(16, *files, form=form))
    assert found.form == name
    assert [(one.file, one.offset) for one in found.entries] == [("7.dat", -1), ("", -1)]
    assert found.last == -1


@pytest.mark.parametrize(
    ("version", "packing", "way"),
    [
        (14, 0, ""),
        (14, -1, "gzip"),
        (14, 6, "gzip"),
        (15, 0, ""),
        (15, 1, "gzip"),
        (16, 2, "lz4"),
        (16, 3, "zstd"),
    ],
)
def test_packing_is_named(version, packing, way):
    assert read(archive(version, packing=packing)).packed == way


@pytest.mark.parametrize(("state", "offset"), [(1, -1), (2, 100), (3, -1)])
def test_place_counts_where_it_was_known_when_it_was_written(state, offset):
    found = read(archive(16, entry(16, state=state)))
    assert (found.entries[0].offset, found.last) == (offset, offset)


def test_leap_second_is_the_one_before_and_a_day_that_never_was_is_none():
    assert read(archive(16, day=(60, *DAY[1:]))).dumped_at == datetime(2026, 11, 24, 3, 4, 59)
    assert read(archive(16, day=(59, *DAY[1:]))).dumped_at == datetime(2026, 11, 24, 3, 4, 59)
    assert read(archive(16, day=(0, 0, 0, 31, 1, 126, 0))).dumped_at is None
    assert read(archive(16, day=(0, 0, 0, 1, 1, 1 << 30, 0))).dumped_at is None
    assert read(archive(16, day=(0, 0, 0, 1, 1, -1 << 30, 0))).dumped_at is None


@pytest.mark.parametrize("statement", [b"", None, b"INSERT INTO public.secrets VALUES (1);\n"])
def test_rows_written_as_statements_are_told(statement):
    found = read(archive(16, entry(16, statement=statement), entry(16, at=8)))
    assert found.inserts
    assert [one.number for one in found.entries] == [8]


REFUSED = {
    "no archive": b"PGDMQ" + bytes(60),
    "too old": archive(11),
    "too new": archive(17),
    "another major version": b"PGDMP\x02" + archive(16)[6:],
    "form of nobody": archive(16, form=2),
    "numbers of no bytes": archive(16)[:8] + b"\0" + archive(16)[9:],
    "numbers of nine bytes": archive(16)[:8] + b"\x09" + archive(16)[9:],
    "places of no bytes": archive(16)[:9] + b"\0" + archive(16)[10:],
    "places of nine bytes": archive(16)[:9] + b"\x09" + archive(16)[10:],
    "packing of nobody": archive(16, packing=4),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_archive_we_know_is_refused(kind):
    with pytest.raises(BadInput, match=r"^backup\.dump is ") as refused:
        read(REFUSED[kind])
    said = str(refused.value)
    assert "1.17; known are 1.12 to 1.16" in said or kind != "too new"
    assert "(number 4)" in said or kind != "packing of nobody"


@pytest.mark.parametrize("version", VERSIONS)
def test_every_cut_is_damage(version):
    whole = archive(version, entry(version))
    for end in range(11, len(whole)):
        with pytest.raises(Damaged, match=r"^ends inside its table of contents$"):
            read(whole[:end])


def test_text_may_be_as_long_as_a_mebibyte():
    longest, longer = b"x" * (1 << 20), b"x" * ((1 << 20) + 1)
    assert read(archive(16, entry(16, statement=longest))).inserts
    with pytest.raises(Damaged, match="has a text of 1048577 bytes in its table of contents"):
        read(archive(16, entry(16, statement=longer)))
    # What is only passed over may be longer.
    assert read(archive(16, entry(16, what=b"ACL", statement=longer * 3))).entries == ()


def test_negative_count_of_entries_is_none():
    assert read(archive(16, count=-5)).entries == ()
