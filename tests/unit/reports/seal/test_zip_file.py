"""A bundle's zip has one form to the last field, and a reader that accepts no other."""

import io
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.seal import verify_bundle
from reports.seal.verify_bundle import LARGEST, MOST, Tampered, Unusable, pack, unpack

CONTENTS = {"MANIFEST.json": b"{}", "evidence.json": b'{"a": 1}\n', "logs/db.log": b"x" * 300}


@pytest.fixture
def read(tmp_path):
    """The files of a zip of these bytes."""

    def read_bytes(data):
        (tmp_path / "b.zip").write_bytes(data)
        return unpack(tmp_path / "b.zip")

    return read_bytes


def zipped(*entries, **how):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", **how) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return target.getvalue()


def test_an_ordinary_reader_reads_what_was_packed():
    with zipfile.ZipFile(io.BytesIO(pack(CONTENTS))) as archive:
        assert {info.filename: archive.read(info) for info in archive.infolist()} == CONTENTS
        for info in archive.infolist():
            assert (info.create_system, info.create_version, info.extract_version) == (3, 20, 20)
            assert (info.flag_bits, info.compress_type) == (0x800, zipfile.ZIP_STORED)
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert (info.external_attr, info.internal_attr) == (0o100644 << 16, 0)
            assert (info.volume, info.extra, info.comment) == (0, b"", b"")


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-zß]{1,8}(/[a-z]{1,8})?", fullmatch=True), st.binary()))
def test_what_is_packed_reads_back_and_packs_to_the_same_bytes(tmp_path_factory, contents):
    if len({name.casefold() for name in contents}) == len(contents):
        path = tmp_path_factory.mktemp("in") / "b.zip"
        path.write_bytes(pack(contents))
        assert unpack(path) == contents
        assert pack(dict(reversed(contents.items()))) == path.read_bytes()


def test_every_changed_byte_is_noticed(read):
    data = pack(CONTENTS)
    for place in range(len(data)):
        for change in (1, 0x80, 0xFF):
            changed = bytearray(data)
            changed[place] ^= change
            with pytest.raises((Unusable, Tampered)):
                read(bytes(changed))


def test_every_lost_and_every_added_byte_is_noticed(read):
    data = pack(CONTENTS)
    for place in range(len(data) + 1):
        for changed in (data[:place] + b"\0" + data[place:], data[:place], data[place:]):
            if changed != data:
                with pytest.raises((Unusable, Tampered)):
                    read(changed)


def test_entries_that_point_at_each_other_are_noticed(read):
    data = pack({"a": b"same", "b": b"same", "c": b"last"})
    first = data.index(b"PK\1\2")
    second = data.index(b"PK\1\2", first + 1)
    swapped = bytearray(data)
    struct.pack_into("<I", swapped, first + 42, len(b"same") + 31)
    struct.pack_into("<I", swapped, second + 42, 0)
    with pytest.raises(Tampered, match="structure or content was changed"):
        read(bytes(swapped))


def test_a_second_copy_before_the_first_entry_is_noticed(read):
    data = pack({"a": b"same", "b": b"last"})
    copy = data[: data.index(b"PK\3\4", 1)]
    hidden = bytearray(copy + data)
    for field in (
        hidden.index(b"PK\1\2") + 42,
        hidden.index(b"PK\1\2", hidden.index(b"PK\1\2") + 1) + 42,
        len(hidden) - 6,
    ):
        moved = struct.unpack_from("<I", hidden, field)[0] + len(copy)
        struct.pack_into("<I", hidden, field, moved)
    with zipfile.ZipFile(io.BytesIO(hidden)) as ordinary:
        assert ordinary.read("b") == b"last", "an ordinary reader sees nothing amiss"
    with pytest.raises(Tampered, match="structure was changed"):
        read(bytes(hidden))


def end(count, size, at):
    return struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, size, at, 0)


def symlink():
    info = zipfile.ZipInfo("evidence.json")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return zipped((info, b"/etc/passwd"))


def encrypted():
    data = bytearray(zipped(("a", b"secret")))
    data[data.index(b"PK\1\2") + 8] |= 1
    return bytes(data)


def claiming(size):
    data = bytearray(zipped(("a", b"tiny")))
    struct.pack_into("<2I", data, data.index(b"PK\1\2") + 20, size, size)
    return bytes(data)


def twice():
    with pytest.warns(UserWarning, match="Duplicate"):
        return zipped(("a", b"1"), ("a", b"2"))


def many(count):
    return zipped(*((f"{number:05}", b"") for number in range(count)))


