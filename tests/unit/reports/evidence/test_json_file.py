"""evidence.json keeps its contract: a committed schema, checked on every write."""

import json

import pytest

from reports.errors import BadEvidence
from reports.evidence import json_file
from reports.evidence.model import Subject
from tests.support import sample_run

CONTRACT = {
    "schema",
    "run",
    "subject",
    "controls",
    "counts",
    "timeline",
    "objectives",
    "redaction",
    "verdict",
    "exit_code",
}
CONTROL = {
    "id",
    "title",
    "claim",
    "nature",
    "severity",
    "gating",
    "verdict",
    "waived",
    "observed",
    "correction",
    "frameworks",
    "duration_s",
    "specs",
}


def test_committed_schema_is_that_of_the_model():
    committed = json_file.SCHEMA.read_text(encoding="utf-8")
    assert committed == json_file.text(json_file.schema()), (
        "run: python -m reports.evidence.json_file"
    )


def test_fields_of_the_contract_are_there():
    record = json.loads(json_file.render(sample_run.run()))
    assert record.keys() >= CONTRACT
    assert record["schema"] == "drillbook/evidence/1"
    assert all(control.keys() >= CONTROL for control in record["controls"])


def test_what_is_written_reads_back_equal(tmp_path):
    path = tmp_path / "evidence.json"
    path.write_text(json_file.render(sample_run.run()), encoding="utf-8")
    assert json_file.load(path) == sample_run.run()


def test_field_of_a_later_version_is_ignored(tmp_path):
    path = tmp_path / "evidence.json"
    later = json.loads(json_file.render(sample_run.run())) | {"mood": "good"}
    path.write_text(json.dumps(later))
    assert json_file.load(path) == sample_run.run()


@pytest.mark.filterwarnings("ignore:Pydantic serializer")
def test_record_that_breaks_the_schema_is_not_written():
    broken = sample_run.run(subject=Subject.model_construct(driver=7, grade="rehearsal"))
    with pytest.raises(BadEvidence, match=r"\$\.subject\.driver"):
        json_file.render(broken)
