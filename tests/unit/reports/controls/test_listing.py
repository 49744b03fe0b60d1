"""The catalogue can be read without running anything, and its page is current."""

import json
import subprocess
import sys
from datetime import UTC, datetime

from drillbook.core.application import ROOT
from reports.controls import load
from reports.history.catalogue import last_runs, markdown, rows, text
from reports.history.runs import Facts, Past, load_history
from reports.verdict import Verdict

CATALOGUE = load(ROOT / "suites" / "controls.toml")


def test_the_page_in_docs_is_current():
    page = (ROOT / "docs" / "catalogue.md").read_text()
    assert page == markdown(CATALOGUE), (
        "run: drillbook catalogue --output markdown > docs/catalogue.md"
    )


def run(name):
    facts = Facts(verdicts={"KEY-3": Verdict.SATISFIED})
    return Past(name, datetime(2026, 11, 24, tzinfo=UTC), "rehearsal", facts)


def test_every_control_is_listed_with_its_spec():
    listed = list(rows(CATALOGUE, {"KEY-3": run("20261124T000000Z-aaaaaa")}))
    assert [row["id"] for row in listed] == list(CATALOGUE.ids)
    assert [row["id"] for row in listed if not row["specs"]] == []
    assert {row["id"]: row["last_verdict"] for row in listed}["KEY-3"] == "satisfied"


def test_what_never_ran_says_so():
    assert "never run here" in text(CATALOGUE, {})


def test_json_is_json():
    command = [sys.executable, "-m", "drillbook.cli", "catalogue", "--output=json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert len(json.loads(done.stdout)) == len(CATALOGUE.ids)


def written(runs, name, command="pytest suites", **verdicts):
    evidence = {
        "run": {"id": name, "finished": f"{name[:4]}-11-{name[6:8]}T00:00:00Z", "command": command},
        "subject": {"grade": "deployment"},
        "controls": [{"id": known, "verdict": verdict} for known, verdict in verdicts.items()],
    }
    (runs / name).mkdir()
    (runs / name / "evidence.json").write_text(json.dumps(evidence))


def test_last_verdict_is_that_of_the_newest_run_which_judged_it(tmp_path):
    written(tmp_path, "20261101T1", A="violated", B="satisfied")
    written(tmp_path, "20261102T1", A="satisfied", B="not_run")
    written(tmp_path, "20261103T1", command="pytest --mutant=X", A="violated")
    (tmp_path / "20261104T1").mkdir()
    (tmp_path / "20261104T1" / "evidence.json").write_text('{"run": 1')
    found = last_runs(load_history(tmp_path))
    assert {known: one.id for known, one in found.items()} == {"A": "20261102T1", "B": "20261101T1"}
    assert [found[one].facts.verdicts[one] for one in "AB"] == [Verdict.SATISFIED] * 2
    assert last_runs(load_history(tmp_path / "none")) == {}


def test_last_verdict_is_not_that_of_a_changed_record_and_steers_no_terminal(tmp_path):
    written(tmp_path, "20261101T1", A="violated")
    written(tmp_path, "20261102T1", A="satisfied")
    (tmp_path / "20261102T1" / "MANIFEST.json").write_text("{}")
    assert last_runs(load_history(tmp_path))["A"].id == "20261101T1"
    said = text(CATALOGUE, {"KEY-3": run("\x1b[2J")})
    assert "    last:    satisfied (rehearsal, run \N{REPLACEMENT CHARACTER}[2J)\n" in said
