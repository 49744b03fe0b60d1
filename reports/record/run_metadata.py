"""Facts of a run that the stack cannot know: tool, machine, operator, command, clock."""

from __future__ import annotations

import ctypes
import getpass
import hashlib
import os
import platform
import re
import shlex
import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from struct import Struct

from drillbook.core.application import IS_CHECKOUT, ROOT
from reports.evidence.context import ClockFacts, Pack
from reports.evidence.model import Host, Tool

# The beginning of struct timex of adjtimex(2): modes, offset, freq, maxerror, esterror, status.
_TIMEX = Struct("@i4li")
_UNSYNCHRONISED = 0x40
_ERROR_STATE = 5


def tool() -> Tool:
    """The harness's version, and its commit if it runs from a git checkout."""
    changes = _git("status", "--porcelain")
    return Tool(
        version=version("drillbook"),
        commit=_git("rev-parse", "HEAD") or None,
        dirty=None if changes is None else bool(changes),
    )


def host() -> Host:
    """The machine: name, system, processor, memory."""
    return Host(
        name=platform.node(),
        system=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        python=platform.python_version(),
        cpus=os.cpu_count() or 1,
        memory_bytes=_memory(),
        distribution=_distribution(),
        kernel=platform.release() or None,
    )


def operator() -> str:
    """The login name; "unknown" if the system has none for this user."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def command(arguments: Iterable[str], called_as: str | None = None) -> str:
    """The command line of the run, to repeat it; called_as: that of a command that calls pytest."""
    words = shlex.split(called_as) if called_as else ["pytest", *arguments]
    return shlex.join(map(strip_credentials, words))


def strip_credentials(word: str) -> str:
    """A word of a command line, without the user, password and query of a URL."""
    return re.sub(r"(://)[^/\s]*@", r"\1…@", re.sub(r"(://[^?\s]*\?).*", r"\1…", word, flags=re.S))


def pack(suites: Path, tool: Tool) -> Pack:
    """The statements and specs of a folder, with one digest of all of them."""
    files = sorted(path for path in suites.rglob("*") if path.suffix in (".py", ".toml"))
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(suites).as_posix()}\n"
        for path in files
    ]
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    return Pack(version=tool.version, commit=tool.commit, sha256=digest if lines else None)


def previous_run(runs: Path) -> str | None:
    """The run that `latest` names now."""
    latest = runs / "latest"
    return latest.readlink().name if latest.is_symlink() and latest.exists() else None


def _distribution() -> str | None:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


def _git(*arguments: str) -> str | None:
    if not IS_CHECKOUT:
        return None
    try:
        answer = subprocess.run(
            ["git", "-C", str(ROOT), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def kernel_clock() -> ClockFacts:
    """Whether the kernel says that its clock is synchronised, and its largest error; else null.

    It reads and sets nothing (modes is 0). Containers and sandboxes may refuse the call.
    """
    asked = ctypes.create_string_buffer(512)
    try:
        state = ctypes.CDLL(None).adjtimex(asked)
    except (OSError, AttributeError):
        return ClockFacts()
    if state < 0:
        return ClockFacts()
    _, _, _, largest, _, status = _TIMEX.unpack_from(asked)
    synchronised = state != _ERROR_STATE and not status & _UNSYNCHRONISED
    error = largest / 1e6 if synchronised else None
    return ClockFacts(synchronised=synchronised, max_error_s=error)
