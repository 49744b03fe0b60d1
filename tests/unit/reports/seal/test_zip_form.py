"""The form of a bundle to the last field, and its bounds to the last byte."""

import io
import struct
import zipfile

import pytest

from reports.errors import BadBundle, CannotSeal, Distrusted
from reports.seal import zip_file
from reports.seal.zip_file import LARGEST, MOST, Archive, pack

LOCAL, CENTRAL, END = "<4s5H3I2H", "<4s6H3I5H2I", "<4s4H2IH"


@pytest.fixture
def packed(tmp_path):
    """The bytes of a bundle of these contents."""

    def made(contents):
        for number, content in enumerate(contents.values()):
            (tmp_path / str(number)).write_bytes(content)
        target = io.BytesIO()
        pack({name: tmp_path / str(at) for at, name in enumerate(contents)}, target)
        return target.getvalue()

    return made


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


def test_each_entry_is_an_undated_readable_file_of_unix(packed):
    data = packed({"a": b"one", "b": b"two!"})
    with zipfile.ZipFile(io.BytesIO(data)) as made:
        for info in made.infolist():
            assert (info.create_system, info.create_version, info.extract_version) == (3, 20, 20)
            assert (info.flag_bits, info.compress_type) == (0x800, zipfile.ZIP_STORED)
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert (info.external_attr, info.internal_attr) == (0o100644 << 16, 0)
            assert (info.volume, info.extra, info.comment) == (0, b"", b"")


def test_header_before_a_file_says_what_the_directory_says(packed):
    data = packed({"a": b"one"})
    at = data.index(b"PK\1\2")
    local, listed = struct.unpack_from(LOCAL, data), struct.unpack_from(CENTRAL, data, at)
    assert local[1:9] == listed[2:10]
    assert local[9:] == (1, 0)
    end = (b"PK\5\6", 0, 0, 1, 1, len(data) - 22 - at, at, 0)
    assert struct.unpack(END, data[-22:]) == end


def test_bundle_holds_so_many_files_and_no_more(many):
    whole = opened(many(MOST))
    assert len(whole.entries) == MOST == 4096
    with pytest.raises(CannotSeal, match="more than 256 MiB or 4096 files cannot be sealed"):
        many(MOST + 1)


def test_bundle_holds_so_many_bytes_and_no_more(packed, monkeypatch):
    size = packed({"a": b"x" * 100}).index(b"PK\1\2")
    monkeypatch.setattr(zip_file, "LARGEST", size)
    assert opened(packed({"a": b"x" * 100})).read("a", 100) == b"x" * 100
    with pytest.raises(CannotSeal):
        packed({"a": b"x" * 101})


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


def test_file_in_a_bundle_is_read_whole_unless_it_is_larger_than_is_sane(packed):
    content = bytes(range(256)) * (10 << 10)
    bundle = opened(packed({"a": content, "b": b"next"}))
    assert bundle.read("a", len(content)) == content
    assert bundle.read("b", 4) == b"next"
    with pytest.raises(BadBundle, match="a has 2 MiB, which is not sane"):
        bundle.read("a", len(content) - 1)


def test_names_may_be_as_long_as_file_systems_take(packed):
    for name in ("a" * 255, "ß" * 127 + "a"):
        assert list(opened(packed({name: b""})).entries) == [name]
    for name in ("a" * 256, "ß" * 128):
        with pytest.raises(CannotSeal, match="cannot be written everywhere"):
            packed({name: b""})


def test_names_that_differ_in_case_alone_cannot_be_sealed(packed):
    with pytest.raises(CannotSeal, match="'A' occurs twice"):
        packed({"a": b"", "A": b""})


def test_hostile_name_is_told_but_not_all_of_it(packed):
    data = packed({"a" * 70: b""}).replace(b"a" * 70, b"../" + b"a" * 67)
    with pytest.raises(BadBundle) as refused:
        opened(data)
    assert f"its file '../{'a' * 57}' has a name that leads out" in str(refused.value)


@pytest.mark.parametrize(("field", "value"), [(4, 8), (8, 2)], ids=["method", "size"])
def test_file_that_may_be_packed_is_refused(packed, field, value):
    data = packed({"a": b"one"})
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
