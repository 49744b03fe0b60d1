"""The folder of a `make chaos`; what a killed one left mounted and lying about goes first."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "dbchaos-"


@contextmanager
def chaos_place(root=None):
    """A folder of its own, locked while it is used; those of dead ones are cleared before."""
    root = Path(root or tempfile.gettempdir())
    cleared(root)
    unborn = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=root))
    with (unborn / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Locked under another name first: no one who clears must meet it unlocked.
        place = unborn.rename(root / unborn.name.removeprefix("."))
        place.chmod(0o755)  # the database's user must pass through
        try:
            yield place
        finally:
            shutil.rmtree(place)


def cleared(root):
    """Unmount and remove what dead ones of this user left; one still in use waits. Names them."""
    found = []
    for place in sorted(root.glob(f"{_PREFIX}*")):
        if place.is_symlink() or place.stat().st_uid != os.getuid() or _alive(place):
            continue
        if all(_unmounted(one) for one in mounts(place)):
            shutil.rmtree(place, ignore_errors=True)
            found.append(place)
    return found


def _alive(place):
    with suppress(FileNotFoundError), (place / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def mounts(place):
    """What is mounted in a folder, the innermost first."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    points = [line.split(" ")[1] for line in lines]
    return sorted((one for one in points if one.startswith(f"{place}/")), reverse=True)


def _unmounted(point):
    return not subprocess.run(["umount", point], capture_output=True).returncode
