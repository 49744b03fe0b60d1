"""A sandbox in which commands of a document run: bash in its own namespaces, by bubblewrap.

A script sees programs of /usr, read-only, and its own files; no network, no home, no engine. Words
such as docker or curl are shims, which pass each call to the harness and print its answer. Links
that a script makes are never followed, and time, output, processes and files are limited.
"""

from __future__ import annotations

import os
import re
import selectors
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from drillbook.core.errors import Unsupported
from drillbook.core.run_directory import unprivileged_user
from drillbook.stack import processes

HOME = "/root"
OF_DATABASE = ("psql", "pg_dump", "pg_dumpall", "pg_restore", "dropdb", "createdb", "pg_isready")
SHIMS = (
    *("docker", "docker-compose", "podman", "kubectl", "curl", "wget", "redis-cli", "ssh", "sudo"),
    *OF_DATABASE,
    "drillbook-step",
)
# Folders of an operator's machine that exist in the sandbox, empty.
ROOTS = ("srv", "opt", "backup", "backups", "data", "mnt", "media", "root", "home", "var")
_MOST_OUTPUT = 4 << 20
_MOST_FILES = 512 << 20
_FULL = f"it wrote more than {_MOST_FILES >> 20} MiB"
_LONGEST_CALL = 1 << 20
_LIMITS = "echo 1000 > /proc/self/oom_score_adj; ulimit -u 200 -f 262144 -v 2097152 -n 256 -c 0"
_NAME = re.compile(r"\d+-\d+\.call")
_EVERY_S = 0.01
_SIZED_EVERY_S = 0.3

