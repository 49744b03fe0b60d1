"""The working folder of `make chaos`, which first removes what a killed one left."""

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
    """A new folder that is locked while the block runs; unlocked old ones are removed first."""
    root = Path(root or tempfile.gettempdir())
    cleared(root)
    unborn = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=root))
    with (unborn / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Renamed only when it is locked, so that another process does not clear it.
        place = unborn.rename(root / unborn.name.removeprefix("."))
        place.chmod(0o755)  # the database's user must pass through
        try:
            yield place
        finally:
            shutil.rmtree(place)


def cleared(root):
    """Unmount and remove this user's folders that are not in use; return their paths."""
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
    """The mount points in a folder, the innermost first."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    points = [line.split(" ")[1] for line in lines]
    return sorted((one for one in points if one.startswith(f"{place}/")), reverse=True)


def _unmounted(point):
    return not subprocess.run(["umount", point], capture_output=True).returncode
