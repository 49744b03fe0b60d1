"""Programs that are not ours read what we write. They live in an environment of their own."""

import json
import subprocess
from xml.etree import ElementTree

import pytest

from drillbook.core.application import ROOT
from reports.evidence.context import Organisation
from reports.export import oscal
from reports.render import junit
from tests.support import sample_run

PYTHON = ROOT / ".tools" / "interop" / "bin" / "python"
SCHEMAS = ROOT / "tests" / "schemas"
pytestmark = pytest.mark.interop

TRESTLE = """
import sys
from pathlib import Path
from importlib import import_module
ours, theirs, module, name = sys.argv[1:]
read = getattr(import_module("trestle.oscal." + module), name).oscal_read(Path(ours))
read.oscal_write(Path(theirs))
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


def test_trestle_reads_oscal_and_writes_the_same(tmp_path):
    run = sample_run.run(organisation=Organisation(name="ACME"))
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    content = json.loads(oscal.render(run))
    ours.write_text(json.dumps(content))
    foreign(TRESTLE, ours, theirs, "assessment_results", "AssessmentResults")
    assert json.loads(theirs.read_text()) == content


def test_junit_is_valid_by_the_strictest_schema_but_for_properties(tmp_path):
    root = ElementTree.fromstring(junit.render(sample_run.run()))
    for case in root.iter("testcase"):
        case.remove(case.find("properties"))
    ElementTree.ElementTree(root).write(tmp_path / "junit.xml")
    assert foreign(XSD, SCHEMAS / "junit-10.xsd", tmp_path / "junit.xml") == "[]\n"


def test_environment_is_there():
    assert PYTHON.is_file(), "run: make interop"


S3 = """
import json, os, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import boto3
from moto.server import ThreadedMotoServer
from drillbook.backup.fetch import fetch_backup
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
url = f"http://127.0.0.1:{port}"
os.environ |= {"FSSPEC_S3_KEY": "testing", "FSSPEC_S3_SECRET": "testing-secret",
               "FSSPEC_S3_ENDPOINT_URL": url}
client = boto3.client("s3", endpoint_url=url, region_name="us-east-1",
                      aws_access_key_id="testing", aws_secret_access_key="testing-secret")
client.create_bucket(Bucket="backups")
whole = b"-- PostgreSQL database dump\\n" + b"x" * 3_000_000
whole += b"\\n-- PostgreSQL database dump complete\\n"
client.put_object(Bucket="backups", Key="infisical/good.sql", Body=whole)
time.sleep(1.1)
client.put_object(Bucket="backups", Key="infisical/cut.sql", Body=whole[:1000])
heard = []
with fetch_backup("s3://backups/infisical/", heard.append) as found:
    same = found.path.read_bytes() == whole
    mode, age = found.path.stat().st_mode & 0o777, time.time() - found.path.stat().st_mtime
server.stop()
print(json.dumps([same, mode, age < 600, heard, found.path.exists()]))
"""


def test_a_backup_comes_from_s3():
    same, mode, young, heard, left = json.loads(foreign(S3, str(ROOT)).splitlines()[-1])
    assert (same, mode, young, left) == (True, 0o600, True, False)
    assert "NEWER BUT NOT TAKEN: cut.sql (cut short" in heard[-1]
    assert "testing-secret" not in "".join(heard)
