"""Files that make a scheduler run a command regularly: systemd, cron, Kubernetes, Coolify.

Kubernetes objects have paths and names of Secrets in them, and no secret.
"""

from __future__ import annotations

import getpass
import re
import shlex
import sys
import sysconfig
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import yaml

from drillbook.backup.location import REPOSITORIES, parse
from drillbook.cli.parser import Command, find_fault
from drillbook.core import options as o
from drillbook.core.display import printable
from drillbook.core.errors import BadInput
from drillbook.core.files import holds, write_file

if TYPE_CHECKING:
    from reports.config.fleet_file import Instance

# Text without control characters, and without bytes of a name that are not text.
_ONE_LINE = re.compile(r"[^\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]*")
_MONTHS = {"monthly": "*", "quarterly": "1,4,7,10", "half-yearly": "1,7", "yearly": "1"}
_KUBERNETES = Path(__file__).with_name("kubernetes.yml")
_HOME, _KEYS = "/work", "/etc/drillbook"
# The names of files; a folder may have a dot in its name, too.
_FILE_OF_BACKUP = re.compile(
    r"\.(sql|dump|dmp|pgdump|pgc|custom|tar|tgz|backup|bak|gz|zst|zstd|xz|lz4|bz2|zip|7z|gpg|pgp|"
    r"age|enc)([.-][\d-]+)?$",
    re.IGNORECASE,
)
_SIGNING_KEY = "drillbook-signing-key"
_DRILL = (
    "drill",
    "--quiet",
    f"--run-dir={_HOME}/runs",
    f"--signing-key=/etc/{_SIGNING_KEY}/drill.key",
)


def check_line(commands: Sequence[Command], words: Sequence[str]) -> str:
    """The name for the scheduled command; BadInput for an unknown one or option, or for a secret.

    Whether files exist is not checked: in a container they have other paths.
    """
    known = {one.name: one for one in commands}
    count = 2 if " ".join(words[:2]) in known else 1
    name = " ".join(words[:count])
    if words[0] == "drillbook":
        raise BadInput("give the command without the word drillbook in front of it")
    if name not in known:
        raise BadInput(f"there is no command {name}{o.nearest(name, [*known])}")
    if name == "key recover":
        raise BadInput(
            "key recover is not for a schedule: it does not replace the file that it wrote before, "
            "so from the second time on it would fail, and what it prints ends up in a log"
        )
    flags = [flag for one in known[name].options for flag in one.flags]
    for word in words[count:]:
        flag = word.partition("=")[0]
        if flag in o.PING.flags:
            raise BadInput(f"{flag} would stand in a file that others read; give --ping-file")
        if flag.startswith("--") and flag not in flags:
            raise BadInput(f"{name} has no option {flag}{o.nearest(flag, flags)}")
        value = word.partition("=")[2] if flag.startswith("--") else word
        if o.is_like_key(value):
            raise BadInput(
                "a key would stand in a file that others read; write it to a file of mode 0600, "
                "and name that file"
            )
        if "://" in value and (address := parse(value)).credential:
            cure = "put it into the file of --backup-options"
            if address.kind == "repository":
                cure = f"put it into the environment of {address.scheme}"
            raise BadInput(
                f"the address {address.shown} holds a credential, and would stand in a file that "
                f"others read; {cure}"
            )
    if fault := find_fault(known[name], words[count:]):
        example = known[name].example
        raise BadInput(f"{name} would fail each time: {fault}; for example: {example}")
    return f"drillbook-{name.replace(' ', '-')}"


def schedule(
    scheduler: str, name: str, words: Sequence[str], every: str, image: str, out: str | None
) -> int:
    """Print the files of a scheduler, or write them to a folder."""
    # The words of a command line were checked when it was read.
    if not _ONE_LINE.fullmatch(here := str(Path.cwd())):
        raise BadInput(
            f"the name of the working folder {printable(here)} has a control character, as a line "
            f"break, which {scheduler} would read as a line of its own; rename it"
        )
    files = _SCHEDULERS[scheduler](name, words, every, image)
    if out is None:
        sys.stdout.write("\n".join(f"# {file}\n{text}" for file, text in files.items()))
        return 0
    contents = {Path(out) / file: text.encode() for file, text in files.items()}
    try:
        # A second job of the same command has the same names.
        missing = [file for file, content in contents.items() if not holds(file, content)]
        for file in missing:
            write_file(file, contents[file])
    except OSError as trouble:
        raise BadInput(f"--out {out}: {trouble.strerror}") from None
    sys.stdout.writelines(f"{file} written\n" for file in contents)
    return 0


