"""The catalogue as a person reads it: each statement, its control and spec; nothing is run."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from drillbook.core.files import read_file
from reports.catalogue import Catalogue, Entry, load
from reports.errors import ReportError
from reports.part import strict_json
from reports.verdict import UNUSABLE

_FOLDER = Path("suites")
_NEWEST, _LARGEST = 50, 64 << 20


def specs(entry: Entry, folder: Path = _FOLDER) -> list[str]:
    """The spec files that carry a control's id, sorted; empty when it has none."""
    wanted = re.compile(rf'"{re.escape(entry.id)}"')
    found = (path for path in folder.rglob("test_*.py") if wanted.search(path.read_text()))
    return sorted(path.as_posix() for path in found)


@dataclass(frozen=True, slots=True)
class Last:
    """How a control was judged when it was judged last: verdict, id and grade of that run."""

    verdict: str
    run: str
    grade: str

    def __str__(self) -> str:
        return f"{self.verdict} ({self.grade}, run {self.run})"


def last_verdicts(runs: Path) -> dict[str, Last]:
    """The last verdict on each control among the newest runs; {} when there is none.

    A run that was not asked for a control says nothing about it, nor does one with a planted bug.
    """
    found: dict[str, Last] = {}
    newest = sorted(runs.glob("*/evidence.json"), reverse=True)[:_NEWEST]
    for path in newest:
        for known, last in _judged(path):
            found.setdefault(known, last)
    return found


def _judged(path: Path) -> Iterator[tuple[str, Last]]:
    try:
        evidence = strict_json(read_file(path, _LARGEST))
        run, grade = evidence["run"], evidence["subject"]["grade"]
        if "--mutant=" not in run["command"]:
            for one in evidence["controls"]:
                if one["verdict"] != "not_run":
                    yield str(one["id"]), Last(str(one["verdict"]), str(run["id"]), str(grade))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        # Another tool's file, or a run that was killed while it wrote.
        return


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
