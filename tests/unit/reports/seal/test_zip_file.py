"""A bundle's zip has one form to the last field, and a reader that accepts no other."""

import io
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors import BadBundle, Distrusted, ReportError
from reports.seal import zip_file
from reports.seal.zip_file import LARGEST, MOST, Archive, pack

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
    with pytest.raises(ReportError, match=r"has a name that .*; rename it"):
        packed(tmp_path, {name: b""})


def test_too_much_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(zip_file, "LARGEST", 200)
    with pytest.raises(ReportError, match="cannot be sealed"):
        packed(tmp_path, CONTENTS)


LOCAL, CENTRAL, END = "<4s5H3I2H", "<4s6H3I5H2I", "<4s4H2IH"


@pytest.fixture
def bundle_of(tmp_path):
    """The bytes of a bundle of these contents."""
    return lambda contents: packed(tmp_path, contents)


@pytest.fixture
def many(tmp_path):
    """The bytes of a bundle of so many empty files."""

    def made(count):
        (tmp_path / "empty").touch()
        target = io.BytesIO()
        pack({f"{number:05}": tmp_path / "empty" for number in range(count)}, target)
        return target.getvalue()

    return made


def opened(data):
    return Archive(io.BytesIO(data))


def changed(data, form, at, field, value):
    """The data with one field of a structure other than it was."""
    fields = list(struct.unpack_from(form, data, at))
    fields[field] = value
    made = bytearray(data)
    struct.pack_into(form, made, at, *fields)
    return bytes(made)


def test_each_entry_is_an_undated_readable_file_of_unix(bundle_of):
    data = bundle_of({"a": b"one", "b": b"two!"})
    with zipfile.ZipFile(io.BytesIO(data)) as made:
        for info in made.infolist():
            assert (info.create_system, info.create_version, info.extract_version) == (3, 20, 20)
            assert (info.flag_bits, info.compress_type) == (0x800, zipfile.ZIP_STORED)
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert (info.external_attr, info.internal_attr) == (0o100644 << 16, 0)
            assert (info.volume, info.extra, info.comment) == (0, b"", b"")


def test_header_before_a_file_says_what_the_directory_says(bundle_of):
    data = bundle_of({"a": b"one"})
    at = data.index(b"PK\1\2")
    local, listed = struct.unpack_from(LOCAL, data), struct.unpack_from(CENTRAL, data, at)
    assert local[1:9] == listed[2:10]
    assert local[9:] == (1, 0)
    end = (b"PK\5\6", 0, 0, 1, 1, len(data) - 22 - at, at, 0)
    assert struct.unpack(END, data[-22:]) == end


def test_bundle_holds_so_many_files_and_no_more(many):
    whole = opened(many(MOST))
    assert len(whole.entries) == MOST == 4096
    with pytest.raises(ReportError, match="more than 256 MiB or 4096 files cannot be sealed"):
        many(MOST + 1)


def test_bundle_holds_so_many_bytes_and_no_more(bundle_of, monkeypatch):
    size = bundle_of({"a": b"x" * 100}).index(b"PK\1\2")
    monkeypatch.setattr(zip_file, "LARGEST", size)
    assert opened(bundle_of({"a": b"x" * 100})).read("a", 100) == b"x" * 100
    with pytest.raises(ReportError, match="cannot be sealed"):
        bundle_of({"a": b"x" * 101})


def test_file_larger_than_any_bundle_is_not_read(tmp_path):
    huge = tmp_path / "huge.zip"
    for size, said in (
        (LARGEST + (MOST << 10), "no zip file, or not all of one"),
        (LARGEST + (MOST << 10) + 1, "260 MiB; no bundle has more than 256"),
    ):
        with huge.open("w+b") as file:
            file.truncate(size)
            with pytest.raises(BadBundle, match=said):
                Archive(file)


def test_file_in_a_bundle_is_read_whole_unless_it_is_larger_than_is_sane(bundle_of):
    content = bytes(range(256)) * (10 << 10)
    bundle = opened(bundle_of({"a": content, "b": b"next"}))
    assert bundle.read("a", len(content)) == content
    assert bundle.read("b", 4) == b"next"
    with pytest.raises(BadBundle, match="a has 2 MiB, which is not sane"):
        bundle.read("a", len(content) - 1)


def test_names_may_be_as_long_as_file_systems_take(bundle_of):
    for name in ("a" * 255, "ß" * 127 + "a"):
        assert list(opened(bundle_of({name: b""})).entries) == [name]
    for name in ("a" * 256, "ß" * 128):
        with pytest.raises(ReportError, match="cannot be written everywhere"):
            bundle_of({name: b""})


def test_names_that_differ_in_case_alone_cannot_be_sealed(bundle_of):
    with pytest.raises(ReportError, match="'A' occurs twice"):
        bundle_of({"a": b"", "A": b""})


def test_hostile_name_is_printed_in_part(bundle_of):
    data = bundle_of({"a" * 70: b""}).replace(b"a" * 70, b"../" + b"a" * 67)
    with pytest.raises(BadBundle) as refused:
        opened(data)
    assert f"its file '../{'a' * 57}' has a name that leads out" in str(refused.value)


@pytest.mark.parametrize(("field", "value"), [(4, 8), (8, 2)], ids=["method", "size"])
def test_file_that_may_be_packed_is_refused(bundle_of, field, value):
    data = bundle_of({"a": b"one"})
    with pytest.raises(BadBundle, match="is compressed"):
        opened(changed(data, CENTRAL, data.index(b"PK\1\2"), field, value))


@pytest.mark.parametrize("kind", ["comment", "extra"])
def test_what_is_hung_on_an_entry_is_a_change_of_structure(kind):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        for name in ("a", "b"):
            info = zipfile.ZipInfo(name)
            setattr(info, kind, b"\x99\x99\x04\x00note")
            made.writestr(info, b"x")
    with pytest.raises(Distrusted, match="structure was changed"):
        opened(target.getvalue())
