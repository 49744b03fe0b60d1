"""The six verdicts, their order, and the exit code of a run."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from functools import total_ordering
from typing import Literal

from drillbook.core.errors import FAILED, PASSED, UNDECIDED, UNUSABLE

__all__ = ["FAILED", "PASSED", "UNDECIDED", "UNUSABLE"]

Nature = Literal["claim", "safety"]
Severity = Literal["critical", "major", "minor", "info"]


@total_ordering
class Verdict(Enum):
    """What is known of a control after a run; each is worse than the one above it."""

    NOT_APPLICABLE = "not_applicable"
    SATISFIED = "satisfied"
    NOT_RUN = "not_run"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"
    VIOLATED = "violated"

    def __lt__(self, other: Verdict) -> bool:
        return _ORDER.index(self) < _ORDER.index(other)

    def of(self, nature: Nature) -> Verdict:
        """The verdict for a control of this nature: a violated claim is only contradicted."""
        contradicted = self is Verdict.VIOLATED and nature == "claim"
        return Verdict.CONTRADICTED if contradicted else self

    @property
    def words(self) -> str:
        """The verdict as words."""
        return self.value.replace("_", " ")


_ORDER = list(Verdict)
HOLDS = (Verdict.SATISFIED, Verdict.NOT_APPLICABLE)
IDLE = (Verdict.NOT_RUN, Verdict.NOT_APPLICABLE)
_EXIT_CODES = {
    Verdict.NOT_APPLICABLE: PASSED,
    Verdict.SATISFIED: PASSED,
    Verdict.NOT_RUN: UNDECIDED,
    Verdict.CONTRADICTED: FAILED,
    Verdict.INCONCLUSIVE: UNDECIDED,
    Verdict.VIOLATED: FAILED,
}


def is_judged(verdict: Verdict | None) -> bool:
    """Whether a control ran and came to a verdict; None stands for a control that is missing."""
    return verdict is not None and verdict not in IDLE


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of these verdicts; not_run if there is none."""
    return max(verdicts, default=Verdict.NOT_RUN)


def gates(nature: Nature, severity: Severity, *, strict: bool = False) -> bool:
    """Whether a control decides the exit code. In a strict run, every claim does as well."""
    return strict if nature == "claim" else severity in ("critical", "major")


def overall(gating: Iterable[Verdict]) -> Verdict:
    """The verdict of a run: a failure comes first, even if other controls are undecided."""
    verdicts = list(gating)
    failures = [verdict for verdict in verdicts if _EXIT_CODES[verdict] == FAILED]
    return worst(failures or verdicts)


def exit_code(verdict: Verdict) -> int:
    """0: all held; 1: something failed; 2: something could not be decided."""
    return _EXIT_CODES[verdict]
