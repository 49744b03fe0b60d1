"""What a seal is worth, in lines for the end of a run."""

from __future__ import annotations

from collections.abc import Iterator

from reports.lines import Line, wrapped
from reports.seal.folder import Sealed


def told(sealed: Sealed) -> Iterator[Line]:
    """Who sealed it, when somebody else saw it, and what is missing."""
    by = f"signed by key {sealed.key_id[:16]}" if sealed.key_id else "unsigned"
    if sealed.bundle:
        style = () if sealed.key_id else ("yellow",)
        yield Line(f"Bundle sealed: {by}", style)
    if sealed.stamped:
        yield Line(f"Time-stamp: {sealed.stamped:%d %B %Y, %H:%M:%S} UTC")
    elif sealed.request and not sealed.trouble:
        yield from wrapped(
            f"Time-stamp: to be fetched by hand. Carry {sealed.request.name} to the authority, "
            "then: make timestamp BUNDLE=... TSR=...",
            then="  ",
        )
    if sealed.trouble:
        what = "Sealed only in part" if sealed.bundle else "Not sealed"
        text = f"{what}: {sealed.trouble}. The folder holds all evidence; `make seal` tries again."
        yield from wrapped(text, then="  ", style=("red", "bold"))