def cron_time(of: str, every: str) -> str:
    """A time of night in cron's syntax; it depends on the name, so that jobs are spread."""
    spread = zlib.crc32(of.encode())
    night = f"{spread % 60} {1 + spread // 60 % 4}"
    if every == "daily":
        return f"{night} * * *"
    if every == "weekly":
        return f"{night} * * {spread // 240 % 7}"
    return f"{night} {1 + spread // 240 % 28} {_MONTHS[every]} *"


def fleet_objects(instances: Sequence[Instance], image: str) -> str:
    """A CronJob for each instance, and an Indexed Job of them all; BadInput for a relative path."""
    objects = [
        _cron_job(
            f"drillbook-{one.name}",
            cron_time(one.name, one.cadence),
            _pod(image, {"args": [*_DRILL, *one.words]}, *_mounts([one])),
        )
        for one in instances
    ]
    cases = [
        f"{index}) exec {shlex.join(['drillbook', *_DRILL, *one.words])};;"
        for index, one in enumerate(instances)
    ]
    script = "\n".join(["case $JOB_COMPLETION_INDEX in", *cases, "esac"])
    job = _skeleton("fleet_job")
    job["spec"] |= {
        "completions": len(instances),
        "parallelism": min(2, len(instances)),
        "template": _pod(image, {"command": ["/bin/sh", "-c", script]}, *_mounts(instances)),
    }
    return _yaml(*objects, job)


def _mounts(instances: Sequence[Instance]) -> tuple[dict[str, str], dict[str, str]]:
    """The mount paths of the files of these instances, and the claims with their backups."""
    files, claims = {f"/etc/{_SIGNING_KEY}": _SIGNING_KEY}, {}
    for one in instances:
        for file in one.files:
            files[_absolute(file)] = f"drillbook-{one.name}/{PurePosixPath(file).name}"
        place = _without_program(one.backup)
        elsewhere = "://" in place
        # A repository on another machine, as in sftp:host:/path.
        elsewhere |= place != one.backup and ":" in place and not place.startswith("/")
        if not elsewhere:
            path = PurePosixPath(_absolute(place))
            is_file = place == one.backup and _FILE_OF_BACKUP.search(path.name)
            claims[f"drillbook-backups-{one.name}"] = str(path.parent if is_file else path)
    return files, claims


def _without_program(place: str) -> str:
    """Where a repository of restic or borg is; any other place as it is."""
    program, _, where = place.partition(":")
    return where.partition("#")[0] if f"{program}:" in REPOSITORIES else place


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise BadInput(f"{path}: a pod has no folder it starts from; write a whole path")
    return path


def _systemd(name: str, words: Sequence[str], every: str, _image: str) -> dict[str, str]:
    line = " ".join(map(_quote, (_program(), *words)))
    alarm = "drillbook-alarm@"
    days = {"daily": "*-*-*", "weekly": "Sun *-*-*"}
    when = days[every] if every in days else f"*-{_MONTHS[every]}-1"
    service = f"""\
[Unit]
Description=drillbook {" ".join(words[:1])}, {every}
Wants=network-online.target
After=network-online.target
OnFailure={alarm}%N.service

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
OnCalendar={when} 03:00:00
RandomizedDelaySec=1h
# What was missed while the machine was off is made up for.
Persistent=true

[Install]
WantedBy=timers.target
"""
    failed = """\
[Unit]
Description=Alarm: %i did not end with exit code 0

[Service]
Type=oneshot
# Put a command here that reaches you, as a mail or a message does.
ExecStart=/usr/bin/logger -p user.alert -t drillbook "%i failed; journalctl -u %i says why"
"""
    return {f"{name}.service": service, f"{name}.timer": timer, f"{alarm}.service": failed}


def _program() -> str:
    return str(Path(sysconfig.get_path("scripts")) / "drillbook")


def _quote(word: str) -> str:
    """A word as systemd.service(5) reads it."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if not word or set(word) & set(" \"'\\;") else escaped


def _cron(name: str, words: Sequence[str], every: str, _image: str) -> dict[str, str]:
    line = f"cd {shlex.quote(str(Path.cwd()))} && {shlex.join([_program(), *words])}"
    alarm = (
        "{ code=$?; logger -p user.alert -t drillbook "
        f"{shlex.quote(f'{name} ended with exit code')} $code; exit $code; }}"
    )
    text = f"""\
