"""The figures of the kept qualification where people read them first: between two marks."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from reports.qualification.record import Qualification
from reports.qualification.specimens import ROOT, Unqualifiable
from reports.qualification.statement import fates_of_generated_bugs
from reports.render.phrases import duration

README = ROOT / "README.md"
_PLACE = re.compile(r"(?<=<!-- qualification -->\n).*?(?=<!-- end of qualification -->)", re.DOTALL)
_WIDTH = 110


def summary(record: Qualification) -> str:
    """The figures in two sentences, as they stand in README.md."""
    told = (
        f"Of {record.planted} planted bugs {record.killed_by_meant} died by the control meant for "
        f"them and for the reason written down before ({record.kill_rate:.1%}; "
        f"{record.equivalent} equivalent, {record.not_run} not run). "
        f"Of {record.healthy_runs} healthy runs {record.runs_with_false_alarm} raised a false "
        f"alarm, which bounds their rate by {record.false_alarm_bound:.1%} with 95 % confidence; "
        f"{record.flake_rate:.2%} of {record.healthy_verdicts} verdicts flaked. "
        f"{_drawn(record)}Commit "
        f"{(record.commit or 'unknown')[:12]}, {record.started:%Y-%m-%d}, "
        f"{duration(record.duration_s)} with {record.workers} runs side by side."
    )
    return textwrap.fill(told, _WIDTH, break_on_hyphens=False) + "\n"


def _drawn(record: Qualification) -> str:
    return f"{fates_of_generated_bugs(record.generated)} " if record.generated else ""


def update(record: Qualification, path: Path = README) -> None:
    """Put the figures where the marks are; Unqualifiable when there are none."""
    text = path.read_text(encoding="utf-8")
    if not _PLACE.search(text):
        raise Unqualifiable(f"{path.name} has no <!-- qualification --> to put the figures behind")
    path.write_text(_PLACE.sub(lambda _: summary(record), text), encoding="utf-8")


def current_text(path: Path = README) -> str:
    """What stands between the marks."""
    found = _PLACE.search(path.read_text(encoding="utf-8"))
    return found[0] if found else ""
