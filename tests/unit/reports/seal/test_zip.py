"""A bundle's zip has one possible form, and a reader that accepts no other."""

import io
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors import BadBundle, CannotSeal, Distrusted
from reports.seal import zip_file
from reports.seal.zip_file import Archive, pack

CONTENTS = {"MANIFEST.json": b"{}", "evidence.json": b'{"a": 1}\n', "logs/db.log": b"x" * 300}


def files(folder, contents):
    folder.mkdir(exist_ok=True)
    for number, content in enumerate(contents.values()):
        (folder / str(number)).write_bytes(content)
    return {name: folder / str(number) for number, name in enumerate(contents)}


def packed(folder, contents):
    target = io.BytesIO()
    pack(files(folder, contents), target)
    return target.getvalue()


def read(data):
    opened = Archive(io.BytesIO(data))
    return {name: opened.read(name, 1 << 20) for name in opened.entries}


def zipped(*entries, **how):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", **how) as made:
        for name, content in entries:
            made.writestr(name, content)
    return target.getvalue()


def test_an_ordinary_reader_reads_what_was_packed(tmp_path):
    (tmp_path / "b.zip").write_bytes(packed(tmp_path / "in", CONTENTS))
    with zipfile.ZipFile(tmp_path / "b.zip") as opened:
        assert {i.filename: opened.read(i) for i in opened.infolist()} == CONTENTS
        assert opened.testzip() is None


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-zß]{1,8}(/[a-z]{1,8})?", fullmatch=True), st.binary()))
def test_what_is_packed_reads_back_and_packs_to_the_same_bytes(tmp_path_factory, contents):
    folder = tmp_path_factory.mktemp("in")
    folded = {name.casefold() for name in contents}
    if len(folded) == len(contents):
        data = packed(folder, contents)
        assert read(data) == contents
        assert packed(folder, dict(reversed(contents.items()))) == data


def test_every_changed_byte_is_noticed(tmp_path):
    data = packed(tmp_path, CONTENTS)
    for place in range(len(data)):
        for change in (1, 0x80, 0xFF):
            changed = bytearray(data)
            changed[place] ^= change
            with pytest.raises((BadBundle, Distrusted)):
                read(bytes(changed))


def test_every_lost_and_every_added_byte_is_noticed(tmp_path):
    data = packed(tmp_path, CONTENTS)
    for place in range(len(data) + 1):
        for changed in (data[:place] + b"\0" + data[place:], data[:place], data[place:]):
            if changed != data:
                with pytest.raises((BadBundle, Distrusted)):
                    read(changed)


def test_entries_that_point_at_each_other_are_noticed(tmp_path):
    data = packed(tmp_path, {"a": b"same", "b": b"same", "c": b"last"})
    first = data.index(b"PK\1\2")
    second = data.index(b"PK\1\2", first + 1)
    swapped = bytearray(data)
    struct.pack_into("<I", swapped, first + 42, len(b"same") + 31)
    struct.pack_into("<I", swapped, second + 42, 0)
    with pytest.raises(Distrusted, match="structure was changed"):
        read(bytes(swapped))


def test_a_second_copy_before_the_first_entry_is_noticed(tmp_path):
    data = packed(tmp_path, {"a": b"same", "b": b"last"})
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
    with pytest.raises(Distrusted, match="structure was changed"):
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


HOSTILE = {
    "empty": (b"", "empty"),
    "no zip": (b"%PDF-1.7 " * 9, "no zip file"),
    "slip": (zipped(("../../etc/cron.d/x", b"")), "leads out"),
    "absolute": (zipped(("/etc/passwd", b"")), "leads out"),
    "backslash": (zipped(("..\\x", b"")), "leads out"),
    "drive": (zipped(("C:x", b"")), "leads out"),
    "escape codes": (zipped(("\x1b[2J", b"")), "cannot be written everywhere"),
    "link": (symlink(), "is a link"),
    "bomb": (zipped(("a", b"\0" * (8 << 20)), compression=zipfile.ZIP_DEFLATED), "compressed"),
    "encrypted": (encrypted(), "is encrypted"),
    "10 GB": (claiming(0xFFFFFFF0), "more than it has bytes"),
    "same name in other case": (zipped(("a", b"1"), ("A", b"2")), "occurs twice"),
    "many entries": (b"\0" * 9 + end(65535, 0, 9), "directory is not where"),
    "directory beyond the end": (end(1, 0xFFFFFF, 0xFFFFFF), "directory is not where"),
    "short directory": (b"PK" + end(3, 2, 0), "ends too early"),
    "comment": (zipped(("a", b"1")) + b"hello", "appended"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_is_refused_in_a_sentence(name):
    data, said = HOSTILE[name]
    with pytest.raises(BadBundle, match=said) as refused:
        read(data)
    assert str(refused.value).isprintable()


def test_duplicate_name_is_refused():
    with pytest.raises(BadBundle, match="occurs twice"):
        read(twice())


def test_ordinary_zip_of_the_same_files_is_not_a_bundle():
    with pytest.raises(Distrusted, match="structure was changed"):
        read(zipped(*sorted(CONTENTS.items())))


def test_size_is_looked_at_before_content(tmp_path, monkeypatch):
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(20 << 30)
    with (tmp_path / "sparse").open("rb") as file, pytest.raises(BadBundle, match="20480 MiB"):
        Archive(file)


@pytest.mark.parametrize("name", ["../x", "a\nb", "a:b", "x" * 300, "a//b"])
def test_name_that_a_reader_would_refuse_is_not_written(tmp_path, name):
    with pytest.raises(CannotSeal):
        packed(tmp_path, {name: b""})


def test_too_much_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(zip_file, "LARGEST", 200)
    with pytest.raises(CannotSeal, match="cannot be sealed"):
        packed(tmp_path, CONTENTS)
