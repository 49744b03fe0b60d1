"""The bench counts no moment twice, refuses nonsense, and its large backups are real ones."""

import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.bench.__main__ import main, sample, stack_seconds
from fixtures.bench.backups import Backups

ROOT = Path(__file__).resolve().parents[1]


def span(second, duration, kind):
    return {"started": f"2026-01-01T00:00:{second:02}Z", "duration_s": duration, "kind": kind}


def test_each_moment_of_a_stack_counts_once():
    spans = [
        span(0, 10.0, "boot"),
        span(2, 3.0, "migrate"),
        span(8, 4.0, "dump"),
        span(20, 1.0, "restore"),
        span(0, 60.0, "step"),
    ]
    assert stack_seconds({"timeline": spans}) == pytest.approx(13.0)


def test_sample_is_spread_and_never_longer_than_what_there_is():
    assert sample(list("abcdef"), 3) == ["a", "c", "e"]
    assert sample(list("ab"), 5) == ["a", "b"]
    assert sample(list("ab"), 0) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("--controls=many", "many: give a number from 0 to 1000"),
        ("--mib=-1", "-1: give a number from 0"),
        ("--mib=", "an empty value; give N"),
    ],
)
def test_what_is_not_a_number_is_refused_before_anything_runs(given, said, capsys):
    with pytest.raises(SystemExit) as end:
        main([given])
    assert end.value.code == 3
    assert said in capsys.readouterr().err


def test_large_backups_are_proved_and_restored(tmp_path):
    with Backups(tmp_path) as backups:
        large, many = backups.with_audit_log(1), backups.with_secrets(50)
        assert large.stat().st_size >= 1 << 20
        assert backups.psql_seconds(large) > 0
        for backup in (large, many):
            command = [sys.executable, "-m", "drillbook.cli.check_key", f"--backup={backup}"]
            done = subprocess.run(
                [*command, f"--env-file={backups.keys}"],
                cwd=ROOT,
                capture_output=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout
        assert backups.keys.stat().st_mode & 0o777 == 0o600
