"""The zip of a bundle, in one canonical form: sorted, stored, undated, without any gap.

Equal files give equal bytes on every machine. A reader that accepts no other form leaves no place
where something could be added. Python's zipfile gives neither: what it writes depends on its
version, and it skips bytes between entries. Files are stored and not compressed, because
compressors differ, and because a search for secrets must read the files in it.
Source: APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12, 4.3.16.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from drillbook.core.files import open_file
from reports.errors import BadBundle, Distrusted, ReportError

LARGEST = 256 << 20
MOST = 4096
_NAME = 255
_CHUNK = 1 << 20
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION, _MADE_BY_UNIX, _UTF8, _DAY_ZERO = 20, 3 << 8 | 20, 1 << 11, 0x21
_ENCRYPTED, _LINK, _KIND = 1, 0o120000, 0o170000
_ORDINARY = 0o100644 << 16


class Entry(NamedTuple):
    """A file in a bundle: its name, CRC-32, size in bytes, and where its header begins."""

    name: str
    crc: int
    size: int
    at: int

    @property
    def head(self) -> bytes:
        """The local header, before the content."""
        name = self.name.encode()
        fixed = (_VERSION, _UTF8, 0, 0, _DAY_ZERO, self.crc, self.size, self.size, len(name), 0)
        return _LOCAL.pack(b"PK\3\4", *fixed) + name

    @property
    def listing(self) -> bytes:
        """The entry in the central directory."""
        name = self.name.encode()
        fixed = (_MADE_BY_UNIX, _VERSION, _UTF8, 0, 0, _DAY_ZERO, self.crc, self.size, self.size)
        rest = (len(name), 0, 0, 0, 0, _ORDINARY, self.at)
        return _CENTRAL.pack(b"PK\1\2", *fixed, *rest) + name

    @property
    def end(self) -> int:
        """Where the next entry begins."""
        return self.at + len(self.head) + self.size


def pack(files: Mapping[str, Path], target: BinaryIO) -> None:
    """Write these files under these names; ReportError if a name or the size cannot be."""
    entries: list[Entry] = []
    folded = [name.casefold() for name in files]
    for name in sorted(files):
        if reason := _unfit(name) or ("occurs twice" if folded.count(name.casefold()) > 1 else ""):
            raise ReportError(f"{name!r} {reason}; rename it")
        entry = _measure(name, files[name], entries[-1].end if entries else 0)
        if entry.end > LARGEST or len(entries) == MOST:
            raise ReportError(f"more than {LARGEST >> 20} MiB or {MOST} files cannot be sealed")
        target.write(entry.head)
        _copy(files[name], target, entry)
        entries.append(entry)
    target.write(_directory(entries))


def _measure(name: str, path: Path, at: int) -> Entry:
    crc = size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            crc, size = zlib.crc32(chunk, crc), size + len(chunk)
    return Entry(name, crc, size, at)


def _copy(path: Path, target: BinaryIO, entry: Entry) -> None:
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
            target.write(chunk)
    if crc != entry.crc:
        raise ReportError(f"{entry.name} changed while it was sealed; let its writer end first")


def _directory(entries: list[Entry]) -> bytes:
    listing = b"".join(entry.listing for entry in entries)
    at, count = (entries[-1].end if entries else 0), len(entries)
    return listing + _END.pack(b"PK\5\6", 0, 0, count, count, len(listing), at, 0)


def read_entries(bundle: Path, names: Iterable[str], most: int) -> dict[str, bytes]:
    """Those of the named files that a bundle has; BadBundle if one is larger than `most`."""
    with open_file(bundle) as file:
        archive = Archive(file)
        return {name: archive.read(name, most) for name in names if name in archive.entries}


class Archive:
    """An open bundle whose form was checked; contents are read on demand."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, 2)
        if self.size > LARGEST + (MOST << 10):
            raise BadBundle(f"{self.size >> 20} MiB; no bundle has more than {LARGEST >> 20}")
        listing, count = self._listing()
        self.entries = {entry.name: entry for entry in _list(listing, count)}
        self._check(list(self.entries.values()))

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of a file in pieces; Distrusted if its CRC-32 does not match."""
        entry, crc = self.entries[name], 0
        self._file.seek(entry.at + len(entry.head))
        for start in range(0, entry.size, _CHUNK):
            chunk = self._file.read(min(_CHUNK, entry.size - start))
            crc = zlib.crc32(chunk, crc)
            yield chunk
        if crc != entry.crc:
            raise Distrusted(f"{name} has another content than when it was sealed")

    def read(self, name: str, most: int) -> bytes:
        """The content of a file; BadBundle if it is larger than `most` bytes."""
        if self.entries[name].size > most:
            raise BadBundle(f"{name} has {self.entries[name].size >> 20} MiB, which is not sane")
        return b"".join(self.chunks(name))

    def _listing(self) -> tuple[bytes, int]:
        if self.size < _END.size:
            raise BadBundle("empty" if not self.size else "no zip file")
        self._file.seek(self.size - _END.size)
        magic, _, _, _, count, size, at, _ = _END.unpack(self._file.read(_END.size))
        if magic != b"PK\5\6":
            raise BadBundle("no zip file, or not all of one, or something was appended to it")
        if at + size + _END.size != self.size or count > MOST or size > MOST * _CENTRAL.size * 8:
            raise BadBundle("its directory is not where a bundle has it")
        self._file.seek(at)
        return self._file.read(size), count

    def _check(self, entries: list[Entry]) -> None:
        """Distrusted unless every byte that is not content is what pack writes."""
        if any(entry.end > self.size for entry in entries):
            raise BadBundle("it claims to hold more than it has bytes")
        same, at = [entry.name for entry in entries] == sorted(self.entries), 0
        for entry in entries:
            self._file.seek(at)
            same = same and entry.at == at and self._file.read(len(entry.head)) == entry.head
            at = entry.end
        self._file.seek(at)
        if not same or self._file.read() != _directory(entries):
            raise Distrusted("not in the form in which it was sealed: its structure was changed")


def _list(listing: bytes, count: int) -> Iterator[Entry]:
    """The entries of a directory; BadBundle if one is not safe to unpack."""
    at, seen = 0, set[str]()
    for _ in range(count):
        if at + _CENTRAL.size > len(listing):
            raise BadBundle("its directory ends too early")
        fields = _CENTRAL.unpack_from(listing, at)
        flags, method, crc, size, full, length = *fields[3:5], *fields[7:11]
        at += _CENTRAL.size
        name = listing[at : at + length].decode("utf-8", "replace")
        at += length + fields[11] + fields[12]
        reason = _unfit(name) or _hostile(flags, method, fields[15] >> 16, size != full)
        if reason or name.casefold() in seen:
            raise BadBundle(f"its file {name[:60]!r} {reason or 'occurs twice'}")
        seen.add(name.casefold())
        yield Entry(name, crc, size, fields[16])


def _hostile(flags: int, method: int, mode: int, differs: bool) -> str | None:
    if flags & _ENCRYPTED:
        return "is encrypted"
    if mode & _KIND == _LINK:
        return "is a link"
    if method or differs:
        return "is compressed; a bundle holds its files as they are"
    return None


def _unfit(name: str) -> str | None:
    """Why a name is not portable or leads out of its folder; None if it is fine."""
    parts = name.split("/")
    if len(name.encode("utf-8", "replace")) > _NAME or not name.isprintable():
        return "has a name that cannot be written everywhere"
    if any(part in ("", ".", "..") for part in parts) or "\\" in name or ":" in name:
        return "has a name that leads out of its folder"
    return None
