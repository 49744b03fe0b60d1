"""Random env files, compose files, backups and logs are read, or refused in one sentence."""

import gzip
import io
from functools import partial
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.backup import archive, integrity
from drillbook.backup.facts import examine
from drillbook.backup.plain_dump import Script, judge
from drillbook.core import dotenv
from drillbook.infisical.settings import Settings
from drillbook.keys.key_check import prove
from drillbook.preflight import compose_checks, git_scan, key_strength
from drillbook.preflight.git_scan import first_lines, needles
from drillbook.stack import compose_file
from fixtures.mutants.file_bugs import SOUND
from tests.support import boot_logs
from tests.support.backups import KEYS, SAMPLES, dump
from tests.support.commands import call
from tests.support.fuzzing import BUDGET, ends, inputs, survives
from tests.unit.preflight.test_compose import OFFICIAL

pytestmark = pytest.mark.slow

ENV = "".join(f"{name}={str.__str__(value)}\n" for name, value in Settings.generate().items())
ENVS = [ENV, "export A='b c' # d\nB=\"two\nlines\"\n\nC = ${A}\n"]
COMPOSES = [SOUND.read_text(), OFFICIAL]
COMPOSE_WORDS = [
    b"services:\n",
    b"  ports: ['1:2']\n",
    b"<<: *a",
    b"extends: {service: db}",
    b"!!x",
]
DUMPS = [dump(version) for version in KEYS]
DUMP_WORDS = [b"COPY public.secrets_v2 (id) FROM stdin;\n", b"\\N\t", b"\\x00", b"$$", b"--"]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "input"


@pytest.fixture
def without_docker(monkeypatch):
    monkeypatch.setattr(compose_file.shutil, "which", lambda _: None)


@BUDGET
@given(inputs(ENVS, [b"=", b"ENCRYPTION_KEY=", b"export ", b'A="', b"A='", b"\\"]))
def test_env_files(file, data):
    file.write_bytes(data)
    env = survives(lambda: dotenv.load(file))
    if env is not None:
        deployed = key_strength.Deployed(env, SOUND_COMPOSE)
        for check in (key_strength.keys, key_strength.passwords, key_strength.address):
            survives(lambda check=check: [str(one) for one in check(deployed)])
        survives(lambda: key_strength.escrow_differences(deployed, env))


@BUDGET
@given(inputs(COMPOSES, COMPOSE_WORDS))
def test_compose_files(without_docker, file, data):
    file.write_bytes(data)
    compose = survives(lambda: compose_file.load(file, {}))
    if compose is not None:
        for check in (
            compose_checks.find_exposure,
            compose_checks.find_unmatched_ways,
            lambda loaded: compose_checks.lint(loaded, {}),
        ):
            survives(lambda check=check: [str(finding) for finding in check(compose)])


@BUDGET
@given(inputs(DUMPS, DUMP_WORDS), st.sampled_from(["", ".gz"]))
def test_plain_backups(file, data, suffix):
    read_in_each_way(
        file.with_name(f"backup.sql{suffix}"), gzip.compress(data, 1) if suffix else data
    )


@BUDGET
@given(inputs([gzip.compress(one.encode(), 1) for one in DUMPS]))
def test_packed_backups(file, data):
    read_in_each_way(file.with_name("backup.sql.gz"), data)


def read_in_each_way(backup, data):
    backup.write_bytes(data)
    survives(lambda: examine(backup))
    survives(lambda: prove(backup, KEYS["2024-10"]))
    problem = integrity.examine(backup)
    assert problem is None or str(problem).isprintable()


@BUDGET
@given(inputs([one.read_bytes() for one in sorted((SAMPLES / "archives").glob("*.dump"))]))
def test_archives(file, data):
    file.write_bytes(data)
    with mock.patch.object(archive, "PATIENCE_S", 1.0):
        survives(lambda: examine(file))
        survives(lambda: prove(file, KEYS["2024-07"]))


@BUDGET
@given(inputs(DUMPS, DUMP_WORDS))
def test_statements_of_a_restore(data):
    def read():
        for statement in Script(io.BytesIO(data)):
            judge(statement)

    survives(read)


LOGS = [one for one in vars(boot_logs).values() if isinstance(one, str) and len(one) > 80]


@BUDGET
@given(inputs(LOGS or ["{}"], [b'{"level":50,"msg":"', b'"err":{', b"backend-1 | "]))
def test_logs(file, capsys, data):
    file.write_bytes(data)
    ends(partial(call, "diagnose"), [file], capsys)


@BUDGET
@given(inputs([*ENVS, SOUND.read_text()], [b"ghp_", b"-----BEGIN RSA PRIVATE KEY-----\n"]))
def test_contents_of_a_repository(data):
    assert all(line >= 1 for _kind, line, _mark in git_scan.leaks("a/b.yml", data))
    assert first_lines(data, needles({"K": "0123456789abcdef"})) is not None


SOUND_COMPOSE = compose_file.load(SOUND, {})
