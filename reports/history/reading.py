"""What earlier runs saw, from the evidence they left in a folder.

Whether it was changed since, the seal says: a run's manifest has the digest of its evidence, and
the next run's evidence that of the manifest. The ledger only remembers runs whose folders are gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import AwareDatetime

from drillbook.core.files import read_file
from reports.errors import Distrusted
from reports.history import ledger
from reports.history.facts import Facts, Seen
from reports.model import Grade, Run
from reports.part import strict_json
from reports.seal.manifest import MANIFEST, digest, parse
from reports.verdict import Verdict

_RECORD = "evidence.json"
_LARGEST = 64 << 20


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier run: when it ended, how far its evidence reaches, which controls it satisfied.

    `facts` has the rest (verdicts, objectives, how long it counts). `kept`: its evidence is in the
    folder; `intact`: and it is what its seal says it was, where it has one.
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
    found: dict[str, Past] = {}
    seen: dict[str, Seen] = {}
    unreadable = []
    for file in sorted(folder.glob(f"*/{_RECORD}")):
        if file.parent.is_symlink():
            continue
        try:
            data = read_file(file, _LARGEST)
            record = Seen.model_validate(strict_json(data))
        except (OSError, ValueError, RecursionError):
            unreadable.append(file.parent.name)
            continue
        name = record.run.id
        found[name] = _past(record, intact=_is_as_sealed(file.parent, data))
        seen[name] = record
    lines, trouble = ledger.load(ledger.beside(folder))
    gone = {line.run: _remembered(line) for line in lines if line.run not in found}
    runs = sorted((found | gone).values(), key=lambda one: one.finished)
    troubles = ([trouble] if trouble else []) + list(_troubles(folder, found, seen))
    return History(tuple(runs), tuple(unreadable), tuple(troubles))


def past_of(run: Run) -> Past:
    """A run by a record at hand."""
    return _past(Seen.model_validate(run.model_dump(mode="json")))


def _past(seen: Seen, *, intact: bool = True) -> Past:
    run, facts = seen.run, seen.facts()
    satisfied = _satisfied(facts)
    return Past(run.id, run.finished, seen.subject.grade, satisfied, facts, intact=intact)


def _remembered(line: ledger.Line) -> Past:
    satisfied = _satisfied(line.facts)
    return Past(line.run, line.finished, line.grade, satisfied, line.facts, kept=False)


def _satisfied(facts: Facts) -> frozenset[str]:
    return frozenset(one for one, seen in facts.verdicts.items() if seen is Verdict.SATISFIED)


def _is_as_sealed(folder: Path, evidence: bytes) -> bool:
    """Whether evidence is what the manifest beside it says, if there is one."""
    try:
        manifest = parse(read_file(folder / MANIFEST, _LARGEST))
    except FileNotFoundError:
        return True
    except (OSError, Distrusted):
        return False
    return manifest.digests.get(_RECORD) == digest([evidence])


def _troubles(folder: Path, found: Mapping[str, Past], seen: Mapping[str, Seen]) -> Iterator[str]:
    """Evidence that is not what was sealed; a seal that is not the one a later run followed."""
    for name, past in found.items():
        if not past.intact:
            yield f"run {name}: its {_RECORD} and its {MANIFEST} differ: one was changed since"
    for name, record in seen.items():
        before = record.seal.previous
        if before and before.run in found and _seal(folder / before.run) != before.manifest_sha256:
            yield f"run {before.run}: its {MANIFEST} is not the one that run {name} follows"


def _seal(folder: Path) -> str | None:
    try:
        return digest([read_file(folder / MANIFEST, _LARGEST)])
    except OSError:
        return None
