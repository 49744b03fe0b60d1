"""How much a count says: the bound under a rate that was seen so many times out of so many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import comb


def upper_bound(found: int, of: int, confidence: float = 0.95) -> float:
    """The largest rate that `found` out of `of` leaves possible (Clopper and Pearson, one-sided).

    With nothing found this is about 3/of, the rule of three.
    """
    if of == 0 or found >= of:
        return 1.0
    low, high = found / of, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        if _at_most(found, of, rate) > 1 - confidence:
            low = rate
        else:
            high = rate
    return high


def _at_most(found: int, of: int, rate: float) -> float:
    """The probability of so few or fewer."""
    terms = (comb(of, k) * rate**k * (1 - rate) ** (of - k) for k in range(found + 1))
    return sum(terms)


def flaking(verdicts: Iterable[Sequence[object]]) -> tuple[int, int]:
    """How many verdicts differ from the usual one of their control, and of how many."""
    strays = total = 0
    for of_control in verdicts:
        counted = Counter(of_control)
        total += len(of_control)
        strays += len(of_control) - max(counted.values(), default=0)
    return strays, total
