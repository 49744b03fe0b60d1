"""Where a backup lies: what the operator names, and which of a folder's backups is the newest."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from drillbook.backup.archive import MAGIC
from drillbook.backup.sql import TRAILER
from drillbook.backup.tables import open_dump
from drillbook.core.errors import BadInput

Kind = Literal["pipe", "path", "container", "url"]

# A Makefile hands a URL over by the environment: a command line can be read by everybody.
BY_ENVIRONMENT = "env:"
# A backup that is dumped from a container when it is asked for.
CONTAINER = "docker:"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:(?P<user>[^/@]*)@)?(?P<rest>.*)", re.DOTALL)
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Address:
    """Where a backup lies. what is a path, a container's name or a URL; shown is fit for records.

    secrets are the parts of a URL that must appear nowhere.
    """

    kind: Kind
    what: str = field(repr=False)
    shown: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    scheme: str = ""


def parse(given: str) -> Address:
    """Tell what the operator names; BadInput for what can be no backup's place."""
    text = _handed(given).strip()
    if len(text) > _LONGEST or not text.isprintable():
        raise BadInput(
            "the backup given is neither a path nor a URL: too long, or with control characters"
        )
    if text == "-":
        return Address("pipe", text, "standard input")
    if text.startswith(CONTAINER) and "://" not in text:
        return _container(text.removeprefix(CONTAINER))
    if found := _URL.fullmatch(text):
        return _url(text, found)
    return Address("path", text, text)


def _handed(given: str) -> str:
    if not given.startswith(BY_ENVIRONMENT):
        return given
    return os.environ.get(given.removeprefix(BY_ENVIRONMENT), "")


def _container(name: str) -> Address:
    if not _NAME.fullmatch(name):
        raise BadInput(f"docker:{name[:60]} names no container; say docker:<its name>")
    return Address("container", name, f"{CONTAINER}{name}")


def _url(text: str, found: re.Match[str]) -> Address:
    if "::" in text:
        raise BadInput("the backup is given as a chain of URLs (::), which keeps copies; give one")
    if found["scheme"] in ("file", "local"):
        path = unquote(found["rest"]) if found["scheme"] == "file" else found["rest"]
        return Address("path", path, path)
    where, _, query = found["rest"].partition("?")
    shown = f"{found['scheme']}://{where}{'?…' if query else ''}"
    return Address("url", text, shown, tuple(_secrets(found["user"] or "", query)), found["scheme"])


def _secrets(user: str, query: str) -> set[str]:
    name, _, password = user.partition(":")
    values = {one.partition("=")[2] for one in query.split("&")}
    return {
        one for raw in (user, name, password, query, *values) for one in (raw, unquote(raw))
    } - {""}


SUFFIXES = (".sql", ".sql.gz", ".sql.zst", ".sql.xz", ".sql.lz4", ".dump", ".tar", ".backup")
TAIL = 4096
_YOUNG_S = 60.0
_LOOK_AGAIN_S = 0.5
_MOST_NAMED = 3


def holds_backups(path: Path) -> bool:
    """Whether it is a folder of backups, and not itself one of pg_dump -Fd."""
    return path.is_dir() and not (path / "toc.dat").exists()


def is_archive_folder(path: Path) -> bool:
    """Whether it is a folder that pg_dump -Fd made."""
    return (path / "toc.dat").is_file()


def newest_first(folder: Path) -> list[Path]:
    """Everything in a folder that is called as a backup is, whether it is whole or not."""
    return sorted(_fitting(folder), key=_changed, reverse=True)


def newest(folder: Path) -> tuple[Path, str]:
    """The newest backup that looks complete, and what it is; BadInput where there is none."""
    passed: list[str] = []
    try:
        for file in newest_first(folder):
            if why := reason_incomplete(file):
                passed.append(f"{file.name} ({why})")
                continue
            return file, _said(file, passed)
    except OSError as trouble:
        raise BadInput(f"folder {folder}: {trouble.strerror}; check the backup given") from None
    if passed:
        named = "; ".join(passed[:_MOST_NAMED])
        raise BadInput(f"folder {folder} holds no backup that is complete: {named}")
    raise BadInput(
        f"folder {folder} holds no {', '.join(SUFFIXES)}, and no toc.dat of pg_dump -Fd; "
        "check the backup given"
    )


def _fitting(folder: Path) -> Iterator[Path]:
    for one in folder.iterdir():
        named = one.name.endswith(SUFFIXES) and not one.name.startswith(".")
        if (named and one.is_file()) or is_archive_folder(one):
            yield one


def _changed(file: Path) -> float:
    """Seconds since 1970; of a folder of -Fd its table of contents, which is written last."""
    return ((file / "toc.dat") if file.is_dir() else file).stat().st_mtime


def reason_incomplete(file: Path) -> str:
    """Why a file cannot be a backup that is done; empty when it looks like one.

    A plain file is looked at where it ends, an archive where its parts end; what is packed is
    unpacked, since nothing else shows that it was cut. Whether the rows are whole is for the proof.
    """
    if file.is_dir():
        return why_cut(file)
    facts = file.stat()
    if not facts.st_size:
        return "empty"
    if time.time() - facts.st_mtime < _YOUNG_S:
        time.sleep(_LOOK_AGAIN_S)
        again = file.stat()
        if (again.st_size, again.st_mtime_ns) != (facts.st_size, facts.st_mtime_ns):
            return "still being written"
    if file.name.endswith(".sql"):
        with file.open("rb") as plain:
            plain.seek(max(0, facts.st_size - TAIL))
            return "" if ends_well(plain.read()) else "cut short: pg_dump's last words are missing"
    return why_cut(file)


def why_cut(backup: Path) -> str:
    """Why a backup of any form but a plain file is not a whole one; empty for a whole one."""
    try:
        with open_dump(backup, ()) as dump:
            return f"cut short: it {dump.damage}" if dump.damage else ""
    except BadInput as why:
        return str(why).removeprefix(f"backup {backup} ").partition("; ")[0]


def ends_well(tail: bytes) -> bool:
    """Whether the last bytes of a plain dump hold the words that pg_dump writes last."""
    return TRAILER in tail or tail.startswith((MAGIC, b"\x1f\x8b"))


def _said(file: Path, passed: list[str]) -> str:
    when = datetime.fromtimestamp(_changed(file), UTC)
    said = f"the newest of the folder is {file.name}, of {when:%Y-%m-%d %H:%M} UTC"
    return said + skip_notice(passed)


def skip_notice(passed: list[str]) -> str:
    """The newer ones that were not taken, to be said aloud: someone relies on them."""
    if not passed:
        return ""
    more = f" and {len(passed) - _MOST_NAMED} more" if len(passed) > _MOST_NAMED else ""
    return f"; NEWER BUT NOT TAKEN: {', '.join(passed[:_MOST_NAMED])}{more}"
