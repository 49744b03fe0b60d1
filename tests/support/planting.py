"""A planted bug for the length of a block."""

from contextlib import contextmanager

from drillbook.core.bugs import BUGS


@contextmanager
def planting(name):
    BUGS.plant(name)
    try:
        yield
    finally:
        BUGS.plant(None)
