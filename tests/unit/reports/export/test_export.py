"""What others take is made from a bundle that fits together, and from nothing else."""

import csv
import io
import json
from datetime import datetime, timedelta, timezone

import pytest

from reports.evidence.context import Organisation, Schedule
from reports.export.formats import row
from tests.support import sample_run
from tests.support.bundles import sealed
from tests.support.commands import export as main


def exported(tmp_path, **changes):
    """The text and the only row of the CSV of a run with these changes."""
    folder = sealed(tmp_path, name="run", **changes)
    assert main(["csv", str(folder), "--out", str(tmp_path / "out")]) == 0
    (table,) = (tmp_path / "out").glob("*.csv")
    text = table.read_bytes().decode()
    (only,) = csv.DictReader(io.StringIO(text, newline=""))
    return text, only


def test_a_drill_is_one_row_with_every_field_in_its_order(tmp_path):
    run = sample_run.run()
    text, only = exported(tmp_path, schedule=Schedule(cadence="quarterly", next_due="2027-02-24"))
    assert list(only) == list(row(run))
    assert text.count("\r\n") == 2
    assert (only["next_due"], only["organisation"]) == ("2027-02-24", "")
    assert (only["verdict"], only["exit_code"]) == ("violated", "1")
    assert only["satisfied"] == str(run.counts.satisfied)


def test_times_are_utc_with_z_whatever_zone_they_were_taken_in(tmp_path):
    run = sample_run.run()
    zone = timezone(timedelta(hours=5, minutes=30))
    facts = run.run.model_copy(update={"started": run.run.started.astimezone(zone)})
    _, only = exported(tmp_path, run=facts)
    assert only["started"].endswith("Z")
    assert datetime.fromisoformat(only["started"]) == run.run.started.replace(microsecond=0)


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_no_cell_is_a_formula(tmp_path, name):
    _, only = exported(tmp_path, organisation=Organisation(name=name))
    assert only["organisation"] == f"'{name}"


def test_what_is_exported_as_oscal_is_what_the_bundle_has(tmp_path):
    folder = sealed(tmp_path)
    assert main(["oscal", str(folder), "--out", str(tmp_path)]) == 0
    record = (tmp_path / f"{sample_run.run().run.id}.oscal.json").read_bytes()
    assert record == (folder / "oscal-assessment-results.json").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gdrive", "{folder}"], "gdrive is none of oscal, ctrf, csv"),
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
    assert main(["csv", str(bundle), "--out", str(tmp_path / "out")]) == 3
    assert "nothing is exported from it" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_ctrf_is_written_from_a_bundle(tmp_path):
    assert main(["ctrf", str(sealed(tmp_path)), f"--out={tmp_path / 'out'}"]) == 0
    (written,) = (tmp_path / "out").iterdir()
    assert json.loads(written.read_text(encoding="utf-8"))["reportFormat"] == "CTRF"
