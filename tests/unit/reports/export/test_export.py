"""What others take is made from a bundle that fits together, and from nothing else."""

import csv
import io
import json

import pytest
from pikepdf import AttachedFileSpec, Pdf

from reports.evidence.context import Identity, Schedule
from reports.evidence.model import Subject
from reports.export.formats import _FORMATS
from reports.seal.sealer import Sealer
from tests.support import sample_run
from tests.support.bundles import sealed
from tests.support.commands import export as main


def with_pdf(folder, run):
    """The folder, sealed with a PDF that carries the record."""
    pdf, target = Pdf.new(), io.BytesIO()
    pdf.add_blank_page()
    record = (folder / "evidence.json").read_bytes()
    pdf.attachments["evidence.json"] = AttachedFileSpec(pdf, record)
    pdf.save(target)
    (folder / "report.pdf").write_bytes(target.getvalue())
    assert Sealer().seal(folder, run, lambda _: True).trouble is None
    return target.getvalue()


@pytest.fixture
def declared(tmp_path):
    changes = {
        "identity": Identity(number="DR 2026/Q4-001"),
        "schedule": Schedule(cadence="quarterly", next_due="2027-02-24"),
    }
    folder = sealed(tmp_path, name="run", **changes)
    return folder, with_pdf(folder, sample_run.run(**changes))


def test_drata_gets_the_pdf_and_the_words_about_it(declared, tmp_path):
    folder, pdf = declared
    assert main(["drata", str(folder), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "DR-2026-Q4-001.pdf").read_bytes() == pdf
    words = json.loads((tmp_path / "out" / "DR-2026-Q4-001.drata.json").read_text())
    assert words["name"] == "Run of controls DR 2026/Q4-001", "no backup was drilled"
    assert words["renewalScheduleType"] == "THREE_MONTHS"
    assert words["renewalDate"] == "2027-02-24"
    assert "1 of 3 gating controls failed" in words["description"]


def test_vanta_gets_the_fields_of_its_form(declared, tmp_path):
    folder, _ = declared
    assert main(["vanta", str(folder / "bundle.zip"), "--out", str(tmp_path)]) == 0
    words = json.loads((tmp_path / "DR-2026-Q4-001.vanta.json").read_text())
    assert words.keys() == {"description", "effectiveAtDate"}


@pytest.mark.parametrize(
    ("grade", "control", "name"),
    [
        ("deployment", "KEY-3", "Recovery drill X"),
        ("deployment", "DEP-2", "Run of controls X"),
        ("rehearsal", "KEY-3", "REHEARSAL of a recovery drill X"),
        ("rehearsal", "DEP-2", "REHEARSAL of a run of controls X"),
    ],
)
def test_only_what_drilled_a_backup_is_called_a_drill(grade, control, name):
    """The control of a drill came to a verdict (KEY-3), or was not run (DEP-2)."""
    run = sample_run.run(identity=Identity(number="X"))
    controls = tuple(
        one.model_copy(update={"chapter": "drill"}) if one.id == control else one
        for one in run.controls
    )
    subject = run.subject.model_copy(update={"grade": grade})
    made = run.model_copy(update={"controls": controls, "subject": subject})
    (_, fields) = _FORMATS["drata"](made, b"%PDF").values()
    assert json.loads(fields)["name"] == name


def test_unknown_stays_out(tmp_path):
    folder = sealed(tmp_path)
    with_pdf(folder, sample_run.run())
    assert main(["drata", str(folder), "--out", str(tmp_path)]) == 0
    words = json.loads((tmp_path / f"{sample_run.run().run.id}.drata.json").read_text())
    assert {"renewalDate", "renewalScheduleType", "ownerId"}.isdisjoint(words)


def test_rehearsal_is_named_one(tmp_path):
    subject = Subject(driver="embedded", grade="rehearsal")
    folder = sealed(tmp_path, subject=subject)
    with_pdf(folder, sample_run.run(subject=subject))
    assert main(["vanta", str(folder), "--out", str(tmp_path)]) == 0
    words = json.loads((tmp_path / f"{sample_run.run().run.id}.vanta.json").read_text())
    assert words["description"].startswith("REHEARSAL")
    assert "proves nothing about your deployment" in words["description"]


def test_exported_results_are_those_of_the_bundle(tmp_path):
    folder = sealed(tmp_path)
    assert main(["oscal", str(folder), "--out", str(tmp_path)]) == 0
    record = json.loads((tmp_path / f"{sample_run.run().run.id}.oscal.json").read_text())
    other = json.loads((folder / "oscal-assessment-results.json").read_text())
    for one in (record, other):
        del one["assessment-results"]["import-ap"], one["assessment-results"]["back-matter"]
    assert record == other


def test_results_import_the_plan_that_lies_next_to_them(tmp_path):
    assert main(["oscal", str(sealed(tmp_path)), "--out", str(tmp_path / "out")]) == 0
    made = {path.name: json.loads(path.read_text()) for path in (tmp_path / "out").iterdir()}
    name = sample_run.run().run.id
    results = made[f"{name}.oscal.json"]["assessment-results"]
    plan = made[results["import-ap"]["href"]]["assessment-plan"]
    assert plan["reviewed-controls"] == results["results"][0]["reviewed-controls"]
    definition = made[f"{name}.component-definition.json"]["component-definition"]
    (component,) = definition["components"]
    (implementation,) = component["control-implementations"]
    requirements = implementation["implemented-requirements"]
    assert [one["control-id"] for one in requirements] == ["cp-10", "sc-12"]
    rules = {one["value"] for one in component["props"] if one["name"] == "Rule_Id"}
    assert rules == {one["value"] for one in requirements[0]["props"]}


def test_ciso_assistant_gets_a_row_and_the_attachment(declared, tmp_path):
    folder, pdf = declared
    assert main(["ciso-assistant", str(folder), f"--out={tmp_path / 'out'}"]) == 0
    assert (tmp_path / "out" / "DR-2026-Q4-001.pdf").read_bytes() == pdf
    text = (tmp_path / "out" / "DR-2026-Q4-001.ciso-assistant.csv").read_text()
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["name"], row["expiry_date"]) == ("Run of controls DR 2026/Q4-001", "2027-02-24")
    assert "1 of 3 gating controls failed" in row["description"]


