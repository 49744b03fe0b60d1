"""Who, where and with what: the facts about a run that the stack cannot know."""

from __future__ import annotations

import getpass
import os
import platform
import shlex
import subprocess
import tomllib
from collections.abc import Iterable
from pathlib import Path

from reports.model import Host, Tool

_ROOT = Path(__file__).resolve().parents[1]


def tool() -> Tool:
    """The harness's version, and its commit if it runs from a git checkout."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changes = _git("status", "--porcelain")
    return Tool(
        version=project["version"],
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
    )


def operator() -> str:
    """The login name; unknown where the system has none for this user."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def command(arguments: Iterable[str]) -> str:
    """How pytest was called, fit to be called again."""
    return shlex.join(["pytest", *arguments])


def _git(*arguments: str) -> str | None:
    try:
        answer = subprocess.run(
            ["git", "-C", str(_ROOT), *arguments],
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