# For /etc/cron.d. cron mails what is printed to MAILTO, if the machine can send mail; where it
# cannot, put a command that reaches you in place of logger, which writes to the system's log.
# cron does not make up for what was missed while the machine was off: a timer of systemd does, and
# `drillbook status` says what is overdue.
MAILTO={getpass.getuser()}
{_time_here(name, every)} {getpass.getuser()} {line.replace("%", chr(92) + "%")} || {alarm}
"""
    return {name: text}


def _time_here(name: str, every: str) -> str:
    return cron_time(f"{name} {Path.cwd()}", every)


def _to_mount(words: Sequence[str]) -> str:
    """A comment that names the paths of a line that the container lacks; else empty."""
    values = (
        _without_program(word.partition("=")[2] if word.startswith("--") else word)
        for word in words
    )
    outside = [
        value
        for value in values
        if value.startswith("/")
        and not any(PurePosixPath(value).is_relative_to(folder) for folder in (_HOME, _KEYS))
    ]
    return f"# Not in the container, mount it as well: {', '.join(outside)}\n" if outside else ""


def _kubernetes(name: str, words: Sequence[str], every: str, image: str) -> dict[str, str]:
    pod = _pod(image, {"args": [*words]}, {_KEYS: "drillbook"}, {})
    head = f"""\
# It needs a claim `drillbook` (drillbook.toml, runs: {_HOME}) and a Secret `drillbook` (each of its
# keys is a file in {_KEYS}). Without an engine (DOCKER_HOST) a command with --image or
# --compose ends with exit code 3, any other run is a rehearsal, and a drill then ends with 2.
"""
    head += f"""\
# Have your monitor alert on a failed Job: kube_job_status_failed{{job_name=~"{name}-.*"}} > 0.
"""
    head += _to_mount(words)
    return {f"{name}.yaml": head + _yaml(_cron_job(name, _time_here(name, every), pod))}


def _skeleton(name: str) -> Any:
    """A new copy of an object of kubernetes.yml."""
    return yaml.safe_load(_KUBERNETES.read_text(encoding="utf-8"))[name]


def _cron_job(name: str, when: str, pod: dict[str, Any]) -> dict[str, Any]:
    job: dict[str, Any] = _skeleton("cron_job")
    job["metadata"]["name"] = name
    job["spec"]["schedule"] = when
    job["spec"]["jobTemplate"]["spec"]["template"] = pod
    return job


def _pod(
    image: str, run: Mapping[str, list[str]], files: Mapping[str, str], claims: Mapping[str, str]
) -> dict[str, Any]:
    """A pod with these files of Secrets (`SECRET` or `SECRET/KEY`) and these read-only claims."""
    pod: dict[str, Any] = _skeleton("pod")
    spec, (copy,), (drill,) = pod["spec"], pod["spec"]["initContainers"], pod["spec"]["containers"]
    copy["image"] = drill["image"] = image
    drill |= run
    for secret in sorted({secret.partition("/")[0] for secret in files.values()}):
        copy["volumeMounts"].append(_mount(secret, f"/run/keys/{secret}"))
        spec["volumes"].append({"name": secret, "secret": {"secretName": secret}})
    for path, secret in files.items():
        drill["volumeMounts"].append({**_mount("keys", path), "subPath": secret})
    for claim, path in claims.items():
        drill["volumeMounts"].append(_mount(claim, path))
        source = {"claimName": claim, "readOnly": True}
        spec["volumes"].append({"name": claim, "persistentVolumeClaim": source})
    return pod


def _mount(volume: str, path: str) -> dict[str, Any]:
    return {"name": volume, "mountPath": path, "readOnly": True}


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
#   Frequency: {_time_here(name, every)}
#   Container: drillbook
#   Alarm:     Notifications, event "Scheduled Task Failure"
#   Timeout:   3600 (at its default of 300 s Coolify calls a longer run failed)
# Files of {_KEYS} on the server belong to user 1001, mode 0600. Without an engine
# (set DOCKER_HOST here) a command with --image or --compose ends with exit code 3, any other run
# is a rehearsal, and a drill then ends with 2.
"""
    compose = {"services": {"drillbook": service}, "volumes": {"drillbook": {}}}
    return {f"{name}.compose.yaml": head + _to_mount(words) + _yaml(compose)}


def _yaml(*documents: dict[str, Any]) -> str:
    return yaml.safe_dump_all(documents, sort_keys=False, width=1000)


_SCHEDULERS: dict[str, Callable[[str, Sequence[str], str, str], dict[str, str]]] = {
    "systemd": _systemd,
    "cron": _cron,
    "kubernetes": _kubernetes,
    "coolify": _coolify,
}
