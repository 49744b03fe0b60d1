"""A planted bug takes an honest function's place however that was imported, and is missed aloud."""

from types import SimpleNamespace

import pytest

from drillbook.core import bugs
from drillbook.core.bugs import BUGS
from drillbook.core.errors import BadInput
from drillbook.runbook import procedures
from drillbook.runbook.procedures import wipe_selection
from fixtures.session.stacks import pytest_unconfigure
from reports.qualification.trial import unreached_reason
from tests.support.planting import planting

NOTHING = procedures.Selection((), (), ())
ONE = [SimpleNamespace(run="1", kind="volume", name="data")]


@pytest.fixture
def planted():
    with planting("SelectsNothing"):
        yield


def test_without_a_bug_a_seam_is_the_honest_function():
    assert wipe_selection(ONE, "1").missed == ("data",)
    assert BUGS.unreached == []


def test_a_bug_is_planted_for_those_who_imported_the_name(planted):
    assert wipe_selection(ONE, "1") == procedures.wipe_selection(ONE, "1") == NOTHING


def test_it_is_gone_when_the_block_ends():
    with planting("SelectsNothing"):
        assert wipe_selection(ONE, "1").missed == ()
    assert wipe_selection(ONE, "1").missed == ("data",)


def said(capsys):
    pytest_unconfigure(SimpleNamespace(option=SimpleNamespace(numprocesses=0)))
    return unreached_reason(capsys.readouterr().err)


def test_a_bug_that_nothing_called_is_named(planted, capsys):
    assert said(capsys) == "SelectsNothing was never reached at wipe_selection"
    assert BUGS.bug is None


def test_a_bug_that_was_called_is_not(planted, capsys):
    wipe_selection(ONE, "1")
    assert said(capsys) == ""


@pytest.mark.parametrize(
    ("name", "inside"), [("RecreatesRootKey", "backend"), ("StartsOnlyOnce", "copy")]
)
def test_a_bug_of_a_backend_is_planted_there_and_nowhere_else(name, inside):
    with planting(name):
        assert BUGS.unreached == [bugs.VARIABLE]
        assert BUGS.variables("copy" if inside == "backend" else "backend") == {}
        assert BUGS.variables(inside) == {bugs.VARIABLE: name}
        assert BUGS.unreached == []


def test_an_unknown_bug_is_refused_with_the_nearest_names():
    with pytest.raises(BadInput, match="did you mean WipesByName"):
        BUGS.plant("WipesByNames")
