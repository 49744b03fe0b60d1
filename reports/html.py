"""report.html: the run for a reader with a browser, in one file that needs nothing else."""

from __future__ import annotations

from reports.model import Run


def render(run: Run) -> str:
    """The run as a page."""
    return f"<!doctype html><title>{run.run.id}</title>"
