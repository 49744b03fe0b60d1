"""The catalogue can be read without running anything, and its page is current."""

import json
import subprocess
import sys
from pathlib import Path

from reports.catalogue import load
from reports.outline import markdown, rows, text

ROOT = Path(__file__).resolve().parents[1]
CATALOGUE = load(ROOT / "suites" / "controls.toml")


def test_the_page_in_docs_is_current():
    page = (ROOT / "docs" / "catalogue.md").read_text()
    assert page == markdown(CATALOGUE), "run: make catalogue FORM=markdown > docs/catalogue.md"


def test_every_control_is_listed_with_its_spec():
    listed = list(rows(CATALOGUE, {"KEY-3": "satisfied"}))
    assert [row["id"] for row in listed] == list(CATALOGUE.ids)
    assert [row["id"] for row in listed if not row["specs"]] == []
    assert {row["id"]: row["last_verdict"] for row in listed}["KEY-3"] == "satisfied"


def test_what_never_ran_says_so():
    assert "never run here" in text(CATALOGUE, {})


def test_json_is_json():
    command = [sys.executable, "-m", "reports.outline", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert len(json.loads(done.stdout)) == len(CATALOGUE.ids)
