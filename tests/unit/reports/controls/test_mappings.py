"""Each mapping names controls that exist, says why, and which text was read."""

import re

from drillbook.core.application import ROOT
from reports import controls

FRAMEWORKS = controls.load_mappings()


def test_every_control_of_a_mapping_exists():
    known = controls.load(ROOT / "suites" / "controls.toml").ids
    named = {one for part in FRAMEWORKS for clause in part.clause for one in clause.controls}
    assert named <= {*known}


def test_no_clause_is_mapped_twice():
    for part in FRAMEWORKS:
        ids = [clause.id for clause in part.clause]
        assert len(ids) == len({*ids}), part.name


def test_each_framework_says_where_its_text_was_opened():
    for part in FRAMEWORKS:
        assert re.search(r"opened on \d+ \w+ 20\d\d", part.read), part
        assert not re.search("memory|second hand", part.read), part


def test_the_page_is_that_of_now():
    assert controls.PAGE.read_text("utf-8") == controls.mappings_page(FRAMEWORKS), (
        "write it anew: python -m reports.controls"
    )
