"""Every run ends sealed; a failure of sealing is reported and costs no evidence."""

import json

import pytest

from drillbook.core.application import ROOT
from reports.qualification import record as qualification
from reports.seal import signature, verify_bundle
from reports.session.bundle import WRITERS
from tests.support.bundles import key, newest
from tests.support.commands import seal as tools
from tests.support.commands import verify
from tests.support.own_suite import PLUGIN, control_table, make_suite

pytestmark = pytest.mark.slow

SPEC = """
import os, pytest
@pytest.mark.control("KEY-1")
def test_one(record): {one}
"""


@pytest.fixture
def rehearse(pytester):
    """`rehearse("--signing-key=k", one="assert 0")` runs a suite of one spec."""
    make_suite(pytester.path, control_table("KEY-1"))

    def run(*arguments, one="pass", alone=False, **how):
        pytester.path.joinpath("suites/test_specs.py").write_text(SPEC.format(one=one))
        start = pytester.runpytest_subprocess if alone else pytester.runpytest_inprocess
        return start(*PLUGIN, "--evidence", *arguments, "suites", **how)

    return run


@pytest.fixture
def runs(pytester):
    return pytester.path / "reports" / "runs"


@pytest.fixture
def keys(pytester):
    """The path of a signing key, of its public half, and its id."""
    made, public = key(pytester.path)
    return "drill.key", str(public), made.id


def evidence(runs):
    return json.loads((newest(runs) / "evidence.json").read_bytes())


def test_signed_run_is_genuine_and_says_so_on_terminal_and_page(rehearse, runs, keys):
    result = rehearse(f"--signing-key={keys[0]}")
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"Bundle sealed: signed by key {keys[2][:16]}"])
    assert evidence(runs)["seal"]["key_id"] == keys[2]
    assert f"signed by key {keys[2]}" in (runs / "latest" / "report.html").read_text()
    assert verify([str(runs / "latest" / "bundle.zip"), "--pubkey", keys[1]]) == 0


def test_unsigned_run_says_so_on_terminal_and_page(rehearse, runs):
    result = rehearse()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["Bundle sealed: unsigned"])
    assert (
        "not signed when this was written: unless" in (runs / "latest" / "report.html").read_text()
    )
    bundle = str(runs / "latest" / "bundle.zip")
    assert (verify([bundle]), verify([bundle, "--unsigned"])) == (1, 0)


def test_interrupted_run_is_sealed_all_the_same(rehearse, runs, keys):
    arguments = (f"--signing-key={keys[0]}",)
    assert rehearse(*arguments, one="raise KeyboardInterrupt", no_reraise_ctrlc=True).ret == 2
    assert evidence(runs)["run"]["interrupted"]
    assert verify([str(newest(runs) / "bundle.zip"), "--pubkey", keys[1]]) == 0


def test_runs_of_a_folder_form_a_chain(rehearse, runs, keys, capsys):
    for _ in range(3):
        rehearse(f"--signing-key={keys[0]}")
    bundle = runs / evidence(runs)["run"]["id"] / "bundle.zip"
    assert verify([str(bundle), "--pubkey", keys[1]]) == 0
    assert "whose bundle is the one it names" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--signing-key=none"], "none: No such file*"),
        (["--signing-key=drill.key.pub"], "drill.key.pub: *"),
        (["--signing-key-env=NO_SUCH_KEY"], "the environment variable NO_SUCH_KEY is empty*"),
    ],
)
def test_bad_key_ends_the_run_before_it_begins(rehearse, runs, keys, arguments, said):
    result = rehearse(*arguments)
    assert result.ret == 3
    result.stderr.fnmatch_lines([f"*{said}"])
    assert not runs.exists() or list(runs.iterdir()) == []


def test_key_in_the_environment_is_out_of_reach_of_specs(
    rehearse, runs, keys, pytester, monkeypatch
):
    monkeypatch.setenv("CI_KEY", (pytester.path / keys[0]).read_text())
    result = rehearse("--signing-key-env=CI_KEY", one="assert 'CI_KEY' not in os.environ")
    assert result.ret == 0
    assert evidence(runs)["seal"]["key_id"] == keys[2]


def test_key_that_gets_into_a_log_is_a_leak(rehearse, runs, keys, pytester):
    body = (pytester.path / keys[0]).read_text().splitlines()[1]
    seed = signature.load(pytester.path / keys[0]).secrets["SIGNING_KEY"]
    one = f"record.log('db', '{body}'); record.note('{seed}')"
    assert rehearse(f"--signing-key={keys[0]}", one=one).ret == 0
    found = [file for file in (runs / "latest").rglob("*.*") if body in file.read_text("latin1")]
    found += [file for file in (runs / "latest").rglob("*.*") if seed in file.read_text("latin1")]
    assert found == []


@pytest.mark.parametrize(("one", "code"), [("pass", 3), ("assert 0", 1)])
def test_lost_time_stamp_costs_a_passed_run_its_pass_and_nothing_else(
    rehearse, runs, monkeypatch, one, code
):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    # In one process pytester loads the HTTP client's parts twice, and their errors differ.
    result = rehearse("--tsa=http://127.0.0.1:1/", one=one, alone=True)
    assert result.ret == code
    result.stdout.fnmatch_lines(["Bundle sealed: unsigned", "Sealed only in part: no time-stamp*"])
    assert (runs / "latest" / "bundle.zip.tsq").is_file()
    assert verify([str(runs / "latest" / "bundle.zip"), "--unsigned"]) == 0


def test_run_that_cannot_be_sealed_keeps_its_evidence(rehearse, runs, monkeypatch):
    monkeypatch.setattr(verify_bundle, "LARGEST", 100)
    result = rehearse()
    assert result.ret == 3
    result.stdout.fnmatch_lines(["PASSED. *", "Not sealed: more than 0 MiB *"])
    left = {file.name for file in (runs / "latest").iterdir()}
    assert left == WRITERS.keys() | qualification.bundle_files().keys()


def test_secret_as_the_name_of_a_file_fails_the_run_and_goes(rehearse, runs):
    secret = "5b1f3a9c77de4402b8e6"
    result = rehearse(one=f"record.log('{secret}', 'x'); record.secret('PW', '{secret}')")
    assert result.ret == 1
    assert (runs / "latest" / "logs" / "«PW».log").is_file()
    assert secret.encode() not in (runs / "latest" / "bundle.zip").read_bytes()


def test_folder_is_signed_afterwards_by_who_holds_the_key(rehearse, runs, keys, capsys):
    rehearse()
    folder, bundle = str(runs / "latest"), str(runs / "latest" / "bundle.zip")
    before = (runs / "latest" / "MANIFEST.json").read_bytes()
    assert tools(["seal", folder, "--signing-key", keys[0]]) == 0
    assert verify([bundle, "--pubkey", keys[1]]) == 0
    assert (runs / "latest" / "MANIFEST.json").read_bytes() == before, "the chain would break"
