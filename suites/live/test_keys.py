"""The keys of a running instance are not stored in it as secrets."""

import pytest

from drillbook.core.errors import Unsupported
from fixtures.data.plaintext_search import find_keys


@pytest.mark.control("KEY-10")
def test_running_instance_does_not_hold_its_own_keys(instance, record, findings, step):
    with step("read every secret the credential may see"):
        keys = instance.keys
        seen = list(instance.secrets())
        record.note(f"{len(seen)} secrets compared with {len(keys)} keys")
        if not seen:
            raise Unsupported("the credential sees no secret, so nothing was compared")

    with step("compare each with every key, by label and inside longer values"):
        assert findings(find_keys(seen, keys)) == []
