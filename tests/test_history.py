"""The ledger of runs: appended only, chained, and never mended in silence."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from reports import history, sample
from reports.history import ledger
from reports.writers import render

ROOT = Path(__file__).resolve().parents[1]


def ended(runs, name, days=0, **changes):
    """The sample run under another name, as it lies in its folder with its line."""
    made = sample.run(**changes)
    finished = made.run.finished + timedelta(days=days)
    facts = made.run.model_copy(update={"id": name, "finished": finished})
    made = made.model_copy(update={"run": facts})
    (runs / name).mkdir(parents=True)
    (runs / name / "evidence.json").write_bytes(render("evidence.json", made))
    return ledger.remember(made, runs / name)


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "reports" / "runs"
    for number in range(5):
        assert ended(folder, f"run-{number}", number) == (True, None)
    return folder


def test_the_ledger_stands_beside_the_ordinary_folder_and_inside_any_other(tmp_path):
    ordinary = tmp_path / "reports" / "runs"
    assert ledger.beside(ordinary) == tmp_path / "reports" / "history.jsonl"
    assert ledger.beside(tmp_path / "other") == tmp_path / "other" / "history.jsonl"


def test_each_line_carries_the_digest_of_the_line_before(runs):
    import hashlib

    lines = ledger.beside(runs).read_bytes().splitlines()
    said = [json.loads(line)["previous"] for line in lines]
    assert said == [None, *(hashlib.sha256(line).hexdigest() for line in lines[:-1])]
    assert history.read(runs).troubles == ()


@pytest.mark.parametrize("number", range(5))
def test_any_changed_byte_is_told(runs, number):
    path = ledger.beside(runs)
    lines = path.read_bytes().splitlines(keepends=True)
    for place in range(0, len(lines[number]) - 1, 7):
        broken = bytearray(lines[number])
        broken[place] ^= 1 << place % 7
        path.write_bytes(b"".join([*lines[:number], broken, *lines[number + 1 :]]))
        assert history.read(runs).troubles != (), bytes(broken[place - 20 : place + 20])


@pytest.mark.parametrize("number", range(5))
def test_a_line_that_was_taken_out_is_told_wherever_it_stood(runs, number):
    path = ledger.beside(runs)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
    assert history.read(runs).troubles != ()


def test_what_follows_a_break_is_kept_and_the_break_stays(runs):
    path = ledger.beside(runs)
    cut = path.read_bytes()[:-40]
    path.write_bytes(cut)
    written, trouble = ended(runs, "run-5", 5)
    assert written
    assert trouble == f"{path}: line 5 cannot be read"
    assert path.read_bytes().startswith(cut + b"\n")
    found = history.read(runs)
    assert found.troubles[0] == trouble
    assert [one.id for one in found.runs] == [f"run-{number}" for number in range(6)]
    assert ended(runs, "run-6", 6) == (True, trouble)


def test_runs_whose_folder_is_gone_are_remembered_and_not_kept(runs):
    (runs / "run-2" / "evidence.json").unlink()
    found = history.read(runs)
    assert [one.id for one in found.runs if not one.kept] == ["run-2"]
    assert [one.id for one in found.kept.runs] == ["run-0", "run-1", "run-3", "run-4"]
    assert found.troubles == ()


def test_evidence_that_was_changed_after_its_run_is_told_and_read_as_it_is(runs):
    path = runs / "run-3" / "evidence.json"
    path.write_text(path.read_text().replace(': "violated"', ': "satisfied"'))
    found = history.read(runs)
    said = "run run-3: its evidence.json and its line differ: one was changed since"
    assert found.troubles == (said,)
    assert "KEY-3" in found.runs[3].satisfied


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\xff\x00", b"[]\n", b"{}\n", b"{" * 9000, b"1" * 99]
)
def test_a_file_of_anything_is_told_and_never_lost(tmp_path, content):
    ledger.beside(tmp_path).write_bytes(content)
    written, trouble = ended(tmp_path, "run")
    assert written
    assert bool(trouble) is bool(content)
    assert ledger.beside(tmp_path).read_bytes().startswith(content)
    assert [one.id for one in history.read(tmp_path).runs] == ["run"]


def test_a_ledger_that_cannot_be_written_is_told(tmp_path):
    ledger.beside(tmp_path).mkdir(parents=True)
    written, trouble = ended(tmp_path, "run")
    assert not written
    assert "history.jsonl: Is a directory" in trouble


def test_two_runs_that_end_at_once_do_not_break_the_chain(tmp_path):
    script = (
        "import sys; from pathlib import Path; from tests.test_history import ended\n"
        "for n in range(12): assert ended(Path(sys.argv[1]), f'{sys.argv[2]}-{n}')[0]"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    running = [subprocess.Popen([*command, name], cwd=ROOT) for name in "abc"]
    assert [one.wait(60) for one in running] == [0, 0, 0]
    found = ledger.load(ledger.beside(tmp_path))
    assert (len(found.lines), found.trouble) == (36, None)
