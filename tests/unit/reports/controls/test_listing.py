"""The catalogue can be read without running anything, and its page is current."""

import json
import subprocess
import sys

from drillbook.core.application import ROOT
from reports.controls import load
from reports.render.catalogue import markdown, rows, text

CATALOGUE = load(ROOT / "suites" / "controls.toml")


def test_the_page_in_docs_is_current():
    page = (ROOT / "docs" / "catalogue.md").read_text()
    assert page == markdown(CATALOGUE), (
        "run: drillbook catalogue --output markdown > docs/catalogue.md"
    )


def test_every_control_is_listed_with_its_spec():
    listed = list(rows(CATALOGUE))
    assert [row["id"] for row in listed] == list(CATALOGUE.ids)
    assert [row["id"] for row in listed if not row["specs"]] == []
    assert text(CATALOGUE).count("    spec:    ") == sum(len(row["specs"]) for row in listed)


def test_json_is_json():
    command = [sys.executable, "-m", "drillbook.cli", "catalogue", "--output=json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert len(json.loads(done.stdout)) == len(CATALOGUE.ids)
