"""A drill's specs may take longer than the restore that they wait for."""

import re
from pathlib import Path

from drillbook.backup.restore import Limits

SUITES = Path(__file__).parents[3] / "suites"


def test_no_spec_ends_before_the_restore_may():
    limits = [
        int(found[1].replace("_", ""))
        for folder in ("drill", "change")
        for file in (SUITES / folder).glob("test_*.py")
        for found in re.finditer(r"mark\.timeout\(([\d_]+)\)", file.read_text())
    ]
    assert len(limits) > 5
    assert min(limits) > Limits().seconds
