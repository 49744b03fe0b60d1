"""A fleet as objects of Kubernetes: a CronJob for each instance, and an Indexed Job of them all.

They hold paths and names of Secrets, and no secret. The files that an instance names are keys of
the Secret `drillbook-NAME`, its backups lie on the claim `drillbook-backups-NAME`, the signing key
is in `drillbook-signing-key`, bundles go to the claim `drillbook-runs`; the optional ConfigMap
`drillbook-engine` sets DOCKER_HOST.
"""

from __future__ import annotations

import shlex
import zlib
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any, Protocol

import yaml

from drillbook.core.errors import BadInput

_RUNS, _KEY = "/var/lib/drillbook/runs", "/etc/drillbook-signing-key/drill.key"
_OPTIONS = ("--quiet", f"--run-dir={_RUNS}", f"--signing-key={_KEY}")
_MONTHS = {"monthly": "*", "quarterly": "1,4,7,10", "half-yearly": "1,7", "yearly": "1"}
_DAY_S = 86400
# What Drillbook needs to give programs fewer rights than it has.
_RIGHTS = ("CHOWN", "KILL", "SETGID", "SETUID")


class Instance(Protocol):
    """What is asked of an instance of fleet.toml."""

    @property
    def name(self) -> str: ...

    @property
    def cadence(self) -> str: ...

    @property
    def backup(self) -> str: ...

    @property
    def words(self) -> list[str]: ...

    @property
    def files(self) -> list[str]: ...


def render(instances: Sequence[Instance], image: str) -> str:
    """All objects as YAML; BadInput for a path that a pod cannot have."""
    objects = [_cron_job(one, image) for one in instances]
    return yaml.safe_dump_all([*objects, _indexed_job(instances, image)], sort_keys=False)


def schedule(name: str, cadence: str) -> str:
    """When an instance is drilled, as cron writes it: by night, and not all at once."""
    spread = zlib.crc32(name.encode())
    when = f"{spread % 60} {1 + spread // 60 % 5}"
    if cadence == "weekly":
        return f"{when} * * {spread // 300 % 7}"
    return f"{when} {1 + spread // 300 % 28} {_MONTHS[cadence]} *"


def _cron_job(one: Instance, image: str) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": _metadata(f"drillbook-{one.name}"),
        "spec": {
            "schedule": schedule(one.name, one.cadence),
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            # A cluster that was down catches up within a day.
            "startingDeadlineSeconds": _DAY_S,
            "jobTemplate": {
                "spec": {
                    "backoffLimit": 0,
                    "template": _pod([one], image, args=["drill", *_OPTIONS, *one.words]),
                }
            },
        },
    }


def _indexed_job(instances: Sequence[Instance], image: str) -> dict[str, Any]:
    """A Job that drills each instance once: suspended, so that to apply it starts nothing."""
    cases = [
        f"{index}) exec {shlex.join(['drillbook', 'drill', *_OPTIONS, *one.words])};;"
        for index, one in enumerate(instances)
    ]
    script = "\n".join(["case $JOB_COMPLETION_INDEX in", *cases, "esac"])
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _metadata("drillbook-fleet"),
        "spec": {
            "suspend": True,
            "completionMode": "Indexed",
            "completions": len(instances),
            "parallelism": min(2, len(instances)),
            # One that fails is a finding, and does not end the others.
            "backoffLimitPerIndex": 0,
            "template": _pod(instances, image, command=["/bin/sh", "-c", script]),
        },
    }


def _metadata(name: str) -> dict[str, Any]:
    return {"name": name, "labels": {"app.kubernetes.io/name": "drillbook"}}


def _pod(instances: Iterable[Instance], image: str, **command: list[str]) -> dict[str, Any]:
    volumes: dict[str, Any] = {
        "runs": {"persistentVolumeClaim": {"claimName": "drillbook-runs"}},
        "signing-key": _secret("drillbook-signing-key"),
    }
    mounts = [
        {"name": "runs", "mountPath": _RUNS},
        {"name": "signing-key", "mountPath": str(PurePosixPath(_KEY).parent), "readOnly": True},
    ]
    for one in instances:
        volumes[f"files-{one.name}"] = _secret(f"drillbook-{one.name}")
        for file in one.files:
            mount = {"name": f"files-{one.name}", "mountPath": _absolute(file), "readOnly": True}
            mounts.append({**mount, "subPath": PurePosixPath(file).name})
        if folder := _folder_of(one.backup):
            name = f"backups-{one.name}"
            claim = {"claimName": f"drillbook-{name}", "readOnly": True}
            volumes[name] = {"persistentVolumeClaim": claim}
            mounts.append({"name": name, "mountPath": folder, "readOnly": True})
    container = {
        "name": "drill",
        "image": image,
        **command,
        "envFrom": [{"configMapRef": {"name": "drillbook-engine", "optional": True}}],
        "securityContext": {
            # Files of a Secret that their owner alone reads are root's.
            "runAsUser": 0,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": [*_RIGHTS]},
        },
        "volumeMounts": mounts,
    }
    return {
        "metadata": {"labels": {"app.kubernetes.io/name": "drillbook"}},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "containers": [container],
            "volumes": [{"name": name, **volume} for name, volume in volumes.items()],
        },
    }


def _secret(name: str) -> dict[str, Any]:
    return {"secret": {"secretName": name, "defaultMode": 0o400}}


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise BadInput(f"{path}: a pod has no folder it starts from; write a whole path")
    return path


def _folder_of(backup: str) -> str:
    """The folder that holds a backup; nothing for one that is fetched."""
    if backup.startswith("docker:") or "://" in backup:
        return ""
    path = PurePosixPath(_absolute(backup))
    return str(path.parent if path.suffix else path)
