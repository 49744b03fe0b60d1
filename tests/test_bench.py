"""The bench counts no time twice, says what it has not measured, and knows a missed bound."""

import json
import xml.etree.ElementTree as ET

import pytest

from fixtures.bench import machine, naive, picture, proof
from fixtures.bench.__main__ import main
from fixtures.bench.account import account, interval
from fixtures.bench.measuring import Bench, _last
from fixtures.bench.running import Ran, python
from fixtures.bench.suite import Run, sample, samples
from fixtures.installation import Installation


def at(second, duration, kind, name=""):
    started = f"2026-01-01T00:00:{second:02}Z"
    return {"started": started, "duration_s": duration, "kind": kind, "name": name}


START = interval(at(0, 0, ""))[0]


def noted(kind, second, duration):
    return kind, START + second, START + second + duration


def test_each_moment_counts_once_and_what_is_ours_is_not_unavoidable():
    ledger = [
        noted("golden", 0, 10),
        noted("golden boot", 6, 4),
        noted("boot", 6, 4),
        noted("boot", 12, 2),
        noted("wait", 13, 3),
        noted("question", 15, 2),
        noted("command", 18, 1),
    ]
    timeline = [
        at(0, 6.0, "restore", "golden state"),
        at(1, 2.0, "restore", "golden state from its archive"),
        at(17, 2.0, "dump"),
        at(0, 30.0, "step"),
    ]
    found = account(ledger, timeline, 40.0)
    assert found.parts == {
        "boots": 2.0,
        "dumps": 2.0,
        "answers": 2.0,
        "waits": 1.0,
        "clone boots": 4.0,
        "clones": 6.0,
        "rest": 23.0,
    }
    assert (found.unavoidable_s, found.asked_s) == (11.0, 4.0)
    assert (found.clones, found.clone_s) == (1, 6.0)
    assert sum(found.parts.values()) == 40.0


def test_a_part_of_a_run_costs_its_specs_and_what_all_share():
    def spec(name, seconds):
        return {"id": name, "duration_s": seconds}

    controls = [
        {"id": "KEY-1", "verdict": "satisfied", "specs": [spec("a", 3.0), spec("b", 4.0)]},
        {"id": "KEY-2", "verdict": "violated", "specs": [spec("b", 4.0)]},
        {"id": "KEY-3", "verdict": "not_run", "specs": [spec("c", 0.0)]},
    ]
    run = Run(Ran(10.0, 5.0, 100, 0, ""), {"controls": controls})
    assert run.controls == ["KEY-1", "KEY-2"]
    assert (run.of(["KEY-2"]), run.of(["KEY-1", "KEY-2"])) == (7.0, 10.0)


def test_sample_is_spread_and_never_longer_than_what_there_is():
    assert sample(list("abcdef"), 3) == ["a", "c", "e"]
    assert sample(list("ab"), 5) == ["a", "b"]


def test_smaller_samples_are_parts_of_larger_ones():
    small, large = samples(list("abcdef"), (4, 2))
    assert (len(small), len(large)) == (2, 4)
    assert set(small) < set(large)


def test_speedup_is_that_of_the_most_controls_that_ran_naively():
    assert _last([{"speedup": 2.0}, {"speedup": 3.0}, {"controls": 60}]) == 3.0
    assert _last([{"controls": 60}]) is None


ROUND = {"serial_overhead": 1.1, "parallel": 0.6}


@pytest.fixture
def found():
    ratios = dict.fromkeys((*picture.BOUNDS, *picture._OTHERS), 1.0)
    seen = {"specs": 2, "controls": 2, "workers": 2, "stack_s": 9.0, "serial_s": 10.0}
    seen |= {"parts": dict.fromkeys(picture._PARTS, 1.0), "clones": 3, "clone_ms": 40.0}
    growth = [{"controls": 10, "specs": 9, "ours_s": 5.0, "naive_s": 30.0}]
    return {
        "ratios": {**ratios, "naive_speedup": 6.0, "keyproof_vs_grep": None},
        "growth": [{**growth[0], "speedup": 6.0}],
        "figures": {
            **seen,
            "rounds": [ROUND, {**ROUND, "parallel": 0.5}],
            "second_s": 6.0,
            "first_s": 8.0,
            "peak_mib": 400,
        },
        "machine": {
            "cores": 2,
            "load_before": 0.1,
            "crowded": False,
            "unsteady": False,
            "pace_ms": [50, 60],
        },
        "commit": "abc<1>",
    }


