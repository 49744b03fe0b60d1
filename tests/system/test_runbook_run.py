"""`drillbook runbook run`: each planted mistake is found for its reason, its correction holds.

One document has every procedure, right and wrong, each in a section of its own.
"""

import json
import subprocess
import sys

import pytest

from drillbook.core.application import ROOT
from drillbook.stack.containers import docker_engine, host
from tests.stack.test_containers import IMAGE, missing

# One worker has them all: they share a run.
pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(3600),
    pytest.mark.xdist_group("runbook run"),
]

PSQL = 'docker exec -i "$DB" psql -U infisical -d infisical -v ON_ERROR_STOP=1 -q'
STOP = 'docker stop "$BACKEND"; docker exec "$REDIS" redis-cli FLUSHALL'
DROP = 'docker exec "$DB" dropdb -U infisical --force infisical'
EMPTY = f'{DROP}; docker exec "$DB" createdb -U infisical infisical'
LOAD, START = f'{PSQL} <"$BACKUP"', 'docker start "$BACKEND"'
ALTER = f"echo \"ALTER USER infisical WITH PASSWORD '$NEW_PASSWORD'\" | {PSQL}"
TYPE = 'sed -i "s|^POSTGRES_PASSWORD=.*|POSTGRES_PASSWORD=$NEW_PASSWORD|" .env'
DEPLOY = "docker compose up -d"
EACH = 'sed -i "s|^${row%%=*}=.*|$row|" .env'
KEYS = f'while read -r row; do {EACH}; done <"$KEYS_FILE"'
DUMP = 'docker exec "$DB" pg_dump -U infisical'
STRAY = "team-secrets-backup-1 of another application is gone"

# Title, act, commands, a control, its verdict, and words of the reason.
SECTIONS = [
    ("Back up", "backup", f"{DUMP} infisical >backup.sql", "BKP-7", "satisfied", ""),
    ("Back up nothing", "backup", f"{DUMP} postgres >backup.sql", "BKP-7", "contradicted",
     "backup_unusable"),
    ("Back up in part", "backup", f"{DUMP} -T users infisical >backup.sql", "BKP-7", "contradicted",
     "users"),
    ("Back up unseen", "backup", f"{DUMP} infisical | gzip >b.sql.gz", "BKP-7", "contradicted",
     "failed_backup_reports_success"),
    ("Restore", "restore", "\n".join([STOP, EMPTY, LOAD, START]), "BKP-3", "satisfied", ""),
    ("Restore over data", "restore", LOAD, "BKP-3", "contradicted",
     "'tuesday' == 'monday'"),
    ("Restore in the wrong order", "restore", "\n".join([STOP, LOAD, EMPTY, START]), "BKP-3",
     "contradicted", ""),
    ("Restore and stay down", "restore", "\n".join([STOP, EMPTY, LOAD]), "BKP-3", "contradicted",
     "leaves the backend stopped"),
    ("Change the password", "rotate-password", "\n".join([ALTER, TYPE, DEPLOY]), "DBP-7",
     "satisfied", ""),
    ("Change it and restart", "rotate-password", f'{ALTER}\n{TYPE}\ndocker restart "$BACKEND"',
     "DBP-7", "violated", ""),
    ("Change it in .env alone", "rotate-password", f"{TYPE}\n{DEPLOY}", "DBP-7", "violated", ""),
    ("Wipe", "wipe", "docker compose down --volumes", "WIP-2", "satisfied", ""),
    ("Wipe containers alone", "wipe", "docker compose down", "WIP-1", "contradicted", ""),
    ("Wipe another volume", "wipe",
     "docker compose down; docker volume rm $(docker volume ls -q | grep redis)", "WIP-1",
     "contradicted", ""),
    ("Wipe elsewhere", "wipe", "cd /opt/infisical-staging\ndocker compose down --volumes", "WIP-1",
     "contradicted", ""),
    ("Wipe by a word", "wipe",
     "docker rm -f $(docker ps -aq --filter name=secrets); docker compose down --volumes", "RBK-1",
     "violated", STRAY),
    ("Old keys", "restore-keys", f"{KEYS}\n{DEPLOY}", "KEY-5", "satisfied", ""),
    ("Old keys too late", "restore-keys", f"{DEPLOY}\n{KEYS}", "KEY-5", "violated", ""),
    ("Make keys", "make-keys", "openssl rand -hex 16  # ENCRYPTION_KEY", "KEY-7", "satisfied", ""),
    ("Make long keys", "make-keys", "openssl rand -hex 32  # ENCRYPTION_KEY", "KEY-7",
     "contradicted", ""),
]  # fmt: skip


@pytest.fixture(scope="module")
def carried_out(tmp_path_factory):
    """The specs of one run, by a section's title or line."""
    if reason := missing():
        pytest.skip(reason)
    if not docker_engine.present(host.IMAGE):
        pytest.skip(f"no image {host.IMAGE}")
    folder = tmp_path_factory.mktemp("run")
    text = "# Infisical\n"
    for title, act, commands, *_ in SECTIONS:
        text += f"\n## {title}\n\n```bash drillbook={act}\n{commands}\n```\n"
    (folder / "ops.md").write_text(text)
    words = ["runbook", "run", str(folder / "ops.md"), f"--image={IMAGE}", "--seed=1"]
    words.append(f"--run-dir={folder / 'runs'}")
    done = subprocess.run(
        [sys.executable, "-m", "drillbook.cli", *words], cwd=ROOT, capture_output=True, text=True
    )
    record = folder / "runs" / "latest" / "evidence.json"
    assert record.exists(), done.stdout + done.stderr
    controls = json.loads(record.read_text())["controls"]
    page = (record.parent / "document.md").read_text()
    assert all(f"## {title}\n\n> " in page for title, *_ in SECTIONS)
    return text.splitlines(), controls


@pytest.mark.parametrize(
    ("title", "act", "control", "verdict", "reason"),
    [pytest.param(t, a, c, v, r, id=f"{t}-{c}") for t, a, _, c, v, r in SECTIONS],
)
def test_each_mistake_is_found_for_its_reason(carried_out, title, act, control, verdict, reason):
    lines, controls = carried_out
    line = lines.index(f"## {title}") + 4
    names = (f"[{title}]", f"[Infisical > {title}]", f"[{act}-{line}]")
    specs = [
        spec
        for entry in controls
        if entry["id"] == control
        for spec in entry["specs"]
        if spec["id"].endswith(names)
    ]
    assert specs
    verdicts = [spec["verdict"] for spec in specs]
    if verdict == "satisfied":
        assert {*verdicts} <= {"satisfied", "not_run"}, specs
        assert "satisfied" in verdicts
    else:
        assert verdict in verdicts, specs
        assert reason in json.dumps(specs)
