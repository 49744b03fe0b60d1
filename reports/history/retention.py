"""Which runs of a folder are kept whatever their age: those that something still rests on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path

from reports.errors import Distrusted
from reports.evidence.context import Schedule
from reports.evidence.json_file import RECORD
from reports.history.runs import History, Past, load_history
from reports.history.status import recurs, sealed_past, standings
from reports.seal.examine import ACTS, Trust
from reports.seal.manifest import SIGNATURE
from reports.seal.sealer import BUNDLE
from reports.seal.signature import open_envelope
from reports.verdict.verdicts import PASSED


def reasons_to_keep(folder: Path, now: datetime) -> dict[str, str]:
    """Why a run is kept, by the name of its folder; a run that may go is not in it."""
    history, today = load_history(folder), now.date()
    runs = history.kept.runs
    found: dict[str, str] = {}
    for name, reason in (
        *_suspicious(folder, history),
        *_signed_off(folder),
        *((one.id, reason) for one in runs if (reason := _declared_reason(one, today))),
        *((one.id, "`drillbook status` rests on it") for one in _proofs(folder, runs, today)),
        *(
            (one.id, f"the last that passed: {one.facts.question}")
            for one in _last_passing(runs, today)
        ),
    ):
        found.setdefault(name, reason)
    return found


def _suspicious(folder: Path, history: History) -> Iterator[tuple[str, str]]:
    """Runs that cannot be judged, or that show a change of the history."""
    yield from ((name, "its evidence cannot be read") for name in history.unreadable)
    yield from ((name, "changed since: drillbook history says what") for name in history.changed)
    known = {*history.unreadable, *(one.id for one in history.kept.runs)}
    for file in folder.glob(f"*/{RECORD}"):
        if file.parent.name not in known:
            yield file.parent.name, "its evidence is of a run of another name"


def _signed_off(folder: Path) -> Iterator[tuple[str, str]]:
    for act in ACTS:
        for file in folder.glob(f"*/{BUNDLE}.{act}.json"):
            yield file.parent.name, f"signed off: {act}"


def _declared_reason(run: Past, today: date) -> str:
    until = run.facts.dispose_after
    return f"to be kept until {until}" if until and until >= today else ""


def _proofs(folder: Path, runs: Sequence[Past], today: date) -> Iterator[Past]:
    """The runs that `status` may name, with any of the keys that signed them, or without a key."""
    by_key: dict[str, list[Past]] = defaultdict(list)
    for one in filter(recurs, runs):
        with suppress(Distrusted, OSError):
            signatures = open_envelope((folder / one.id / SIGNATURE).read_bytes()).signatures
            if past := sealed_past(folder, one.id, Trust(unsigned=True)):
                by_key[next(iter(signatures))].append(past)
    for believed in (runs, *by_key.values()):
        for act in standings(believed, Schedule(), today):
            yield from filter(None, (act.last, act.failed, act.rehearsed))


def _last_passing(runs: Iterable[Past], today: date) -> Iterable[Past]:
    """The newest run that passed, of each instance and command; runs come oldest first."""
    newest = {}
    for run in runs:
        facts = run.facts
        honest = run.intact and not facts.mutant and run.finished.date() <= today
        if honest and facts.exit_code == PASSED:
            newest[run.grade, facts.system or facts.image, facts.question] = run
    return newest.values()
