"""The bench counts no time twice, says what it has not measured, and knows a missed bound."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from fixtures.bench import naive, picture, proof
from fixtures.bench.__main__ import Bench
from fixtures.bench.running import python
from fixtures.bench.suite import Run, sample
from fixtures.installation import Installation


def at(second, duration, **more):
    return {"started": f"2026-01-01T00:00:{second:02}Z", "duration_s": duration, **more}


def step(title, second, duration, *exchanges):
    return at(second, duration, title=title, exchanges=[{"duration_s": one} for one in exchanges])


@pytest.fixture
def record():
    """Ten seconds of a golden state, four of a spec's own restart, a dump inside a boot."""
    specs = [
        {"id": "a", "steps": [step("set up", 0, 10.0), step("restart", 10, 5.0, 0.25, 0.5)]},
        {"id": "b", "steps": [step("look", 20, 1.0, 1.0)]},
    ]
    return {
        "controls": [
            {"id": "KEY-1", "verdict": "satisfied", "specs": specs},
            {"id": "KEY-2", "verdict": "violated", "specs": specs[:1]},
            {"id": "KEY-3", "verdict": "not_run", "specs": []},
        ],
        "counts": {"specs_executed": 2, "inconclusive": 0},
        "timeline": [
            at(0, 10.0, kind="boot"),
            at(2, 3.0, kind="dump"),
            at(11, 4.0, kind="boot"),
            at(0, 10.0, kind="step"),
            at(16, 1.0, kind="teardown"),
        ],
    }


def test_time_that_overlaps_counts_once_and_set_up_is_nobodys_wish(record):
    run = Run(None, record)
    assert (run.own_s, run.asked_s, run.talk_s) == (14.0, 4.0, 1.75)
    assert (run.controls, run.specs) == (["KEY-1", "KEY-2"], 2)


def test_sample_is_spread_and_never_longer_than_what_there_is():
    assert sample(list("abcdef"), 3) == ["a", "c", "e"]
    assert sample(list("ab"), 5) == ["a", "b"]


def test_what_was_not_run_is_extrapolated_and_said_so():
    bench = Bench(None, Path(), (), 0)
    bench.growth = [
        {"controls": 10, "specs": 10, "ours_s": 5.0, "naive_s": 30.0, "naive_measured": True},
        {"controls": 60, "specs": 80, "ours_s": 30.0},
    ]
    bench._extrapolate()
    assert bench.growth[1]["naive_s"] == 240.0
    assert bench.growth[1]["naive_measured"] is False
    assert [one["speedup"] for one in bench.growth] == [6.0, 8.0]


@pytest.fixture
def found():
    ratios = dict.fromkeys((*picture.BOUNDS, *picture._OTHERS), 1.0)
    seen = {"specs": 2, "controls": 2, "workers": 2, "stack_s": 9.0, "serial_s": 10.0}
    growth = [{"controls": 10, "specs": 9, "ours_s": 5.0, "naive_s": 30.0, "naive_measured": False}]
    return {
        "ratios": {**ratios, "naive_speedup": 6.0, "keyproof_vs_grep": None},
        "growth": [{**growth[0], "speedup": 6.0}],
        "figures": {**seen, "second_s": 6.0, "first_s": 8.0, "peak_mib": 400},
        "machine": {"cores": 2, "load_before": 0.1, "crowded": False},
        "commit": "abc<1>",
    }


def test_table_says_which_bounds_hold_and_which_do_not(found):
    lines = {line[:44].strip(): line for line in picture.table(found).splitlines()}
    assert lines["one by one / the stack's own time"].endswith("<= 1.15  holds")
    assert lines["side by side / the stack's own time"].endswith("<= 0.65  MISSED")
    assert lines["naive / ours"].endswith(">= 5.0   holds")
    assert "key proof / grep" not in lines, "what was not measured is not told"
    assert "extrapolated" in picture.table(found)
    assert max(map(len, picture.table(found).splitlines())) <= 80
    crowded = {**found, "machine": {**found["machine"], "crowded": True}}
    assert "CROWDED" in picture.table(crowded)


def test_picture_is_well_formed_and_draws_everything(found):
    drawn = ET.fromstring(picture.draw(found))
    texts = ["".join(one.itertext()) for one in drawn.iter() if one.tag.endswith("text")]
    assert "10 controls, naive, extrapolated" in texts
    assert "Drillbook abc<1>: 2 cores" in texts


def test_naive_way_builds_for_each_spec(embedded, recorder, tmp_path, monkeypatch):
    monkeypatch.setattr(Installation, "pristine", naive._fresh)
    installed = Installation(embedded, recorder, tmp_path)
    keys = {installed.pristine().golden_settings["ENCRYPTION_KEY"] for _ in range(2)}
    assert len(keys) == 2


def test_filled_backup_is_proved_and_restored(tmp_path):
    with proof.Backups(tmp_path) as backups:
        told = proof.proof(backups, 1)
        assert told["proof_s"] > 0
        assert backups.bare_psql(backups.filled(1)) > 0
        assert backups.keys.stat().st_mode & 0o777 == 0o600


def test_memory_of_children_counts():
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', {!r}])"
    hungry = "import time; a = bytearray(200 << 20); time.sleep(1)"
    ran = python("-c", code.format(hungry))
    assert (ran.code, ran.peak_mib > 200) == (0, True)


def test_history_is_one_object_a_line(found, tmp_path, monkeypatch):
    from fixtures.bench import __main__ as bench

    monkeypatch.setattr(bench, "_OUT", tmp_path)
    bench._keep(found)
    bench._keep(found)
    lines = (tmp_path / "bench-history.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [found, found]
    assert json.loads((tmp_path / "bench.json").read_text()) == found
