"""The last qualification goes into each bundle, and says so when it is of another code."""

import json

import pytest

from reports.errors import Unqualifiable
from reports.qualification import pages
from reports.qualification.pages import code_digests, whole
from reports.qualification.record import KEPT, load, text
from tests.unit.reports.qualification.test_qualification import ABSENT, CAUGHT, ESCAPED, record


@pytest.fixture
def path(tmp_path):
    return tmp_path / "qualification.json"


@pytest.fixture(scope="module")
def parts():
    return code_digests()


def attached(path):
    return pages.bundle_files(path, path.with_name("latest.json"))


def test_nothing_is_attached_where_nothing_was_qualified(path):
    assert attached(path) == {}


def test_parts_are_folders_of_what_decides_a_verdict(parts):
    assert {
        "suites/keys",
        "drillbook/stack",
        "reports/verdict.py",
        "conftest.py",
    } <= parts.keys()
    assert not any(name.startswith("reports/templates") for name in parts)


def test_record_of_this_code_goes_without_a_warning(path, parts):
    path.write_text(text(record(CAUGHT, code=whole(parts), parts=parts)))
    made = attached(path)
    assert json.loads(made["qualification.json"])["applies"]["same_code"] is True
    assert "Changed since then" not in made["qualification.md"].decode()


def test_record_of_another_code_names_what_has_changed(path, parts):
    before = parts | {"suites/keys": "0" * 64}
    path.write_text(text(record(CAUGHT, code=whole(before), parts=before)))
    made = attached(path)
    assert json.loads(made["qualification.json"])["applies"]["same_code"] is False
    for name in ("qualification.md", "qualification.html"):
        assert "This record is of commit 000000000000" in made[name].decode()
        assert "have changed since then: suites/keys. It says nothing" in made[name].decode()


def test_record_without_parts_does_not_vouch_for_any_code(path, parts):
    path.write_text(text(record(CAUGHT, code="0" * 64, parts={})))
    for name in ("qualification.md", "qualification.html"):
        said = attached(path)[name].decode()
        assert "and not of the code of this run" in said


def test_a_newer_record_of_this_very_code_goes_before_the_kept_one(path, parts):
    path.write_text(text(record(CAUGHT)))
    newer = record(CAUGHT, code=whole(parts), parts=parts, commit="9" * 40)
    path.with_name("latest.json").write_text(text(newer))
    assert json.loads(attached(path)["qualification.json"])["commit"] == "9" * 40
    failed = record(ESCAPED, code=whole(parts), parts=parts, commit="9" * 40)
    path.with_name("latest.json").write_text(text(failed))
    assert json.loads(attached(path)["qualification.json"])["commit"] == "9" * 40
    assert f"Not caught: {ESCAPED.mutant} ({ESCAPED.meant})." in pages.summary(failed)
    for part in (
        record(CAUGHT, code=whole(parts), commit="9" * 40, selection=("SEC-*",)),
        record(CAUGHT, ABSENT, code=whole(parts), commit="9" * 40),
    ):
        path.with_name("latest.json").write_text(text(part))
        assert json.loads(attached(path)["qualification.json"])["commit"] == "0" * 40


@pytest.mark.parametrize("broken", ["", "{}", "[" * 9999, "\0"])
def test_broken_record_costs_no_evidence(path, broken):
    path.write_text(broken)
    assert list(attached(path)) == ["qualification.md"]
    with pytest.raises(Unqualifiable, match="no record of a qualification"):
        load(path)


def test_kept_record_is_whole():
    found = load(KEPT)
    assert found is None or not (found.selection or found.not_run or found.stack != "auto")


def test_figures_in_the_readme_are_those_of_the_kept_record():
    found = load(KEPT)
    _, _, rest = pages.README.read_text().partition("<!-- qualification -->\n")
    current = rest.partition("<!-- end of qualification -->")[0]
    assert current == (pages.summary(found) if found else ""), "drillbook qualify --keep"
