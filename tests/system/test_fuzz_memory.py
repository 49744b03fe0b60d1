"""Readers of huge, deep or compressed inputs stay within a bound of memory."""

import contextlib
import gzip
import json
import os
import resource
import subprocess
import sys
import traceback
import zipfile
from pathlib import Path

import pytest

from drillbook.core.application import ROOT

pytestmark = pytest.mark.slow

HUGE = 400 << 20
# Buffers of a megabyte that many readers use, their libraries, and some room.
BOUND_KB = 200 << 10
HEAD = b"--\n-- PostgreSQL database dump\n--\n\nCOPY public.secrets_v2 (id) FROM stdin;\n"


def sparse(path, head=b""):
    """A sparse file of zeros after a head, which takes no space on the disk."""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(HUGE)


def packed(path, head):
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(head)
        for _ in range(HUGE >> 20):
            file.write(bytes(1 << 20))


def bombs(folder):
    sparse(folder / "huge.env", b"A=")
    sparse(folder / "huge.yml", b"services:\n")
    sparse(folder / "huge.sql", HEAD)
    sparse(folder / "huge.dump", b"PGDMP\x01\x0e\x00\x04\x08\x01")
    with (folder / "huge.log").open("wb") as file:
        # Letters, because a file with a zero byte is rejected as not text.
        file.write(b'{"level":50,"msg":"')
        for _ in range(256):
            file.write(b"x" * (1 << 20))
    sparse(folder / "huge.toml", b"[[waiver]]\n")
    sparse(folder / "huge.zip", b"PK\3\4")
    (folder / "runs" / "1").mkdir(parents=True)
    sparse(folder / "runs" / "1" / "evidence.json", b'{"run":')
    packed(folder / "huge.sql.gz", HEAD)
    with (
        zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made,
        made.open("evidence.json", "w") as member,
    ):
        for _ in range(HUGE >> 20):
            member.write(bytes(1 << 20))
    laughs = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 12))
    (folder / "laughs.yml").write_text(f"x0: &x0 [a]\n{laughs}services: {{a: *x11}}\n")
    (folder / "deep.yml").write_text("services: " + "[" * 100_000)


READERS = {
    "huge.env": "dotenv.load(path)",
    "huge.yml": "compose_file.load(path, {})",
    "laughs.yml": "compose_file.load(path, {})",
    "deep.yml": "compose_file.load(path, {})",
    "huge.sql": "(facts.examine(path), key_check.prove(path, 'k' * 32), integrity.examine(path))",
    "huge.sql.gz": "(facts.examine(path), integrity.examine(path))",
    "huge.dump": "(facts.examine(path), key_check.prove(path, 'k' * 32))",
    "huge.log": "diagnosis.print_diagnosis(str(path))",
    "huge.toml": "declarations.load_waivers(path, CATALOGUE)",
    "huge.zip": "verify([str(path)])",
    "bomb.zip": "verify([str(path)])",
    "runs": "load_history(path)",
}


def grown(reader, known):
    """How many KiB of memory a reader adds, in a fork of this process."""
    from drillbook.core.errors import DrillbookError
    from reports.errors import ReportError

    now = int(Path("/proc/self/statm").read_text().split()[1]) * (resource.getpagesize() >> 10)
    child = os.fork()
    if not child:
        try:
            with contextlib.suppress(DrillbookError, ReportError):
                eval(reader, known)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    _, status, usage = os.wait4(child, 0)
    return usage.ru_maxrss - now if status == 0 else 1 << 40


def read_all(folder):
    """Measure what each reader takes, in KiB; runs in a process of its own."""
    from drillbook.backup import facts, integrity
    from drillbook.core import dotenv
    from drillbook.keys import key_check
    from drillbook.runbook import diagnosis
    from drillbook.stack import compose_file
    from reports import controls
    from reports.config import declarations
    from reports.history.runs import load_history
    from tests.support.commands import verify

    compose_file.shutil.which = lambda _: None
    known = {
        "CATALOGUE": controls.load(ROOT / "suites" / "controls.toml"),
        **{m.__name__.rpartition(".")[2]: m for m in (diagnosis, facts, key_check, integrity)},
        **{m.__name__.rpartition(".")[2]: m for m in (compose_file, dotenv, declarations)},
        "load_history": load_history,
        "verify": verify,
    }
    taken = {
        name: grown(reader, {**known, "path": folder / name}) for name, reader in READERS.items()
    }
    os.write(3, json.dumps(taken).encode())


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bombs")
    bombs(folder)
    ours, theirs = os.pipe()
    script = "import sys, pathlib, os; os.dup2(int(sys.argv[2]), 3); "
    script += (
        "from tests.system.test_fuzz_memory import read_all; read_all(pathlib.Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", script, str(folder), str(theirs)]
    with os.fdopen(ours) as answer:
        done = subprocess.run(command, cwd=ROOT, pass_fds=[theirs], capture_output=True)
        os.close(theirs)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        return json.loads(answer.read())


@pytest.mark.parametrize("name", READERS)
def test_reader_stays_within_its_bound(taken, name):
    assert taken[name] < BOUND_KB
