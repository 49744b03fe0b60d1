"""Checks after each spec that its steps changed only what they may change in the database.

Any other change concerns safety: the control is then violated, even if it checks a claim.
"""

import secrets

import pytest

from drillbook.core.errors import DrillbookError

UNCHANGED = "nothing in the database has changed that these steps were not to change"


@pytest.fixture
def new_password(record):
    """A new random password for the database's role."""
    password = secrets.token_urlsafe(32)
    record.secret("NEW_POSTGRES_PASSWORD", password)
    return password


@pytest.fixture
def try_write(observe):
    """The outcome of a write to a restored copy; that the copy took none is observed."""

    def write(copy):
        written = copy.write_probe()
        if written == "not taken":
            observe("not_written")
        return written

    return write


@pytest.fixture(autouse=True)
def _compared(request):
    """Keep the fixtures that the comparison after the spec needs."""
    if "installation" in request.fixturenames:
        names = ("installation", "step", "observe", "record")
        request.node.stash[COMPARED] = [request.getfixturevalue(name) for name in names]


COMPARED = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Compare the database as the last step of a spec; an earlier failed assertion is kept."""
    if COMPARED not in pyfuncitem.stash:
        return (yield)
    installation, step, observe, record = pyfuncitem.stash[COMPARED]
    try:
        done = yield
    except DrillbookError:
        # The changes may explain why a spec could not finish, or what the release seems to lack.
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
            raise AssertionError(installation.state.describe(changed))
    _tell(observe, record)
    raise AssertionError(installation.state.describe(changed))


def _tell(observe, record):
    observe("changed_beyond_its_frame")
    record.mark_unsafe()
