"""The files a run is written as; other formats are made from a bundle by `make export`."""

from __future__ import annotations

from importlib import import_module

from reports.model import Run

WRITERS = {
    "evidence.json": "evidence",
    "junit.xml": "junit",
    "oscal-assessment-results.json": "oscal",
    "report.html": "html",
    "report.pdf": "pdf",
    "corrected-runbook.md": "runbook",
    "REPRODUCE.md": "reproduce",
}


def render(name: str, run: Run) -> bytes:
    """The run as this file; equal runs give equal bytes."""
    text = import_module(f"reports.{WRITERS[name]}").render(run)
    return text if isinstance(text, bytes) else str(text).encode()
