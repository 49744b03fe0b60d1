"""Namespaces by bubblewrap: a program sees /usr, read-only, and what it is given besides."""

from __future__ import annotations

import pwd
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from drillbook.core.run_directory import unprivileged_user

_FOLDERS = ("bin", "sbin", "lib", "lib64", "lib32", "etc/alternatives")


@cache
def why_unavailable() -> str:
    """Why nothing can be run in namespaces here, in a sentence; empty where it can."""
    if not shutil.which("bwrap"):
        return (
            "commands of a document are run by bubblewrap only, and bwrap is not on PATH; install "
            "the package bubblewrap"
        )
    tried = [*namespaces(), "--unshare-net", "true"]
    try:
        done = subprocess.run(tried, capture_output=True, check=False, timeout=20, **user())
    except (OSError, subprocess.TimeoutExpired) as trouble:
        return f"bwrap cannot be run: {trouble}"
    said = " ".join(done.stderr.decode(errors="replace").split())
    return f"bubblewrap cannot make namespaces here: {said}" if done.returncode else ""


def user() -> dict[str, Any]:
    """Who a program runs as, for subprocess: not root, whom no limit on processes binds."""
    name = unprivileged_user()
    if not name:
        return {}
    return {"user": name, "group": group(), "extra_groups": []}


def group() -> int:
    """The group of the unprivileged user."""
    return pwd.getpwnam(unprivileged_user() or "nobody").pw_gid


def namespaces() -> list[str]:
    """The words that come before a program's; the network is still there."""
    words = ["bwrap", "--unshare-user-try", "--unshare-ipc", "--unshare-pid", "--unshare-uts"]
    words += ["--unshare-cgroup-try", "--die-with-parent"]
    words += ["--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev"]
    words += ["--size", str(64 << 20), "--tmpfs", "/tmp"]  # noqa: S108 - one of its own
    for name in _FOLDERS:
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    return words
