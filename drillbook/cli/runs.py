"""The folder of runs: which one `latest` names, and removing those that are old."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from drillbook.core import run_directory
from drillbook.core.answer import write_json
from drillbook.core.display import printable
from drillbook.core.files import read_file

_RECORD = "evidence.json"
_LARGEST = 64 << 20
# As the harness names a run, and a matrix of runs: when it began, and three random bytes.
_RUN = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{6}(-matrix)?")
# A run that has written nothing for so long has died.
_LATELY_S = 24 * 3600


def describe_latest(path: str) -> str:
    """Which run a path through `latest` leads to, when it ended and how; "" for another path."""
    folders = [folder for folder in (Path(path), *Path(path).parents) if folder.name == "latest"]
    if not folders or not folders[0].is_symlink():
        return ""
    run = folders[0].readlink().name
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads(read_file(folders[0] / _RECORD, _LARGEST))
        ended = datetime.fromisoformat(record["run"]["finished"]).astimezone(UTC)
        verdict = f"{record['verdict']}, {record['subject']['grade']}"
        run += f", ended {ended:%Y-%m-%d %H:%M} UTC: {verdict}"
    return printable(f"{folders[0]} is run {run}")


def _old_runs(
    folder: Path, keep_last: int, since: datetime, retained: Mapping[str, str]
) -> Iterator[tuple[Path, str]]:
    """Each run of a folder, the newest first, and why it is kept; "" where it may be removed."""
    link = folder / "latest"
    latest = link.resolve().name if link.is_symlink() else None
    folders = (one for one in folder.iterdir() if one.is_dir() and not one.is_symlink())
    runs = sorted((one for one in folders if _RUN.fullmatch(one.name)), reverse=True)
    for number, run in enumerate(runs):
        began = datetime.strptime(run.name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if run.name == latest:
            yield run, "latest names it"
        elif _may_be_under_way(run):
            yield run, "it may be under way"
        elif run.name in retained:
            yield run, retained[run.name]
        elif number < keep_last:
            yield run, "one of the last"
        elif began >= since:
            yield run, "young enough"
        else:
            yield run, ""


def _may_be_under_way(run: Path) -> bool:
    """Whether a process holds it, or it has no evidence yet and was written to lately."""
    try:
        os.close(run_directory.hold(run))
    except BlockingIOError:
        return True
    except OSError:
        # No locks on that file system.
        pass
    if (run / _RECORD).exists():
        return False
    newest = max(path.lstat().st_mtime for path in (run, *run.rglob("*")))
    return time.time() - newest < _LATELY_S


def prune(
    folder: Path,
    keep_last: int,
    keep_days: int,
    retained: Mapping[str, str],
    *,
    as_json: bool,
    dry: bool,
) -> int:
    """Remove old runs, and say what goes and what stays.

    Kept are the run that `latest` names, one that may be under way, those that are retained (by
    name, with the reason), the last keep_last, and those younger than keep_days. The line of a run
    in the history stays, and so does anything that is not a run.
    """
    since = datetime.now(UTC) - timedelta(days=keep_days)
    kept: list[dict[str, str]] = []
    removed: list[dict[str, str]] = []
    for run, reason in _old_runs(folder, keep_last, since, retained):
        if not reason and not dry:
            shutil.rmtree(run)
        (kept if reason else removed).append({"run": run.name, "reason": reason})
    if as_json:
        names = [row["run"] for row in removed]
        write_json("prune", folder=str(folder), removed=names, kept=kept, dry_run=dry)
        return 0
    word = "would be removed" if dry else "removed"
    lines = [f"{word}: {row['run']}" for row in removed]
    lines += [f"kept: {row['run']} ({row['reason']})" for row in kept]
    sys.stdout.write("\n".join([*lines, f"{folder}: {len(removed)} {word}, {len(kept)} kept\n"]))
    return 0
