"""What a trial's process is forked from: pytest, every plugin and every spec, loaded once.

Importing this loads them, in the fork server that `multiprocessing` starts for the laboratory.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import pytest

from reports.qualification.specimens import ROOT

# Loaded when they are first needed, which each trial would do for itself.
_LATE = ("reports.evidence", "reports.assemble", "reports.redact")


def _load() -> None:
    os.chdir(ROOT)
    with _mute():
        pytest.main(["suites", "--collect-only", "--quiet", "-p", "no:cacheprovider"])
    for name in _LATE:
        import_module(name)
    # What is here stays for good: no trial need look through it for garbage.
    gc.collect()
    gc.freeze()


@contextmanager
def _mute() -> Iterator[None]:
    kept = [(number, os.dup(number)) for number in (1, 2)]
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device
        for number, _ in kept:
            os.dup2(nowhere.fileno(), number)
        try:
            yield
        finally:
            sys.stdout.flush()
            for number, before in kept:
                os.dup2(before, number)
                os.close(before)


_load()