@pytest.mark.parametrize(
    ("taker", "files"), [("probo", []), ("aws-audit-manager", ["aws-audit-manager.json"])]
)
def test_others_get_the_pdf(declared, tmp_path, taker, files):
    assert main([taker, str(declared[0]), f"--out={tmp_path / 'out'}"]) == 0
    found = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert found == [f"DR-2026-Q4-001.{one}" for one in (*files, "pdf")]
    for name in files:
        said = json.loads((tmp_path / "out" / f"DR-2026-Q4-001.{name}").read_text())
        assert said == [{"evidenceFileName": "DR-2026-Q4-001.pdf"}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gdrive", "{folder}"], "gdrive is none of ctrf, ocsf, hdf, oscal, drata"),
        (["drata", "{folder}"], "has no report.pdf"),
        (["oscal", "none"], "none does not exist"),
        (["oscal", ""], "BUNDLE: an empty value"),
        (["oscal", "{folder}", "--out", "{folder}/evidence.json"], "is a file; give a folder"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(tmp_path, capsys, arguments, said):
    folder = sealed(tmp_path)
    assert main([word.format(folder=folder) for word in arguments]) == 3
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) == 1


def test_nothing_is_exported_from_a_changed_bundle(tmp_path, capsys):
    bundle = sealed(tmp_path) / "bundle.zip"
    bundle.write_bytes(bundle.read_bytes().replace(b"KEY-3", b"KEY-4", 1))
    assert main(["oscal", str(bundle), "--out", str(tmp_path / "out")]) == 3
    assert "nothing is exported from it" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["ctrf", "ocsf", "hdf"])
def test_formats_of_others_are_written_from_a_bundle(form, declared, tmp_path):
    assert main([form, str(declared[0]), f"--out={tmp_path / 'out'}"]) == 0
    (written,) = (tmp_path / "out").iterdir()
    assert written.name.endswith(f".{form}.json")
    assert json.loads(written.read_text(encoding="utf-8"))
