"""The last proven restore of each instance, by signed bundles and nothing else."""

import json
import shutil

import pytest

from drillbook.cli.commands import COMMANDS
from drillbook.cli.parser import run
from reports.config.fleet_file import Instance
from reports.evidence.context import Organisation
from reports.history.fleet_report import Restore
from tests.support.bundles import key, sealed
from tests.unit.reports.history.test_status import NOW, TODAY, drilled, past

PAYMENTS = Instance(
    name="payments",
    label="eu",
    cadence="monthly",
    backup="/backups",
    env_file="/keys.env",
    rto="1h",
    rpo="1d",
)


def stands(*runs):
    return Restore(PAYMENTS, runs, TODAY)


def drill(days, system="payments", measured=None, exit_code=0, **more):
    times = {"objectives": measured or {"rto_s": 60.0, "rpo_s": 3600.0}}
    return past(days, system=system, exit_code=exit_code, verdict="satisfied", **times, **more)


def test_a_recent_drill_is_well():
    one = stands(drill(40), drill(2))
    assert (one.is_well, one.is_due, one.age_days) == (True, False, 2)
    assert f"{one.standing.due}" == "2026-12-22"
    assert [result for _, _, result in one.times.values()] == ["met", "met"]


FAULTS = {
    "never drilled": ([], True),
    "of another instance": ([drill(2, system="crm")], True),
    "a rehearsal": ([drill(2, grade="rehearsal")], True),
    "with a planted bug": ([drill(2, mutant="LosesLongValues")], True),
    "too long ago": ([drill(40)], True),
    "failed since": (
        [drill(9), drill(2, satisfied=frozenset(), verdicts={"DRL-2": "violated"}, exit_code=1)],
        False,
    ),
    "another control is violated": ([drill(2, exit_code=1)], False),
    "too slow": ([drill(2, measured={"rto_s": 3601.0, "rpo_s": 60.0})], False),
}


@pytest.mark.parametrize(("runs", "due"), FAULTS.values(), ids=FAULTS)
def test_what_is_not_proven_is_not_well(runs, due):
    one = stands(*runs)
    assert (one.is_well, one.is_due) == (False, due)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleet.toml").write_text(
        "".join(
            f'[[instance]]\nname = "{name}"\nlabel = "eu"\ncadence = "monthly"\n'
            'backup = "/b"\nenv_file = "/k"\n'
            for name in ("payments", "crm")
        )
    )
    return tmp_path


def told(capsys, line):
    code = run(COMMANDS, line.split())
    return code, capsys.readouterr().out


def of(instance, name):
    made = drilled(name)
    return {**made, "organisation": Organisation(system_id=instance)}


def test_only_a_trusted_signature_over_the_name_counts(place, capsys):
    mine, _ = key(place)
    other, _ = key(place, "other.key")
    sealed(place / "eu", mine, **of("payments", "one"))
    sealed(place / "us", other, **of("crm", "two"))
    # A folder says nothing: the bundle names its instance.
    shutil.copytree(place / "eu" / "one", place / "us" / "crm")
    code, out = told(capsys, "fleet report eu us --pubkey drill.key.pub --output json")
    answer = json.loads(out)
    assert code == 1
    assert {one["name"]: one["well"] for one in answer["instances"]} == {
        "payments": True,
        "crm": False,
    }
    assert answer["bundles"] == 1
    assert [one["bundle"] for one in answer["ignored"]] == [str(place / "us/two/bundle.zip")]
    (place / "both.pub").write_text(
        "".join((place / f"{one}.key.pub").read_text() for one in ("drill", "other"))
    )
    code, out = told(capsys, "fleet report eu us --pubkey both.pub")
    assert (code, "Every restore is proven." in out) == (0, True)


def test_bundles_of_the_future_do_not_count():
    assert not Restore(PAYMENTS, [drill(-2)], NOW.date()).is_well
