"""The runbook's statements as they should read for the version that ran."""

from __future__ import annotations

from collections.abc import Iterator

from reports import prose
from reports.model import Control, Run
from reports.verdict import Verdict


def render(run: Run) -> str:
    """`corrected-runbook.md`: by section, what holds, what is corrected, what is open.

    A claim that was not judged is listed as open; nothing is corrected that was not contradicted.
    """
    backend = run.subject.backend
    lines = ["# Corrected runbook", "", f"For `{backend.image or backend.command or 'unknown'}`,"]
    lines += [f"from run {run.run.id} of {run.run.started:%d %B %Y}.", ""]
    if worth := prose.grade(run):
        lines += [f"> {worth}", ""]
    for section in _sections(run):
        lines += [f"## {section}", "", *_statements(run, section), ""]
    return "\n".join(lines)


def _sections(run: Run) -> list[str]:
    named = (section for control in run.controls for section in control.runbook)
    return list(dict.fromkeys(named))


def _statements(run: Run, section: str) -> Iterator[str]:
    for control in run.controls:
        if section in control.runbook:
            yield _statement(control)


def _statement(control: Control) -> str:
    if control.verdict is Verdict.CONTRADICTED:
        wording = control.correction or f"This does not hold: {control.claim}"
        return f"- **Corrected** ({control.id}): {wording}"
    if control.verdict is Verdict.SATISFIED:
        return f"- {control.claim} ({control.id})"
    if control.verdict is Verdict.VIOLATED:
        return f"- **Not so here** ({control.id}): {control.claim}"
    kind = "statement" if control.nature == "claim" else "property"
    return f"- *Open*, this {kind} was not judged ({control.id}): {control.claim}"
