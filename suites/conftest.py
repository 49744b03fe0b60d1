"""After each spec that acted on the deployment: nothing has changed beyond what its steps may.

Whatever has is a matter of safety: the control is violated, also one that only checks a claim.
"""

import secrets

import pytest

from drillbook.core.errors import DrillbookError, Unsupported
from fixtures.oracle.state import describe

UNCHANGED = "nothing in the database has changed that these steps were not to change"


@pytest.fixture
def new_password(record):
    """Another password for the database's role."""
    password = secrets.token_urlsafe(32)
    record.secret("NEW_POSTGRES_PASSWORD", password)
    return password


@pytest.fixture(autouse=True)
def _compared(request):
    """Keep what the comparison needs, for when the spec's steps are over."""
    if "installation" in request.fixturenames:
        names = ("installation", "step", "observe", "record")
        request.node.stash[COMPARED] = [request.getfixturevalue(name) for name in names]


COMPARED = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Compare as the last step of the spec; an assertion that failed before stays what it was."""
    if COMPARED not in pyfuncitem.stash:
        return (yield)
    installation, step, observe, record = pyfuncitem.stash[COMPARED]
    try:
        done = yield
    except Unsupported:
        raise
    except DrillbookError:
        # What could not be finished may be due to what was lost on the way.
        changed = installation.state.take()
        if not changed:
            raise
    except AssertionError:
        if installation.find_changes():
            _tell(observe, record)
        raise
    else:
        with step(UNCHANGED):
            changed = installation.find_changes()
            if not changed:
                return done
            _tell(observe, record)
            raise AssertionError(describe(changed))
    _tell(observe, record)
    raise AssertionError(describe(changed))


def _tell(observe, record):
    observe("changed_beyond_its_frame")
    record.mark_unsafe()
