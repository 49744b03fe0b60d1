"""Programs that are not ours read what we write. They live in an environment of their own."""

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from reports import junit, ocsf, oscal, sample
from reports.frame import Organisation, Person

PYTHON = Path(__file__).parents[1] / ".tools" / "interop" / "bin" / "python"
SCHEMAS = Path(__file__).parent / "schemas"
pytestmark = pytest.mark.interop

TRESTLE = """
import sys
from pathlib import Path
from trestle.oscal.assessment_results import AssessmentResults
read = AssessmentResults.oscal_read(Path(sys.argv[1]))
read.oscal_write(Path(sys.argv[2]))
"""
OCSF = """
import json, sys
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding
events = [ComplianceFinding.model_validate(event) for event in json.load(open(sys.argv[1]))]
print(json.dumps([[e.compliance.control, e.compliance.status_id.name] for e in events]))
"""

XSD = """
import sys, xmlschema
print([error.reason for error in xmlschema.XMLSchema(sys.argv[1]).iter_errors(sys.argv[2])])
"""


def foreign(program, *arguments):
    command = [PYTHON, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("version", ["1.1.2", "1.2.3"])
def test_trestle_reads_oscal_and_writes_the_same(tmp_path, version):
    run = sample.run(organisation=Organisation(name="ACME"), people=(Person(name="Ada"),))
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    ours.write_text(oscal.render(run, version))
    foreign(TRESTLE, ours, theirs)
    assert json.loads(theirs.read_text()) == json.loads(ours.read_text())


def test_prowlers_models_read_ocsf(tmp_path):
    (tmp_path / "ocsf.json").write_text(ocsf.render(sample.run()))
    statuses = dict(json.loads(foreign(OCSF, tmp_path / "ocsf.json")))
    assert statuses["KEY-3"] == "Fail"
    assert statuses["KEY-5"] == "Pass"


def test_junit_is_valid_by_the_strictest_schema_but_for_properties(tmp_path):
    root = ElementTree.fromstring(junit.render(sample.run()))
    for case in root.iter("testcase"):
        case.remove(case.find("properties"))
    ElementTree.ElementTree(root).write(tmp_path / "junit.xml")
    assert foreign(XSD, SCHEMAS / "junit-10.xsd", tmp_path / "junit.xml") == "[]\n"


def test_environment_is_there():
    assert PYTHON.is_file(), "run: make interop"
