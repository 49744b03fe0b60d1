"""Whose time the record carries: what the kernel says of its own clock."""

from __future__ import annotations

import ctypes
import sys

from reports.frame import ClockFacts

_FIELDS = (
    "modes", "offset", "freq", "maxerror", "esterror", "status", "constant", "precision",
    "tolerance", "sec", "usec", "tick", "ppsfreq", "jitter", "shift", "stabil", "jitcnt",
    "calcnt", "errcnt", "stbcnt", "tai",
)  # fmt: skip
_INT = {"modes", "status", "shift", "tai"}
_UNSYNCHRONISED = 0x40
_ERROR_STATE = 5


class _Timex(ctypes.Structure):
    """struct timex of adjtimex(2); the kernel's own padding follows its last field."""

    _fields_ = (
        *((name, ctypes.c_int if name in _INT else ctypes.c_long) for name in _FIELDS),
        ("reserved", ctypes.c_int * 11),
    )


def kernel_clock() -> ClockFacts:
    """Whether the kernel holds its clock synchronised, and how far off it can be; null if silent.

    Asks and sets nothing (modes is 0). Containers and sandboxes may refuse the question.
    """
    if not sys.platform.startswith("linux"):
        return ClockFacts()
    asked = _Timex()
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(asked))
    except (OSError, AttributeError):
        return ClockFacts()
    if state < 0:
        return ClockFacts()
    synchronised = state != _ERROR_STATE and not asked.status & _UNSYNCHRONISED
    error = asked.maxerror / 1e6 if synchronised else None
    return ClockFacts(synchronised=synchronised, max_error_s=error)
