"""The files of a tar archive are found by their names, and sizes that no backup has are refused."""

import io
import tarfile

import pytest

from fixtures.errors import BadInput
from fixtures.keyproof import archive as archives
from fixtures.keyproof.archive import filed, tarred
from fixtures.keyproof.rows import Damaged
from tests.tocs import archive, entry

END = b"\\.\n\n\n"
ROWS = b"1\tone\n2\ttwo\n"


def members(**files):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"./{name.replace('_', '.')}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return made.getvalue()


TOC = archive(16, entry(16, file=b"7.dat"), form=3)


def test_files_of_a_tar_are_read_one_beside_the_other():
    data = members(toc_dat=TOC, **{"7_dat": ROWS + END})
    files, cut = tarred(io.BytesIO(data))
    made = filed(files, "backup.tar", cut=cut)
    made.check_end()
    assert [tuple(row) for row in made.blocks[0].rows(["id", "b"])] == [
        (b"1", b"one"),
        (b"2", b"two"),
    ]
    assert made.counts() == {"secrets": 2}
    assert files("8.dat") is None


def test_tar_that_is_cut_is_told():
    data = members(toc_dat=TOC, **{"7_dat": ROWS + END})
    end = data.index(ROWS) + 512
    assert tarred(io.BytesIO(data[: end + 512]))[1] is False
    for length in (end + 511, end, end - 1):
        files, cut = tarred(io.BytesIO(data[:length]))
        assert cut is True
        with pytest.raises(Damaged, match="ends inside its tar file"):
            filed(files, "backup.tar", cut=cut).check_end()


def test_tar_without_a_table_of_contents_is_no_archive():
    files, _ = tarred(io.BytesIO(members(notes_txt=b"x")))
    with pytest.raises(BadInput, match=r"backup\.tar holds no toc\.dat"):
        filed(files, "backup.tar")


def big(size):
    """A size where octal digits do not suffice."""
    return b"\x80" + size.to_bytes(11)


def test_size_in_a_tar_may_be_a_big_number():
    data = bytearray(members(toc_dat=TOC))
    data[124:136] = big(len(TOC))
    with tarred(io.BytesIO(data))[0]("toc.dat") as file:
        assert file.read() == TOC


@pytest.mark.parametrize("size", [b"10000000000\0", b"77777777777\0", big(1 << 43)])
def test_size_in_a_tar_may_be_larger_than_the_file_which_is_cut_then(size):
    data = bytearray(members(toc_dat=TOC))
    data[124:136] = size
    files, cut = tarred(io.BytesIO(data))
    assert cut
    with files("toc.dat") as file:
        assert file.read(len(TOC)) == TOC


@pytest.mark.parametrize("size", [big((1 << 43) + 1), big((1 << 80) + len(TOC)), b"-0000000001\0"])
def test_size_in_a_tar_that_no_backup_has_is_damage(size):
    data = bytearray(members(toc_dat=TOC))
    data[124:136] = size
    with pytest.raises(Damaged, match="broken heading in its tar file"):
        tarred(io.BytesIO(data))


def test_name_in_a_tar_may_take_all_of_its_place():
    data = bytearray(members(toc_dat=TOC))
    data[:100] = b"a" * 92 + b"/toc.dat"
    assert tarred(io.BytesIO(data))[0]("toc.dat")


def test_tar_of_more_files_than_any_backup_is_refused(monkeypatch):
    monkeypatch.setattr(archives, "_MOST_MEMBERS", 2)
    assert tarred(io.BytesIO(members(a=b"", b=b"")))[0]("a")
    with pytest.raises(Damaged, match="holds more than 2 files"):
        tarred(io.BytesIO(members(a=b"", b=b"", c=b"")))
