"""Files that make a scheduler run a command regularly: systemd, cron, Kubernetes, Coolify.

The text of each file is a template in the folder schedules; it names Secrets, and holds no secret.
"""

from __future__ import annotations

import getpass
import json
import re
import shlex
import sys
import sysconfig
import zlib
from collections.abc import Sequence
from pathlib import Path
from string import Template

from drillbook.backup.location import CREDENTIAL
from drillbook.cli.parser import Command, find_fault
from drillbook.core import options as o
from drillbook.core.display import printable
from drillbook.core.errors import BadInput
from drillbook.core.files import holds, write_file

_TEMPLATES = Path(__file__).with_name("schedules")
# The template of each file that a scheduler gets.
_FILES = {
    "systemd": {
        "{name}.service": "systemd.service",
        "{name}.timer": "systemd.timer",
        "drillbook-alarm@.service": "systemd-alarm.service",
    },
    "cron": {"{name}": "cron"},
    "kubernetes": {"{name}.yaml": "kubernetes.yaml"},
    "coolify": {"{name}.compose.yaml": "coolify.yaml"},
}
# Text without control characters, and without bytes of a name that are not text.
_ONE_LINE = re.compile(r"[^\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]*")
_MONTHS = {"monthly": "*", "quarterly": "1,4,7,10", "half-yearly": "1,7", "yearly": "1"}
_DAYS = {"daily": "*-*-*", "weekly": "Sun *-*-*"}


def check_line(commands: Sequence[Command], words: Sequence[str]) -> str:
    """The name for the scheduled command; BadInput for an unknown one or option, or for a secret.

    Whether files exist is not checked: in a container they have other paths.
    """
    known = {command.name: command for command in commands}
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
    flags = [flag for option in known[name].options for flag in option.flags]
    for word in words[count:]:
        flag, _, value = word.partition("=")
        if flag.startswith("--") and flag not in flags:
            raise BadInput(f"{name} has no option {flag}{o.nearest(flag, flags)}")
        _refuse_secret(value if flag.startswith("--") else word)
    if fault := find_fault(known[name], words[count:]):
        example = known[name].example
        raise BadInput(f"{name} would fail each time: {fault}; for example: {example}")
    return f"drillbook-{name.replace(' ', '-')}"


def _refuse_secret(value: str) -> None:
    if o.is_like_key(value):
        raise BadInput(
            "a key would stand in a file that others read; write it to a file of mode 0600, "
            "and name that file"
        )
    if re.search(CREDENTIAL, value):
        raise BadInput(
            "an address holds a credential or a query (?), and would stand in a file that others "
            "read; put it into the environment, as docs/drill.md shows"
        )


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
    values = _values(scheduler, name, words, every, image)
    files = {
        file.format(name=name): Template((_TEMPLATES / template).read_text("utf-8")).substitute(
            values
        )
        for file, template in _FILES[scheduler].items()
    }
    if out is None:
        sys.stdout.write("\n".join(f"# {file}\n{text}" for file, text in files.items()))
        return 0
    contents = {Path(out) / file: text.encode() for file, text in files.items()}
    try:
        # A second job of the same command has the same names.
        for file, content in contents.items():
            if not holds(file, content):
                write_file(file, content)
    except OSError as trouble:
        raise BadInput(f"--out {out}: {trouble.strerror}") from None
    sys.stdout.writelines(f"{file} written\n" for file in contents)
    return 0


def _values(
    scheduler: str, name: str, words: Sequence[str], every: str, image: str
) -> dict[str, str]:
    """What stands in the places of the templates, as the scheduler writes it."""
    program, folder = str(Path(sysconfig.get_path("scripts")) / "drillbook"), str(Path.cwd())
    when, line = _cron_time(f"{name} {folder}", every), shlex.join(["drillbook", *words])
    if scheduler == "systemd":
        line, folder = " ".join(map(_quote, (program, *words))), folder.replace("%", "%%")
        when = _DAYS.get(every) or f"*-{_MONTHS[every]}-1"
    elif scheduler == "cron":
        line = f"cd {shlex.quote(folder)} && {shlex.join([program, *words])}".replace("%", "\\%")
    values = {"name": name, "command": words[0], "every": every, "user": getpass.getuser()}
    # JSON is YAML.
    values |= {"args": json.dumps(words), "image": json.dumps(image)}
    return values | {"folder": folder, "line": line, "when": when}


def _cron_time(of: str, every: str) -> str:
    """A time of night in cron's syntax; it depends on the name, so that jobs are spread."""
    spread = zlib.crc32(of.encode())
    night = f"{spread % 60} {1 + spread // 60 % 4}"
    if every in _DAYS:
        return f"{night} * * {'*' if every == 'daily' else spread // 240 % 7}"
    return f"{night} {1 + spread // 240 % 28} {_MONTHS[every]} *"


def _quote(word: str) -> str:
    """A word as systemd.service(5) reads it."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if not word or set(word) & set(" \"'\\;") else escaped
