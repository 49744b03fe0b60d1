"""Earlier runs are read from their evidence; seals tell what was changed, a line what is gone."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from drillbook.core.application import ROOT
from reports.evidence.model import BackupFile, Holdings
from reports.history.overview import describe
from reports.history.overview import render as render_page
from reports.history.runs import (
    Facts,
    History,
    Past,
    last_good_drill,
    ledger_path,
    load_history,
    load_ledger,
    past_of,
    remember,
)
from reports.redaction.redactor import Redactor
from reports.session.bundle import Bundle, render
from reports.verdict import Verdict
from tests.support import sample_run
from tests.support.bundles import latest, sealed


def ended(runs, name, days=0, **changes):
    """The sample run under another name, as it lies in its folder with its line."""
    made = sample_run.run(**changes)
    finished = made.run.finished + timedelta(days=days)
    facts = made.run.model_copy(update={"id": name, "finished": finished})
    made = made.model_copy(update={"run": facts})
    (runs / name).mkdir(parents=True)
    (runs / name / "evidence.json").write_bytes(render("evidence.json", made))
    return remember(made, runs / name)


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "reports" / "runs"
    for number in range(3):
        assert ended(folder, f"run-{number}", number) is None
    return folder


@pytest.fixture
def chain(tmp_path):
    """Two sealed runs, of which the second follows the first; neither has a key."""
    for name in ("one", "two"):
        of = sample_run.run().run.model_copy(update={"id": name})
        latest(tmp_path, sealed(tmp_path, name=name, run=of))
    assert load_history(tmp_path).troubles == ()
    return tmp_path


def test_the_ledger_stands_beside_the_ordinary_folder_and_inside_any_other(tmp_path):
    ordinary = tmp_path / "reports" / "runs"
    assert ledger_path(ordinary) == tmp_path / "reports" / "history.jsonl"
    assert ledger_path(tmp_path / "other") == tmp_path / "other" / "history.jsonl"


def test_runs_whose_folder_is_gone_are_remembered_and_not_kept(runs):
    before = load_history(runs)
    shutil.rmtree(runs / "run-1")
    found = load_history(runs)
    assert [one.id for one in found.runs if not one.kept] == ["run-1"]
    assert [one.facts for one in found.runs] == [one.facts for one in before.runs]
    assert [one.id for one in found.kept.runs] == ["run-0", "run-2"]
    assert found.troubles == ()


def test_a_run_that_ended_early_is_not_shown_as_satisfied():
    """Also not one of an earlier release, which is known by its exit code alone."""
    stopped = sample_run.run().run.model_copy(update={"stopped": "no disk"})
    made = past_of(sample_run.run(run=stopped, verdict=Verdict.NOT_RUN, exit_code=3)).facts
    older = Facts(verdict=Verdict.SATISFIED, exit_code=3)
    for facts in (made, older):
        assert (facts.words, facts.shown) == ("ended early", Verdict.NOT_RUN)
    failed = Facts(verdict=Verdict.VIOLATED, exit_code=3, ended_early=True)
    assert (failed.words, failed.shown) == ("violated", Verdict.VIOLATED)
    past = Past("run-1", datetime(2026, 11, 24, tzinfo=UTC), "deployment", older)
    page = render_page(History((past,), ()), "runs", datetime(2026, 11, 24, tzinfo=UTC).date())
    assert '<span class="pill not_run">ended early</span>' in page
    lines = [*describe(History((past,), ()), datetime(2026, 11, 24, tzinfo=UTC).date())]
    assert [one.style for one in lines if "ended early" in one.text] == [("yellow",)]


def test_of_a_run_whose_folder_is_there_no_line_is_believed(runs):
    path = ledger_path(runs)
    before = load_history(runs)
    path.write_text(path.read_text().replace('"violated"', '"satisfied"'))
    found = load_history(runs)
    assert found.runs == before.runs
    said = "its record and history.jsonl name different verdicts"
    assert found.troubles == tuple(f"run run-{number}: {said}" for number in range(3))


def test_lines_of_versions_that_chained_them_are_read(runs):
    path = ledger_path(runs)
    lines = [json.loads(line) for line in path.read_text().splitlines() if line]
    chained = {"previous": "ab", "evidence_sha256": "cd", "manifest_sha256": None}
    path.write_text("".join(f"{json.dumps(line | chained)}\n" for line in lines))
    shutil.rmtree(runs)
    assert [one.id for one in load_history(runs).runs] == ["run-0", "run-1", "run-2"]


def test_evidence_that_was_changed_after_it_was_sealed_is_told_and_read_as_it_is(chain):
    path = chain / "two" / "evidence.json"
    path.write_text(path.read_text().replace(': "violated"', ': "satisfied"'))
    found = load_history(chain)
    said = "run two: its evidence.json and its MANIFEST.json differ: one was changed since"
    assert found.troubles == (said,)
    assert [one.intact for one in found.runs if one.id == "two"] == [False]
    assert all("KEY-3" in one.satisfied for one in found.runs if one.id == "two")


def test_a_run_that_was_sealed_anew_is_no_longer_the_one_that_the_next_follows(chain):
    shutil.rmtree(chain / "one")
    of = sample_run.run().run.model_copy(update={"id": "one", "reason": "another"})
    sealed(chain, name="one", run=of)
    said = "run one: its MANIFEST.json is not the one that run two follows"
    assert load_history(chain).troubles == (said,)
    (chain / "one" / "MANIFEST.json").unlink()
    assert load_history(chain).troubles == (said,)
    shutil.rmtree(chain / "one")
    assert load_history(chain).troubles == ()


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{" * 9000])
def test_a_broken_manifest_is_told(chain, content):
    (chain / "two" / "MANIFEST.json").write_bytes(content)
    assert [one.partition(":")[0] for one in load_history(chain).troubles] == ["run two"]


@pytest.mark.parametrize("content", [b"\xff\x00", b"[]\n", b"{}\n", b"{" * 9000, b"1" * 99])
def test_a_file_of_anything_is_told_and_never_lost(tmp_path, content):
    path = ledger_path(tmp_path)
    path.write_bytes(content)
    assert ended(tmp_path, "run") is None
    assert path.read_bytes().startswith(content)
    shutil.rmtree(tmp_path / "run")
    found = load_history(tmp_path)
    assert [one.id for one in found.runs] == ["run"]
    assert found.troubles == (f"{path}: line 1 cannot be read",)


def test_a_ledger_that_cannot_be_written_or_read_is_told(tmp_path):
    ledger_path(tmp_path).mkdir(parents=True)
    assert "history.jsonl: Is a directory" in ended(tmp_path, "run")
    [trouble] = load_history(tmp_path).troubles
    assert "history.jsonl: Is a directory; runs whose folder is gone" in trouble


def test_a_run_that_is_not_in_the_history_is_not_all_that_was_asked_for(tmp_path):
    ledger_path(tmp_path).mkdir()
    made = Bundle(tmp_path, "run", names=("evidence.json",))
    passed = sample_run.run().model_copy(update={"exit_code": 0})
    made.write(Redactor(), lambda _: passed)
    lines = made.conclude(passed, "report.html", quiet=True, verbose=False)
    assert "Not in the history: " in " ".join(line.text.strip() for line in lines)
    assert made.exit_code(passed) == 3
    assert (tmp_path / "run" / "evidence.json").is_file()


def test_the_lines_of_runs_that_end_at_once_do_not_mix(tmp_path):
    script = (
        "import sys; from pathlib import Path\n"
        "from tests.unit.reports.history.test_history import ended\n"
        "for n in range(12): assert ended(Path(sys.argv[1]), f'{sys.argv[2]}-{n}') is None"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    running = [subprocess.Popen([*command, name], cwd=ROOT) for name in "abc"]
    assert [one.wait(240) for one in running] == [0, 0, 0]
    ledger = ledger_path(tmp_path)
    lines, trouble = load_ledger(ledger)
    assert (len({line.run for line in lines}), trouble) == (36, None)
    # As Git makes them on Windows; the first line is empty.
    ledger.write_bytes(b"\r\n" + ledger.read_bytes().replace(b"\n", b"\r\n"))
    assert load_ledger(ledger) == (lines, None)


def drilled(day, instance="one", opened=True, lost="satisfied", **changes):
    """A drill of a day, of which the backup's counts are recorded."""
    holds = Holdings(rows={"secrets_v2": day}, projects={}, bytes=1)
    backup = BackupFile(name="b.sql", sha256="ab", bytes=1, instance=instance, holds=holds)
    verdicts = {"DRL-1": "satisfied" if opened else "violated", "DRL-5": lost}
    facts = Facts(verdicts=verdicts, mutant=changes.pop("mutant", None))
    at = datetime(2026, 10, day, tzinfo=UTC)
    return Past(f"{day}", at, "deployment", facts, **({"backup": backup} | changes))


def test_a_drill_is_compared_with_the_last_good_one():
    others = [
        drilled(3, instance="two"),
        drilled(4, opened=False),
        drilled(5, lost="violated"),
        drilled(6, intact=False),
        drilled(7, mutant="DrillsAnEmptiedBackup"),
        drilled(8, backup=None),
    ]
    past = History((drilled(1, lost="not_applicable"), drilled(2), *others), ())
    assert last_good_drill(past, "one").id == "2"
    assert last_good_drill(past, "two").id == "3"
    assert last_good_drill(past, "three") is None
    assert last_good_drill(History((), ()), None) is None
