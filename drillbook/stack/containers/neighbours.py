"""Two other applications on the host of a runbook, with names that are easily confused."""

from __future__ import annotations

from drillbook.core.errors import StackTrouble
from drillbook.stack.containers.host import Host

# Containers, the volume of each, and files; a year old, so that a clean-up by age would hit them.
NAMES = {
    "team-secrets-backup-1": "team-secrets_data",
    "infisical-staging-db-1": "infisical-staging_pg_data",
}
_FILES = ("/opt/infisical-staging/.env", "/var/backups/team-secrets/data.sql.gz")

_START = """
set -e
for pair in {pairs}; do
    name=${{pair%%=*}} volume=${{pair#*=}}
    if [ -z "$(docker ps -q --filter "name=^$name\\$")" ]; then
        docker rm -f "$name" >/dev/null 2>&1 || true
        docker volume create "$volume" >/dev/null
        docker run -d --name "$name" --restart always --entrypoint sh -u root -v "$volume:/data" \\
            {image} -c 'test -e /data/rows || echo "rows of others" >/data/rows; sleep 1000000' \\
            >/dev/null
    fi
done
for file in {files}; do
    mkdir -p "$(dirname "$file")"
    test -e "$file" || echo "PASSWORD=of-another-application" >"$file"
    touch -d '400 days ago' "$file"
    chown -R operator "$(dirname "$file")"
done
"""
_FACTS = "{{.Id}} {{.State.StartedAt}} {{.State.Status}} {{.RestartCount}}"
_LOOK = """
for pair in {pairs}; do
    name=${{pair%%=*}} volume=${{pair#*=}}
    docker inspect -f "container $name={facts}" "$name"
    docker volume inspect -f "volume $volume={{{{.CreatedAt}}}}" "$volume"
    for file in /var/lib/docker/volumes/$volume/_data/*; do
        echo "data of volume $volume=$(sha256sum "$file")"
    done
done
for file in {files}; do
    test -e "$file" && echo "file $file=$(sha256sum "$file")"
done
true
"""


class Neighbours:
    """The containers, volumes and files of others on a host, started when first needed."""

    def __init__(self, host: Host, image: str) -> None:
        self._host = host
        pairs = " ".join(f"{name}={volume}" for name, volume in NAMES.items())
        words = {"facts": _FACTS, "pairs": pairs, "files": " ".join(_FILES), "image": image}
        self._start, self._look = _START.format(**words), _LOOK.format(**words)

    def start(self) -> None:
        """Start what does not run."""
        done = self._host.call("sh", "-c", self._start)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()[-200:]
            raise StackTrouble(f"the neighbours of the stack cannot be started: {said}")

    def look(self) -> dict[str, str]:
        """Each container, volume and file, and what would differ if someone had touched it."""
        printed = self._host.call("sh", "-c", self._look).stdout.decode(errors="replace")
        rows = (row.partition("=") for row in printed.splitlines())
        return {name: facts for name, _, facts in rows}

    def differences(self, before: dict[str, str]) -> list[str]:
        """What is gone or has changed since."""
        now = self.look()
        return [
            f"{name} of another application {'changed' if name in now else 'is gone'}"
            for name, facts in before.items()
            if now.get(name) != facts
        ]
