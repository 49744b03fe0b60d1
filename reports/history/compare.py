"""Two runs before a change of release: which statements of the runbook they judge differently."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from drillbook.core.display import printable
from reports.errors import BadEvidence
from reports.evidence.model import Control, Run, Turned
from reports.history.runs import load_history, load_record, past_of
from reports.verdict import is_judged


def load_pair(option: Callable[[str], str | None]) -> tuple[Run | None, Run | None]:
    """The two records that were named, None for each that was not.

    BadEvidence for a bad file, for a run of another image, and for one with a planted bug.
    """
    if not (option("--verify-from") or option("--verify-to")):
        return None, None
    # A move to another database keeps the image of --from.
    older = option("--from")
    pair = (("--verify-from", older), ("--verify-to", option("--to") or older))
    first, second = (_named_run(name, option(name), image) for name, image in pair)
    return first, second


def _named_run(name: str, path: str | None, image: str | None) -> Run | None:
    if not path:
        return None
    try:
        run = load_record(Path(path).expanduser())
    except OSError as trouble:
        raise BadEvidence(f"{name} {path}: {trouble.strerror}; name a run's folder") from None
    facts, wanted = past_of(run).facts, (image or "").strip()
    need = f"give a run of `drillbook verify` on {wanted or 'the rehearsed image'}"
    if facts.mutant:
        raise BadEvidence(f"{name} {path}: its run has the planted bug {facts.mutant}; {need}")
    # A reference backend is no image, and its rehearsal is no evidence about a deployment.
    if facts.image != wanted and not wanted.startswith("reference:"):
        seen = facts.image or "no image"
        raise BadEvidence(printable(f"{name} {path}: its run examined {seen}; {need}"))
    return run


def newest_whole_run(folder: Path, image: str) -> Run | None:
    """The newest record of a whole `drillbook verify` on an image, without a planted bug."""
    for past in reversed(load_history(folder).runs):
        is_whole = past.facts.image == image and past.facts.question == "verify"
        if past.is_genuine and is_whole and not past.facts.ended_early:
            with suppress(BadEvidence, OSError):
                return load_record(folder / past.id)
    return None


def _judged_by_both(older: Run, newer: Run) -> list[tuple[Control, Control]]:
    """The statements of the runbook that both runs judged, each as the two judged it."""
    before = {control.id: control for control in older.controls if is_judged(control.verdict)}
    return [
        (before[control.id], control)
        for control in newer.controls
        if control.id in before and control.runbook and is_judged(control.verdict)
    ]


def verdict_changes(older: Run, newer: Run) -> Iterator[Turned]:
    """The statements of the runbook that the two runs judged differently."""
    for before, after in _judged_by_both(older, newer):
        if before.verdict is not after.verdict:
            verdicts = {"older": before.verdict.value, "newer": after.verdict.value}
            yield Turned(id=after.id, title=after.title, **verdicts)


def compared_facts(
    named: tuple[Run | None, Run | None], changed: dict[str, object], folder: Path
) -> dict[str, object]:
    """For the record of a change of release: the compared runs and the verdicts that differ.

    A run that was not named is looked for by its image. Empty if one of the two is missing.
    """
    images = (str(changed.get("older", "")), str(changed.get("newer", "")))
    older, newer = (
        run or newest_whole_run(folder, image) for run, image in zip(named, images, strict=True)
    )
    if older is None or newer is None:
        return {}
    return {
        "compared": (older.run.id, newer.run.id),
        "both_judged": len(_judged_by_both(older, newer)),
        "turned": [one.model_dump() for one in verdict_changes(older, newer)],
    }
