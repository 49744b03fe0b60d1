"""The readers that `make fuzz-coverage` tries, with their seeds and dictionaries."""

import argparse
import contextlib
import gzip
import io
import json
import sys
import tempfile
from functools import partial
from pathlib import Path


def backups():
    """Plain backups of every release that has samples, each also with a time of its start."""
    from tests.support.backups import KEYS, dump

    plain = [dump(version).encode() for version in KEYS]
    return [*plain, *(one.replace(b"\nSET", b"\n-- Started on 2026-11-24 10:00:00\n\nSET", 1)
                      for one in plain)]  # fmt: skip


def packed():
    """A backup in each supported compression."""
    import lzma
    from importlib import import_module

    import lz4.frame

    zstd = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    ways = (lambda data: gzip.compress(data, 1), lzma.compress, lz4.frame.compress, zstd.compress)
    return [way(one) for one in backups()[:1] for way in ways]


def archives():
    from tests.support.backups import SAMPLES

    folder = SAMPLES / "archives"
    made = [one.read_bytes() for one in sorted(folder.glob("*.dump"))]
    return [*made, *(gzip.decompress(one.read_bytes()) for one in sorted(folder.glob("*.tar.gz")))]


def texts(name):
    """The texts that test_fuzz_inputs.py has under this name."""
    from tests.system import test_fuzz_inputs

    return [one.encode() for one in getattr(test_fuzz_inputs, name)]


def bundles():
    from tests.support.bundles import key, sealed

    with tempfile.TemporaryDirectory() as place:
        folder = sealed(Path(place), key(Path(place))[0])
        return [(folder / "bundle.zip").read_bytes()]


def zips():
    """A zip of three small files, so that mostly its structure is tried."""
    from reports.seal.verify_bundle import pack

    return [pack({name: name.encode() for name in ("MANIFEST.json", "a.log", "evidence.json")})]


def waiver_files():
    from tests.system.test_fuzz_records import WAIVERS

    return [WAIVERS.encode()]


def records():
    from tests.system.test_fuzz_records import RECORD

    return [RECORD.encode(), json.dumps(json.loads(RECORD)).encode()]


def read_backup(path):
    from drillbook.backup import integrity
    from drillbook.backup.facts import examine
    from drillbook.keys.key_check import prove
    from tests.support.backups import KEYS

    survives(lambda: examine(path))
    survives(lambda: prove(path, KEYS["2024-10"]))
    problem = integrity.examine(path)
    assert problem is None or str(problem).isprintable()


def read_statements(path):
    from drillbook.backup.plain_dump import Script, judge

    with path.open("rb") as file:
        survives(lambda: [judge(statement) for statement in Script(file)])


def read_env(path):
    from drillbook.core import dotenv

    survives(lambda: dotenv.load(path))


def read_compose(path):
    """Read and check a compose file, as if docker were not installed."""
    from drillbook.preflight import compose_file

    compose_file.shutil = argparse.Namespace(which=lambda _: None)
    check_compose(path)


def check_compose(path):
    from drillbook.preflight import compose_checks, compose_file

    compose = survives(lambda: compose_file.load(path, {}))
    if compose is not None:
        for check in (
            compose_checks.find_exposure,
            compose_checks.find_unmatched_ways,
            lambda one: compose_checks.lint(one, {}),
        ):
            survives(lambda check=check: [str(one) for one in check(compose)])


def read_record(path):
    """Read a run's evidence by each of its readers."""
    from reports.history.runs import load_history, load_record
    from reports.session import merge, xdist_workers

    run = path.with_name("runs") / "20261124T000000Z-aaaaaa"
    run.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        (run.parent / "latest").symlink_to(run.name)
    (run / "evidence.json").write_bytes(path.read_bytes())
    load_history(run.parent)
    xdist_workers.durations(run.parent)
    for read in (load_record, merge._load):
        survives(lambda read=read: read(run))


def read_log(path):
    from tests.support.commands import call

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        assert call("diagnose", [path]) in (0, 2, 3)


def read_bundle(path):
    from reports.seal.verification import read_entries

    survives(lambda: read_entries(path, ["a.log"]))


def verify_bundle(path):
    from tests.support.bundles import examined

    survives(lambda: examined(path, unsigned=True))


def read_waivers(path):
    from reports.config import declarations
    from tests.system.test_fuzz_records import CATALOGUE

    survives(lambda: declarations.load_waivers(path, CATALOGUE))


def search(path):
    from reports.redaction.redactor import Redactor

    redactor = Redactor()
    redactor.add("KEY", "corner-office-opal-42")
    redactor.text(path.read_bytes().decode("utf-8", "replace"))


def survives(read):
    from tests.support import fuzzing

    return fuzzing.survives(read)


SQL = [b"COPY public.secrets_v2 (id) FROM stdin;\n", b"\\N\t", b"\\x00", b"$$", b"--", b"\\.\n"]
SQL += [b"-- Started on 2026-02-30 10:00:00", b"-- Dumped from database version "]
PK = [b"PK\1\2", b"PK\3\4", b"PK\5\6", b"evidence.json", b"../x"]
ENV = [b"export ", b'A="', b"A='", b"${A}", b"\\\n", b"ENCRYPTION_KEY="]
COMPOSE = [b"services:\n", b"<<: *a", b"&a ", b"extends: {service: db}", b"!!x", b"${A:-b}"]
JSON = [b'"run":', b'"id": []', b'"specs": {}', b"null", b"1e999", b"NaN", b"[" * 5000, b"9" * 400]
LOG = [b'{"level":50,"msg":"', b'"err":{', b"backend-1 | ", b"migration failed with error: "]
TOML = [b"[[waiver]]\n", b"2026-02-30", b"'''", b"\\u0000", b"inf", b"[a.b]\n"]
HIDDEN = [b"corner-office-opal-42", b"\\u0063", b"%63", b"Y29ybmVy"]
# By name: a reader, a function that makes its seeds, and words that random bytes rarely form.
READERS = {
    "backup": (read_backup, backups, SQL),
    "packed": (read_backup, packed, [b"\x1f\x8b", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"]),
    "archive": (read_backup, archives, [b"PGDMP", b"ustar\0", b"toc.dat", b"COPY public.x (id)"]),
    "statements": (read_statements, backups, SQL),
    "env": (read_env, partial(texts, "ENVS"), ENV),
    "compose": (read_compose, partial(texts, "COMPOSES"), COMPOSE),
    "record": (read_record, records, JSON),
    "log": (read_log, partial(texts, "LOGS"), LOG),
    "zip": (read_bundle, zips, PK),
    "bundle": (verify_bundle, bundles, PK),
    "waivers": (read_waivers, waiver_files, TOML),
    "redaction": (search, partial(texts, "LOGS"), HIDDEN),
}
