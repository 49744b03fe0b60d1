"""`drillbook schedule`: what makes a scheduler run a command again and again, ready to use."""

from __future__ import annotations

import getpass
import hashlib
import shlex
import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from drillbook.cli.parser import Command
from drillbook.core import options as o
from drillbook.core.errors import BadInput
from drillbook.core.files import write_file

# For systemd at three in the morning; for cron day, month, day of the week.
EVERY = {
    "daily": ("*-*-*", "* * *"),
    "weekly": ("Sun *-*-*", "* * 0"),
    "monthly": ("*-*-01", "1 * *"),
    "quarterly": ("*-01,04,07,10-01", "1 1,4,7,10 *"),
    "half-yearly": ("*-01,07-01", "1 1,7 *"),
    "yearly": ("*-01-01", "1 1 *"),
}
_USER = 1001
_HOME, _KEYS = "/work", "/etc/drillbook"


def check_line(commands: Sequence[Command], words: Sequence[str]) -> str:
    """The name of what is scheduled; BadInput for an unknown command or option, and for a secret.

    Files are not looked for: in a container they lie elsewhere.
    """
    known = {one.name: one for one in commands}
    count = 2 if " ".join(words[:2]) in known else 1
    name = " ".join(words[:count])
    if name not in known:
        raise BadInput(f"there is no command {name}{o.nearest(name, [*known])}")
    flags = [flag for one in known[name].options for flag in one.flags]
    for word in words[count:]:
        flag = word.partition("=")[0]
        if flag in o.PING.flags:
            raise BadInput(f"{flag} would stand in a file that others read; give --ping-file")
        if flag.startswith("--") and flag not in flags:
            raise BadInput(f"{name} has no option {flag}{o.nearest(flag, flags)}")
    return f"drillbook-{name.replace(' ', '-')}"


def schedule(
    scheduler: str, name: str, words: Sequence[str], every: str, image: str, out: str | None
) -> int:
    """Print the files of a scheduler, or write them to a folder."""
    files = _SCHEDULERS[scheduler](name, words, every, image)
    if out is None:
        sys.stdout.write("\n".join(f"# {file}\n{text}" for file, text in files.items()))
        return 0
    for file, text in files.items():
        try:
            write_file(Path(out) / file, text.encode())
        except OSError as trouble:
            raise BadInput(f"--out {out}: {trouble.strerror}") from None
        sys.stdout.write(f"{Path(out) / file} written\n")
    return 0


def _program() -> str:
    return str(Path(sysconfig.get_path("scripts")) / "drillbook")


def _moment(name: str, every: str) -> str:
    """When, in the form of cron: between one and five, by a name's digest, so that not all meet."""
    spread = int(hashlib.sha256(f"{name} {Path.cwd()}".encode()).hexdigest(), 16)
    return f"{spread % 60} {1 + spread % 4} {EVERY[every][1]}"


def _systemd(name: str, words: Sequence[str], every: str, _image: str) -> dict[str, str]:
    line = " ".join(map(_quote, (_program(), *words)))
    service = f"""\
[Unit]
Description=drillbook {" ".join(words[:1])}, {every}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
User={getpass.getuser()}
WorkingDirectory={str(Path.cwd()).replace("%", "%%")}
ExecStart={line}
# A stopped run cleans up by itself, and reports that it was interrupted.
KillMode=mixed
TimeoutStopSec=5min
UMask=0077
Nice=10
"""
    timer = f"""\
[Unit]
Description=drillbook {" ".join(words[:1])}, {every}

[Timer]
OnCalendar={EVERY[every][0]} 03:00:00
RandomizedDelaySec=1h
# What was missed while the machine was off is made up for.
Persistent=true

[Install]
WantedBy=timers.target
"""
    return {f"{name}.service": service, f"{name}.timer": timer}