_SHIM = """#!/bin/bash
name=${0##*/}
case $name in
  sudo)
    while [[ ${1-} == -* ]]; do [[ $1 == -[ugh] ]] && shift; shift; done
    (($#)) || exit 0
    exec "$@" ;;
  ssh)
    while [[ ${1-} == -* ]]; do [[ $1 == -[ipolJFLRDb] ]] && shift; shift; done
    shift
    # Where no one asks for a terminal, ssh makes none.
    export DRILLBOOK_REMOTE=1
    (($#)) && exec bash -c "$*"
    [[ /dev/stdin -ef /dev/null ]] && exit 0
    exec bash -s ;;
esac
id=$BASHPID-$RANDOM$RANDOM input=none
if ! [[ /dev/stdin -ef /dev/null ]]; then
  input=piped
  case "$name $*" in
    *"exec "*-i*|*"exec "*-ti*|*"exec "*--interactive*|*compose*"exec "*|p*|redis-cli*)
      [[ $DRILLBOOK_LOCAL ]] || cat > "/calls/$id.in" ;;
  esac
fi
shown=
[[ ! $DRILLBOOK_REMOTE && /dev/stdout -ef /proc/1/fd/1 ]] && shown=shown
printf '%s\\0' "$input" "$shown" "$PWD" "$name" "$@" > "/calls/$id" &&
  mv "/calls/$id" "/calls/$id.call"
until [[ -e /answers/$id.code ]]; do sleep 0.02; done
cat "/answers/$id.err" >&2
[[ -e /answers/$id.run ]] && source "/answers/$id.run"
cat "/answers/$id.out"
exit "$(</answers/$id.code)"
"""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a shim: its words, its folder and its input.

    piped: its input is not the script's own, which stands for a terminal. input is a file with that
    input, where the harness is to pass it on. is_shown: its output is the script's own. placed has
    the files that the harness wrote before the script.
    """

    words: tuple[str, ...]
    folder: str
    piped: bool
    input: Path | None
    is_shown: bool = True
    placed: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """The output and exit code of a call; run is a line of bash that the shim runs in its place."""

    code: int = 0
    out: bytes | Path = b""
    err: str = ""
    run: str = ""


@dataclass(frozen=True, slots=True)
class Ran:
    """The output and exit code of a script, and why it was ended, if it was."""

    output: str = field(repr=False)
    code: int
    ended: str = ""


class Sandbox:
    """One sandbox; its files last from script to script."""

    def __init__(
        self, folder: Path, answer: Callable[[Call], Answer], readable: Sequence[Path] = ()
    ) -> None:
        """Make a sandbox that shows the readable folders of the harness, read-only."""
        self.files = folder / "files"
        self._answer = answer
        self._placed: dict[str, bytes] = {}
        self._readable = readable
        self._calls, self._answers, self._shims = (
            folder / name for name in ("calls", "answers", "shims")
        )
        folder.mkdir(mode=0o711)
        for path in (self._answers, self._shims):
            path.mkdir()
            path.chmod(0o755)
        for path in (self._calls, self.files, *(self.files / name for name in ROOTS)):
            path.mkdir(mode=0o700)
        self._own(self._calls, self.files)
        for name in SHIMS:
            (self._shims / name).write_text(_SHIM)
            (self._shims / name).chmod(0o755)

    def _own(self, *folders: Path) -> None:
        if user := unprivileged_user():
            for path in (one for top in folders for one in (top, *top.rglob("*"))):
                shutil.chown(path, user, processes.group())

    def place(self, inside: str, data: bytes, age_s: float = 0) -> None:
        """Write a file of this age, with the folders above it, before a script runs."""
        target = self._outside(inside)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        self._placed[f"/{target.relative_to(self.files)}"] = data
        if age_s:
            written = time.time() - age_s
            for path in (target, target.parent):
                os.utime(path, (written, written))
        self._own(self.files)

    def _outside(self, inside: str) -> Path:
        path = Path(os.path.normpath(Path(HOME, inside)))
        if len(path.parts) < 2 or path.parts[1] not in ROOTS:
            raise Unsupported(
                f"not carried out: {path.parent} is outside the folders that exist here: "
                f"/{', /'.join(ROOTS)}"
            )
        return self.files / path.relative_to("/")

    def read(self, inside: str) -> bytes | None:
        """The content of a file, while a script may be changing it; no link is followed."""
        try:
            parts = self._outside(inside).relative_to(self.files).parts
        except Unsupported:
            return None
        with suppress(OSError):
            at = os.open(self.files, os.O_RDONLY | os.O_DIRECTORY)
            for number, part in enumerate(parts, 1):
                kind = os.O_DIRECTORY if number < len(parts) else os.O_NONBLOCK
                below = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | kind, dir_fd=at)
                os.close(at)
                at = below
            with os.fdopen(at, "rb") as file:
                return file.read(_LONGEST_CALL)
        return None

    def listing(self) -> dict[str, Path]:
        """Every regular file by its path inside; only while no script runs."""
        return {
            f"/{(Path(folder) / name).relative_to(self.files)}": Path(folder, name)
            for folder, _, names in os.walk(self.files)
            for name in names
            if not Path(folder, name).is_symlink() and Path(folder, name).is_file()
        }

    def run(self, script: str, within_s: float) -> Ran:
        """Run a bash script until it ends or exceeds a limit, and end all its processes.

        It does not run where earlier scripts have written too much.
        """
        if self._is_full():
            return Ran("", -signal.SIGKILL, _FULL)
        # A file, since the script's input stands for a terminal at which no one types. The limit
        # of processes counts those of its namespace alone.
        (self._shims / ".script").write_text(script)
        words = [*self._mounts(), "bash", "-c", f"{_LIMITS}; exec bash /shims/.script"]
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            # Its first process can be read inside, with the environment that it was started with.
            env={"PATH": os.environ.get("PATH", os.defpath)},
            start_new_session=True,
            **processes.user(),
        )
        output = bytearray()
        try:
            ended = self._follow(process, output, time.monotonic() + within_s, within_s)
        finally:
            _kill(process)
            code = process.wait()
            if process.stdout:
                process.stdout.close()
            for path in (*self._calls.iterdir(), *self._answers.iterdir()):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
        text = output.decode(errors="replace")
        return Ran(text, -signal.SIGKILL if ended else code, ended)

    def _mounts(self) -> Iterator[str]:
        yield from processes.namespaces()
        yield from ("--unshare-net", "--new-session", "--clearenv")
        for name in ROOTS:
            yield from ("--bind", str(self.files / name), f"/{name}")
        yield from ("--ro-bind", str(self._shims), "/shims")
        yield from ("--ro-bind", str(self._answers), "/answers")
        yield from ("--bind", str(self._calls), "/calls")
        for path in self._readable:
            yield from ("--ro-bind", str(path), str(path))
        programs = "/shims:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        variables = {"PATH": programs, "HOME": HOME, "LANG": "C.UTF-8", "USER": "operator"}
        variables["DRILLBOOK_LOCAL"] = "1" if self._readable else ""
        for name, value in variables.items():
            yield from ("--setenv", name, value)
        # These are in memory, which a script must not fill.
        yield from ("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", HOME)

    def _follow(
        self, process: subprocess.Popen[bytes], output: bytearray, deadline: float, within_s: float
    ) -> str:
        """Take its output and answer its calls until it ends; the limit it exceeds, or empty."""
        sized = 0.0
        with selectors.DefaultSelector() as selector:
            if process.stdout is None:
                return ""
            pipe = process.stdout.fileno()
            selector.register(pipe, selectors.EVENT_READ)
            while True:
                for _ in selector.select(_EVERY_S):
                    read = os.read(pipe, 1 << 16)
                    output += read
                    if not read:
                        return ""
                if len(output) > _MOST_OUTPUT:
                    del output[_MOST_OUTPUT:]
                    return f"it printed more than {_MOST_OUTPUT >> 20} MiB"
                now = time.monotonic()
                if now > deadline:
                    return f"it had not ended after {within_s:.0f} s"
                if now - sized > _SIZED_EVERY_S:
                    sized = now
                    if self._is_full():
                        return _FULL
                if process.poll() is not None:
                    # Processes that outlive the shell end with its namespace.
                    deadline = min(deadline, now + 1.0)
                self._serve()

    def _is_full(self) -> bool:
        found = 0
        for top in (self.files, self._calls):
            for folder, _, names in os.walk(top):
                for name in names:
                    with suppress(OSError):
                        found += Path(folder, name).lstat().st_blocks * 512
        return found > _MOST_FILES

    def _serve(self) -> None:
        for path in sorted(self._calls.iterdir()):
            if not _NAME.fullmatch(path.name) or not stat.S_ISREG(path.lstat().st_mode):
                continue
            name = path.name.removesuffix(".call")
            words = _own_text(path)
            path.unlink(missing_ok=True)
            if words is None or len(parts := words.split("\0")[:-1]) < 4:
                continue
            given = self._answers / f"{name}.in"
            has_input = _copy(self._calls / f"{name}.in", given)
            call = Call(
                tuple(parts[3:]),
                parts[2],
                parts[0] == "piped",
                given if has_input else None,
                parts[1] == "shown",
                self._placed,
            )
            self._write(name, self._answer(call))
            given.unlink(missing_ok=True)

    def _write(self, name: str, answer: Answer) -> None:
        at = self._answers / name
        if isinstance(answer.out, Path):
            shutil.move(answer.out, at.with_name(f"{name}.out"))
            at.with_name(f"{name}.out").chmod(0o644)
        else:
            at.with_name(f"{name}.out").write_bytes(answer.out)
        at.with_name(f"{name}.err").write_text(answer.err)
        if answer.run:
            at.with_name(f"{name}.run").write_text(answer.run)
        unborn = at.with_name(f"{name}.unborn")
        unborn.write_text(str(answer.code))
        unborn.rename(at.with_name(f"{name}.code"))


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the first process of the namespace: its parent ends after all others have ended."""
    with suppress(OSError):
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
            return
    process.kill()


def _own_text(path: Path) -> str | None:
    """The text of a small file that a script wrote; None for anything but a file."""
    with suppress(OSError), os.fdopen(_opened(path), "rb") as file:
        return file.read(_LONGEST_CALL).decode(errors="replace")
    return None


def _copy(source: Path, target: Path) -> bool:
    """Copy a file that a script wrote to a place where no script can write; whether it is one."""
    with suppress(OSError), os.fdopen(_opened(source), "rb") as file, target.open("wb") as copy:
        shutil.copyfileobj(file, copy)
        source.unlink(missing_ok=True)
        return True
    return False


def _opened(path: Path) -> int:
    # A pipe in the place of a file must not block the harness.
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
