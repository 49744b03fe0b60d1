"""`drillbook catalogue`: every control with its statement, its specs and its last verdict here."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from drillbook.core import options
from drillbook.core.display import printable
from reports.controls import Catalogue, load, specs
from reports.history.runs import History, Past, load_history
from reports.verdict import Verdict


def rows(catalogue: Catalogue, runs: Mapping[str, Past]) -> Iterator[dict[str, Any]]:
    """One record for each control: statement, nature, severity, specs, frameworks, last verdict."""
    for entry in catalogue.control:
        last = runs.get(entry.id)
        yield {
            "id": entry.id,
            "statement": entry.claim,
            "runbook": list(entry.runbook),
            "nature": str(entry.nature),
            "severity": str(entry.severity),
            "specs": specs(entry),
            "frameworks": {name: list(ids) for name, ids in entry.frameworks.items()},
            "last_verdict": last.facts.verdicts[entry.id].value if last else None,
            "last_run": last.id if last else None,
            "last_grade": last.grade if last else None,
        }


def text(catalogue: Catalogue, runs: Mapping[str, Past]) -> str:
    """The catalogue for a terminal."""
    lines = []
    for row in rows(catalogue, runs):
        last = f"{row['last_verdict']} ({row['last_grade']}, run {row['last_run']})"
        lines.append(f"{row['id']:<12} {row['nature']}, {row['severity']}")
        lines.append(f"    {row['statement']}")
        lines += [f"    runbook: {section}" for section in row["runbook"]]
        lines += [f"    spec:    {spec}" for spec in row["specs"]]
        lines.append(f"    last:    {printable(last) if row['last_verdict'] else 'never run here'}")
    return "\n".join(lines) + "\n"


def markdown(catalogue: Catalogue) -> str:
    """The catalogue as a page of docs/, without verdicts, which differ from machine to machine."""
    lines = [
        "# Catalogue of controls",
        "",
        "For auditors and contributors: what each control states, its nature and severity, its",
        "specs, and the requirements that it supports. The sections of the runbook are next to",
        "their statements in [the runbook](runbook.md). Made by `drillbook catalogue --output",
        "markdown`; a test keeps it current.",
    ]
    for chapter in dict.fromkeys(entry.chapter for entry in catalogue.control):
        lines += ["", f"## {chapter.capitalize()}", ""]
        for entry in catalogue.control:
            if entry.chapter != chapter:
                continue
            lines.append(f"- **{entry.id}** ({entry.nature}, {entry.severity}): {entry.claim}")
            files = ", ".join(f"`{spec}`" for spec in specs(entry))
            frameworks = (f"{name} {', '.join(ids)}" for name, ids in entry.frameworks.items())
            lines.append(f"  {files}; {'; '.join(frameworks)}.")
    return "\n".join(lines) + "\n"


def last_runs(history: History) -> dict[str, Past]:
    """The latest genuine run that ran a control, by the control's id."""
    return {
        control: past
        for past in history.runs
        if past.is_genuine
        for control, verdict in past.facts.verdicts.items()
        if verdict is not Verdict.NOT_RUN
    }


def main(given: SimpleNamespace) -> int:
    """Print the catalogue; the exit code."""
    catalogue = load()
    runs = last_runs(load_history(Path(options.default_runs_folder())))
    if given.output == "json":
        shown = json.dumps(list(rows(catalogue, runs)), indent=2, ensure_ascii=False) + "\n"
    else:
        shown = markdown(catalogue) if given.output == "markdown" else text(catalogue, runs)
    sys.stdout.write(shown)
    return 0
