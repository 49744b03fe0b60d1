"""Disturbances of a run: kills, a full disk, a shifted clock; their moments follow a seed."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from drillbook.core import run_directory

KINDS = ("run", "worker", "backend", "database", "cache", "interrupt", "disk", "clock")
# Planted bugs, each with the control that must not be satisfied with it.
BUGS = {
    "OverwritesRootKey": "KEY-4",
    "ServesBeforeCheck": "KEY-3",
    "AltersNothing": "DBP-2",
    "HealthAsHtml": "HLT-1",
    "WipeKeepsRows": "WIP-2",
}
_PROGRAMS = {"database": "postgres", "cache": "redis-server"}
_WORKER, _BACKEND = b"exec(eval(sys.stdin.readline()))", b"fixtures.reference.forkserver"
_FAKETIME = "usr/lib/*/faketime/libfaketime.so.1"


@dataclass(frozen=True, slots=True)
class Moment:
    """A disturbance: its kind, its time as a part of a run's duration, and a planted bug."""

    number: int
    kind: str
    at: float
    mutant: str | None
    jump: str

    def __str__(self):
        bug = f", {self.mutant} planted" if self.mutant else ""
        return f"{self.number}: {self.kind} at {self.at:.0%}{bug}"


def moments(count, seed, kinds=KINDS, bugs=tuple(BUGS)):
    """As many moments as `count`, of each kind in turn; the rest is drawn by the seed."""
    draw, found = Random(seed), []
    while len(found) < count:
        for kind in draw.sample(kinds, len(kinds)):
            mutant = draw.choice([None, *bugs])
            jump = draw.choice(["+3d", "-2h", "+400d", "-30d"])
            found.append(Moment(len(found) + 1, kind, draw.uniform(0, 1), mutant, jump))
    return found[:count]


def absent(kind):
    """Why a kind of disturbance is impossible here; None if it is possible."""
    if kind == "disk" and os.getuid() != 0:
        return "a small disk can be mounted by root alone"
    if kind == "engine" and os.getuid() != 0:
        return "an engine of its own can be started by root alone"
    if kind == "clock" and not faketime():
        return "needs libfaketime (apt-get install libfaketime)"
    return None


def faketime():
    """The path of libfaketime, which shifts a program's clock, or None."""
    return next(iter(sorted(Path("/").glob(_FAKETIME))), None)


def children(pid):
    """The ids of all descendants of a process."""
    found = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for one in (task / "children").read_text().split():
                found += [int(one), *children(int(one))]
    return found


def targets(kind, run, ids):
    """The processes of a run that a kind of disturbance may kill."""
    if kind in ("run", "interrupt"):
        return [run]
    if kind == "worker":
        return [one for one in children(run) if _WORKER in _words(one)]
    owned = [one for name in ids for one in run_directory.processes_of(name)]
    if kind == "backend":
        return [one for one in owned if _BACKEND in _words(one)]
    return [one for one in owned if program(one) == _PROGRAMS[kind]]


def _words(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def program(pid):
    """The name of a process's executable; "" if the process is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/exe").readlink().name
    return ""


def strike(moment, run, ids, place):
    """Cause the disturbance; False if there is nothing to disturb at this moment."""
    if moment.kind == "clock":
        (place / "clock").write_text(moment.jump)
        return True
    if moment.kind == "disk":
        _fill(place / "disk")
        return True
    found = targets(moment.kind, run, ids)
    number = signal.SIGINT if moment.kind == "interrupt" else signal.SIGKILL
    with suppress(ProcessLookupError):
        if found:
            os.kill(Random(moment.at).choice(sorted(found)), number)
            return True
    return False


def _fill(disk):
    block = b"\0" * (1 << 20)
    with suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
        while file.write(block) == len(block):
            pass


def mounted(disk, mebibytes):
    """Mount a small tmpfs here; the caller unmounts it."""
    disk.mkdir()
    size = f"size={mebibytes}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(disk)], check=True)


def unmounted(disk):
    """Unmount and remove a disk; OSError if it stays in use for five seconds."""
    for _ in range(50):
        if not subprocess.run(["umount", str(disk)], capture_output=True).returncode:
            return disk.rmdir()
        time.sleep(0.1)
    raise OSError(f"{disk} is still in use")
