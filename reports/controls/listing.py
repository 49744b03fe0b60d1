"""The catalogue as a person reads it: each statement, its control and spec; nothing is run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from drillbook.core.application import ROOT
from reports.controls.catalogue import Catalogue, Entry

FOLDER = ROOT / "suites"


def specs(entry: Entry, folder: Path = FOLDER) -> list[str]:
    """The spec files that carry a control's id, sorted; empty when it has none."""
    wanted = re.compile(rf'"{re.escape(entry.id)}"')
    found = (path for path in folder.rglob("test_*.py") if wanted.search(path.read_text()))
    return sorted(path.relative_to(folder.parent).as_posix() for path in found)


@dataclass(frozen=True, slots=True)
class Last:
    """How a control was judged when it was judged last: verdict, id and grade of that run."""

    verdict: str
    run: str
    grade: str

    def __str__(self) -> str:
        return f"{self.verdict} ({self.grade}, run {self.run})"


def rows(catalogue: Catalogue, verdicts: Mapping[str, Last]) -> Iterator[dict[str, object]]:
    """One record a control: statement, nature, severity, specs, frameworks, last verdict."""
    for entry in catalogue.control:
        last = verdicts.get(entry.id)
        yield {
            "id": entry.id,
            "statement": entry.claim,
            "runbook": list(entry.runbook),
            "nature": str(entry.nature),
            "severity": str(entry.severity),
            "specs": specs(entry),
            "frameworks": {name: list(ids) for name, ids in entry.frameworks.items()},
            "last_verdict": last.verdict if last else None,
            "last_run": last.run if last else None,
            "last_grade": last.grade if last else None,
        }


def text(catalogue: Catalogue, verdicts: Mapping[str, Last]) -> str:
    """The catalogue for a terminal."""
    lines = []
    for row in rows(catalogue, verdicts):
        lines.append(f"{row['id']:<12} {row['nature']}, {row['severity']}")
        lines.append(f"    {row['statement']}")
        lines += [f"    runbook: {section}" for section in catalogue[str(row["id"])].runbook]
        lines += [f"    spec:    {spec}" for spec in specs(catalogue[str(row["id"])])]
        lines.append(f"    last:    {verdicts.get(str(row['id'])) or 'never run here'}")
    return "\n".join(lines) + "\n"


def markdown(catalogue: Catalogue) -> str:
    """The catalogue as a page of docs/; it knows no verdicts, which belong to a machine."""
    lines = [
        "# Catalogue of controls",
        "",
        "Made by `drillbook catalogue --output markdown`; a test keeps it current.",
        "",
        "| control | statement | nature | runbook | spec | frameworks |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [_line(entry) for entry in catalogue.control]
    return "\n".join(lines) + "\n"


def _line(entry: Entry) -> str:
    frameworks = "; ".join(f"{name} {', '.join(ids)}" for name, ids in entry.frameworks.items())
    cells = (
        entry.id,
        entry.claim,
        f"{entry.nature}, {entry.severity}",
        "; ".join(entry.runbook),
        "<br>".join(f"`{spec}`" for spec in specs(entry)),
        frameworks,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