def _quote(word: str) -> str:
    """A word as systemd.service(5) reads it."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if not word or set(word) & set(" \"'\\;") else escaped


def _cron(name: str, words: Sequence[str], every: str, _image: str) -> dict[str, str]:
    line = f"cd {shlex.quote(str(Path.cwd()))} && {shlex.join([_program(), *words])}"
    text = f"""\
# For /etc/cron.d. cron does not make up for what was missed while the machine was off: a timer of
# systemd does, and `drillbook status` says what is overdue.
{_moment(name, every)} {getpass.getuser()} {line.replace("%", chr(92) + "%")}
"""
    return {name: text}


def _kubernetes(name: str, words: Sequence[str], every: str, image: str) -> dict[str, str]:
    limits = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    keys = {"name": "keys", "mountPath": _KEYS}
    # Kubernetes lets a group read a Secret, and Drillbook refuses what others can read.
    copy = {
        "name": "keys",
        "image": image,
        "command": ["sh", "-c", f"install -m 600 /run/keys/* {_KEYS}/"],
        "securityContext": limits,
        "volumeMounts": [{"name": "secret", "mountPath": "/run/keys", "readOnly": True}, keys],
    }
    run = {
        "name": "drillbook",
        "image": image,
        "command": ["drillbook"],
        "args": [*words],
        "workingDir": _HOME,
        "securityContext": limits,
        "resources": {
            "requests": {"cpu": "1", "memory": "2Gi"},
            "limits": {"memory": "4Gi"},
        },
        "volumeMounts": [{"name": "work", "mountPath": _HOME}, keys],
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": [copy],
        "containers": [run],
        "volumes": [
            {"name": "work", "persistentVolumeClaim": {"claimName": "drillbook"}},
            {"name": "secret", "secret": {"secretName": "drillbook"}},
            {"name": "keys", "emptyDir": {"medium": "Memory"}},
        ],
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name},
        "spec": {
            "schedule": _moment(name, every),
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            # What was missed is made up for within a day.
            "startingDeadlineSeconds": 86400,
            # A verdict is not tried again until it suits.
            "jobTemplate": {"spec": {"backoffLimit": 0, "template": {"spec": pod}}},
        },
    }
    head = f"""\
# It needs a claim `drillbook` (drillbook.toml, runs: {_HOME}) and a Secret `drillbook` (each of its
# keys is a file in {_KEYS}). Without an engine (DOCKER_HOST) a run is a rehearsal.
"""
    return {f"{name}.yaml": head + _yaml(job)}


def _coolify(name: str, words: Sequence[str], every: str, image: str) -> dict[str, str]:
    service = {
        "image": image,
        "entrypoint": ["sleep", "infinity"],
        "init": True,
        "restart": "unless-stopped",
        "working_dir": _HOME,
        "volumes": [f"drillbook:{_HOME}", f"{_KEYS}:{_KEYS}:ro"],
    }
    head = f"""\
# A compose resource of its own, and under Scheduled Tasks:
#   Name:      {name}
#   Command:   {shlex.join(["drillbook", *words])}
#   Frequency: {_moment(name, every)}
#   Container: drillbook
# Files of {_KEYS} on the server belong to user {_USER}, mode 0600. Without an engine
# (DOCKER_HOST) a run is a rehearsal.
"""
    compose = {"services": {"drillbook": service}, "volumes": {"drillbook": {}}}
    return {f"{name}.compose.yaml": head + _yaml(compose)}


def _yaml(document: dict[str, Any]) -> str:
    import yaml

    class Plain(yaml.SafeDumper):
        """Without anchors, which not every reader takes."""

        def ignore_aliases(self, _data: Any) -> bool:
            return True

    return yaml.dump(document, Dumper=Plain, sort_keys=False, width=1000)


_SCHEDULERS: dict[str, Callable[[str, Sequence[str], str, str], dict[str, str]]] = {
    "systemd": _systemd,
    "cron": _cron,
    "kubernetes": _kubernetes,
    "coolify": _coolify,
}
