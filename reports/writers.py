"""Which files a run is written as. A format's module is loaded when it is first written."""

from __future__ import annotations

from importlib import import_module

from reports.model import Run

WRITERS = {
    "evidence.json": "evidence",
    "junit.xml": "junit",
    "ctrf.json": "ctrf",
    "oscal-assessment-results.json": "oscal",
    "ocsf.json": "ocsf",
    "inspec.json": "inspec",
    "report.html": "html",
    "report.pdf": "pdf",
    "corrected-runbook.md": "runbook",
    "REPRODUCE.md": "reproduce",
}


def render(name: str, run: Run) -> bytes:
    """The run as this file; equal runs give equal bytes."""
    text = import_module(f"reports.{WRITERS[name]}").render(run)
    return text if isinstance(text, bytes) else str(text).encode()
