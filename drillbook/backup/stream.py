"""Read a compressed or plain file as a stream; decompression bombs are refused."""

from __future__ import annotations

import io
import os
import select
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Literal

from drillbook.core.errors import BadInput
from drillbook.core.files import open_input, refuse_trouble
from drillbook.core.signatures import PACKINGS, kind_of

_MAGIC = 6
# Rows hold random ids and ciphertexts, which hardly compress: a large output of more than this many
# times its input was made to fill memory or disk.
_GREATEST_RATIO = 200
_HARMLESS = 256 << 20
CHUNK = 1 << 18
_LEAST_FREE = 512 << 20
# xz and zstd keep a window of the output; `zstd --long` takes 2^27 bytes, zstd's own limit.
_WINDOW = 27
# A copy is compared with the free space each time it has grown by this much.
GROWN = 64 << 20
_READ = 1 << 16
_GZIP = 31
_WHERE = "the backup given"


class Source(io.RawIOBase):
    """The bytes of a backup's file, decompressed; BadInput for what cannot be read at all.

    packed names the compression, or is empty. broken says why decompression ended too early: the
    stream returns what came before, then ends. again is the file, if the bytes can be read again by
    offset.
    """

    form: Literal["plain"] = "plain"
    cut = ""
    tables = -1

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.broken = ""
        self._raw = open_input(path, "backup", _WHERE)
        with refuse_trouble(f"backup {self.name}", _WHERE):
            head = self._raw.peek(_MAGIC)[:_MAGIC]
        self.packed = kind_of(head, PACKINGS)
        self.again = None if self.packed else path
        self._stream = Unpacked(self._raw, self.packed) if self.packed else self._raw
        self._out = 0
        self._pending = b""

    @property
    def size(self) -> int:
        """The bytes read so far from the file, before decompression."""
        return self._raw.tell()

    def begin(self, size: int) -> bytes:
        """The first bytes, which remain to be read; call it only before anything is read."""
        buffer = memoryview(bytearray(size))
        got = 0
        while got < size and (more := self.readinto(buffer[got:])):
            got += more
        self._pending = bytes(buffer[:got])
        return self._pending

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._pending:
            got = min(len(buffer), len(self._pending))
            buffer[:got], self._pending = self._pending[:got], self._pending[got:]
            return got
        try:
            with refuse_trouble(f"backup {self.name}", _WHERE):
                got = self._stream.readinto(buffer)
        except Unpackable as trouble:
            # A second read after an error says that the stream ends, which it need not.
            self.broken = self.broken or str(trouble)
            return 0
        self._out += got
        if self.packed:
            refuse_bomb(self.name, self._out, self._raw.tell())
        return got

    def seekable_copy(self) -> BinaryIO:
        """The rest of the stream in a seekable file without a name; BadInput if it does not fit."""
        copy = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        folder = Path(tempfile.gettempdir())
        unfit = (
            f"backup {self.name} does not fit into {folder}; unpack it where there is space, or "
            "point TMPDIR there"
        )
        try:
            write_pieces(iter(lambda: self.read(CHUNK) or b"", b""), copy, folder, unfit)
        except BaseException:
            copy.close()
            raise
        copy.seek(0)
        return copy

    def close(self) -> None:
        # Also called if the file could not be opened.
        if raw := getattr(self, "_raw", None):
            raw.close()
        super().close()


def refuse_bomb(name: str, unpacked: int, packed: int) -> None:
    """Raise BadInput if the ratio of unpacked to packed bytes is more than any database reaches."""
    if unpacked > _HARMLESS and unpacked > _GREATEST_RATIO * packed:
        raise BadInput(
            f"backup {name} unpacks to more than {_GREATEST_RATIO} times its size, as no "
            "database does; it was not read on, since it may be made to fill memory or disk"
        )


def is_nearly_full(folder: str | Path) -> bool:
    """Whether a folder's disk has so little space left that a backup may fill it."""
    return shutil.disk_usage(folder).free < _LEAST_FREE


