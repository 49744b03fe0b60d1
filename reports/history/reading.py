"""What earlier runs saw, from the evidence they left in a folder and from its ledger.

Evidence goes before the ledger, which knows the runs whose folders are gone and those that were
changed since.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import AwareDatetime

from drillbook.core.files import read_file
from reports.history import ledger
from reports.history.facts import Facts, Seen
from reports.model import Grade, Run
from reports.part import strict_json
from reports.verdict import Verdict

_LARGEST = 64 << 20


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier run: when it ended, how far its evidence reaches, which controls it satisfied.

    `facts` has the rest (verdicts, objectives, how long it counts). `kept`: its evidence is in the
    folder; `intact`: and it is what the ledger says it was.
    """

    id: str
    finished: AwareDatetime
    grade: Grade
    satisfied: frozenset[str]
    facts: Facts = field(default_factory=Facts)
    kept: bool = True
    intact: bool = True


@dataclass(frozen=True, slots=True)
class History:
    """Earlier runs, oldest first; folders whose evidence cannot be read; what else is wrong."""

    runs: tuple[Past, ...]
    unreadable: tuple[str, ...]
    troubles: tuple[str, ...] = ()

    @property
    def kept(self) -> History:
        """Only the runs whose evidence is still there."""
        runs = tuple(one for one in self.runs if one.kept)
        return History(runs, self.unreadable, self.troubles)


def read(folder: Path) -> History:
    """All runs of a folder of bundles and of its ledger; where neither is there is no history."""
    known = ledger.load(ledger.beside(folder))
    lines = {line.run: line for line in known.lines}
    found: dict[str, Past] = {}
    unreadable = []
    for file in sorted(folder.glob("*/evidence.json")):
        if file.parent.is_symlink():
            continue
        line = lines.get(file.parent.name)
        if past := _past(file, line, last=line is not None and line is known.lines[-1]):
            found[past.id] = past
        else:
            unreadable.append(file.parent.name)
    gone = {name: _of(line, kept=False) for name, line in lines.items() if name not in found}
    runs = sorted((found | gone).values(), key=lambda one: one.finished)
    return History(tuple(runs), tuple(unreadable), tuple(_troubles(known, found)))


def _past(file: Path, line: ledger.Line | None, *, last: bool) -> Past | None:
    """A run by its line where the evidence is still that of the line, else by its evidence.

    No line follows the last one and vouches for it, so that one is compared with its evidence.
    """
    try:
        data = read_file(file, _LARGEST)
        same = line and hashlib.sha256(data).hexdigest() == line.evidence_sha256
        if line and same and not last:
            return _of(line)
        seen = Seen.model_validate(strict_json(data))
    except (OSError, ValueError, RecursionError):
        return None
    run, facts = seen.run, seen.facts()
    past = Past(run.id, run.finished, seen.subject.grade, _satisfied(facts), facts)
    manifest = ledger.digest(file.with_name("MANIFEST.json"))
    intact = line is None or (same and past == _of(line) and manifest == line.manifest_sha256)
    return replace(past, intact=bool(intact))


def past_of(run: Run) -> Past:
    """A run by a record at hand."""
    facts = Seen.model_validate(run.model_dump(mode="json")).facts()
    return Past(run.run.id, run.run.finished, run.subject.grade, _satisfied(facts), facts)


def _of(line: ledger.Line, *, kept: bool = True) -> Past:
    satisfied = _satisfied(line.facts)
    return Past(line.run, line.finished, line.grade, satisfied, line.facts, kept)


def _satisfied(facts: Facts) -> frozenset[str]:
    return frozenset(one for one, seen in facts.verdicts.items() if seen is Verdict.SATISFIED)


def _troubles(known: ledger.Ledger, found: dict[str, Past]) -> Iterator[str]:
    """A broken chain; runs that ended after the first line and have none; changed evidence."""
    if known.trouble:
        yield known.trouble
    lines = {line.run for line in known.lines}
    first = known.lines[0].finished if known.lines else None
    cut = [name for name, one in found.items() if first and one.finished > first]
    for name in sorted(set(cut) - lines):
        yield f"run {name} left evidence and has no line in the history: it was cut off"
    for name, one in found.items():
        if not one.intact:
            yield f"run {name}: its evidence.json and its line differ: one was changed since"
