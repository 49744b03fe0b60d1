"""How two databases differ, besides their release and their rows."""

import pytest

from drillbook.drill.database_move import differences

SAME = {"collation": "C, C", "extensions": ["pg_trgm", "plpgsql"], "triggers": None}


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (SAME, []),
        (SAME | {"collation": "C, en"}, ["collation: C, C became C, en"]),
        (SAME | {"extensions": ["plpgsql"]}, ["extensions: gone: ['pg_trgm'], new: []"]),
        (SAME | {"triggers": ["users spy"]}, ["triggers: None became ['users spy']"]),
        ({}, ["collation", "extensions"]),
    ],
)
def test_differences_between_two_databases(after, says):
    found = differences(SAME, after)
    assert len(found) == len(says)
    assert all(one.startswith(word) for word, one in zip(says, found, strict=True))
