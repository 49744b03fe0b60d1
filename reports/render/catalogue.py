"""`drillbook catalogue`: every control with its statement, its specs and its frameworks."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from reports.controls import Catalogue, load, specs


def rows(catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    """One record for each control: statement, runbook, nature, severity, specs, frameworks."""
    for entry in catalogue.control:
        yield {
            "id": entry.id,
            "statement": entry.claim,
            "runbook": list(entry.runbook),
            "nature": str(entry.nature),
            "severity": str(entry.severity),
            "specs": specs(entry),
            "frameworks": {name: list(ids) for name, ids in entry.frameworks.items()},
        }


def text(catalogue: Catalogue) -> str:
    """The catalogue for a terminal."""
    lines = []
    for row in rows(catalogue):
        lines.append(f"{row['id']:<12} {row['nature']}, {row['severity']}")
        lines.append(f"    {row['statement']}")
        lines += [f"    runbook: {section}" for section in row["runbook"]]
        lines += [f"    spec:    {spec}" for spec in row["specs"]]
    return "\n".join(lines) + "\n"


def markdown(catalogue: Catalogue) -> str:
    """The catalogue as a page of docs/."""
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


def main(given: SimpleNamespace) -> int:
    """Print the catalogue; the exit code."""
    catalogue = load()
    if given.output == "json":
        shown = json.dumps(list(rows(catalogue)), indent=2, ensure_ascii=False) + "\n"
    else:
        shown = markdown(catalogue) if given.output == "markdown" else text(catalogue)
    sys.stdout.write(shown)
    return 0
