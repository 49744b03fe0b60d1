"""What changed from a run to the next one that asked the same, and which evidence is past its time.

Two runs are comparable when they asked the same question of the same system by the same kind of
stack; the image may differ, as that is what one wants to know. A planted bug sets a run apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Literal, NamedTuple

from reports.history.runs import Past
from reports.verdict.verdicts import IDLE, Verdict

Kind = Literal["newly violated", "newly contradicted", "healed", "no longer run", "other"]
ORDER: tuple[Kind, ...] = (
    "newly violated",
    "no longer run",
    "newly contradicted",
    "healed",
    "other",
)
_AMISS = (Verdict.VIOLATED, Verdict.CONTRADICTED, Verdict.INCONCLUSIVE)


class Change(NamedTuple):
    """A control whose verdict is another than before; None where it was not known at all."""

    control: str
    before: Verdict | None
    now: Verdict | None
    kind: Kind


class Stale(NamedTuple):
    """Controls whose newest evidence counts no longer, and the run it is of."""

    run: Past
    controls: tuple[str, ...]


class Correction(NamedTuple):
    """A sentence the runbook should carry: in which run it was first and last asked for."""

    control: str
    text: str
    first: Past
    last: Past
    open: bool


def key(past: Past) -> tuple[object, ...]:
    """What two runs must share to be comparable."""
    facts = past.facts
    remote = facts.driver == "remote"
    return past.grade, facts.question, facts.system, facts.mutant, remote


def before(runs: Sequence[Past], run: Past) -> Past | None:
    """The last comparable run that ended before this one; runs are oldest first."""
    earlier = [one for one in runs if one.finished < run.finished and key(one) == key(run)]
    return earlier[-1] if earlier else None


def changes(earlier: Past, later: Past) -> list[Change]:
    """Controls with another verdict, the worst first."""
    was, now = earlier.facts.verdicts, later.facts.verdicts
    found = [
        Change(one, was.get(one), now.get(one), _kind(was.get(one), now.get(one)))
        for one in dict.fromkeys((*now, *was))
        if was.get(one) is not now.get(one)
    ]
    return sorted(found, key=lambda change: ORDER.index(change.kind))


def _kind(was: Verdict | None, now: Verdict | None) -> Kind:
    if now is Verdict.VIOLATED:
        return "newly violated"
    if now is Verdict.CONTRADICTED:
        return "newly contradicted"
    if was in _AMISS and now is Verdict.SATISFIED:
        return "healed"
    if _ran(was) and not _ran(now):
        return "no longer run"
    return "other"


def _ran(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict not in IDLE


def stale(runs: Iterable[Past], today: date) -> list[Stale]:
    """Evidence past its time to live: of each system and grade, the newest of each control."""
    newest: dict[tuple[str, str | None, str], Past] = {}
    for run in runs:
        for control, verdict in run.facts.verdicts.items():
            if _ran(verdict) and not run.facts.mutant:
                newest[run.grade, run.facts.system, control] = run
    old: dict[str, tuple[Past, list[str]]] = {}
    for (*_, control), run in newest.items():
        if run.facts.valid_until and run.facts.valid_until < today:
            old.setdefault(run.id, (run, []))[1].append(control)
    return [Stale(run, tuple(controls)) for run, controls in old.values()]


def overdue(runs: Iterable[Past], today: date) -> list[Past]:
    """Runs whose evidence is kept longer than was declared."""
    return [one for one in runs if one.kept and (one.facts.dispose_after or today) < today]


def corrections(runs: Sequence[Past]) -> list[Correction]:
    """Every sentence that was ever asked for, newest last; `open` while the newest run asks."""
    return sorted(_corrections(runs), key=lambda one: (not one.open, one.control))


def _corrections(runs: Sequence[Past]) -> Iterator[Correction]:
    runs_by_sentence: dict[tuple[str, str], list[Past]] = {}
    judged: dict[tuple[str, object], Past] = {}
    for run in [one for one in runs if not one.facts.mutant]:
        for control, text in run.facts.corrections.items():
            runs_by_sentence.setdefault((control, text), []).append(run)
        for control, verdict in run.facts.verdicts.items():
            if _ran(verdict):
                judged[control, run.grade] = run
    for (control, text), by in runs_by_sentence.items():
        last = judged.get((control, by[-1].grade), by[-1])
        yield Correction(control, text, by[0], by[-1], last.id == by[-1].id)
