"""`drillbook prune`: removes old runs, except those that something still depends on."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

from drillbook.core import run_directory
from drillbook.core.display import printable, write_json
from drillbook.core.files import read_file
from reports.evidence.context import Organisation, Schedule
from reports.evidence.json_file import RECORD
from reports.history.runs import History, Past, find_runs, load_history
from reports.history.status import of_system, recurs, sealed_past, standings
from reports.seal.verify_bundle import ACTS, BUNDLE, SIGNATURE, Tampered, Trust, open_envelope
from reports.verdict import PASSED, UNUSABLE

# The name of a run, or of a matrix of runs: when it began, and three random bytes.
_RUN = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{6}(-matrix)?")
# A run without evidence that has written nothing for so long has died.
_LATELY_S = 24 * 3600
_LARGEST_ENVELOPE = 8 << 20


def main(given: SimpleNamespace) -> int:
    """Remove old runs, and print what is removed and what is kept.

    Kept are the run that `latest` names, a run that may be under way, runs that something depends
    on, the last keep_last, and runs younger than keep_within. The line of a run in the history
    stays, and so does everything that is not a run. What cannot be removed is listed as kept, and
    ends the command with UNUSABLE.
    """
    folder, now = find_runs(given.run_dir), datetime.now(UTC)
    since = now - timedelta(days=int((given.keep_within or "0d")[:-1]))
    retained = reasons_to_keep(folder, now)
    kept: list[dict[str, str]] = []
    removed: list[str] = []
    code = PASSED
    for run, why in _old_runs(folder, int(given.keep_last or 0), since, retained):
        reason = why
        if not (reason or given.dry_run):
            try:
                shutil.rmtree(run)
            except OSError as trouble:
                reason = f"not removed, or in part: {trouble.filename or run}: {trouble.strerror}"
                code = UNUSABLE
        if reason:
            kept.append({"run": run.name, "reason": reason})
        else:
            removed.append(run.name)
    if given.output == "json":
        dry = bool(given.dry_run)
        write_json("prune", folder=str(folder), removed=removed, kept=kept, dry_run=dry)
        return code
    word = "would be removed" if given.dry_run else "removed"
    lines = [f"{word}: {name}" for name in removed]
    # A reason may quote a record, whose author can be a stranger.
    lines += [printable(f"kept: {row['run']} ({row['reason']})") for row in kept]
    sys.stdout.write("\n".join([*lines, f"{folder}: {len(removed)} {word}, {len(kept)} kept\n"]))
    return code


def _old_runs(
    folder: Path, keep_last: int, since: datetime, retained: Mapping[str, str]
) -> Iterator[tuple[Path, str]]:
    """Each run of a folder, newest first, and why it is kept; "" if it may be removed.

    Only runs with evidence count as the last: a matrix or an aborted run must not replace one.
    """
    link = folder / "latest"
    latest = link.resolve().name if link.is_symlink() else None
    folders = (one for one in folder.iterdir() if one.is_dir() and not one.is_symlink())
    runs = sorted((one for one in folders if _began(one.name)), reverse=True)
    newer = 0
    for run in runs:
        began, is_last = _began(run.name), newer < keep_last
        newer += (run / RECORD).exists()
        if run.name == latest:
            yield run, "latest names it"
        elif _may_be_under_way(run):
            yield run, "it may be under way"
        elif run.name in retained:
            yield run, retained[run.name]
        elif is_last:
            yield run, "one of the last"
        elif began and began >= since:
            yield run, "young enough"
        else:
            yield run, ""


def _began(name: str) -> datetime | None:
    """When the run or matrix of this name began; None if the name is not of one."""
    match = _RUN.fullmatch(name)
    # A name may look like that of a run and contain a date that does not exist.
    with suppress(ValueError):
        return match and datetime.strptime(match[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return None


def _may_be_under_way(run: Path) -> bool:
    """Whether a process holds its lock, or it has no evidence yet and was written to lately."""
    try:
        os.close(run_directory.hold(run))
    except BlockingIOError:
        return True
    except OSError:
        # The file system has no locks.
        pass
    if (run / RECORD).exists():
        return False
    newest = max(path.lstat().st_mtime for path in (run, *run.rglob("*")))
    return time.time() - newest < _LATELY_S


def reasons_to_keep(folder: Path, now: datetime) -> dict[str, str]:
    """Why a run is kept, by the name of its folder; runs that may be removed are left out."""
    found: dict[str, str] = {}
    for name, reason in _reasons(folder, load_history(folder), now.date()):
        found.setdefault(name, reason)
    return found


def _reasons(folder: Path, history: History, today: date) -> Iterator[tuple[str, str]]:
    """The name of a run and a reason to keep it, the strongest reason first."""
    runs = history.kept.runs
    yield from _suspicious(folder, history)
    for act in ACTS:
        for file in folder.glob(f"*/{BUNDLE}.{act}.json"):
            yield file.parent.name, f"signed off: {act}"
    for run in runs:
        until = run.facts.dispose_after
        if until and until >= today:
            yield run.id, f"to be kept until {until}"
    for run in _proofs(folder, runs, today):
        yield run.id, "`drillbook status` rests on it"
    for run in _last_passing(runs, today):
        yield run.id, f"the last that passed: {run.facts.question}"


def _suspicious(folder: Path, history: History) -> Iterator[tuple[str, str]]:
    """Runs that cannot be read, and runs that were changed."""
    yield from ((name, "its evidence cannot be read") for name in history.unreadable)
    yield from ((name, "changed since: drillbook history says what") for name in history.changed)
    known = {*history.unreadable, *(one.id for one in history.kept.runs)}
    for file in folder.glob(f"*/{RECORD}"):
        if file.parent.name not in known:
            yield file.parent.name, "its evidence is of a run of another name"


def _proofs(folder: Path, runs: Sequence[Past], today: date) -> Iterator[Past]:
    """The runs that `status` may name: of any one system and key that signed, or without."""
    by_key: dict[str, list[Past]] = defaultdict(list)
    for one in filter(recurs, runs):
        with suppress(Tampered, OSError):
            envelope = read_file(folder / one.id / SIGNATURE, _LARGEST_ENVELOPE)
            _, signer, _ = open_envelope(envelope)
            if past := sealed_past(folder, one.id, Trust(unsigned=True)):
                by_key[signer].append(past)
    for believed in (runs, *by_key.values()):
        systems = {one.facts.system for one in believed}
        for system in (None, *systems):
            own = of_system(believed, Organisation(system=system))
            for act in standings(own, Schedule(), today):
                yield from filter(None, (act.last, act.failed, act.rehearsed))


def _last_passing(runs: Iterable[Past], today: date) -> Iterable[Past]:
    """The newest run that passed, for each instance and question; runs come oldest first."""
    newest = {}
    for run in runs:
        facts = run.facts
        if run.is_genuine and run.finished.date() <= today and facts.passed:
            newest[run.grade, facts.whose or facts.image, facts.question] = run
    return newest.values()
