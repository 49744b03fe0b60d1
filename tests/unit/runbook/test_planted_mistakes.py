"""A right runbook with one mistake in it: a wrong flag, steps swapped, a step that is missing."""

import pytest

from drillbook.core.application import ROOT
from drillbook.runbook.document import Document
from drillbook.runbook.rules import check

RIGHT = (ROOT / "docs" / "runbook.example.md").read_text()
STOP = 'docker stop "$backend"\n'
EMPTY = 'docker exec "$db" dropdb -U infisical --force infisical\n'
EMPTY += 'docker exec "$db" createdb -U infisical -O infisical infisical\n'
LOAD = '| docker exec -i "$db" psql -U infisical -d infisical -v ON_ERROR_STOP=1'
LOADED = 'gzip -dc "$backup" '
START = 'docker start "$backend"\n'
DUMP = 'docker exec "$db" pg_dump -U infisical infisical'
LISTED = '--filter "$ours"'
BY_LABEL = "label=coolify.resourceName=infisical --filter label=com.docker.compose.service="
BACK = "restore the backup from before the change into an empty\ndatabase, under the old image"
UPDATE = "## Update\n\n```bash\ndocker compose pull\ndocker compose up -d\n```\n\n## Audit\n"
SAMPLE = "ENCRYPTION_KEY=f13dbc92aaaf86fa7cb0ed8ac3265f47"
UNROTATED = "Do not rotate the ENCRYPTION_KEY on releases without a staged rotation."
ALL_VOLUMES = f"$(docker volume ls -q {LISTED})"
KEYS = "The keys are kept in the password manager, entry"
# What it is, what takes its place, and the rule that finds it.
MISTAKES = {
    "a flag that is wrong": [
        ("`openssl rand -hex 16` (32", "`openssl rand -hex 32` (64", "key-format"),
        (
            "password | `openssl rand -hex 32`",
            "password | `openssl rand -base64 32`",
            "password-in-address",
        ),
        (LOAD, LOAD.replace(" -i ", " "), "restore-no-input"),
        (LOAD, LOAD.replace(" -i ", " -it "), "terminal"),
        (DUMP, DUMP.replace("exec ", "exec -t "), "terminal"),
        (LOAD, LOAD.replace(" -v ON_ERROR_STOP=1", ""), "restore-errors"),
        ("set -euo pipefail", "set -eu", "dump-pipe"),
        ("$(docker ps -aq " + LISTED, "$(docker ps -aq --filter name=infisical", "selector"),
        (
            ALL_VOLUMES,
            "$(docker volume ls -q | grep infisical)",
            "selector",
        ),
        (ALL_VOLUMES, "$(docker volume ls -q)", "selector"),
        (
            f"{BY_LABEL}backend)",
            "name=infisical)",
            "container-name",
        ),
        ('| gzip > "$part"', "> /var/lib/postgresql/data/b.sql", "dump-in-volume"),
    ],
    "steps swapped": [
        (STOP, "", "restore-running"),
        (EMPTY + LOADED + LOAD + "\n", LOADED + LOAD + "\n" + EMPTY, "restore-not-empty"),
        (EMPTY, START + EMPTY, "restore-running"),
        (EMPTY, EMPTY + START, "restore-not-empty"),
        ("3. Redeploy. `docker", "3. Restart the backend. `docker", "password-restart"),
        (
            BACK,
            "set the old tag.\nTo roll back, deploy the former image tag.",
            "helm-rollback",
        ),
    ],
    "a step that is missing": [
        (EMPTY, "", "restore-not-empty"),
        ("set -euo pipefail\n", "", "dump-pipe"),
        (
            "## Audit\n",
            "## Update\n\n```bash\ndocker compose pull\ndocker compose up -d\n```\n\n## Audit\n",
            "upgrade-without-backup",
        ),
        ("Each backup needs the ENCRYPTION_KEY of its day. Redis", "Redis", "backup-without-key"),
    ],
    "a statement that is wrong": [
        (
            "Do not rotate the ENCRYPTION_KEY on releases without a staged rotation.",
            "Rotate the ENCRYPTION_KEY each quarter.",
            "key-rotation",
        ),
        ("signs tokens and encrypts nothing", "encrypts the sessions", "key-purpose"),
        ("are not read while AUTH_SECRET is set: leave them out", "are required", "key-required"),
        (KEYS, f"{SAMPLE} is the key. {KEYS}", "key-sample"),
        (
            "INVITE_ONLY is not read by the product. Close",
            "Set INVITE_ONLY=true. Close",
            "invite-only",
        ),
        ('"inviteOnlySignup": false', '"inviteOnlySignup": true', "health-fields"),
        ('  "redisConfigured": true,\n', '  "database": "up",\n', "health-fields"),
        ("keeps no audit log.", "has audit logs: review the audit logs weekly.", "audit-log"),
        ("infisical/infisical:v0.154.6", "infisical/infisical:latest", "image-tag"),
        ("postgres:16-alpine", "postgres:14-alpine", "postgres-14"),
        ("SITE_URL=https", "INVITE_ONLY_SIGNUP=true\nSITE_URL=https", "invite-only"),
    ],
}


def test_the_mistakes_are_thirty_and_more():
    assert sum(map(len, MISTAKES.values())) >= 30


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [
        pytest.param(*mistake, id=f"{kind}-{number}")
        for kind, mistakes in MISTAKES.items()
        for number, mistake in enumerate(mistakes)
    ],
)
def test_planted_mistake_is_found(right, wrong, rule):
    assert right in RIGHT
    text = RIGHT.replace(right, wrong, 1)
    assert rule in {one.id for one, _ in check(Document("infisical.md", text))}
