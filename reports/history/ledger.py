"""history.jsonl: a line for each run, so that it is remembered when its folder is gone.

A line proves nothing: what a run saw is proved by its bundle, and which runs followed it by theirs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field, ValidationError

from drillbook.core.files import read_file
from reports.history.facts import Facts, Seen
from reports.model import Grade, Run
from reports.part import Part

NAME = "history.jsonl"
_LARGEST = 256 << 20


class Line(Part):
    """A run that ended, and what is remembered of it."""

    schema_: Literal["drillbook/history/1"] = Field(alias="schema")
    run: str
    finished: AwareDatetime
    grade: Grade
    facts: Facts = Facts()


def beside(runs: Path) -> Path:
    """Where the ledger of a folder of runs is: reports/runs has it at its side, others inside."""
    ordinary = runs.parts[-2:] == ("reports", "runs")
    return (runs.parent if ordinary else runs) / NAME


def load(path: Path) -> tuple[list[Line], str | None]:
    """Every line that can be read, in their order; what is wrong with the file, in a sentence."""
    try:
        data = read_file(path, _LARGEST)
    except FileNotFoundError:
        return [], None
    except OSError as trouble:
        return [], f"{path}: {trouble.strerror}; runs whose folder is gone are not listed"
    lines, bad = [], []
    for number, text in enumerate(data.split(b"\n"), 1):
        try:
            lines += [Line.model_validate_json(text)] if text else []
        except (ValidationError, RecursionError):
            bad.append(number)
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    return lines, f"{path}: line {bad[0]} cannot be read{more}" if bad else None


def remember(run: Run, folder: Path) -> str | None:
    """Add the line of a run whose evidence is in the folder; what kept us from it, if anything."""
    path = beside(folder.parent)
    line = Line(
        schema="drillbook/history/1",
        run=run.run.id,
        finished=run.run.finished,
        grade=run.subject.grade,
        facts=Seen.model_validate(run.model_dump(mode="json")).facts(),
    )
    text = json.dumps(line.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False)
    data = f"\n{text}".encode()
    try:
        # One write: runs that end at once do not mix. A break first: it ends what a crash cut off.
        with path.open("ab", buffering=0) as file:
            whole = file.write(data) == len(data)
    except OSError as trouble:
        return f"{path}: {trouble.strerror}"
    return None if whole else f"{path}: the disk is full"
