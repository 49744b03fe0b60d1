"""A backup's bytes come out as they were before packing, counted, bounded, and told when cut."""

import errno
import gzip
import io
import lzma
import os
import shutil
import sys
import time
from pathlib import Path

import lz4.frame
import pytest
from backports import zstd

from drillbook.backup import stream
from drillbook.backup.stream import Source
from drillbook.core.errors import BadInput

TEXT = os.urandom(400_000)
WAYS = {"gzip": gzip.compress, "xz": lzma.compress, "zstd": zstd.compress}
WAYS["lz4"] = lz4.frame.compress


@pytest.fixture
def file(tmp_path):
    def written(data):
        (tmp_path / "backup").write_bytes(data)
        return tmp_path / "backup"

    return written


def everything(opened):
    with opened:
        return opened.read()


@pytest.mark.parametrize("way", WAYS)
def test_packing_is_known_by_the_first_bytes_and_undone(file, way):
    packed = WAYS[way](TEXT)
    opened = Source(file(packed))
    assert (opened.packed, opened.again, opened.size) == (way, None, 0)
    assert opened.read() == TEXT
    assert (opened.size, opened.broken) == (len(packed), "")
    opened.close()


@pytest.mark.parametrize("way", ["gzip", "xz", "zstd"])
def test_streams_one_after_another_are_one(file, way):
    assert everything(Source(file(WAYS[way](b"one") + WAYS[way](b"two")))) == b"onetwo"
    assert everything(Source(file(WAYS[way](b"one") + bytes(512)))) == b"one"


def zstd_of(window):
    options = {zstd.CompressionParameter.window_log: window}
    packing = zstd.ZstdCompressor(options=options)
    return packing.compress(TEXT) + packing.flush()


def xz_of(window):
    return lzma.compress(TEXT, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << window}])


@pytest.mark.parametrize("packed", [zstd_of, xz_of])
def test_window_may_take_as_much_as_zstd_long_and_no_more(file, packed):
    assert everything(Source(file(packed(27)))) == TEXT
    opened = Source(file(packed(28)))
    assert (opened.read(), opened.read()) == (b"", b"")
    assert "needs more than 128 MiB to unpack" in opened.broken
    opened.close()


def test_what_repeats_far_apart_is_unpacked(file):
    repeated = TEXT[:30_000] * 3
    assert everything(Source(file(gzip.compress(repeated)))) == repeated


def test_what_is_not_packed_can_be_read_again(file):
    opened = Source(file(TEXT))
    assert (opened.packed, opened.again, opened.name) == ("", file(TEXT), str(file(TEXT)))
    assert opened.read() == TEXT
    assert opened.size == len(TEXT)
    opened.close()


@pytest.mark.parametrize("size", [0, 1, 5, 6, 7, 512, 500_000])
def test_beginning_is_looked_at_and_stays(file, size):
    opened = Source(file(TEXT))
    assert opened.begin(size) == TEXT[:size]
    assert everything(opened) == TEXT


@pytest.mark.parametrize("length", [0, 1, 5])
def test_tiny_file_is_read_as_it_is(file, length):
    assert everything(Source(file(TEXT[:length]))) == TEXT[:length]


@pytest.mark.parametrize("way", WAYS)
def test_cut_packing_gives_what_came_before_and_tells(file, way):
    opened = Source(file(WAYS[way](TEXT)[:-40]))
    got = opened.read()
    assert TEXT.startswith(got)
    assert opened.broken == f"ends inside its {way} stream"
    assert opened.read() == b""
    opened.close()


def test_noise_behind_a_known_beginning_is_told(file):
    opened = Source(file(b"\x1f\x8b" + TEXT))
    assert opened.read() == b""
    assert opened.broken.startswith("has a gzip stream that cannot be unpacked: ")
    opened.close()