def write_pieces(
    pieces: Iterator[bytes],
    out: Any,
    folder: Path,
    unfit: str,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Write pieces to a file in a folder, unbuffered; BadInput, unfit, if its disk would run full.

    say gets the progress.
    """
    size = reported = 0
    for piece in pieces:
        left = memoryview(piece)
        try:
            while left:
                left = left[out.write(left) :]
        except OSError as trouble:
            raise BadInput(f"{unfit}: {trouble.strerror}") from None
        size += len(piece)
        if size // GROWN > reported:
            reported = size // GROWN
            if is_nearly_full(folder):
                raise BadInput(unfit)
            say(f"  {size >> 20} MiB so far")


class _Inflate:
    """zlib's decompressor with the interface of lzma's."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_GZIP)

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def needs_input(self) -> bool:
        return not self._inflate.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length)


def _xz() -> Any:
    import lzma

    return lzma.LZMADecompressor(memlimit=(1 << _WINDOW) + (8 << 20))


def _zstd() -> Any:
    # Part of Python from 3.14 on, under another name.
    zstd = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    limit = {zstd.DecompressionParameter.window_log_max: _WINDOW}
    return zstd.ZstdDecompressor(options=limit)


# Each makes a decompressor with the interface of lzma.LZMADecompressor.
_WAYS: dict[str, Callable[[], Any]] = {
    "gzip": _Inflate,
    "xz": _xz,
    "zstd": _zstd,
    "lz4": lambda: import_module("lz4.frame").LZ4FrameDecompressor(),
}
# zlib raises `error`, lz4 RuntimeError; the other two names belong to one module each.
_BROKEN = ("LZMAError", "ZstdError", "RuntimeError", "error")


class Unpackable(Exception):
    """The compressed bytes are truncated or broken; what came before was returned."""


class Unpacked(io.RawIOBase):
    """The decompressed bytes of one or more streams in a row."""

    def __init__(self, raw: BinaryIO, way: str) -> None:
        self._raw = raw
        self._way = way
        self._unpacking = _WAYS[way]()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while True:
            packed = self._next() if self._unpacking.eof or self._unpacking.needs_input else b""
            if packed is None:
                return 0
            plain = self._piece(packed, len(buffer))
            if plain:
                buffer[: len(plain)] = plain
                return len(plain)

    def _piece(self, packed: bytes, size: int) -> bytes:
        try:
            plain: bytes = self._unpacking.decompress(packed, size)
        except Exception as trouble:
            if type(trouble).__name__ not in _BROKEN:
                raise
            if "memory" in str(trouble).lower():
                raise Unpackable(
                    f"needs more than {1 << _WINDOW - 20} MiB to unpack its {self._way} stream; "
                    f"unpack it first ({self._way} -d)"
                ) from None
            raise Unpackable(
                f"has a {self._way} stream that cannot be unpacked: {trouble}"
            ) from None
        return plain

    def _next(self) -> bytes | None:
        """The bytes to decompress next; None after the last stream has ended."""
        over = self._unpacking.eof
        packed = (self._unpacking.unused_data or b"").lstrip(b"\0") if over else b""
        packed = packed or self._raw.read(_READ) or b""
        if over and packed:
            self._unpacking = _WAYS[self._way]()
        elif not packed and not over:
            raise Unpackable(f"ends inside its {self._way} stream")
        return packed or None


# Programs print the pieces of a backup without such pauses.
SILENCE_S = 600.0


def program_output(
    argv: Sequence[str], env: Mapping[str, str], explain: Callable[[int, str], str]
) -> Iterator[bytes]:
    """A program's output, in pieces; without a terminal, it cannot ask for anything.

    BadInput if it fails, in the sentence that explain makes from exit code and messages, and if it
    is silent for too long: a line may be dead, or a lock may never be free.
    """
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            argv,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        pipe, waiting = process.stdout.fileno() if process.stdout else -1, select.poll()
        waiting.register(pipe, select.POLLIN)

        def next_piece() -> bytes:
            if not waiting.poll(SILENCE_S * 1000):
                raise subprocess.TimeoutExpired(argv, SILENCE_S)
            return os.read(pipe, CHUNK)

        try:
            yield from iter(next_piece, b"")
            process.wait(SILENCE_S)
        except subprocess.TimeoutExpired:
            raise BadInput(
                f"{argv[0]} printed nothing for {SILENCE_S:.0f} s and was ended; see whether its "
                "server answers, and try again"
            ) from None
        finally:
            process.kill()
        if code := process.wait():
            log.seek(0)
            raise BadInput(explain(code, log.read(CHUNK).decode(errors="replace")))
