"""Errors of recording, judging and writing a run."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from drillbook.core.errors import Trouble


class ReportError(Trouble):
    """Any error in recording, judging or writing; the message says what, where, what to do."""


class BadDeclaration(ReportError):
    """What the user declared is missing, broken, or contradicts the catalogue."""


class BadEvidence(ReportError):
    """The record does not satisfy its own schema; this is a bug of the harness."""


class BadKey(ReportError):
    """A signing key or a public key is missing, broken, of another kind or open to others."""


class BadBundle(ReportError):
    """A file is not a bundle, or not one that is safe to open (exit code 3)."""


class Distrusted(ReportError):
    """A bundle was changed after it was sealed, or its maker is unknown (exit code 1)."""


class Unqualifiable(ReportError):
    """The qualification cannot start or be read; the message says what to do."""


def near(word: str, known: Iterable[str]) -> str:
    """What the user may have meant, as the end of a sentence; else the known words."""
    choices = sorted(known)
    by_case = {choice.upper(): choice for choice in choices}
    found = [by_case[match] for match in get_close_matches(word.upper(), by_case, 3, 0.5)]
    if found:
        return f"did you mean {', '.join(found)}?"
    if not choices:
        return "none are known"
    more = ", ..." if len(choices) > 8 else ""
    return f"known are {', '.join(choices[:8])}{more}"
