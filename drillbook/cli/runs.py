"""The folder of runs: which one `latest` names, and removing those that are old."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from drillbook.core.answer import write_json
from drillbook.core.display import printable
from drillbook.core.files import read_file

_RECORD = "evidence.json"
_LARGEST = 64 << 20
# As the harness names a run, and a matrix of runs: when it began, and three random bytes.
_RUN = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{6}(-matrix)?")
_UNUSABLE = 3


def describe_latest(path: str) -> str:
    """Which run a path through `latest` is of, when it ended and how; nothing for another path."""
    folders = [one for one in (Path(path), *Path(path).parents) if one.name == "latest"]
    if not folders or not folders[0].is_symlink():
        return ""
    named = folders[0].readlink().name
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads(read_file(folders[0] / _RECORD, _LARGEST))
        ended = datetime.fromisoformat(record["run"]["finished"]).astimezone(UTC)
        verdict = f"{record['verdict']}, {record['subject']['grade']}"
        named += f", ended {ended:%Y-%m-%d %H:%M} UTC: {verdict}"
    return printable(f"{folders[0]} is run {named}")


def _old_runs(folder: Path, keep_last: int, since: datetime) -> Iterator[tuple[Path, str]]:
    """Each run of a folder, and why it is kept; nothing where it may go. The newest come first."""
    latest = folder / "latest"
    named = latest.resolve().name if latest.is_symlink() else None
    found = [one for one in folder.iterdir() if one.is_dir() and not one.is_symlink()]
    runs = sorted((one for one in found if _RUN.fullmatch(one.name)), reverse=True)
    for number, run in enumerate(runs):
        began = datetime.strptime(run.name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if run.name == named:
            yield run, "latest names it"
        elif number < keep_last:
            yield run, "one of the last"
        elif began >= since:
            yield run, "young enough"
        else:
            yield run, ""


def prune(folder: Path, keep_last: int, keep_days: int, *, as_json: bool, dry: bool) -> int:
    """Remove old runs, and say what goes and what stays; exit code 3 where one cannot go.

    What is kept: the run that `latest` names, the last so many, and those younger than that. The
    line of a run in the history stays, and so does whatever is no run.
    """
    since = datetime.now(UTC) - timedelta(days=keep_days)
    kept: list[dict[str, str]] = []
    removed: list[dict[str, str]] = []
    try:
        for run, reason in _old_runs(folder, keep_last, since):
            if not reason and not dry:
                shutil.rmtree(run)
            (kept if reason else removed).append({"run": run.name, "reason": reason})
    except OSError as trouble:
        name = os.fspath(trouble.filename or folder)
        sys.stderr.write(printable(f"prune: {name}: {trouble.strerror}") + "\n")
        return _UNUSABLE
    if as_json:
        gone = [one["run"] for one in removed]
        write_json("prune", folder=str(folder), removed=gone, kept=kept, dry_run=dry)
        return 0
    word = "would be removed" if dry else "removed"
    lines = [f"{word}: {one['run']}" for one in removed]
    lines += [f"kept: {one['run']} ({one['reason']})" for one in kept]
    sys.stdout.write("\n".join([*lines, f"{folder}: {len(removed)} {word}, {len(kept)} kept\n"]))
    return 0
