"""What must outlast a prune: proofs, what was signed off, what cannot be judged."""

from datetime import UTC, datetime, timedelta

import pytest

from reports.history.retention import reasons_to_keep
from reports.verdict import Verdict
from tests.support import sample_run
from tests.support.bundles import key, sealed

NOW = datetime(2026, 11, 24, 23, tzinfo=UTC)
_RESTS = "`drillbook status` rests on it"
# It satisfies KEY-5.
_WHOLE = sample_run.run()
_FACTS = _WHOLE.run


@pytest.fixture
def leave(tmp_path):
    """A run that ended so many days ago, in the folder of runs."""

    def made(days, signer=None, *, verdicts=None, **changes):
        name = f"run-{days}"
        facts = _FACTS.model_copy(update={"id": name, "finished": NOW - timedelta(days=days)})
        violated = _WHOLE.controls[0]
        controls = [
            violated.model_copy(update={"id": one, "verdict": Verdict(verdict)})
            for one, verdict in (verdicts or {}).items()
        ]
        defaults = {"run": facts, "controls": (violated, *controls), "exit_code": 1}
        return sealed(tmp_path, signer, name, **(defaults | changes))

    return made


def kept(tmp_path):
    return reasons_to_keep(tmp_path, NOW)


def test_a_failed_run_that_nothing_names_may_go(tmp_path, leave):
    leave(2)
    leave(1)
    assert kept(tmp_path) == {}


def test_the_last_that_passed_is_kept_for_each_instance(tmp_path, leave):
    organisation = _WHOLE.organisation
    subject = _WHOLE.subject
    for days, system in ((4, "one"), (3, "two"), (2, "one")):
        leave(days, organisation=organisation.model_copy(update={"system": system}), exit_code=0)
    leave(1, organisation=organisation.model_copy(update={"system": "one"}), exit_code=2)
    rehearsal = subject.model_copy(update={"grade": "rehearsal"})
    leave(5, subject=rehearsal, exit_code=0)
    assert kept(tmp_path).keys() == {"run-2", "run-3", "run-5"}


def test_the_last_that_passed_is_kept_for_each_command(tmp_path, leave):
    for days, chosen in ((4, ()), (3, ("KEY-*",)), (2, ())):
        facts = {"id": f"run-{days}", "finished": NOW - timedelta(days=days), "selection": chosen}
        leave(days, run=_FACTS.model_copy(update=facts), exit_code=0)
    assert kept(tmp_path) == {
        "run-2": "the last that passed: verify",
        "run-3": "the last that passed: verify KEY-*",
    }


def test_a_run_that_judged_nothing_does_not_take_the_place_of_one_that_passed(tmp_path, leave):
    leave(2, exit_code=0)
    leave(1, exit_code=0, verdict=Verdict.NOT_APPLICABLE)
    assert kept(tmp_path) == {"run-2": "the last that passed: verify"}


def test_what_a_status_rests_on_is_kept(tmp_path, leave):
    leave(400, verdicts={"MIG-1": "satisfied"})
    leave(300, verdicts={"MIG-1": "satisfied"})
    leave(200, verdicts={"MIG-1": "violated"})
    leave(100, verdicts={"DBP-1": "violated"})
    assert kept(tmp_path) == {"run-300": _RESTS, "run-200": _RESTS, "run-100": _RESTS}


def test_what_the_status_of_any_system_rests_on_is_kept(tmp_path, leave):
    for days, system in ((400, "one"), (300, "two"), (200, "one")):
        whose = _WHOLE.organisation.model_copy(update={"system": system})
        leave(days, verdicts={"MIG-1": "satisfied"}, organisation=whose)
    assert kept(tmp_path) == {"run-300": _RESTS, "run-200": _RESTS}


def test_a_later_unsigned_run_does_not_replace_a_signed_proof(tmp_path, leave):
    signer, _ = key(tmp_path)
    other, _ = key(tmp_path, "other.key")
    for days, by in ((500, signer), (400, signer), (300, other), (200, None), (100, None)):
        leave(days, by, controls=_WHOLE.controls)
    assert kept(tmp_path) == {"run-400": _RESTS, "run-300": _RESTS, "run-100": _RESTS}


def test_a_broken_bundle_does_not_replace_a_signed_proof(tmp_path, leave):
    signer, _ = key(tmp_path)
    leave(400, signer, controls=_WHOLE.controls)
    newer = leave(300, signer, controls=_WHOLE.controls)
    (newer / "bundle.zip").write_bytes((newer / "bundle.zip").read_bytes()[:-9])
    assert kept(tmp_path).keys() == {"run-400", "run-300"}


@pytest.mark.parametrize("act", ["prepared", "reviewed", "approved"])
def test_what_was_signed_off_is_kept(tmp_path, leave, act):
    folder = leave(1)
    (folder / f"bundle.zip.{act}.json").write_text("{}")
    assert kept(tmp_path) == {"run-1": f"signed off: {act}"}


def test_declared_retention_is_kept(tmp_path, leave):
    retention = _WHOLE.retention
    for days, until in ((2, NOW.date()), (1, NOW.date() - timedelta(days=1))):
        leave(days, retention=retention.model_copy(update={"dispose_after": until}))
    assert kept(tmp_path) == {"run-2": f"to be kept until {NOW.date()}"}


def test_what_cannot_be_judged_is_kept(tmp_path, leave):
    (leave(3) / "evidence.json").write_text("{")
    changed = leave(2) / "evidence.json"
    changed.write_text(changed.read_text().replace('"exit_code": 1', '"exit_code": 0'))
    leave(1).rename(tmp_path / "run-9")
    assert kept(tmp_path) == {
        "run-3": "its evidence cannot be read",
        "run-2": "changed since: drillbook history says what",
        "run-9": "its evidence is of a run of another name",
    }
