"""What people declare enters the record as they said it; hostile files are refused."""

from datetime import date

import pytest

from drillbook.core.application import ROOT
from reports.config import declarations
from reports.config.declarations import (
    Setting,
    build_context,
    is_separated,
    objectives,
)
from reports.config.due_dates import next_due_day
from reports.controls import load as load_catalogue
from reports.errors import BadDeclaration
from reports.history.runs import past_of
from reports.history.status import standings
from tests.support.own_suite import catalogue
from tests.support.sample_run import run as sample_run

CATALOGUE = catalogue("KEY-1")
WHOLE = """
[organisation]
name = "Example Ltd"
system = ""
[schedule]
cadence = "quarterly"
[objectives]
rto_s = 14400
[sign_off.approved]
name = "Grace"
[declared]
isolated = true
keep_until = 2032-11-24
"""


def load(folder, text=None, config=None):
    if text is not None:
        data = text if isinstance(text, bytes) else text.encode()
        (folder / "drillbook.toml").write_bytes(data)
    return declarations.load(folder, config, None, CATALOGUE)


def framed(said, **changes):
    run = sample_run()
    return build_context(Setting(said), run.run.model_copy(update=changes))


def test_declared_facts_enter_the_record_and_the_rest_stays_empty(tmp_path):
    seen = framed(load(tmp_path, WHOLE))
    assert (seen["organisation"].name, seen["organisation"].system) == ("Example Ltd", None)
    assert seen["declared"] == {"isolated": True, "keep_until": "2032-11-24"}
    assert seen["sign_off"].approved.name == "Grace"
    assert seen["sign_off"].reviewed.name is None


def test_what_follows_is_worked_out(tmp_path):
    seen = framed(load(tmp_path, WHOLE))
    assert seen["schedule"].next_due == date(2027, 2, 24)
    assert seen["identity"].declared.file == "drillbook.toml"
    assert len(seen["identity"].declared.sha256) == 64


@pytest.mark.parametrize(
    ("declared", "due"),
    [("2026-11-25", "2027-02-24"), ("2026-03-31", "2027-02-24"), ("2027-01-31", "2027-01-31")],
)
def test_the_record_and_status_agree_on_the_due_day(tmp_path, declared, due):
    said = load(tmp_path, f'[schedule]\ncadence = "quarterly"\nnext_due = {declared}\n')
    record = framed(said)["schedule"]
    done = past_of(sample_run())
    found = standings([done], said.words.schedule, done.finished.date())
    [standing] = [one for one in found if one.last]
    assert record.next_due == standing.due == date.fromisoformat(due)


def test_without_a_file_nothing_is_made_up(tmp_path):
    seen = framed(load(tmp_path))
    empty = [seen["identity"].declared, seen["schedule"].next_due, seen["sign_off"].separated]
    empty += seen["organisation"].model_dump().values()
    assert set(empty) == {None}
    assert seen["declared"] == {}


def test_examples_can_be_copied_as_they_are():
    known = load_catalogue(ROOT / "suites" / "controls.toml")
    config, waived = (ROOT / "docs" / f"{one}.example.toml" for one in ("drillbook", "waivers"))
    said = declarations.load(ROOT / "docs", str(config), str(waived), known)
    assert said.words.sign_off.reviewed is None
    assert said.words.organisation.name == "Example Ltd"
    assert [one.control for one in said.waivers] == ["BKP-3"]


def test_same_run_has_the_same_uuid_and_another_has_another():
    said = declarations.Declared()
    one, same = (framed(said)["identity"].uuid for _ in range(2))
    assert one == same
    assert framed(said, id="other")["identity"].uuid != one


def test_measured_objectives_stand_beside_declared_targets(tmp_path):
    said = load(tmp_path, WHOLE)
    found = objectives({"rto_s": 74.0}, said)
    assert (found.rto_s, found.rto_target_s, found.rpo_s, found.rpo_target_s) == (
        74,
        14400,
        None,
        None,
    )
    assert objectives({"rto_target_s": 60.0}, said).rto_target_s == 60


@pytest.mark.parametrize(
    ("seconds", "accepted"),
    [("0", False), ("0.001", True), ("31622400", True), ("31622400.5", False)],
)
def test_objective_is_more_than_nothing_and_at_most_a_leap_year(tmp_path, seconds, accepted):
    text = f"[objectives]\nrto_s = {seconds}"
    if accepted:
        assert load(tmp_path, text).words.objectives.rto_s == float(seconds)
        return
    with pytest.raises(BadDeclaration, match=r"objectives\.rto_s"):
        load(tmp_path, text)


@pytest.mark.parametrize(
    ("day", "cadence", "due"),
    [
        (date(2026, 11, 24), "weekly", date(2026, 12, 1)),
        (date(2026, 1, 31), "monthly", date(2026, 2, 28)),
        (date(2026, 11, 30), "quarterly", date(2027, 2, 28)),
        (date(2026, 8, 31), "half-yearly", date(2027, 2, 28)),
        (date(2024, 2, 29), "yearly", date(2025, 2, 28)),
        (date(2026, 12, 1), "monthly", date(2027, 1, 1)),
        (date(2027, 11, 30), "quarterly", date(2028, 2, 29)),
    ],
)
def test_next_day_is_a_real_one(day, cadence, due):
    assert next_due_day(day, cadence) == due


@pytest.mark.parametrize(
    ("approver", "executor", "expected"),
    [
        ("Grace", "Ada", True),
        ("Ada ", "ada", False),
        ("Grace", None, None),
        (None, "Ada", None),
    ],
)
def test_separation_is_claimed_only_between_known_people(approver, executor, expected):
    assert is_separated(approver, executor) is expected


def test_sign_off_names_who_executed_it_only_if_somebody_did():
    assert declarations.sign_off(declarations.Declared()).executed_by is None
    assert declarations.sign_off(declarations.Declared(executor="Ada")).executed_by == "Ada"
