"""The catalogue as a person reads it: each statement, its control and spec; nothing is run."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from reports.catalogue import Catalogue, Entry, load
from reports.errors import ReportError
from reports.verdict import UNUSABLE

_FOLDER = Path("suites")


def specs(entry: Entry, folder: Path = _FOLDER) -> list[str]:
    """The spec files that carry a control's id, sorted; empty when it has none."""
    wanted = re.compile(rf'"{re.escape(entry.id)}"')
    found = (path for path in folder.rglob("test_*.py") if wanted.search(path.read_text()))
    return sorted(path.as_posix() for path in found)


def last_verdicts(runs: Path) -> dict[str, str]:
    """The verdict of each control in the newest run; {} when there is none."""
    try:
        evidence = json.loads((runs / "latest" / "evidence.json").read_text())
    except (OSError, ValueError):
        return {}
    return {control["id"]: control["verdict"] for control in evidence["controls"]}


def rows(catalogue: Catalogue, verdicts: dict[str, str]) -> Iterator[dict[str, object]]:
    """One record a control: statement, nature, severity, specs, frameworks, last verdict."""
    for entry in catalogue.control:
        yield {
            "id": entry.id,
            "statement": entry.claim,
            "runbook": list(entry.runbook),
            "nature": str(entry.nature),
            "severity": str(entry.severity),
            "specs": specs(entry),
            "frameworks": {name: list(ids) for name, ids in entry.frameworks.items()},
            "last_verdict": verdicts.get(entry.id),
        }


def text(catalogue: Catalogue, verdicts: dict[str, str]) -> str:
    """The catalogue for a terminal."""
    lines = []
    for row in rows(catalogue, verdicts):
        lines.append(f"{row['id']:<12} {row['nature']}, {row['severity']}")
        lines.append(f"    {row['statement']}")
        lines += [f"    runbook: {section}" for section in catalogue[str(row["id"])].runbook]
        lines += [f"    spec:    {spec}" for spec in specs(catalogue[str(row["id"])])]
        lines.append(f"    last:    {row['last_verdict'] or 'never run here'}")
    return "\n".join(lines) + "\n"


def markdown(catalogue: Catalogue) -> str:
    """The catalogue as a page of docs/; it knows no verdicts, which belong to a machine."""
    lines = [
        "# Catalogue of controls",
        "",
        "Made by `python -m reports.outline --markdown`; a test keeps it current.",
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


def main() -> int:
    """Print the catalogue; exit code 3 and one sentence when it cannot be read."""
    parser = argparse.ArgumentParser(description="What is checked, of which statement.")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true")
    form.add_argument("--markdown", action="store_true")
    asked = parser.parse_args()
    try:
        catalogue = load(_FOLDER / "controls.toml")
    except ReportError as trouble:
        print(trouble, file=sys.stderr)  # noqa: T201 - this module speaks to a person
        return UNUSABLE
    verdicts = last_verdicts(Path("reports/runs"))
    if asked.json:
        shown = json.dumps(list(rows(catalogue, verdicts)), indent=2, ensure_ascii=False) + "\n"
    else:
        shown = markdown(catalogue) if asked.markdown else text(catalogue, verdicts)
    sys.stdout.write(shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