HOSTILE = {
    "empty": (lambda: b"", "empty"),
    "no zip": (lambda: b"%PDF-1.7 " * 9, "no zip file"),
    "slip": (lambda: zipped(("../../etc/cron.d/x", b"")), "leads out"),
    "folder that leads out": (lambda: zipped(("../", b"")), "leads out"),
    "absolute": (lambda: zipped(("/etc/passwd", b"")), "leads out"),
    "backslash": (lambda: zipped(("..\\x", b"")), "leads out"),
    "drive": (lambda: zipped(("C:x", b"")), "leads out"),
    "escape codes": (lambda: zipped(("\x1b[2J", b"")), "cannot be written everywhere"),
    "link": (symlink, "is a link"),
    "lzma": (lambda: zipped(("a", b"x" * 99), compression=zipfile.ZIP_LZMA), "is compressed"),
    "encrypted": (encrypted, "is encrypted"),
    "10 GB": (lambda: claiming(0xFFFFFFF0), "more than 256 MiB"),
    "same name in other case": (lambda: zipped(("a", b"1"), ("A", b"2")), "occurs twice"),
    "same name": (twice, "occurs twice"),
    "folder with content": (lambda: zipped(("a/", b"1")), "is a folder with content"),
    "many entries": (lambda: many(MOST + 1), "more entries than is sane"),
    "directory beyond the end": (lambda: end(1, 0xFFFF, 0xFFFFFF), "zip"),
    "short directory": (lambda: b"PK" + end(3, 2, 0), "zip"),
    "appended": (lambda: zipped(("a", b"1")) + b"hello", "appended"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_is_refused_in_a_sentence(name, read):
    make, reason = HOSTILE[name]
    with pytest.raises(Unusable, match=reason) as refused:
        read(make())
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_ordinary_zip_of_the_same_files_is_not_in_the_form(read, compression):
    with pytest.raises(Tampered, match="structure was changed"):
        read(zipped(*sorted(CONTENTS.items()), compression=compression))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_with_entries_for_folders_is_read(read, compression):
    entries = [("logs/", b""), *CONTENTS.items()]
    assert read(zipped(*entries, compression=compression)) == CONTENTS
    with pytest.raises(Tampered, match="something stands before its files"):
        read(b"#!/bin/sh\n" + zipped(*entries, compression=compression))
    broken = zipped(*entries).replace(b"x" * 300, b"y" * 300)
    with pytest.raises(Tampered, match="content was changed"):
        read(broken)


def test_bomb_is_unpacked_no_further_than_it_says(read, monkeypatch):
    monkeypatch.setattr(verify_bundle, "LARGEST", 1 << 20)
    with pytest.raises(Unusable, match="more than 1 MiB"):
        read(zipped(("a/", b""), ("b", b"\0" * (2 << 20)), compression=zipfile.ZIP_DEFLATED))


def test_size_is_looked_at_before_content(tmp_path):
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(20 << 30)
    with pytest.raises(Unusable, match="more than 260 MiB, which is not sane"):
        unpack(tmp_path / "sparse")


@pytest.mark.parametrize("name", ["../x", "a\nb", "a:b", "x" * 256, "ß" * 128, "a//b"])
def test_name_that_a_reader_would_refuse_is_not_written(name):
    with pytest.raises(ValueError, match=r"has a name that .*; rename it"):
        pack({name: b""})


def test_names_that_differ_in_case_alone_cannot_be_sealed():
    with pytest.raises(ValueError, match="'a' occurs twice"):
        pack({"a": b"", "A": b""})


def test_names_may_be_as_long_as_file_systems_take(read):
    for name in ("a" * 255, "ß" * 127 + "a"):
        assert list(read(pack({name: b""}))) == [name]


def test_bundle_holds_so_many_bytes_and_files_and_no_more(monkeypatch):
    size = pack({"a": b"x" * 100}).index(b"PK\1\2")
    monkeypatch.setattr(verify_bundle, "LARGEST", size)
    assert pack({"a": b"x" * 100})
    with pytest.raises(ValueError, match="cannot be sealed"):
        pack({"a": b"x" * 101})
    monkeypatch.undo()
    assert LARGEST == 256 << 20
    assert pack({f"{number:05}": b"" for number in range(MOST)})
    with pytest.raises(ValueError, match="more than 256 MiB or 4096 files cannot be sealed"):
        pack({f"{number:05}": b"" for number in range(MOST + 1)})


def test_hostile_name_is_printed_in_part(read):
    data = pack({"a" * 70: b""}).replace(b"a" * 70, b"../" + b"a" * 67)
    with pytest.raises(Unusable) as refused:
        read(data)
    assert f"its file '../{'a' * 57}' has a name that leads out" in str(refused.value)


@pytest.mark.parametrize("kind", ["comment", "extra"])
def test_what_is_hung_on_an_entry_is_a_change_of_structure(kind, read):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in ("a", "b"):
            info = zipfile.ZipInfo(name)
            setattr(info, kind, b"\x99\x99\x04\x00note")
            archive.writestr(info, b"x")
    with pytest.raises(Tampered, match="structure was changed"):
        read(target.getvalue())
