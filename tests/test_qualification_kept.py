"""The last qualification goes into each bundle, and says so when it is of another code."""

import json

import pytest

from reports.qualification import kept, readme
from reports.qualification.digest import code_digest
from reports.qualification.record import KEPT, load, text
from reports.qualification.specimens import Unqualifiable
from tests.test_qualification import CAUGHT, record


@pytest.fixture
def path(tmp_path):
    return tmp_path / "qualification.json"


def test_nothing_is_attached_where_nothing_was_qualified(path):
    assert kept.attached(path) == {}


def test_record_of_this_code_goes_without_a_warning(path):
    path.write_text(text(record(CAUGHT, code=code_digest())))
    made = kept.attached(path)
    assert json.loads(made["qualification.json"])["applies"]["same_code"] is True
    assert "another code" not in made["qualification.md"].decode()


def test_record_of_another_code_says_so_first(path):
    path.write_text(text(record(CAUGHT)))
    made = kept.attached(path)
    assert json.loads(made["qualification.json"])["applies"]["same_code"] is False
    for name in ("qualification.md", "qualification.html"):
        assert "qualified was commit 000000000000" in made[name].decode()


@pytest.mark.parametrize("broken", ["", "{}", "[" * 9999, "\0"])
def test_broken_record_costs_no_evidence(path, broken):
    path.write_text(broken)
    assert list(kept.attached(path)) == ["qualification.md"]
    with pytest.raises(Unqualifiable, match="no record of a qualification"):
        load(path)


def test_kept_record_is_whole():
    found = load(KEPT)
    assert found is None or (found.passed and not found.selection and found.stack == "auto")


def test_figures_in_the_readme_are_those_of_the_kept_record():
    found = load(KEPT)
    assert readme.shown() == (readme.summary(found) if found else ""), "make qualify KEEP=1"
