"""Reading of regular files up to a limit; writing of files whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import secrets
import stat
import sys
from collections.abc import Buffer, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

from drillbook.core.errors import BadInput


def open_file(path: Path) -> io.BufferedReader:
    """An ordinary file for reading. OSError for a pipe or a device, which may never end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "Is a directory", str(path))
    raise OSError(errno.EINVAL, "not an ordinary file: a pipe or a device may never end", str(path))


def write_file(path: Path, data: bytes, mode: int | None = None) -> None:
    """Replace a file whole or not at all, with this mode before anything is in it."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        with fresh.open("xb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def holds(path: Path, content: bytes) -> bool:
    """Whether a file has this content; False where there is none, BadInput for another one."""
    if not path.exists() and not path.is_symlink():
        return False
    if path.is_symlink() or path.read_bytes() != content:
        raise BadInput(f"{path} is there already and is something else; move it away, or remove it")
    return True


def read_file(path: Path, most: int) -> bytes:
    """The content of an ordinary file of at most so many bytes; OSError for a larger one."""
    with open_file(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        limit = f"{most >> 20} MiB" if most >> 20 else f"{most >> 10} KiB"
        raise OSError(errno.EFBIG, f"more than {limit}, which is not sane", str(path))
    return data


def file_digest(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_mode(path: Path) -> str:
    """The mode of a file that others than its owner have rights on, such as 640; else empty."""
    mode = stat.S_IMODE(path.stat().st_mode)
    return f"{mode:03o}" if mode & 0o077 and os.name == "posix" else ""


def refuse_open(path: Path, what: str) -> None:
    """BadInput where others than its owner have rights on a file that gives access."""
    if mode := open_mode(path):
        raise BadInput(
            f"{what} {path} can be read by others (mode {mode}); "
            f"run chmod 600 {path}, and think of who has read it"
        )


@contextmanager
def new_file(out: str) -> Iterator[BinaryIO]:
    """A file that only its owner can read, and that gets its name when it is whole.

    `-` is standard output. An existing file is never overwritten. BadInput where the file cannot
    be written; then nothing is left.
    """
    if out == "-":
        # If sys.stdout is unbuffered, its own file may take only a part of what it gets.
        with whole_output(), open(sys.stdout.fileno(), "wb", closefd=False) as file:
            yield file
        return
    target = Path(out).expanduser()
    if target.exists() or target.is_symlink():
        raise BadInput(f"{target} exists, and is not overwritten; check --out")
    part = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}")
    try:
        with _New(part, target) as raw, io.BufferedWriter(raw) as file:
            yield file
            with raw.refusing():
                file.flush()
                os.fsync(raw.fileno())
                _name(raw, part, target)
    finally:
        part.unlink(missing_ok=True)


class _New(io.FileIO):
    """A new file without a name or with a temporary one; BadInput where the disk fails."""

    def __init__(self, part: Path, target: Path) -> None:
        try:
            handle, self.named = _open_new(part)
        except OSError as trouble:
            why = f"no file can be made in {target.parent}: {trouble.strerror}"
            raise BadInput(f"{why}; make that folder, or choose another with --out") from None
        super().__init__(handle, "wb")
        self._target = target

    def write(self, data: Buffer) -> int:
        with self.refusing():
            return super().write(data)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """BadInput for what the disk refuses."""
        try:
            yield
        except OSError as trouble:
            raise BadInput(
                f"{self._target} cannot be written: {trouble.strerror}; nothing was left there. "
                "Free some space, or choose another place with --out"
            ) from None


def _open_new(part: Path) -> tuple[int, bool]:
    """A new file, and whether it has a name: without one, a killed process leaves nothing."""
    probe = part.with_name(f".{secrets.token_hex(8)}")
    with suppress(OSError, AttributeError):
        # An empty file shows whether such a file can get a name later.
        with io.FileIO(os.open(part.parent, os.O_WRONLY | os.O_TMPFILE, 0o600), "wb") as empty:
            _link_unnamed(empty.fileno(), probe)
        probe.unlink()
        return os.open(part.parent, os.O_WRONLY | os.O_TMPFILE, 0o600), False
    return os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), True


def _link_unnamed(handle: int, name: Path) -> None:
    # With src_dir_fd, Python follows the link to the file.
    os.link(f"/proc/self/fd/{handle}", name, src_dir_fd=handle)


def _name(file: _New, part: Path, target: Path) -> None:
    try:
        if file.named:
            os.link(part, target)
        else:
            _link_unnamed(file.fileno(), target)
    except FileExistsError:
        raise BadInput(f"{target} exists by now, and is not overwritten; check --out") from None
    except OSError:
        # Some file systems have no hard links.
        if not file.named:
            raise
        part.rename(target)


def drop_output(stream: TextIO | None = None) -> None:
    """Drop what is left for a stream, standard output unless it is given.

    Python would else try to write it as it ends.
    """
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, (stream or sys.stdout).fileno())
        os.close(nowhere)


@contextmanager
def whole_output(also: str = "") -> Iterator[None]:
    """BadInput unless standard output takes all that the block writes to it.

    also says what was written to a file all the same.
    """
    # The stream that Python started with; the command replaces one that was closed.
    if sys.__stdout__ is None:
        raise BadInput("standard output is closed, so no answer could be written; open it")
    try:
        yield
        sys.stdout.flush()
    except OSError as trouble:
        drop_output()
        raise BadInput(
            f"standard output did not take everything: {trouble.strerror}; what it took is not "
            f"whole{also}. Free some space, or see why its reader ended"
        ) from None


_LARGEST = 1 << 20


@contextmanager
def refuse_trouble(what: str, where: str = "the path") -> Iterator[None]:
    """BadInput for an error of the disk or the mount while the block reads."""
    try:
        yield
    except OSError as trouble:
        raise BadInput(f"{what}: {trouble.strerror}; check {where}") from None


def open_input(path: Path, what: str, where: str = "the path") -> io.BufferedReader:
    """A regular file, opened to be read; BadInput in one sentence for anything else."""
    try:
        return open_file(path)
    except (FileNotFoundError, NotADirectoryError):
        raise BadInput(f"{what} {path} does not exist; check {where}") from None
    except OSError as trouble:
        if trouble.errno in (errno.EINVAL, errno.EISDIR):
            raise BadInput(f"{what} {path} is not an ordinary file; check {where}") from None
        raise BadInput(f"{what} {path}: {trouble.strerror}; check {where}") from None
    except ValueError:
        raise BadInput(f"{what} {str(path)!r} cannot be the name of a file") from None


def load_text(path: Path, what: str, where: str = "the path", *, may_be_empty: bool = False) -> str:
    """The text of a small file; BadInput in one sentence for anything else."""
    with open_input(path, what, where) as file, refuse_trouble(f"{what} {path}", where):
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise BadInput(f"{what} {path} has more than the 1 MiB one can have; check {where}")
    if not data.strip() and not may_be_empty:
        raise BadInput(f"{what} {path} is empty; check {where}")
    try:
        decoded = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{what} {path} is not text (UTF-8); check {where}") from None
    if "\0" in decoded:
        raise BadInput(f"{what} {path} is not text; check {where}")
    return decoded