def test_table_says_which_bounds_hold_and_which_do_not(found):
    lines = {line[:44].strip(): line for line in picture.table(found).splitlines()}
    assert lines["one by one / unavoidable"].endswith("<= 1.15  holds")
    assert lines["side by side / unavoidable"].endswith("<= 0.65  MISSED")
    assert lines["naive / ours"].endswith(">= 5.0   holds")
    assert "key proof / grep" not in lines, "what was not measured is not told"
    assert any(name.startswith("OURS") for name in lines)
    assert max(map(len, picture.table(found).splitlines())) <= 80
    crowded = {**found, "machine": {**found["machine"], "crowded": True}}
    assert "CROWDED" in picture.table(crowded)
    unsteady = {**found, "machine": {**found["machine"], "unsteady": True}}
    assert "UNSTEADY: the same small computation took 50 to 60 ms" in picture.table(unsteady)


def test_table_tells_each_round(found):
    assert "side by side / unavoidable                  0.600  0.500" in picture.table(found)
    once = {**found, "figures": {**found["figures"], "rounds": [ROUND]}}
    assert "rounds" not in picture.table(once)


def test_a_machine_whose_pace_changes_is_unsteady():
    assert machine.facts(0.0, [0.05, 0.06])["unsteady"] is False
    seen = machine.facts(0.0, [0.05, 0.07])
    assert (seen["unsteady"], seen["pace_ms"]) == (True, [50, 70])
    assert 0 < machine.pace() < 60


def test_picture_is_well_formed_and_draws_everything(found):
    drawn = ET.fromstring(picture.draw(found))
    texts = ["".join(one.itertext()) for one in drawn.iter() if one.tag.endswith("text")]
    assert "10 controls, naive" in texts
    assert "Drillbook abc<1>: 2 cores" in texts


def test_naive_way_builds_for_each_spec(embedded, recorder, tmp_path, monkeypatch):
    monkeypatch.setattr(Installation, "pristine", naive._fresh)
    monkeypatch.setattr(Installation, "resting", naive._stopped)
    installed = Installation(embedded, recorder, tmp_path)
    keys = {installed.pristine().golden_settings["ENCRYPTION_KEY"] for _ in range(2)}
    resting = installed.resting()
    assert len(keys | {resting.golden_settings["ENCRYPTION_KEY"]}) == 3
    assert resting.stack.backend().state == "exited"
    assert resting.started().serves
    assert resting.inventory() == resting.held


def test_filled_backup_is_proved_and_restored(tmp_path):
    with proof.Backups(tmp_path) as backups:
        told = proof.proof(backups, 1)
        assert told["proof_s"] > 0
        assert min(backups.bare_psql(backups.filled(1))) > 0
        assert backups.keys.stat().st_mode & 0o777 == 0o600


def test_memory_of_children_counts():
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', {!r}])"
    hungry = "import time; a = bytearray(200 << 20); time.sleep(1)"
    ran = python("-c", code.format(hungry))
    assert (ran.code, ran.peak_mib > 200) == (0, True)


def test_memory_of_what_soon_ends_counts():
    ran = python("-c", "import time; a = bytearray(100 << 20); time.sleep(0.15)")
    assert (ran.code, ran.peak_mib > 100) == (0, True)


def test_what_was_not_finished_is_told_with_its_reason():
    specs = [{"message": ""}, {"message": "NotReady: it never came"}]
    record = {"controls": [{"id": "UPG-2", "verdict": "inconclusive", "specs": specs}]}
    assert Run(None, record).unsure == {"UPG-2": "NotReady: it never came"}
    record["controls"][0]["verdict"] = "satisfied"
    assert Run(None, record).unsure == {}


def test_history_is_one_object_a_line(found, tmp_path, monkeypatch):
    from fixtures.bench import __main__ as bench

    monkeypatch.setattr(bench, "_OUT", tmp_path)
    bench._keep(found)
    bench._keep(found)
    lines = (tmp_path / "bench-history.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [found, found]
    assert json.loads((tmp_path / "bench.json").read_text()) == found


def test_all_controls_side_by_side_are_not_run_once_more(tmp_path):
    ran = []

    class Counting:
        def run(self, *options, name, **_):
            ran.append(name)
            return timed(6.0, "ab")

    bench = Bench(Counting(), tmp_path, (1, 2), rounds=1)
    bench.by_size(timed(5.0, "ab"), naive_up_to=2)
    assert ran == ["1 controls", "2 controls, naive"], "all two were run already"
    assert [one["ours_s"] for one in bench.growth] == [6.0, 5.0]


def timed(seconds, controls):
    told = [{"id": one, "verdict": "satisfied", "specs": []} for one in controls]
    return Run(Ran(seconds, 1.0, 100, 0, ""), {"controls": told, "counts": {"specs_executed": 2}})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("--sizes=10,many", "SIZES= has 'many', where a whole number from 1 on is wanted"),
        ("--rounds=0", "ROUNDS= has '0', where a whole number from 1 on is wanted"),
        ("--mib=-1", "MIB= has '-1', where a whole number from 0 on is wanted"),
    ],
)
def test_what_is_no_number_is_told_before_anything_runs(given, said, capsys):
    assert main([given]) == 3
    assert capsys.readouterr().err == f"bench: {said}\n"
