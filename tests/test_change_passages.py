"""Of several passages to the new release, the one that is judged is the one that is told."""

import pytest

from fixtures.change.looks import Look
from fixtures.change.order import Change
from fixtures.change.probing import Outage
from fixtures.change.upgrade import Passage, Upgrade
from fixtures.stack import release
from fixtures.stack.outcome import Start

NOTHING = Look({}, {}, frozenset(), {})


def passage(serves=True):
    start = Start(serves, None if serves else 1, 2.0, "")
    return Passage(start, Outage([(1.0, True), (2.0, True)]), NOTHING, NOTHING, (), 0.0)


class Repeated(Upgrade):
    """An upgrade whose passages are given, and which is back at the old release before each."""

    def __init__(self, *passages):
        super().__init__(None, Change(*release.rehearsed()))
        self.passages = list(passages)

    def before(self):
        return Start(True, None, 1.0, "")

    def _changed(self, _old):
        return self.passages.pop(0)

    def passed(self):
        self._at = ""
        return super().passed()


@pytest.mark.parametrize(("second", "told"), [(passage(), 0), (passage(serves=False), 1)])
def test_first_passage_is_told_as_long_as_a_later_one_comes_up(second, told):
    both = passage(), second
    upgrade = Repeated(*both)
    assert upgrade.passed() is both[0]
    assert upgrade.passed() is both[told]
    assert upgrade.passage is both[told]
    assert upgrade.passages == []
