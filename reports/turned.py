"""Which statements change their verdict between two releases: from two records of `make verify`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from reports.again import RECORD, record
from reports.change import Turned
from reports.errors import BadEvidence
from reports.matrix import shifts
from reports.model import Run


def given(path: str, option: str) -> Run:
    """The record a user names: evidence.json, a run's folder, or a bundle; BadEvidence else."""
    try:
        return record(Path(path).expanduser())
    except OSError as trouble:
        raise BadEvidence(f"{option}={path}: {trouble.strerror}; name a run's folder") from None


def named(option: Callable[[str], str | None]) -> tuple[Run | None, Run | None]:
    """The two records that were named, as far as they were."""
    older, newer = option("--verify-from"), option("--verify-to")
    return (
        given(older, "VERIFY_FROM") if older else None,
        given(newer, "VERIFY_TO") if newer else None,
    )


def found(folder: Path, image: str) -> Run | None:
    """The newest record of a whole run on an image, among those kept in a folder of runs."""
    for path in sorted(folder.glob(f"*/{RECORD}"), reverse=True):
        if path.parent.is_symlink():
            continue
        try:
            run = record(path)
        except (BadEvidence, OSError):
            continue
        if run.subject.backend.image == image and not (run.run.asked or run.run.selection):
            return run
    return None


def turned(older: Run, newer: Run) -> Iterator[Turned]:
    """The statements of the runbook that both runs judged, and not alike."""
    for row in shifts(older, newer):
        before, after = (cell.verdict.value if cell.verdict else None for cell in row.cells)
        yield Turned(id=row.id, title=row.title, older=before, newer=after)


def facts(
    named: tuple[Run | None, Run | None], changed: dict[str, object], folder: Path
) -> dict[str, object]:
    """For the record of a change: the runs that were compared, and what differs between them.

    A run that was not named is looked for by its image. Empty where one of the two is missing.
    """
    images = (str(changed.get("older", "")), str(changed.get("newer", "")))
    older, newer = (run or found(folder, image) for run, image in zip(named, images, strict=True))
    if older is None or newer is None:
        return {}
    return {
        "compared": (older.run.id, newer.run.id),
        "turned": [one.model_dump() for one in turned(older, newer)],
    }