def test_what_unpacks_to_far_more_than_rows_do_is_refused(file, monkeypatch):
    zeros = bytes(1 << 20)
    packed = file(gzip.compress(zeros))
    assert everything(Source(packed)) == zeros
    monkeypatch.setattr(stream, "_HARMLESS", 1 << 20)
    assert everything(Source(packed)) == zeros
    monkeypatch.setattr(stream, "_HARMLESS", (1 << 20) - 1)
    with pytest.raises(BadInput, match="unpacks to more than 200 times its size"):
        everything(Source(packed))
    monkeypatch.setattr(stream, "_HARMLESS", 1000)
    digits = TEXT.hex().encode()
    assert everything(Source(file(gzip.compress(digits)))) == digits


def test_seekable_copy_holds_all_that_is_left(file):
    with Source(file(gzip.compress(TEXT))) as opened:
        assert opened.begin(7) == TEXT[:7]
        with opened.seekable_copy() as copy:
            assert copy.tell() == 0
            assert copy.read() == TEXT


@pytest.mark.parametrize(("free", "fits"), [((512 << 20), True), ((512 << 20) - 1, False)])
def test_copy_leaves_room_on_the_disk(file, monkeypatch, free, fits):
    usage = shutil.disk_usage("/")._replace(free=free)
    monkeypatch.setattr(stream.shutil, "disk_usage", lambda _folder: usage)
    with Source(file(gzip.compress(TEXT[:1000]))) as opened, opened.seekable_copy() as copy:
        assert copy.read() == TEXT[:1000]
    monkeypatch.setattr(stream, "GROWN", 1000)
    with Source(file(gzip.compress(TEXT[:1000]))) as opened:
        if fits:
            with opened.seekable_copy() as copy:
                assert copy.read() == TEXT[:1000]
            return
        with pytest.raises(BadInput, match=r"does not fit into .*; unpack it where there is space"):
            opened.seekable_copy()


def test_source_can_be_read_through_a_buffer(file):
    with Source(file(gzip.compress(TEXT))) as opened, io.BufferedReader(opened) as buffered:
        assert buffered.read() == TEXT


def test_what_cannot_be_read_is_told_in_one_sentence(tmp_path):
    with pytest.raises(BadInput, match="none does not exist; check the backup given"):
        Source(tmp_path / "none")
    with pytest.raises(BadInput, match="is not an ordinary file; check the backup given"):
        Source(tmp_path)
    with pytest.raises(BadInput, match="File name too long; check the backup given"):
        Source(tmp_path / ("x" * 300))


class Failing(io.RawIOBase):
    """A disk that gives out some bytes and then none any more."""

    def __init__(self, good):
        self._good = io.BytesIO(good)

    def readable(self):
        return True

    def tell(self):
        return self._good.tell()

    def readinto(self, buffer):
        if got := self._good.readinto(buffer):
            return got
        raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize(
    "good", [b"", TEXT, gzip.compress(TEXT, mtime=0)[:-9]], ids=["none", "plain", "packed"]
)
def test_disk_that_fails_is_told_in_one_sentence_wherever_it_does(monkeypatch, good):
    monkeypatch.setattr(stream, "open_input", lambda *_: io.BufferedReader(Failing(good)))
    with (
        pytest.raises(BadInput, match=r"^backup b: Input/output error; check the backup given$"),
        Source(Path("b")) as opened,
    ):
        opened.readall()


@pytest.mark.parametrize(
    "code",
    [
        "print('row', flush=True); time.sleep(60)",
        "print('row', flush=True); os.close(1); time.sleep(60)",
    ],
    ids=["silent", "without an end"],
)
def test_a_program_that_goes_silent_is_ended(monkeypatch, code):
    argv = [sys.executable, "-c", f"import os, time; {code}"]
    output, began = stream.program_output(argv, {}, lambda *_: "failed"), time.monotonic()
    assert next(output) == b"row\n"
    # Only now, because a busy machine takes its time to start the program.
    monkeypatch.setattr(stream, "SILENCE_S", 1.0)
    with pytest.raises(BadInput, match="printed nothing for 1 s and was ended"):
        next(output)
    assert time.monotonic() - began < 30


def test_a_program_that_fails_is_explained():
    argv = [sys.executable, "-c", "import sys; print('row'); sys.exit('no such snapshot')"]
    output = stream.program_output(argv, {}, lambda code, log: f"{code}: {log.strip()}")
    with pytest.raises(BadInput, match=r"^1: no such snapshot$"):
        list(output)
