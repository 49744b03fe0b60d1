"""What earlier runs saw, from the evidence they left in the same folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ValidationError

from reports.model import Grade
from reports.verdict import Verdict

_LARGEST = 64 << 20


class _Facts(BaseModel):
    id: str
    finished: AwareDatetime


class _Subject(BaseModel):
    grade: Grade


class _Control(BaseModel):
    id: str
    verdict: Verdict


class _Evidence(BaseModel):
    """As much of a record as is asked for here, whatever later versions add."""

    run: _Facts
    subject: _Subject
    controls: tuple[_Control, ...]


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier run: when it ended, how far its evidence reaches, which controls it satisfied."""

    id: str
    finished: AwareDatetime
    grade: Grade
    satisfied: frozenset[str]


@dataclass(frozen=True, slots=True)
class History:
    """Earlier runs, oldest first, and the folders whose evidence could not be read."""

    runs: tuple[Past, ...]
    unreadable: tuple[str, ...]


def read(folder: Path) -> History:
    """All evidence in a folder of bundles; a folder that is not there holds none."""
    runs, unreadable = [], []
    for file in sorted(folder.glob("*/evidence.json")):
        if file.parent.is_symlink():
            continue
        past = _past(file)
        if past:
            runs.append(past)
        else:
            unreadable.append(file.parent.name)
    return History(tuple(sorted(runs, key=lambda one: one.finished)), tuple(unreadable))


def _past(file: Path) -> Past | None:
    try:
        if file.stat().st_size > _LARGEST:
            return None
        seen = _Evidence.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None
    satisfied = {one.id for one in seen.controls if one.verdict is Verdict.SATISFIED}
    return Past(seen.run.id, seen.run.finished, seen.subject.grade, frozenset(satisfied))
