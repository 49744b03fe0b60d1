"""What a documented procedure says when a service refuses its part."""

from types import SimpleNamespace

import pytest

from drillbook.core.errors import StackTrouble
from drillbook.runbook import procedures
from drillbook.stack.base import Command


@pytest.mark.parametrize(
    ("printed", "words"),
    [
        (b"NOAUTH Authentication required.\n", "could not be emptied; it wants a password: set"),
        (b"READONLY You can't write against a read only replica.\n", "could not be emptied$"),
    ],
)
def test_a_cache_that_is_not_emptied_ends_the_restore_before_the_database_goes(printed, words):
    asked = []

    def exec(service, argv, **_):
        asked.append(service)
        return Command(tuple(argv), 0, printed)

    stack = SimpleNamespace(name="drill", stop=lambda _: None, exec=exec)
    with pytest.raises(StackTrouble, match=words):
        procedures.empty_database(stack)
    assert asked == ["redis"]
