"""Random declarations, evidence, bundles and keys are read, or refused in one sentence."""

import pytest
from hypothesis import given

from drillbook.core.application import ROOT
from reports import controls
from reports.config import declarations
from reports.evidence.json_file import render
from reports.history.runs import load_history
from reports.seal import signature
from tests.support import sample_run
from tests.support.bundles import key, sealed
from tests.support.commands import export, verify
from tests.support.fuzzing import BUDGET, ends, inputs, survives

CONTROLS = (ROOT / "suites" / "controls.toml").read_text()
CATALOGUE = controls.load(ROOT / "suites" / "controls.toml")
WAIVERS = """
[[waiver]]
control = "KEY-9"
reason = "an old test key that opens nothing"
owner = "Ada Lovelace"
approved_by = "Grace Hopper"
expires = 2027-01-31
"""
DECLARED = """
[organisation]
name = "Ledger GmbH"

[objectives]
rto_s = 3600
"""
WORDS = [b"[[waiver]]\n", b"= ", b"2026-02-30", b"[a.b]\n", b"'''", b"\\u0000", b"inf"]
RECORD = render(sample_run.run())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    made = tmp_path_factory.mktemp("bundle")
    signer, public = key(made)
    return (sealed(made, signer) / "bundle.zip").read_bytes(), public


@BUDGET
@given(inputs([WAIVERS], WORDS))
def test_waivers(folder, data):
    file = folder / "waivers.toml"
    file.write_bytes(data)
    survives(lambda: declarations.load_waivers(file, CATALOGUE))


@BUDGET
@given(inputs([DECLARED], WORDS))
def test_declarations(folder, data):
    (folder / "drillbook.toml").write_bytes(data)
    survives(lambda: declarations.load(folder, "drillbook.toml", None, CATALOGUE))


@BUDGET
@given(inputs([CONTROLS[:4000], CONTROLS[-4000:]], WORDS))
def test_catalogues(folder, data):
    file = folder / "controls.toml"
    file.write_bytes(data)
    survives(lambda: controls.load(file))


@BUDGET
@given(inputs([RECORD], [b'"run":', b"null", b"1e999", b'{"a":', b"[]"]))
def test_evidence(folder, capsys, data):
    run = folder / "runs" / "20261124T000000Z-aaaaaa"
    run.mkdir(parents=True, exist_ok=True)
    (run / "evidence.json").write_bytes(data)
    load_history(run.parent)
    ends(export, ["ctrf", str(run), "--out", str(folder / "out")], capsys)


@BUDGET
@given(inputs([b"PK\3\4"], [b"PK\1\2", b"PK\5\6"]))
def test_files_that_are_no_bundles(folder, capsys, data):
    file = folder / "some.zip"
    file.write_bytes(data)
    assert ends(verify, [str(file)], capsys) != 0


def test_wounded_bundles(bundle, folder, capsys):
    whole, public = bundle
    file = folder / "bundle.zip"
    file.write_bytes(whole)
    assert ends(verify, [str(file), "--pubkey", str(public)], capsys) == 0

    @BUDGET
    @given(inputs([whole], [b"PK\1\2", b"PK\5\6", b"manifest.json", b"../x"]))
    def genuine_only_if_unchanged(data):
        file.write_bytes(data)
        code = ends(verify, [str(file), "--pubkey", str(public)], capsys)
        assert (code == 0) == (data == whole)

    genuine_only_if_unchanged()


def test_wounded_public_keys(bundle, folder):
    public = bundle[1].read_bytes()

    @BUDGET
    @given(inputs([public], [b"-----BEGIN PUBLIC KEY-----\n"]))
    def read_or_refused(data):
        file = folder / "some.pub"
        file.write_bytes(data)
        survives(lambda: signature.load_trusted_keys(file))

    read_or_refused()
